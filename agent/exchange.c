#include "exchange.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

#include "common/json.h"

#define SIGNATURE_HEADER "Rollout-Signature"

/* ---- suspended */

static void on_gone(void *ctx)
{
    struct exchange *ex = ctx;

    link_cancel(ex->server->link, ex);
    exchange_refuse(ex, CODE_UNAVAILABLE, "nobody waits for this any more");
    ex->close = true;
}

/* libmicrohttpd does not look at a suspended connection, so nobody would notice that the client has gone. */
static void suspend(struct exchange *ex)
{
    ex->suspended = true;
    ex->gone = (struct loop_slot){.fd = ex->conn->fd, .fn = on_gone, .ctx = ex};
    if (!loop_add(ex->server->agent->loop, &ex->gone, EPOLLRDHUP))
        ex->gone.fd = -1;
    MHD_suspend_connection(ex->connection);
}

static void resume(struct exchange *ex)
{
    ex->suspended = false;
    if (ex->gone.fd >= 0)
        loop_remove(ex->server->agent->loop, &ex->gone);
    MHD_resume_connection(ex->connection);
}

/* ---- the answer */

static void settle(struct exchange *ex, unsigned status, enum frame_type type, char *answer, size_t size)
{
    if (ex->status != 0) {
        free(answer);
        return;
    }
    ex->status = status;
    ex->type = type;
    ex->answer = answer;
    ex->answer_size = size;
    if (!ex->suspended)
        return;
    if (ex->place.ended) /* else it is in the middle of its body, which has a time of its own */
        conn_allow_ms(ex->conn, CONN_BODY_MS);
    resume(ex);
}

void exchange_refuse(struct exchange *ex, enum code code, const char *format, ...)
{
    char text[512], *answer;
    va_list args;
    json_t *json;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json = json_pack("{s:{s:s, s:o}}", "error", "code", code_text(code), "text", json_text(text));
    answer = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (answer == NULL)
        abort();
    settle(ex, code_http_status(code), FRAME_JSON, answer, strlen(answer));
}

void exchange_on_answer(struct exchange *ex, const struct frame_answer *answer)
{
    char *copy;

    if (answer == NULL) {
        exchange_refuse(ex, CODE_UNAVAILABLE,
                        "the helper half of the agent ended meanwhile; whether it has done this is not known");
        return;
    }
    copy = malloc(answer->size + 1);
    if (copy == NULL)
        abort();
    memcpy(copy, answer->bytes, answer->size);
    settle(ex, answer->status, answer->type, copy, answer->size);
}

void exchange_on_room(struct exchange *ex)
{
    if (ex->suspended && !ex->place.ended)
        resume(ex);
}

/* ---- the head */

struct framing {
    unsigned lengths, hosts;
    bool encoded, odd; /* odd: an encoding that is not chunked, or a name with a blank */
};

static enum MHD_Result count_header(void *ctx, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct framing *framing = ctx;

    (void)kind;
    framing->odd |= strpbrk(key, " \t") != NULL;
    framing->odd |= strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0 &&
                    (framing->encoded || value == NULL || strcasecmp(value, "chunked") != 0);
    framing->lengths += strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    framing->hosts += strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0;
    framing->encoded |= strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    return MHD_YES;
}

/* RFC 9112, 3.2, 5.1, 6.1 and 6.3: what a proxy in front might read differently is refused. */
static bool framing_is_plain(struct MHD_Connection *connection)
{
    struct framing framing = {0};

    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, count_header, &framing);
    return framing.lengths <= 1 && framing.hosts == 1 && !framing.odd && !(framing.encoded && framing.lengths > 0);
}

static const char *header(const struct exchange *ex, const char *name)
{
    return MHD_lookup_connection_value(ex->connection, MHD_HEADER_KIND, name);
}

