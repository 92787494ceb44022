/* handover_spawn.h - start a successor with sockets, and a pipe on which it says that it serves. */
#ifndef DEMO_SERVER_HANDOVER_SPAWN_H
#define DEMO_SERVER_HANDOVER_SPAWN_H

#include <signal.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

struct handover_spawn {
    const char *path; /* absolute */
    char *const *argv;
    char *const *environment; /* the process's own; handover_env_make adds to it */
    const int *fds;           /* become 3, 4, ... */
    const char *const *names;
    unsigned count;
    const sigset_t *mask; /* the successor's signal mask */
};

/* What is read from the pipe: one byte HANDOVER_READY from a successor that serves, or HANDOVER_EXEC_FAILED with an
 * errno (an int) behind it where there was nothing to execute; an end without a word means that it died or gave up. */
#define HANDOVER_READY       'R'
#define HANDOVER_EXEC_FAILED 'E'

/* Returns with the child's pid and the non-blocking read end of the pipe. Not known yet: whether execve works. */
bool handover_spawn(const struct handover_spawn *, pid_t *pid, int *pipe_fd, struct err *);

/* The absolute path that argv[0] means here and now: with a slash from the working directory, else by PATH. Links are
 * not followed, so that a release switched by a link is found. */
bool handover_spawn_path(const char *argv0, char *path, size_t size, struct err *);

#endif
