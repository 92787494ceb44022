#include "conn.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "common/mem.h"
#include "exchange.h"
#include "log.h"

#define STEPS_A_ROUND 32 /* then others have their turn */
#define CONTINUE      "HTTP/1.1 100 Continue\r\n\r\n"

/* What a step has come to. */
enum step { STEP_ON, STEP_WAIT, STEP_OVER };

void conn_allow_ms(struct conn *conn, uint64_t in_ms)
{
    conn->deadline_ms = loop_now_ms() + in_ms;
}

static void look_in(struct conn *conn, uint64_t in_ms)
{
    uint64_t at_ms = loop_now_ms() + in_ms;

    if (at_ms < conn->round_ms)
        conn->round_ms = at_ms;
    server_round_in(conn->server, in_ms);
}

void conn_nudge(struct conn *conn)
{
    look_in(conn, 0);
}

/* One more of that name than may be: an idle one of its own gives way. */
static bool has_room(const struct conn *conn)
{
    uint32_t count = 0, most = conn->server->agent->config.peer_connections;
    struct conn *oldest = NULL;

    for (struct conn *other = conn->server->conns; other != NULL; other = other->next) {
        if (!other->known || other->state == CONN_OVER || strcmp(other->name, conn->name) != 0)
            continue;
        count++;
        if (conn_is_idle(other) && (oldest == NULL || other->serial < oldest->serial))
            oldest = other;
    }
    if (count < most)
        return true;
    if (oldest != NULL)
        conn_drop(oldest);
    return oldest != NULL;
}

static void greet(struct conn *conn)
{
    conn->closes = !has_room(conn); /* told so at its first request */
    if (conn->closes)
        conn->server->tally.refused[REFUSAL_FULL]++;
    conn->known = true;
    conn->server->tally.unknown--;
    conn->state = CONN_HEAD;
    conn_allow_ms(conn, CONN_HEAD_MS);
}

/* Whoever is not read from nor written to has gone when there is an event. */
static void on_event(void *ctx)
{
    struct conn *conn = ctx;

    if ((conn->watched & (EPOLLIN | EPOLLOUT)) == 0)
        conn_drop(conn);
    else
        conn_go(conn);
}

void conn_open(struct server *server, int fd, const struct door *door, const unsigned char from[16])
{
    struct conn *conn = mem_zero(1, sizeof *conn);

    conn->server = server;
    conn->metrics_only = door->metrics_only;
    conn->serial = ++server->serial;
    conn->born_ms = loop_now_ms();
    conn->round_ms = UINT64_MAX;
    memcpy(conn->from, from, sizeof conn->from);
    if (!stream_open(&conn->stream, fd, door->metrics_only ? NULL : server->tls))
        abort(); /* out of memory */
    conn->slot = (struct loop_slot){.fd = fd, .fn = on_event, .ctx = conn};
    conn->watched = EPOLLIN;
    conn->next = server->conns;
    server->conns = conn;
    server->tally.connections++;
    server->tally.open++;
    server->tally.unknown++;
    conn->state = CONN_SHAKES;
    conn_allow_ms(conn, CONN_SHAKE_MS);
    if (!loop_add(server->agent->loop, &conn->slot, EPOLLIN)) {
        conn->slot.fd = -1;
        conn_drop(conn);
    }
    server_round_in(server, CONN_LOOK_MS);
    if (conn->stream.session == NULL)
        greet(conn);
}

void conn_drop(struct conn *conn)
{
    conn->state = CONN_OVER;
    conn_nudge(conn);
}

void conn_free(struct conn *conn)
{
    struct server *server = conn->server;
    struct conn **at = &server->conns;

    while (*at != conn)
        at = &(*at)->next;
    *at = conn->next;
    server->tally.open--;
    server->tally.unknown -= conn->known ? 0 : 1;
    if (conn->slot.fd >= 0)
        loop_remove(server->agent->loop, &conn->slot);
    exchange_end(&conn->ex);
    stream_close(&conn->stream);
    free(conn->in);
    free(conn->out);
    free(conn);
}

bool conn_is_idle(const struct conn *conn)
{
    return conn->state == CONN_HEAD && conn->ex == NULL;
}

/* ---- what goes out */

static void say(struct conn *conn, const void *bytes, size_t size)
{
    conn->out = mem_grow(conn->out, conn->out_size + size, 1);
    memcpy(conn->out + conn->out_size, bytes, size);
    conn->out_size += size;
}

