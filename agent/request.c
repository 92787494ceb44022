#include "request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/duration.h"
#include "common/json.h"
#include "conn.h"
#include "server_internal.h"

/* ---- the handlers' side */

static void resume(struct request *rq)
{
    struct request **at = &rq->conn->server->suspended;

    while (*at != rq)
        at = &(*at)->next_suspended;
    *at = rq->next_suspended;
    rq->suspended = false;
    conn_allow_ms(rq->conn, CONN_BODY_MS);
    MHD_resume_connection(rq->connection);
}

void request_answer(struct request *rq, unsigned status, json_t *answer)
{
    rq->status = status;
    rq->answer = answer;
    if (rq->suspended)
        resume(rq);
}

void request_refuse(struct request *rq, enum code code, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    request_answer(rq, code_http_status(code),
                   json_pack("{s:{s:s, s:o}}", "error", "code", code_text(code), "text", json_text(text)));
}

void request_suspend(struct request *rq, void (*cancel)(struct request *), void *wait)
{
    rq->suspended = true;
    rq->cancel = cancel;
    rq->wait = wait;
    rq->next_suspended = rq->conn->server->suspended;
    rq->conn->server->suspended = rq;
    conn_allow_ms(rq->conn, UINT64_MAX);
    MHD_suspend_connection(rq->connection);
}

const char *request_query(const struct request *rq, const char *key)
{
    return MHD_lookup_connection_value(rq->connection, MHD_GET_ARGUMENT_KIND, key);
}

bool request_wait_ms(struct request *rq, uint32_t *wait_ms)
{
    const char *text = request_query(rq, "wait");
    struct err err = {""};

    *wait_ms = 0;
    if (text != NULL && !duration_parse_ms(text, wait_ms, &err)) {
        request_refuse(rq, CODE_BAD_REQUEST, "wait: %s", err.text);
        return false;
    }
    if (*wait_ms > WIRE_WAIT_MAX_MS)
        *wait_ms = WIRE_WAIT_MAX_MS;
    return true;
}

bool request_owner(struct request *rq, const char **rollout, uint64_t *fence)
{
    const char *text = request_query(rq, "fence");
    char *end;

    *rollout = request_query(rq, "rollout");
    errno = 0;
    *fence = text != NULL ? strtoull(text, &end, 10) : 0;
    if (*rollout != NULL && claim_id_ok(*rollout, WIRE_ID_MAX) && *fence != 0 && errno == 0 && *end == '\0' &&
        text[0] != '-')
        return true;
    request_refuse(rq, CODE_BAD_REQUEST, "the query needs rollout=ID and fence=N");
    return false;
}

