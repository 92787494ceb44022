#include "server.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "conn.h"
#include "exchange.h"
#include "listener.h"
#include "log.h"
#include "server_internal.h"
#include "tls.h"

#define CONNECTIONS_MAX   512
#define CONNECTION_MEMORY ((size_t)32 * 1024)         /* head and buffers of one connection */
#define STOP_TURNS        50                          /* of 10 ms: to send what is on its way */
#define ANSWER_LIMIT_MS   (WIRE_WAIT_MAX_MS + 120000) /* and one health check */

static void log_mhd(void *ctx, const char *format, va_list args)
{
    char text[256];
    struct log_quoted quoted;

    (void)ctx;
    (void)vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    log_event("http", "text=%s", log_quote(&quoted, text));
}

static void run_guest(void *ctx)
{
    struct server *server = ctx;

    (void)MHD_run(server->daemon);
}

static uint64_t guest_limit_ms(void *ctx)
{
    struct server *server = ctx;
    MHD_UNSIGNED_LONG_LONG limit_ms;

    return MHD_get_timeout(server->daemon, &limit_ms) == MHD_YES ? limit_ms : UINT64_MAX;
}

static void on_epoll(void *ctx)
{
    (void)ctx; /* the guest runs at the end of each turn */
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX, but never to a NUL: a text that ends early is another text. */
static size_t unescape(void *ctx, struct MHD_Connection *connection, char *text)
{
    char *to = text;

    (void)ctx;
    (void)connection;
    for (const char *from = text; *from != '\0';) {
        int high = from[0] == '%' ? hex_value(from[1]) : -1;
        int low = high >= 0 ? hex_value(from[2]) : -1;
        if (low >= 0 && high + low > 0) {
            *to++ = (char)(high << 4 | low);
            from += 3;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    return (size_t)(to - text);
}

static struct MHD_Daemon *start_daemon(struct server *server, int fd, const struct tls *tls)
{
    struct MHD_OptionItem secure[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, tls->cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, tls->key},
        {MHD_OPTION_HTTPS_MEM_TRUST, 0, tls->ca},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;

    if (tls->cert == NULL)
        secure[0].option = MHD_OPTION_END;
    else
        flags |= MHD_USE_TLS;
    return MHD_start_daemon(flags, 0, NULL, NULL, exchange_on_request, server, MHD_OPTION_EXTERNAL_LOGGER, log_mhd,
                            NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, exchange_on_completed,
                            server, MHD_OPTION_NOTIFY_CONNECTION, conn_on_notify, server, MHD_OPTION_UNESCAPE_CALLBACK,
                            unescape, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)(CONN_IDLE_MS / 1000), MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY,
                            secure, MHD_OPTION_END);
}

static bool start(struct server *server, int fd, const struct tls *tls, struct err *err)
{
    const union MHD_DaemonInfo *info;

    server->daemon = start_daemon(server, fd, tls);
    if (server->daemon == NULL)
        return err_set(err, "the HTTP server cannot be started on %s", server->agent->config.listen.text);
    info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    server->slot = (struct loop_slot){.fd = info != NULL ? info->epoll_fd : -1, .fn = on_epoll, .ctx = server};
    if (!loop_add(server->agent->loop, &server->slot, EPOLLIN)) {
        MHD_stop_daemon(server->daemon);
        return err_set(err, "the HTTP server cannot be joined with the loop");
    }
    loop_set_guest(server->agent->loop, guest_limit_ms, run_guest, server);
    conn_sweep_start(server);
    return true;
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
    struct server *server = calloc(1, sizeof *server);
    struct tls tls = {0};
    char bound[160];
    int fd = -1;
    bool ok;

    if (server == NULL)
        abort();
    server->agent = agent;
    server->link = link;
    server->answer_limit_ms = answer_limit_ms(&agent->config);
    ok = !config_uses_tls(&agent->config) || tls_load(&agent->config, &tls, err);
    if (ok)
        fd = listener_open(&agent->config.listen, bound, err);
    ok = ok && fd >= 0 && start(server, fd, &tls, err);
    tls_free(&tls);
    if (!ok) {
        if (fd >= 0 && server->daemon == NULL)
            (void)close(fd);
        free(server);
        return NULL;
    }
    log_event("listening", "node=%s address=%s tls=%d", agent->config.node, bound, config_uses_tls(&agent->config));
    return server;
}

void server_stop(struct server **server)
{
    struct server *s = *server;

    if (s == NULL)
        return;
    s->stopping = true;
    for (struct exchange *ex = s->exchanges; ex != NULL; ex = ex->next) {
        if (!ex->suspended)
            continue;
        link_cancel(s->link, ex);
        exchange_refuse(ex, CODE_INTERNAL, "the agent stops");
    }
    for (int i = 0; i < STOP_TURNS && s->exchanges != NULL; i++)
        loop_turn(s->agent->loop, 10);
    loop_set_guest(s->agent->loop, NULL, NULL, NULL);
    loop_timer_stop(s->agent->loop, &s->sweep);
    loop_remove(s->agent->loop, &s->slot);
    MHD_stop_daemon(s->daemon);
    if (s->agent->config.listen.addr.ss_family == AF_UNIX)
        (void)unlink(s->agent->config.listen.text + strlen("unix:"));
    free(s);
    *server = NULL;
}