static enum step send_out(struct conn *conn)
{
    while (conn->out_sent < conn->out_size) {
        ssize_t n = stream_write(&conn->stream, conn->out + conn->out_sent, conn->out_size - conn->out_sent);
        if (n == STREAM_WAIT)
            return STEP_WAIT;
        if (n <= 0)
            return STEP_OVER;
        conn->out_sent += (size_t)n;
    }
    free(conn->out);
    conn->out = NULL;
    conn->out_size = conn->out_sent = 0;
    return STEP_ON;
}

static void answer(struct conn *conn)
{
    const struct exchange *ex = conn->ex;
    char head[HTTP_ANSWER_HEAD_MAX];

    conn->closes |= ex->closes || conn->server->stopping || conn->last || loop_now_ms() - conn->born_ms >= CONN_AGE_MS;
    say(conn, head,
        http_answer_head(head, ex->status, ex->type == FRAME_TEXT ? "text/plain; version=0.0.4" : "application/json",
                         ex->answer_size, conn->closes, (int64_t)time(NULL)));
    if (!conn->head_only)
        say(conn, ex->answer, ex->answer_size);
    exchange_end(&conn->ex);
    conn->state = CONN_ANSWERS;
    if (conn->known)
        conn_allow_ms(conn, CONN_BODY_MS);
}

/* A refusal of our own, of a request that nobody has begun. */
static enum step refuse(struct conn *conn, enum refusal why, enum code code, const char *text)
{
    struct log_quoted name, said;

    if (why != REFUSAL_COUNT)
        conn->server->tally.refused[why]++;
    if (why == REFUSAL_FRAMING && server_may_log(conn->server))
        log_event("request_refused", "name=%s text=%s", log_quote(&name, conn->name), log_quote(&said, text));
    if (conn->ex == NULL)
        conn->ex = exchange_new(conn);
    exchange_refuse(conn->ex, code, "%s", text);
    conn->closes = true;
    answer(conn);
    return STEP_ON;
}

static enum step step_answers(struct conn *conn)
{
    enum step step = send_out(conn);

    if (step != STEP_ON)
        return step;
    if (conn->closes) {
        stream_end(&conn->stream);
        conn->state = CONN_LINGERS;
        if (conn->known)
            conn_allow_ms(conn, CONN_LINGER_MS);
        return STEP_ON;
    }
    conn->state = CONN_HEAD;
    conn->scan = (struct http_scan){0};
    conn_allow_ms(conn, conn->in_used > 0 ? CONN_HEAD_MS : CONN_IDLE_MS);
    return STEP_ON;
}

/* What still comes is read and forgotten: closed with bytes unread, a socket would take the answer back (RST). */
static enum step step_lingers(struct conn *conn)
{
    char waste[4096];
    ssize_t n = stream_read(&conn->stream, waste, sizeof waste);

    return n == STREAM_WAIT ? STEP_WAIT : n > 0 ? STEP_ON : STEP_OVER;
}

/* ---- what comes in */

static enum step fill(struct conn *conn)
{
    bool first = conn->in_used == 0;
    ssize_t n;

    if (conn->in == NULL)
        conn->in = mem_zero(HTTP_HEAD_MAX, 1);
    n = stream_read(&conn->stream, conn->in + conn->in_used, HTTP_HEAD_MAX - conn->in_used);
    if (n <= 0 && first) {
        free(conn->in); /* who is idle costs little */
        conn->in = NULL;
    }
    if (n <= 0)
        return n == STREAM_WAIT ? STEP_WAIT : STEP_OVER;
    if (first && conn->state == CONN_HEAD && conn->known)
        conn_allow_ms(conn, CONN_HEAD_MS);
    conn->in_used += (size_t)n;
    return STEP_ON;
}

static void eat(struct conn *conn, size_t size)
{
    conn->in_used -= size;
    memmove(conn->in, conn->in + size, conn->in_used);
    if (conn->in_used > 0)
        return;
    free(conn->in);
    conn->in = NULL;
}

/* ---- who it is */

static void judge(struct conn *conn)
{
    struct server *server = conn->server;
    struct log_quoted name, why;
    struct err err = {""};

    conn->state = CONN_HEAD; /* also of one that is not known: to be told so, in
                                time for its handshake */
    if (!tls_check_peer(conn->stream.session, &server->agent->config, conn->name, &err)) {
        server->tally.refused[REFUSAL_NOT_ALLOWED]++;
        if (server_may_log(server))
            log_event("peer_refused", "name=%s text=%s", log_quote(&name, conn->name), log_quote(&why, err.text));
        return;
    }
    greet(conn);
}

static enum step step_shakes(struct conn *conn)
{
    int rc = stream_handshake(&conn->stream);

    if (rc == STREAM_WAIT)
        return STEP_WAIT;
    if (rc != 0) {
        conn->server->tally.refused[REFUSAL_HANDSHAKE]++;
        return STEP_OVER;
    }
    judge(conn);
    return STEP_ON;
}

