/* server.h - a demo-server on a stage, with an executable of its own that an upgrade may swap. */
#ifndef STAGE_SERVER_H
#define STAGE_SERVER_H

#include "tests/stage/proc.h"

struct stage_server {
    struct stage *stage;
    const char *name;
    uint16_t port[3];        /* of -a0 -a1 -a2, on 127.0.0.1 */
    const char *peer;        /* "127.0.0.1:PORT" of -a0: what an upstream lists */
    const char *url;         /* "http://127.0.0.1:PORT" of -a0 */
    const char *dir;         /* its folder */
    const char *exe;         /* dir/demo-server */
    const char *pidfile;     /* dir/demo-server.pid */
    const char *log;         /* output of all its processes */
    struct stage_proc *proc; /* the process we started last; a handover's successor is known by the pid file */
};

/* The executable of a variant: "v1" (the plain one), "v2", "exit" (ends at once), "hang" (never ready), "sick" (serves,
 * /healthz is 503), "fickle" (sick where its folder holds a file `sick` when it begins), "late" (its start takes 6 s
 * where its folder holds a file `late`, which it takes away), "errs" (every fifth sleep is a 500), "slow" (each takes
 * 150 ms longer). */
const char *stage_server_variant(struct stage *s, const char *variant);

struct stage_server *stage_server_start(struct stage *s, const char *name, const char *variant);
void stage_server_again(struct stage_server *v); /* start exe again on the same ports; the one before must be gone */
pid_t stage_server_pid(struct stage_server *v);  /* who serves, by the pid file; 0: none alive */
unsigned stage_server_count(struct stage_server *v);      /* living processes that run its executable, old or new */
const char *stage_server_version(struct stage_server *v); /* what /version says; "" where it does not answer */
/* Replace its executable by a variant's (new inode, renamed over). No process is touched. */
void stage_server_install(struct stage_server *v, const char *variant);
/* Signal the process that serves and wait until it is gone. */
void stage_server_kill(struct stage_server *v, int signal);

/* Requests to /sleep/ that its processes counted as answered, by what each said at its end: stop it before. */
uint64_t stage_server_answered(struct stage_server *v);

#endif