json_t *request_json(struct request *rq)
{
    struct err err = {""};
    json_t *json = json_read(rq->body != NULL ? rq->body : "", rq->body_size, &err);

    if (json == NULL)
        request_refuse(rq, CODE_BAD_REQUEST, "%s", err.text);
    return json;
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

static uint64_t content_length(const struct request *rq)
{
    const char *text = MHD_lookup_connection_value(rq->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static struct service *find_service(struct agent *agent, const char *name)
{
    for (unsigned i = 0; i < agent->config.service_count; i++) {
        if (strcmp(agent->services[i].config->name, name) == 0)
            return &agent->services[i];
    }
    return NULL;
}

static void begin_upload(struct request *rq)
{
    uint64_t max_bytes = rq->agent->config.max_release_bytes, length = content_length(rq);
    struct err err = {""};

    if (length > max_bytes) {
        request_refuse(rq, CODE_TOO_LARGE, "the release is larger than max-release, %" PRIu64 " bytes", max_bytes);
        return;
    }
    conn_allow_ms(rq->conn, CONN_UPLOAD_MS + (length > 0 ? length : max_bytes) / 1024);
    if (release_is_whole(rq->service->releases, rq->id, &rq->service->hashes))
        return; /* the bytes are let through; the answer is 200 */
    rq->upload = release_begin(rq->service->releases, rq->id, max_bytes, &err);
    if (rq->upload == NULL)
        request_refuse(rq, CODE_INTERNAL, "%s", err.text);
}

static void begin(struct request *rq, const char *url, const char *method)
{
    struct route_match match;
    struct err err = {""};

    conn_allow_ms(rq->conn, CONN_BODY_MS);
    rq->close = true;
    if (!conn_is_allowed(rq->conn, rq->connection, &err)) {
        request_refuse(rq, CODE_FORBIDDEN, "%s", err.text);
        return;
    }
    if (!framing_is_plain(rq->connection)) {
        request_refuse(rq, CODE_BAD_REQUEST,
                       "one Host, at most one of Content-Length and Transfer-Encoding: chunked, and names without "
                       "blanks are needed");
        return;
    }
    rq->close = false;
    match = routes_find(method, url);
    rq->service = match.app[0] != '\0' ? find_service(rq->agent, match.app) : NULL;
    memcpy(rq->id, match.id, sizeof rq->id);
    if (!match.path_known)
        request_refuse(rq, CODE_NOT_FOUND, "there is nothing at this path");
    else if (match.route == NULL)
        request_refuse(rq, CODE_METHOD, "this path has no such method");
    else if (match.app[0] != '\0' && rq->service == NULL)
        request_refuse(rq, CODE_NOT_FOUND, "the service %s is not in this agent's config", match.app);
    else if (match.route->body != BODY_FILE && content_length(rq) > WIRE_BODY_MAX)
        request_refuse(rq, CODE_TOO_LARGE, "a body has at most %d bytes", WIRE_BODY_MAX);
    else if (match.route->body == BODY_FILE)
        begin_upload(rq);
    rq->route = match.route;
}

/* ---- the body */

static void take_json(struct request *rq, const char *data, size_t size)
{
    if (rq->body_size + size > WIRE_BODY_MAX) {
        request_refuse(rq, CODE_TOO_LARGE, "a body has at most %d bytes", WIRE_BODY_MAX);
        return;
    }
    if (rq->body_size + size + 1 > rq->body_capacity) {
        rq->body_capacity = 2 * (rq->body_size + size) + 1;
        rq->body = realloc(rq->body, rq->body_capacity);
        if (rq->body == NULL)
            abort();
    }
    memcpy(rq->body + rq->body_size, data, size);
    rq->body_size += size;
    rq->body[rq->body_size] = '\0';
}

static void take_body(struct request *rq, const char *data, size_t size)
{
    struct err err = {""};

    if (rq->status != 0)
        return; /* refused: read to its end, so that the answer is not lost in a reset */
    if (rq->route->body == BODY_FILE && rq->upload != NULL) {
        enum code code = release_add(rq->upload, data, size, &err);
        if (code == CODE_JOB_OK)
            return;
        release_abandon(&rq->upload);
        request_refuse(rq, code, "%s", err.text);
    } else if (rq->route->body != BODY_FILE) {
        take_json(rq, data, size);
    }
}

/* ---- libmicrohttpd's side */

static enum MHD_Result send_answer(struct request *rq)
{
    char *text = rq->answer != NULL ? json_dumps(rq->answer, JSON_COMPACT) : NULL;
    struct MHD_Response *response;
    enum MHD_Result rc;

    if (text == NULL) {
        text = strdup("{\"error\":{\"code\":\"internal\",\"text\":\"the answer could not be built\"}}");
        rq->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (text == NULL)
        return MHD_NO;
    response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(text);
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (rq->close || rq->conn->server->stopping)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    rc = MHD_queue_response(rq->connection, rq->status, response);
    MHD_destroy_response(response);
    return rc;
}

/* Nobody waits for the body of a request that is hostile, or that asked first whether it may come. */
static bool answers_early(const struct request *rq)
{
    const char *expect = MHD_lookup_connection_value(rq->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_EXPECT);

    return rq->status != 0 && (rq->close || expect != NULL);
}

enum MHD_Result server_on_request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_size, void **slot)
{
    struct server *server = ctx;
    struct request *rq = *slot;

    (void)version;
    if (rq == NULL) {
        rq = calloc(1, sizeof *rq);
        if (rq == NULL)
            return MHD_NO;
        *slot = rq;
        server->requests++;
        rq->agent = server->agent;
        rq->connection = connection;
        rq->conn = conn_of(connection);
        begin(rq, url, method);
        return answers_early(rq) ? send_answer(rq) : MHD_YES;
    }
    if (*data_size > 0) {
        take_body(rq, data, *data_size);
        *data_size = 0;
        return MHD_YES;
    }
    if (rq->status == 0 && !rq->body_done) {
        rq->body_done = true;
        if (server->stopping)
            request_refuse(rq, CODE_INTERNAL, "the agent stops");
        else
            rq->route->run(rq);
    }
    return rq->suspended ? MHD_YES : send_answer(rq);
}

void server_on_completed(void *ctx, struct MHD_Connection *connection, void **slot, enum MHD_RequestTerminationCode why)
{
    struct server *server = ctx;
    struct request *rq = *slot;

    (void)connection;
    (void)why;
    if (rq == NULL)
        return;
    server->requests--;
    conn_allow_ms(rq->conn, CONN_IDLE_MS);
    release_abandon(&rq->upload);
    json_decref(rq->answer);
    free(rq->body);
    free(rq);
    *slot = NULL;
}