static uint64_t content_length(const struct exchange *ex)
{
    const char *text = header(ex, MHD_HTTP_HEADER_CONTENT_LENGTH);

    if (text == NULL)
        return header(ex, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL ? UINT64_MAX : 0;
    return strtoull(text, NULL, 10);
}

static enum MHD_Result take_argument(void *ctx, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct frame_head *head = ctx;

    (void)kind;
    if (head->arg_count > FRAME_ARGS_MAX)
        return MHD_NO;
    if (value == NULL)
        return MHD_YES;
    if (head->arg_count < FRAME_ARGS_MAX)
        head->args[head->arg_count] = (struct frame_arg){.key = key, .value = value};
    head->arg_count++; /* one more than there is room for: refused */
    return MHD_YES;
}

static void forward(struct exchange *ex, const char *method, const char *url, uint64_t length)
{
    const char *signature = header(ex, SIGNATURE_HEADER);
    struct frame_head head = {.length = length,
                              .method = method,
                              .path = url,
                              .peer = ex->conn->name,
                              .signature = signature != NULL ? signature : ""};

    (void)MHD_get_connection_values(ex->connection, MHD_GET_ARGUMENT_KIND, take_argument, &head);
    if (link_begin(ex->server->link, ex, &head))
        return;
    if (!link_is_ready(ex->server->link))
        exchange_refuse(ex, CODE_UNAVAILABLE, "the helper half of the agent is not there; ask again soon");
    else
        exchange_refuse(ex, CODE_BAD_REQUEST, "the query or a header is too long, or has more than %d arguments",
                        FRAME_ARGS_MAX);
}

static void begin_upload(struct exchange *ex, uint64_t length)
{
    uint64_t max_bytes = ex->server->agent->config.max_release_bytes;

    if (length != UINT64_MAX && length > max_bytes)
        exchange_refuse(ex, CODE_TOO_LARGE, "the release is larger than max-release, %" PRIu64 " bytes", max_bytes);
    else
        conn_allow_ms(ex->conn, CONN_UPLOAD_MS + (length != UINT64_MAX && length > 0 ? length : max_bytes) / 1024);
}

static void begin(struct exchange *ex, const char *url, const char *method)
{
    uint64_t length = content_length(ex);
    struct route_match match;
    struct err err = {""};

    conn_allow_ms(ex->conn, CONN_BODY_MS);
    ex->close = true;
    if (!conn_is_allowed(ex->conn, ex->connection, &err)) {
        exchange_refuse(ex, CODE_FORBIDDEN, "%s", err.text);
        return;
    }
    if (!framing_is_plain(ex->connection)) {
        exchange_refuse(ex, CODE_BAD_REQUEST,
                        "one Host, at most one of Content-Length and Transfer-Encoding: chunked, and names without "
                        "blanks are needed");
        return;
    }
    ex->close = false;
    match = routes_find(method, url);
    ex->route = match.route;
    if (!match.path_known)
        exchange_refuse(ex, CODE_NOT_FOUND, "there is nothing at this path");
    else if (match.route == NULL)
        exchange_refuse(ex, CODE_METHOD, "this path has no such method");
    else if (match.route->body != BODY_FILE && length != UINT64_MAX && length > WIRE_BODY_MAX)
        exchange_refuse(ex, CODE_TOO_LARGE, "a body has at most %d bytes", WIRE_BODY_MAX);
    else if (match.route->body == BODY_FILE)
        begin_upload(ex, length);
    if (ex->status == 0)
        forward(ex, method, url, length);
}

/* ---- the body */

static void take_body(struct exchange *ex, const char *data, size_t size)
{
    if (ex->status != 0)
        return; /* refused: read to its end, so that the answer is not lost in a reset */
    ex->body_bytes += size;
    if (ex->route->body != BODY_FILE && ex->body_bytes > WIRE_BODY_MAX) {
        link_cancel(ex->server->link, ex);
        exchange_refuse(ex, CODE_TOO_LARGE, "a body has at most %d bytes", WIRE_BODY_MAX);
        return;
    }
    link_piece(ex->server->link, ex, data, size);
    if (ex->place.stalled)
        suspend(ex);
}

static void end_body(struct exchange *ex)
{
    if (ex->server->stopping) {
        link_cancel(ex->server->link, ex);
        exchange_refuse(ex, CODE_INTERNAL, "the agent stops");
        return;
    }
    conn_allow_ms(ex->conn, ex->server->answer_limit_ms);
    link_end(ex->server->link, ex);
    suspend(ex);
}

/* ---- libmicrohttpd's side */

static enum MHD_Result send_answer(struct exchange *ex)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(ex->answer_size, ex->answer, MHD_RESPMEM_MUST_FREE);
    enum MHD_Result rc;

    if (response == NULL)
        return MHD_NO;
    ex->answer = NULL;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                  ex->type == FRAME_TEXT ? "text/plain; version=0.0.4" : "application/json");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (ex->close || ex->server->stopping)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    rc = MHD_queue_response(ex->connection, ex->status, response);
    MHD_destroy_response(response);
    return rc;
}

/* Nobody waits for the body of a request that is hostile, or that asked first whether it may come. */
static bool answers_early(const struct exchange *ex)
{
    return ex->status != 0 && (ex->close || header(ex, MHD_HTTP_HEADER_EXPECT) != NULL);
}

enum MHD_Result exchange_on_request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
                                    const char *version, const char *data, size_t *data_size, void **slot)
{
    struct server *server = ctx;
    struct exchange *ex = *slot;

    (void)version;
    if (ex == NULL) {
        ex = calloc(1, sizeof *ex);
        if (ex == NULL)
            return MHD_NO;
        *slot = ex;
        ex->server = server;
        ex->connection = connection;
        ex->conn = conn_of(connection);
        ex->gone.fd = -1;
        ex->next = server->exchanges;
        server->exchanges = ex;
        begin(ex, url, method);
        return answers_early(ex) ? send_answer(ex) : MHD_YES;
    }
    if (*data_size > 0) {
        take_body(ex, data, *data_size);
        *data_size = 0;
        return MHD_YES;
    }
    if (ex->status == 0 && !ex->place.ended)
        end_body(ex);
    return ex->suspended ? MHD_YES : send_answer(ex);
}

void exchange_on_completed(void *ctx, struct MHD_Connection *connection, void **slot,
                           enum MHD_RequestTerminationCode why)
{
    struct server *server = ctx;
    struct exchange *ex = *slot;
    struct exchange **at = &server->exchanges;

    (void)connection;
    (void)why;
    if (ex == NULL)
        return;
    while (*at != ex)
        at = &(*at)->next;
    *at = ex->next;
    if (ex->suspended && ex->gone.fd >= 0)
        loop_remove(server->agent->loop, &ex->gone);
    link_cancel(server->link, ex);
    conn_allow_ms(ex->conn, CONN_IDLE_MS);
    free(ex->answer);
    free(ex);
    *slot = NULL;
}
