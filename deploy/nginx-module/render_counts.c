#include "render_counts.h"

#define CODES_SINCE 7

static void put_times(struct json_out *out, enum shared_kind kind, const struct snapshot_counts *counts)
{
    static const char *const names[SHARED_KINDS][COUNTS_TIMES] = {
        [SHARED_HTTP] = {NULL, "header_time", "response_time"},
        [SHARED_STREAM] = {"connect_time", "first_byte_time", "response_time"},
    };
    uint64_t ms;

    for (unsigned i = 0; i < COUNTS_TIMES; i++) {
        if (names[kind][i] != NULL && average_read(counts->times[i], &ms)) {
            json_member_uint(out, names[kind][i], ms);
        }
    }
}

static void put_codes(struct json_out *out, const struct snapshot_counts *counts)
{
    json_key(out, "codes");
    json_open(out, '{');
    for (ngx_uint_t i = 0; i < counts->codes_n; i++) {
        u_char text[NGX_INT_T_LEN];
        ngx_str_t key = {(size_t)(ngx_sprintf(text, "%ud", counts->codes[i].status) - text), text};

        json_text(out, key.data, key.len);
        json_colon(out);
        json_uint(out, counts->codes[i].n);
    }
    json_close(out, '}');
}

static void put_responses(struct json_out *out, unsigned version, const struct snapshot_counts *counts)
{
    static const char *const names[COUNTS_CLASSES] = {NULL, "1xx", "2xx", "3xx", "4xx", "5xx"};
    uint64_t total = counts->classes[0];

    json_key(out, "responses");
    json_open(out, '{');
    for (unsigned i = 1; i < COUNTS_CLASSES; i++) {
        json_member_uint(out, names[i], counts->classes[i]);
        total += counts->classes[i];
    }
    if (version >= CODES_SINCE) {
        put_codes(out, counts);
    }
    json_member_uint(out, "total", total);
    json_close(out, '}');
}

/* There are none in free nginx; Plus shows the same where none are configured. */
static void put_health_checks(struct json_out *out)
{
    json_key(out, "health_checks");
    json_open(out, '{');
    json_member_uint(out, "checks", 0);
    json_member_uint(out, "fails", 0);
    json_member_uint(out, "unhealthy", 0);
    json_close(out, '}');
}

static void put_moment(struct json_out *out, const char *key, uint64_t utc_ms)
{
    if (utc_ms != 0) {
        json_key(out, key);
        json_time(out, (time_t)(utc_ms / 1000), (ngx_msec_t)(utc_ms % 1000));
    }
}

void render_counts(struct json_out *out, enum shared_kind kind, unsigned version, const struct snapshot_counts *counts)
{
    json_member_uint(out, kind == SHARED_HTTP ? "requests" : "connections", counts->selections);
    put_times(out, kind, counts);
    if (kind == SHARED_HTTP) {
        put_responses(out, version, counts);
    }
    json_member_uint(out, "sent", counts->sent_bytes);
    json_member_uint(out, "received", counts->received_bytes);
    json_member_uint(out, "fails", counts->fails);
    json_member_uint(out, "unavail", counts->unavail);
    put_health_checks(out);
    json_member_uint(out, "downtime", counts->downtime_ms);
    put_moment(out, "downstart", counts->downstart_ms);
    put_moment(out, "selected", counts->selected_ms);
}
