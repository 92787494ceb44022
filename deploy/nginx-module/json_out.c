#include "json_out.h"

#include <string.h>

#include "json_escape.h"

void json_begin(struct json_out *out, ngx_pool_t *pool)
{
    *out = (struct json_out){.pool = pool};
}

void json_choose(struct json_out *out, enum json_fields chosen, const struct fields *fields)
{
    if (fields->list != NULL) {
        out->chosen = chosen;
        out->fields = *fields;
        out->names_only = chosen == JSON_FIELDS_MAP && fields_is_empty(fields);
    }
}

static void skip_begin(struct json_out *out)
{
    out->skipping = true;
    out->comma_kept = out->comma;
}

static void skip_end(struct json_out *out)
{
    if (out->skipping) {
        out->skipping = false;
        out->comma = out->comma_kept;
    }
}

/* Room for that many bytes more, or NULL. */
static u_char *reserve(struct json_out *out, size_t size_bytes)
{
    if (out->failed || out->skipping) {
        return NULL;
    }
    if (out->capacity_bytes - out->size_bytes < size_bytes) {
        size_t capacity_bytes = ngx_max(ngx_max((size_t)1024, out->capacity_bytes * 2), out->size_bytes + size_bytes);
        u_char *bytes = ngx_pnalloc(out->pool, capacity_bytes);

        if (bytes == NULL) {
            out->failed = true;
            return NULL;
        }
        if (out->bytes != NULL) {
            ngx_memcpy(bytes, out->bytes, out->size_bytes);
            ngx_pfree(out->pool, out->bytes);
        }
        out->bytes = bytes;
        out->capacity_bytes = capacity_bytes;
    }
    return out->bytes + out->size_bytes;
}

static void put(struct json_out *out, const void *bytes, size_t size_bytes)
{
    u_char *to = reserve(out, size_bytes);

    if (to != NULL) {
        ngx_memcpy(to, bytes, size_bytes);
        out->size_bytes += size_bytes;
    }
}

static void value_begin(struct json_out *out)
{
    if (out->comma) {
        put(out, ",", 1);
    }
    out->comma = true;
}

void json_open(struct json_out *out, char bracket)
{
    value_begin(out);
    put(out, out->names_only ? "[" : &bracket, 1);
    out->comma = false;
    out->open++;
}

void json_close(struct json_out *out, char bracket)
{
    if (out->open == (unsigned)out->chosen && !out->names_only) {
        skip_end(out); /* a skipped member that was the last one */
    }
    out->open--;
    put(out, out->names_only ? "]" : &bracket, 1);
    out->comma = true;
    if (out->names_only && out->open == 1) {
        skip_end(out);
    }
}

void json_text(struct json_out *out, const u_char *bytes, size_t size_bytes)
{
    value_begin(out);
    u_char *to = reserve(out, size_bytes * JSON_ESCAPE_MAX + 2);
    if (to == NULL) {
        return;
    }
    u_char *at = to;
    *at++ = '"';
    at += json_escape((char *)at, (const char *)bytes, size_bytes);
    *at++ = '"';
    out->size_bytes += (size_t)(at - to);
}

void json_colon(struct json_out *out)
{
    if (out->names_only && out->open == 1) {
        skip_begin(out);
    }
    put(out, ":", 1);
    out->comma = false;
}

void json_key(struct json_out *out, const char *key)
{
    if (out->chosen != JSON_FIELDS_NONE && out->open == (unsigned)out->chosen && !out->names_only) {
        skip_end(out);
        if (!fields_has(&out->fields, key)) {
            skip_begin(out);
        }
    }
    json_text(out, (const u_char *)key, strlen(key));
    json_colon(out);
}

void json_uint(struct json_out *out, uint64_t value)
{
    u_char digits[NGX_INT64_LEN];

    value_begin(out);
    put(out, digits, (size_t)(ngx_sprintf(digits, "%uL", value) - digits));
}

void json_bool(struct json_out *out, bool value)
{
    value_begin(out);
    put(out, value ? "true" : "false", value ? 4 : 5);
}

void json_time(struct json_out *out, time_t s, ngx_msec_t ms)
{
    u_char text[sizeof("2026-11-23T15:11:15.467Z") + 8];
    ngx_tm_t tm;

    ngx_gmtime(s, &tm);
    u_char *end = ngx_snprintf(text, sizeof(text), "%4d-%02d-%02dT%02d:%02d:%02d.%03MZ", tm.ngx_tm_year, tm.ngx_tm_mon,
                               tm.ngx_tm_mday, tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec, ms);
    json_text(out, text, (size_t)(end - text));
}

void json_member_text(struct json_out *out, const char *key, const ngx_str_t *value)
{
    json_key(out, key);
    json_text(out, value->data, value->len);
}

void json_member_word(struct json_out *out, const char *key, const char *value)
{
    json_key(out, key);
    json_text(out, (const u_char *)value, strlen(value));
}

void json_member_uint(struct json_out *out, const char *key, uint64_t value)
{
    json_key(out, key);
    json_uint(out, value);
}

void json_member_bool(struct json_out *out, const char *key, bool value)
{
    json_key(out, key);
    json_bool(out, value);
}