/* ---- a request */

static struct limit_rate *rate_of(const struct conn *conn)
{
    const struct config *config = &conn->server->agent->config;
    unsigned i = 0;

    while (i < config->allow_count && strcmp(config->allow[i], conn->name) != 0)
        i++;
    return &conn->server->rates[i < config->allow_count ? i : CONFIG_ALLOW_MAX];
}

/* The time that it waits for its turn is none that it has taken. */
static bool waits_its_turn(struct conn *conn)
{
    uint32_t per_s = conn->server->agent->config.peer_requests;
    uint64_t wait_ms = per_s > 0 ? limit_take(rate_of(conn), per_s, loop_now_ms()) : 0;

    if (wait_ms == 0)
        return false;
    conn->server->tally.waited++;
    conn_allow_ms(conn, wait_ms + CONN_HEAD_MS);
    look_in(conn, wait_ms);
    return true;
}

static enum step begin(struct conn *conn, size_t size)
{
    struct http_head head;
    const char *why = "";
    unsigned status = 0;
    char *bytes;

    bytes = mem_zero(size, 1);
    memcpy(bytes, conn->in, size);
    eat(conn, size);
    if (!http_head_read(bytes, size, &head, &status, &why)) {
        free(bytes);
        return refuse(conn, REFUSAL_FRAMING,
                      status == 413   ? CODE_TOO_LARGE
                      : status == 431 ? CODE_HEAD_TOO_LARGE
                                      : CODE_BAD_REQUEST,
                      why);
    }
    conn->server->tally.requests++;
    conn->closes |= head.closes;
    conn->head_only = strcmp(head.method, "HEAD") == 0;
    conn->chunked = head.chunked;
    conn->chunks = (struct http_chunks){0};
    conn->body_left = head.length;
    conn->state = CONN_BODY;
    conn_allow_ms(conn, CONN_BODY_MS);
    conn->ex = exchange_new(conn);
    exchange_begin(conn->ex, &head);
    if (conn->ex->status == 0 && head.expects)
        say(conn, CONTINUE, sizeof CONTINUE - 1);
    else if (conn->ex->status != 0 && head.expects)
        conn->closes = true; /* whether the body comes nevertheless, nobody knows */
    free(bytes);
    return STEP_ON;
}

static enum step step_head(struct conn *conn)
{
    const char *why = "";
    size_t size = 0;

    switch (conn->in_used > 0 ? http_scan(&conn->scan, conn->in, conn->in_used, &size, &why) : HTTP_MORE) {
    case HTTP_MORE:
        if (conn->in_used < HTTP_HEAD_MAX)
            return fill(conn);
        return conn->known ? refuse(conn, REFUSAL_FRAMING, CODE_HEAD_TOO_LARGE, "the head is longer than 16 KiB")
                           : STEP_OVER;
    case HTTP_WHOLE:
        break;
    case HTTP_BAD:
        return conn->known ? refuse(conn, REFUSAL_FRAMING, CODE_BAD_REQUEST, why) : STEP_OVER;
    }
    if (!conn->known) {
        struct err err = {""};
        (void)tls_check_peer(conn->stream.session, &conn->server->agent->config, conn->name, &err);
        return refuse(conn, REFUSAL_COUNT, CODE_FORBIDDEN, err.text);
    }
    if (conn->closes)
        return refuse(conn, REFUSAL_COUNT, CODE_UNAVAILABLE, "this controller has too many connections here");
    conn->queues = waits_its_turn(conn);
    if (conn->queues) {
        conn->scan.at = size - 1; /* its last byte is looked at again */
        conn->scan.last = '\r';
        return STEP_WAIT;
    }
    return begin(conn, size);
}

/* Chunk by chunk, all that is there. */
static enum http_verdict take_chunks(struct conn *conn)
{
    enum http_verdict verdict = HTTP_MORE;
    size_t at = 0;

    while (verdict == HTTP_MORE && at < conn->in_used) {
        const char *piece;
        size_t used, size;
        verdict = http_chunks_read(&conn->chunks, conn->in + at, conn->in_used - at, &used, &piece, &size);
        if (size > 0)
            exchange_take(conn->ex, piece, size);
        at += used;
    }
    eat(conn, at);
    return verdict;
}

static void take_plain(struct conn *conn)
{
    size_t size = conn->body_left < conn->in_used ? (size_t)conn->body_left : conn->in_used;

    conn->body_left -= size;
    exchange_take(conn->ex, conn->in, size);
    eat(conn, size);
}

