/* child.h - a program that the agent starts: a service (restart = exec), or systemctl.
 *
 * A session of its own, stdin from /dev/null, no descriptor and no signal setting of the agent's, the environment that
 * it is given and nothing else. It does not end with the agent: without a parent it is init's. While the agent lives it
 * is reaped as soon as it ends. */
#ifndef AGENT_CHILD_H
#define AGENT_CHILD_H

#include <sys/types.h>

#include "common/err.h"
#include "loop.h"

/* It has ended: with this exit code, or 128 + the signal. */
typedef void child_fn(void *ctx, int exit_code);

struct child_spawn {
    const char *path;
    char *const *argv, *const *env; /* NULL-terminated */
    const char *dir, *log;          /* log: its stdout and stderr are appended there */
    child_fn *fn;                   /* called once, never from within child_start; NULL: nobody wants to know */
    void *ctx;
};

struct child;
/* NULL: it could not be started, with the reason (also where the program cannot be executed). */
struct child *child_start(struct loop *loop, const struct child_spawn *spawn, struct err *err);
pid_t child_pid(const struct child *child); /* cannot mean another process before fn was called */
void child_signal(struct child *child, int signal);
/* fn is not called any more; it is still reaped, and its memory is the loop's from now on. */
void child_forget(struct child **child);
/* At the agent's end: what is left of a child that goes on. */
void child_leave(struct child **child);

#endif
