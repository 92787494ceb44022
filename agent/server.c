#include "server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mem.h"
#include "conn.h"
#include "exchange.h"
#include "listener.h"
#include "log.h"
#include "reload.h"
#include "server_internal.h"
#include "tls.h"

#define ACCEPTS_A_TURN 64
#define STRANGER_LINES                                                                                                 \
    2                                               /* of log a second, once a burst of them is through                \
                                                     */
#define STOP_TURNS      50                          /* of 10 ms: to send what is on its way */
#define ANSWER_LIMIT_MS (WIRE_WAIT_MAX_MS + 120000) /* and one health check */

/* ---- rounds */

static void go_round(void *ctx)
{
    struct server *server = ctx;
    uint64_t now_ms = loop_now_ms();
    struct conn *next;

    for (struct conn *conn = server->conns; conn != NULL; conn = next) {
        next = conn->next;
        if (conn->state == CONN_OVER) {
            conn_free(conn);
        } else if (conn->deadline_ms <= now_ms) {
            conn_late(conn);
        } else if (conn->round_ms <= now_ms) {
            conn->round_ms = UINT64_MAX;
            conn_go(conn);
        }
    }
    for (struct conn *conn = server->conns; conn != NULL; conn = conn->next) {
        if (conn->round_ms != UINT64_MAX)
            server_round_in(server, conn->round_ms > now_ms ? conn->round_ms - now_ms : 0);
    }
    if (server->conns != NULL)
        server_round_in(server, CONN_LOOK_MS);
}

void server_round_in(struct server *server, uint64_t in_ms)
{
    if (!server->round.armed || server->round.due_ms > loop_now_ms() + in_ms)
        loop_timer_start(server->agent->loop, &server->round, in_ms, go_round, server);
}

bool server_may_log(struct server *server)
{
    if (limit_take(&server->log_rate, STRANGER_LINES, loop_now_ms()) != 0) {
        server->unlogged++;
        return false;
    }
    if (server->unlogged > 0)
        log_event("peers_refused_unlogged", "count=%llu", (unsigned long long)server->unlogged);
    server->unlogged = 0;
    return true;
}

/* ---- who comes in */

static unsigned from_same(const struct server *server, const struct conn *conn)
{
    unsigned count = 0;

    for (const struct conn *other = server->conns; other != NULL; other = other->next)
        count += !other->known && other->state != CONN_OVER && memcmp(other->from, conn->from, sizeof conn->from) == 0;
    return count;
}

/* Of the address that has the most places of the unknown the oldest: a flood from one does not push out another. */
static void make_room(struct server *server)
{
    struct conn *victim = NULL;
    unsigned count = 0, most = 0;

    for (struct conn *conn = server->conns; conn != NULL; conn = conn->next) {
        unsigned same = 0;
        if (conn->known || conn->state == CONN_OVER)
            continue;
        count++;
        same = from_same(server, conn);
        if (victim == NULL || same > most || (same == most && conn->serial < victim->serial)) {
            victim = conn;
            most = same;
        }
    }
    if (count < CONN_UNKNOWN_MAX)
        return;
    server->tally.refused[REFUSAL_EVICTED]++;
    conn_drop(victim);
}

/* Descriptors are few: the oldest that does nothing gives its own back. */
static void give_one_back(struct server *server)
{
    struct conn *oldest = NULL;

    for (struct conn *conn = server->conns; conn != NULL; conn = conn->next) {
        if ((!conn->known || conn_is_idle(conn)) && conn->state != CONN_OVER &&
            (oldest == NULL || conn->serial < oldest->serial))
            oldest = conn;
    }
    if (oldest != NULL)
        conn_drop(oldest);
}

void server_take_address(const struct sockaddr_storage *addr, unsigned char from[16])
{
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;

    memset(from, 0, 16);
    if (addr->ss_family == AF_INET)
        memcpy(from, &((const struct sockaddr_in *)(const void *)addr)->sin_addr, 4);
    else if (addr->ss_family == AF_INET6)
        memcpy(from, v6, IN6_IS_ADDR_V4MAPPED(v6) ? 16 : 8);
}

static void on_door(void *ctx)
{
    struct door *door = ctx;
    struct server *server = door->server;

    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage addr = {0};
        socklen_t size = sizeof addr;
        unsigned char from[16];
        int fd, one = 1;

        fd = accept4(door->slot.fd, (struct sockaddr *)&addr, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
            give_one_back(server);
        if (fd < 0)
            return;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        server_take_address(&addr, from);
        if (server->tls != NULL && !door->metrics_only)
            make_room(server);
        conn_open(server, fd, door, from);
    }
}

/* ---- start and end */

static bool open_door(struct server *server, struct door *door, const struct listen_address *address, const char *event,
                      struct err *err)
{
    bool secure = server->tls != NULL && !door->metrics_only;
    char bound[160];