/* What is there of it. STEP_WAIT: nothing is. */
static enum step take_body(struct conn *conn, bool *ended)
{
    enum http_verdict verdict;

    *ended = !conn->chunked && conn->body_left == 0;
    if (*ended || conn->in_used == 0)
        return *ended ? STEP_ON : STEP_WAIT;
    if (!conn->chunked) {
        take_plain(conn);
        return STEP_ON;
    }
    verdict = take_chunks(conn);
    *ended = verdict == HTTP_WHOLE;
    return verdict == HTTP_BAD ? STEP_OVER : STEP_ON;
}

/* Refused meanwhile: a short rest is read, so that the connection stays good; of a long one nobody waits for the
 * end. */
static bool answers_early(const struct conn *conn)
{
    return conn->ex->status != 0 &&
           (conn->closes || conn->ex->closes || conn->chunked || conn->body_left > WIRE_BODY_MAX);
}

static enum step step_body(struct conn *conn)
{
    enum step step = send_out(conn); /* 100 Continue */
    bool ended;

    if (step == STEP_OVER)
        return step;
    if (answers_early(conn)) {
        conn->closes = true;
        answer(conn);
        return STEP_ON;
    }
    if (conn->ex->place.stalled)
        return STEP_WAIT;
    step = take_body(conn, &ended);
    if (step == STEP_WAIT)
        return fill(conn);
    if (step == STEP_OVER)
        return refuse(conn, REFUSAL_FRAMING, CODE_BAD_REQUEST, "a chunk of the body is malformed");
    if (!ended)
        return STEP_ON;
    if (conn->ex->status == 0)
        exchange_run(conn->ex);
    conn->state = CONN_WAITS;
    return STEP_ON;
}

static enum step step_waits(struct conn *conn)
{
    if (send_out(conn) == STEP_OVER) /* 100 Continue */
        return STEP_OVER;
    if (conn->ex->status == 0)
        return STEP_WAIT;
    answer(conn);
    return STEP_ON;
}

/* ---- going on */

/* A connection that waits for its answer is not read, but its end is noticed: nobody would read the answer. */
static void watch(struct conn *conn)
{
    bool reads = conn->state == CONN_SHAKES || (conn->state == CONN_HEAD && !conn->queues) ||
                 conn->state == CONN_LINGERS || (conn->state == CONN_BODY && !conn->ex->place.stalled);
    uint32_t events = (uint32_t)(reads                       ? EPOLLIN
                                 : conn->state == CONN_WAITS ? EPOLLRDHUP
                                                             : 0) |
                      (uint32_t)(conn->out_size > 0 || conn->stream.wants_write ? EPOLLOUT : 0);

    if (events != conn->watched)
        loop_change(conn->server->agent->loop, &conn->slot, events);
    conn->watched = events;
}

static enum step take_step(struct conn *conn)
{
    switch (conn->state) {
    case CONN_SHAKES:
        return step_shakes(conn);
    case CONN_HEAD:
        return step_head(conn);
    case CONN_BODY:
        return step_body(conn);
    case CONN_WAITS:
        return step_waits(conn);
    case CONN_ANSWERS:
        return step_answers(conn);
    case CONN_LINGERS:
        return step_lingers(conn);
    case CONN_OVER:
        break;
    }
    return STEP_OVER;
}

void conn_go(struct conn *conn)
{
    enum step step = STEP_ON;

    for (int i = 0; i < STEPS_A_ROUND && step == STEP_ON; i++)
        step = take_step(conn);
    if (step == STEP_OVER) {
        conn_drop(conn);
        return;
    }
    if (step == STEP_ON)
        conn_nudge(conn);
    watch(conn);
}

void conn_late(struct conn *conn)
{
    struct tally *tally = &conn->server->tally;
    bool speaks = conn->known && conn->in_used + (conn->state == CONN_BODY) > 0;

    if (conn->state == CONN_SHAKES)
        tally->refused[REFUSAL_HANDSHAKE_SLOW]++;
    else if (conn->state == CONN_ANSWERS)
        tally->refused[REFUSAL_READ_SLOW]++;
    if (speaks && (conn->state == CONN_HEAD || conn->state == CONN_BODY)) {
        (void)refuse(conn, conn->state == CONN_HEAD ? REFUSAL_HEAD_SLOW : REFUSAL_BODY_SLOW, CODE_TIMEOUT,
                     "the request did not come in time");
        conn_allow_ms(conn, CONN_LINGER_MS);
        conn_go(conn);
    } else if (conn->state == CONN_WAITS && conn->ex->status == 0) {
        exchange_give_up(conn->ex);
        conn_go(conn);
    } else {
        conn_drop(conn);
    }
}
