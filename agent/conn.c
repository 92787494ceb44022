#include "conn.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "log.h"
#include "tls.h"

#define SWEEP_EVERY_MS 500

void conn_on_notify(void *ctx, struct MHD_Connection *connection, void **slot, enum MHD_ConnectionNotificationCode what)
{
    struct server *server = ctx;
    struct conn *conn = *slot;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        conn = calloc(1, sizeof *conn);
        if (conn == NULL)
            abort();
        conn->server = server;
        conn->fd = info != NULL ? info->connect_fd : -1;
        conn->next = server->conns;
        server->conns = conn;
        conn_allow_ms(conn, CONN_HEAD_MS);
        *slot = conn;
        return;
    }
    for (struct conn **at = &server->conns; *at != NULL; at = &(*at)->next) {
        if (*at == conn) {
            *at = conn->next;
            break;
        }
    }
    free(conn);
    *slot = NULL;
}

struct conn *conn_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

void conn_allow_ms(struct conn *conn, uint64_t in_ms)
{
    conn->deadline_ms = in_ms == UINT64_MAX ? UINT64_MAX : loop_now_ms() + in_ms;
}

bool conn_is_allowed(struct conn *conn, struct MHD_Connection *connection, struct err *err)
{
    const struct config *config = &conn->server->agent->config;
    const union MHD_ConnectionInfo *info;
    struct log_quoted name, why;

    if (!config_uses_tls(config))
        return true; /* a unix socket or a loopback address: config.h */
    if (conn->judged)
        return conn->allowed || err_set(err, "the client certificate is not allowed here");
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    conn->judged = true;
    conn->allowed = info != NULL ? tls_check_peer(info->tls_session, config, conn->name, err)
                                 : err_set(err, "this connection has no TLS session");
    if (!conn->allowed)
        log_event("peer_refused", "name=%s text=%s", log_quote(&name, conn->name), log_quote(&why, err->text));
    return conn->allowed;
}

static void sweep(void *ctx)
{
    struct server *server = ctx;
    uint64_t now_ms = loop_now_ms();

    for (struct conn *conn = server->conns; conn != NULL; conn = conn->next) {
        if (conn->deadline_ms > now_ms)
            continue;
        (void)shutdown(conn->fd, SHUT_RDWR); /* MHD sees the end, and lets go of it */
        conn->deadline_ms = UINT64_MAX;
    }
    conn_sweep_start(server);
}

void conn_sweep_start(struct server *server)
{
    loop_timer_start(server->agent->loop, &server->sweep, SWEEP_EVERY_MS, sweep, server);
}
