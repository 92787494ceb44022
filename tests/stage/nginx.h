/* nginx.h - stock nginx with our module, from a small struct.
 *
 * Port `port` proxies / to the first upstream and /NAME/ to the upstream of that name (prefix cut off); port `api_port`
 * serves /api. Keep-alive on both sides, never closed by nginx itself within a test. proxy_next_upstream is off: what a
 * node loses is seen, not retried. */
#ifndef STAGE_NGINX_H
#define STAGE_NGINX_H

#include "tests/stage/proc.h"

struct stage_upstream {
    const char *name;
    const char *const *peers; /* "127.0.0.1:PORT" or "127.0.0.1:PORT weight=2 backup"; NULL-terminated */
    const char *extra;        /* directives within, e.g. "least_conn;"; NULL: none */
    bool no_zone, no_keepalive;
};

struct stage_nginx_conf {
    const struct stage_upstream *upstreams; /* ends with name NULL */
    unsigned workers;                       /* 0: 2 */
    bool no_module;                         /* without our module there is no /api */
    const char *http_extra;                 /* directives in http {}, or NULL */
    const char *server_extra;               /* in the proxying server {}, or NULL */
    const char *main_extra;                 /* outside, e.g. a stream {} block; or NULL */
    const char *api_args;                   /* of the directive `api`; NULL: "write=on" */
    bool upgradable;                        /* it can be given to stage_nginx_upgrade */
    const char *user;                       /* of the workers, where we are root; NULL: root */
};

struct stage_nginx {
    struct stage *stage;
    const char *name;
    uint16_t port, api_port;
    const char *url; /* "http://127.0.0.1:PORT" */
    const char *api; /* "http://127.0.0.1:API_PORT/api" */
    const char *dir, *conf_path, *error_log;
    bool upgradable;
    struct stage_proc *proc; /* the master */
};

/* Start it, wait until it answers. The conf is copied into its file; the struct may go. */
struct stage_nginx *stage_nginx_start(struct stage *s, const char *name, const struct stage_nginx_conf *conf);
void stage_nginx_nodes(struct stage *s, uint16_t port[2]); /* two that answer "a" and "b", and the ports they got */
void stage_nginx_write(struct stage_nginx *n, const struct stage_nginx_conf *conf); /* a new conf for the next reload */
void stage_nginx_reload(
    struct stage_nginx *n); /* SIGHUP; back when new workers alone accept (old ones may still drain) */
pid_t stage_nginx_pid(struct stage_nginx *n); /* in its pid file; 0: not there, or not written yet */
/* SIGUSR2: back when a new master's workers run beside the old ones, on the same ports. Its pid; it is a child of the
 * old one, and ours once that one has ended. The conf it was started with says `upgradable`. */
pid_t stage_nginx_upgrade(struct stage_nginx *n);
void stage_nginx_stop(struct stage_nginx *n, int signal); /* master and workers gone; SIGKILL kills each by pid */
void stage_nginx_again(struct stage_nginx *n);            /* start it again on the same ports */
/* Children of that master; while an upgrade goes on, the new master is one of the old one's. */
unsigned stage_nginx_workers_of(struct stage_nginx *n, pid_t master, pid_t *pids, unsigned capacity);
unsigned stage_nginx_workers(struct stage_nginx *n, pid_t *pids, unsigned capacity); /* living ones, draining too */
/* nginx run to its end, as `nginx -t`; argv[0] is its path. */
struct stage_run stage_nginx_run(struct stage *s, uint32_t limit_ms, const char *const *argv);
/* For an nginx that a test starts by itself with our module: what its environment needs ("LD_PRELOAD=..."), since the
 * module, made with the sanitizers, needs their runtimes there, too. NULL: nothing. */
const char *stage_nginx_preload(struct stage *s);

#endif