    door->server = server;
    door->slot = (struct loop_slot){.fd = listener_open(address, bound, err), .fn = on_door, .ctx = door};
    if (door->slot.fd < 0)
        return false;
    if (!loop_add(server->agent->loop, &door->slot, EPOLLIN))
        return err_set(err, "the socket at %s cannot be watched", bound);
    log_event(event, "node=%s address=%s tls=%d", server->agent->config.node, bound, secure);
    return true;
}

static void close_door(struct server *server, struct door *door, const struct listen_address *address)
{
    if (door->slot.fd < 0)
        return;
    loop_remove(server->agent->loop, &door->slot);
    (void)close(door->slot.fd);
    door->slot.fd = -1;
    if (address->addr.ss_family == AF_UNIX)
        (void)unlink(address->text + strlen("unix:"));
}

static uint64_t answer_limit_ms(const struct config *config)
{
    uint32_t most_ms = 0;

    for (unsigned i = 0; i < config->service_count; i++) {
        uint32_t check_ms = config->services[i].health_timeout_ms;
        most_ms = check_ms > most_ms ? check_ms : most_ms;
    }
    return (uint64_t)ANSWER_LIMIT_MS + most_ms;
}

struct server *server_start(struct agent *agent, struct link *link, struct err *err)
{
    struct server *server = mem_zero(1, sizeof *server);
    const struct config *config = &agent->config;

    server->agent = agent;
    server->link = link;
    server->door.slot.fd = server->side_door.slot.fd = -1;
    server->side_door.metrics_only = true;
    server->answer_limit_ms = answer_limit_ms(config);
    if ((!config_uses_tls(config) || (server->tls = tls_load(config, err)) != NULL) &&
        open_door(server, &server->door, &config->listen, "listening", err) &&
        (config->metrics_listen.addr_size == 0 ||
         open_door(server, &server->side_door, &config->metrics_listen, "metrics_listening", err))) {
        server->tally.cert_ends_s = server->tls != NULL ? tls_ends_s(server->tls) : 0;
        return server;
    }
    server_stop(&server);
    return NULL;
}

/* ---- another config */

static bool still_allowed(const struct config *config, const struct conn *conn)
{
    for (unsigned i = 0; i < config->allow_count; i++) {
        if (strcmp(config->allow[i], conn->name) == 0)
            return true;
    }
    return !conn->known || conn->stream.session == NULL;
}

static void take_config(struct server *server, struct config *next)
{
    struct config *now = &server->agent->config;

    config_free(now);
    *now = *next;
    server->answer_limit_ms = answer_limit_ms(now);
    memset(server->rates, 0, sizeof server->rates);
    for (struct conn *conn = server->conns; conn != NULL; conn = conn->next) {
        conn->last = conn->stream.session != NULL; /* its certificate was judged by what held before */
        if (still_allowed(now, conn))
            continue;
        conn->closes = true;
        if (conn_is_idle(conn))
            conn_drop(conn);
    }
}

void server_reload(struct server *server)
{
    struct agent *agent = server->agent;
    bool both = agent->config.helper_socket[0] == '\0'; /* then the two are not to come to different conclusions */
    struct tls *tls = NULL;
    struct config next;
    struct err err = {""};

    if (!reload_read(agent, HALF_NETWORK | (both ? HALF_HELPER : 0), &next, &err)) {
        reload_log(&err);
        return;
    }
    if (config_uses_tls(&next) && (tls = tls_load(&next, &err)) == NULL) {
        config_free(&next);
        reload_log(&err);
        return;
    }
    take_config(server, &next);
    tls_unref(&server->tls);
    server->tls = tls;
    server->tally.cert_ends_s = tls != NULL ? tls_ends_s(tls) : 0;
    reload_log(NULL);
    link_reload(server->link);
}

static bool has_unsent(const struct server *server)
{
    for (const struct conn *conn = server->conns; conn != NULL; conn = conn->next) {
        if (conn->state == CONN_WAITS || conn->state == CONN_BODY || conn->state == CONN_ANSWERS)
            return true;
    }
    return false;
}

void server_stop(struct server **server)
{
    struct server *s = *server;

    if (s == NULL)
        return;
    s->stopping = true;
    close_door(s, &s->door, &s->agent->config.listen);
    close_door(s, &s->side_door, &s->agent->config.metrics_listen);
    for (struct exchange *ex = s->exchanges; ex != NULL; ex = ex->next) {
        if (ex->status != 0 || ex->conn->state != CONN_WAITS)
            continue;
        link_cancel(s->link, ex);
        exchange_refuse(ex, CODE_INTERNAL, "the agent stops");
    }
    for (int i = 0; i < STOP_TURNS && has_unsent(s); i++)
        loop_turn(s->agent->loop, 10);
    while (s->conns != NULL)
        conn_free(s->conns);
    loop_timer_stop(s->agent->loop, &s->round);
    tls_unref(&s->tls);
    free(s);
    *server = NULL;
}
