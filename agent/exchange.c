#include "exchange.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"

#define METRICS_PATH "/metrics"

struct exchange *exchange_new(struct conn *conn)
{
    struct exchange *ex = mem_zero(1, sizeof *ex);

    ex->server = conn->server;
    ex->conn = conn;
    ex->next = ex->server->exchanges;
    ex->server->exchanges = ex;
    return ex;
}

void exchange_end(struct exchange **ex)
{
    struct exchange *e = *ex, **at;

    if (e == NULL)
        return;
    *ex = NULL;
    for (at = &e->server->exchanges; *at != e;)
        at = &(*at)->next;
    *at = e->next;
    link_cancel(e->server->link, e);
    free(e->answer);
    free(e);
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
    conn_nudge(ex->conn);
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
    answer = mem_must(json_dumps(json, JSON_COMPACT));
    json_decref(json);
    settle(ex, code_http_status(code), FRAME_JSON, answer, strlen(answer));
}

/* The helper half's, and what only this half knows. */
static char *joined(const struct exchange *ex, const struct frame_answer *answer)
{
    char *ours = tally_metrics(&ex->server->tally);
    char *text = mem_format("%.*s%s", (int)answer->size, answer->bytes, ours);

    free(ours);
    return text;
}

void exchange_on_answer(struct exchange *ex, const struct frame_answer *answer)
{
    char *copy;

    if (answer == NULL) {
        exchange_refuse(ex, CODE_UNAVAILABLE,
                        "the helper half of the agent ended meanwhile; whether it "
                        "has done this is not known");
        return;
    }
    if (answer->type == FRAME_TEXT) {
        copy = joined(ex, answer);
        settle(ex, answer->status, answer->type, copy, strlen(copy));
        return;
    }
    if (answer->status >= 400)
        ex->server->tally.refused[REFUSAL_OTHER]++;
    copy = mem_zero(answer->size + 1, 1);
    memcpy(copy, answer->bytes, answer->size);
    settle(ex, answer->status, answer->type, copy, answer->size);
}

void exchange_on_room(struct exchange *ex)
{
    conn_nudge(ex->conn);
}

void exchange_give_up(struct exchange *ex)
{
    link_cancel(ex->server->link, ex);
    exchange_refuse(ex, CODE_UNAVAILABLE,
                    "the helper half of the agent did not answer in time; "
                    "whether it has done this is not known");
    ex->closes = true;
}

/* ---- the head */

static bool take_arguments(const struct http_head *from, struct frame_head *to)
{
    for (unsigned i = 0; i < from->arg_count; i++) {
        if (from->args[i].value == NULL)
            continue;
        if (to->arg_count == FRAME_ARGS_MAX)
            return false;
        to->args[to->arg_count++] = (struct frame_arg){.key = from->args[i].name, .value = from->args[i].value};
    }
    return true;
}

static void forward(struct exchange *ex, const struct http_head *head)
{
    const char *signature = http_header(head, WIRE_SIGNATURE_HEADER);
    struct frame_head out = {.length = head->chunked ? UINT64_MAX : head->length,
                             .method = head->method,
                             .path = head->path,
                             .peer = ex->conn->name,
                             .signature = signature != NULL ? signature : ""};

    if (take_arguments(head, &out) && link_begin(ex->server->link, ex, &out))
        return;
    if (!link_is_ready(ex->server->link))
        exchange_refuse(ex, CODE_UNAVAILABLE, "the helper half of the agent is not there; ask again soon");
    else
        exchange_refuse(ex, CODE_BAD_REQUEST, "the query or a header is too long, or has more than %d arguments",
                        FRAME_ARGS_MAX);
}

static void begin_upload(struct exchange *ex, const struct http_head *head)
{
    uint64_t max_bytes = ex->server->agent->config.max_release_bytes, length = head->chunked ? 0 : head->length;

    if (length > max_bytes)
        exchange_refuse(ex, CODE_TOO_LARGE, "the release is larger than max-release, %" PRIu64 " bytes", max_bytes);
    else
        conn_allow_ms(ex->conn, CONN_UPLOAD_MS + (length > 0 ? length : max_bytes) / 1024);
}

void exchange_begin(struct exchange *ex, const struct http_head *head)
{
    struct route_match match = routes_find(head->method, head->path);

    ex->route = match.route;
    if (!match.path_known || (ex->conn->metrics_only && strcmp(head->path, METRICS_PATH) != 0))
        exchange_refuse(ex, CODE_NOT_FOUND, "there is nothing at this path");
    else if (match.route == NULL)
        exchange_refuse(ex, CODE_METHOD, "this path has no such method");
    else if (match.route->body != BODY_FILE && !head->chunked && head->length > WIRE_BODY_MAX)
        exchange_refuse(ex, CODE_TOO_LARGE, "a body has at most %d bytes", WIRE_BODY_MAX);
    else if (match.route->body == BODY_FILE)
        begin_upload(ex, head);
    if (ex->status == 0)
        forward(ex, head);
}

/* ---- the body */

void exchange_take(struct exchange *ex, const void *bytes, size_t size)
{
    if (ex->status != 0)
        return;
    ex->body_bytes += size;
    if (ex->route->body != BODY_FILE && ex->body_bytes > WIRE_BODY_MAX) {
        link_cancel(ex->server->link, ex);
        exchange_refuse(ex, CODE_TOO_LARGE, "a body has at most %d bytes", WIRE_BODY_MAX);
        return;
    }
    link_piece(ex->server->link, ex, bytes, size);
}

void exchange_run(struct exchange *ex)
{
    if (ex->server->stopping) {
        link_cancel(ex->server->link, ex);
        exchange_refuse(ex, CODE_INTERNAL, "the agent stops");
        return;
    }
    conn_allow_ms(ex->conn, ex->server->answer_limit_ms);
    link_end(ex->server->link, ex);
}
