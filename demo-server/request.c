#include "request.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/duration.h"
#include "version.h"

#define FORM_TYPE         "application/x-www-form-urlencoded"
#define FORM_BUFFER_BYTES 512

int64_t request_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void request_begin(struct conn *c)
{
    c->spoke = true;
    c->request = (struct request){.state = REQUEST_HEAD, .route = ROUTE_OTHER, .began_ms = request_now_ns() / 1000000};
}

/* ---- answers */

static enum MHD_Result answer(struct conn *c, unsigned status, const char *type, const char *text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result rc;

    if (response == NULL)
        return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (c->listener->site->draining && !conn_has_more(c))
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
                                      routes[c->request.route].methods & METHOD_POST ? "GET, HEAD, POST" : "GET, HEAD");
    rc = MHD_queue_response(c->mhd, status, response);
    MHD_destroy_response(response);
    c->request.state = REQUEST_ANSWERED;
    return rc;
}

static enum MHD_Result answer_text(struct conn *c, unsigned status, const char *text)
{
    return answer(c, status, "text/plain; charset=utf-8", text);
}

static enum MHD_Result answer_stats(struct conn *c)
{
    const struct site *site = c->listener->site;
    char counts[512], json[1024];

    (void)snprintf(json, sizeof json,
                   "{\"pid\":%ld,\"started\":\"%s\",\"version\":\"%s\",\"draining\":%s,\"sleeping\":%zu,"
                   "\"connections\":%zu,\"answered\":%s,\"aborted\":%" PRIu64 "}\n",
                   site->pid, site->started, version_text, site->draining ? "true" : "false", site->sleepers.count,
                   site->conn_count, counts_json(&site->counts, counts, sizeof counts), site->counts.aborted);
    return answer(c, MHD_HTTP_OK, "application/json", json);
}

static enum MHD_Result answer_slept(struct conn *c)
{
    char text[256];

    (void)snprintf(text, sizeof text, "%s started at %s slept for %" PRId64 " nanoseconds from pid %ld.\n",
                   c->listener->name, c->listener->site->started, c->request.sleep_ns, c->listener->site->pid);
    return answer_text(c, MHD_HTTP_OK, text);
}

/* ---- /sleep/ */

/* Of a broken build. */
static bool errs_now(void)
{
    static unsigned n;

    return version_errs_every > 0 && ++n % version_errs_every == 0;
}

/* As r.FormValue of the seed: the form in the body first, then the query. */
static enum MHD_Result sleep_start(struct conn *c)
{
    struct request *r = &c->request;
    const char *text = r->duration;
    size_t size = 0;
    struct err err = {""};
    int64_t now_ns = request_now_ns();

    if (!r->form_has_duration)
        (void)MHD_lookup_connection_value_n(c->mhd, MHD_GET_ARGUMENT_KIND, "duration", strlen("duration"), &text,
                                            &size);
    if (text != NULL && !r->form_has_duration && strlen(text) < size) { /* %00 */
        (void)snprintf(r->duration, sizeof r->duration, "%.100s?", text);
        text = r->duration;
    }
    if (!duration_parse_go(text != NULL ? text : "", &r->sleep_ns, &err)) {
        char line[sizeof err.text + 1];

        (void)snprintf(line, sizeof line, "%s\n", err.text);
        return answer_text(c, MHD_HTTP_BAD_REQUEST, line);
    }
    if (errs_now())
        return answer_text(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "this build errs\n");
    if (version_slower_ms > 0)
        r->sleep_ns = (r->sleep_ns > 0 ? r->sleep_ns : 0) + (int64_t)version_slower_ms * 1000000;
    if (r->sleep_ns <= 0)
        return answer_slept(c);
    r->sleeper.deadline_ns = r->sleep_ns > INT64_MAX - now_ns ? INT64_MAX : now_ns + r->sleep_ns;
    if (!sleepers_add(&c->listener->site->sleepers, &r->sleeper))
        return answer_text(c, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for another sleeper\n");
    r->state = REQUEST_ASLEEP;
    MHD_suspend_connection(c->mhd);
    return MHD_YES;
}

struct conn *request_conn_of(struct sleeper *s)
{
    return (struct conn *)((char *)s - offsetof(struct conn, request.sleeper));
}

void request_wake(struct conn *c)
{
    assert(c->request.state == REQUEST_ASLEEP);
    c->request.state = REQUEST_AWAKE;
    MHD_resume_connection(c->mhd);
}

/* ---- the head and the body */

static enum MHD_Result form_piece(void *ctx, enum MHD_ValueKind kind, const char *key, const char *filename,
                                  const char *type, const char *encoding, const char *data, uint64_t offset,
                                  size_t size)
{
    struct conn *c = ctx;
    struct request *r = &c->request;

    (void)kind, (void)filename, (void)type, (void)encoding;
    if (key == NULL || strcmp(key, "duration") != 0)
        return MHD_YES;
    r->form_has_another |= offset == 0 && r->form_has_duration;
    if (r->form_has_another)
        return MHD_YES;
    r->form_has_duration = true;
    for (size_t i = 0; i < size && offset + i < sizeof r->duration - 1; i++)
        r->duration[offset + i] = data[i] != '\0' ? data[i] : '?';
    if (offset + size >= sizeof r->duration)
        r->duration[0] = '?'; /* too long to be any */
    return MHD_YES;
}

struct head_count {
    unsigned lengths, encodings, hosts;
    bool unknown_encoding, blank_in_name;
};

static enum MHD_Result head_piece(void *ctx, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct head_count *n = ctx;

    (void)kind;
    n->unknown_encoding |=
        strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0 && (value == NULL || strcasecmp(value, "chunked") != 0);
    n->blank_in_name |= strpbrk(key, " \t") != NULL;
    n->lengths += strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    n->encodings += strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    n->hosts += strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0;
    return MHD_YES;
}

/* What libmicrohttpd 0.9.75 lets through and RFC 9112 (3.2, 5.1, 6.1, 6.3) does not: where a message ends must be
 * certain.
 */
static const char *head_fault(const struct head_count *n, const char *version)
{
    if (n->hosts == 0 && strcmp(version, MHD_HTTP_VERSION_1_1) == 0)
        return "Host is missing\n";
    if (n->lengths > 1)
        return "more than one Content-Length\n";
    if (n->lengths > 0 && n->encodings > 0)
        return "both Content-Length and Transfer-Encoding\n";
    if (n->encodings > 1)
        return "more than one Transfer-Encoding\n";
    if (n->unknown_encoding)
        return "a Transfer-Encoding other than chunked\n";
    if (n->blank_in_name)
        return "a blank in the name of a header\n";
    return n->hosts > 1 ? "more than one Host\n" : NULL;
}

static enum MHD_Result act(struct conn *c, const char *method)
{
    struct request *r = &c->request;

    if (r->body_bytes > REQUEST_BODY_MAX)
        return answer_text(c, MHD_HTTP_CONTENT_TOO_LARGE, "the body is longer than 1 MiB\n");
    if (r->route != ROUTE_OTHER && (routes[r->route].methods & route_method(method)) == 0)
        return answer_text(c, MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed\n");
    switch (r->route) {
    case ROUTE_SLEEP:
        return sleep_start(c);
    case ROUTE_HEALTHZ:
        return version_sick ? answer_text(c, MHD_HTTP_SERVICE_UNAVAILABLE, "sick\n")
                            : answer_text(c, MHD_HTTP_OK, "ok\n");
    case ROUTE_VERSION: {
        char line[128];

        (void)snprintf(line, sizeof line, "%s\n", version_text);
        return answer_text(c, MHD_HTTP_OK, line);
    }
    case ROUTE_STATS:
        return answer_stats(c);
    case ROUTE_OTHER:
    case ROUTE_COUNT:
        break;
    }
    return answer_text(c, MHD_HTTP_NOT_FOUND, "404 page not found\n");
}

static enum MHD_Result head(struct conn *c, const char *url, const char *version)
{
    struct request *r = &c->request;
    struct head_count n = {0};
    const char *fault, *type;

    r->route = route_find(url);
    (void)MHD_get_connection_values(c->mhd, MHD_HEADER_KIND, head_piece, &n);
    conn_count_head(c, n.encodings > 0);
    fault = head_fault(&n, version);
    if (fault != NULL)
        return answer_text(c, MHD_HTTP_BAD_REQUEST, fault);
    r->state = REQUEST_BODY;
    type = MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    if (r->route == ROUTE_SLEEP && type != NULL && strncasecmp(type, FORM_TYPE, strlen(FORM_TYPE)) == 0)
        r->form = MHD_create_post_processor(c->mhd, FORM_BUFFER_BYTES, form_piece, c);
    /* The body comes first, even an empty one: libmicrohttpd closes a connection that is answered before. */
    return MHD_YES;
}

enum MHD_Result request_feed(struct conn *c, const char *url, const char *method, const char *version,
                             const char *upload, size_t *size)
{
    struct request *r = &c->request;

    switch (r->state) {
    case REQUEST_HEAD:
        return head(c, url, version);
    case REQUEST_BODY:
        if (*size == 0) {
            if (r->form != NULL)
                (void)MHD_destroy_post_processor(r->form); /* hands out what is still in it */
            r->form = NULL;
            return act(c, method);
        }
        r->body_bytes += *size;
        conn_count_body(c, *size);
        if (r->form != NULL && r->body_bytes <= REQUEST_BODY_MAX)
            (void)MHD_post_process(r->form, upload, *size);
        *size = 0;
        return r->body_bytes > REQUEST_BODY_GIVEUP ? MHD_NO : MHD_YES;
    case REQUEST_AWAKE:
        return answer_slept(c);
    case REQUEST_ASLEEP:
    case REQUEST_ANSWERED:
        *size = 0;
        return MHD_YES;
    case REQUEST_NONE:
    case REQUEST_CUT:
        break;
    }
    return MHD_NO;
}

void request_end(struct conn *c, bool complete)
{
    struct request *r = &c->request;
    struct site *site = c->listener->site;

    if (r->state == REQUEST_NONE)
        return;
    if (r->state == REQUEST_ASLEEP)
        sleepers_remove(&site->sleepers, &r->sleeper);
    if (r->form != NULL)
        (void)MHD_destroy_post_processor(r->form);
    if (complete)
        site->counts.answered[r->route]++;
    else
        site->counts.aborted++;
    r->state = REQUEST_NONE;
    r->form = NULL;
    c->silent_since_ms = 0; /* a linger of its own begins */
}
