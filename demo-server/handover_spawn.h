/* handover_spawn.h - start a successor with sockets, and a channel (handover_channel.h) on which it says that it
 * serves. It leads a process group of its own until it does, so that it can be ended with all that it started. */
#ifndef DEMO_SERVER_HANDOVER_SPAWN_H
#define DEMO_SERVER_HANDOVER_SPAWN_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

struct handover_spawn {
    const char *path; /* absolute */
    char *const *argv;
    char *const *environment; /* the process's own; handover_env_make adds to it */
    const int *fds;           /* become 3, 4, ... */
    const char *const *names;
    unsigned count;
    const int *older_fds; /* channels to older processes, behind the sockets and the new channel */
    unsigned older;
    bool init;            /* pid 1 is ours */
    const sigset_t *mask; /* the successor's signal mask */
};

struct handover_spawned {
    pid_t pid;
    int channel_fd;   /* our end, non-blocking */
    ino_t their_end;  /* the socket that is only theirs */
    uint64_t started; /* handover_stray_start */
};

/* Not known when it returns: whether execve works. */
bool handover_spawn(const struct handover_spawn *, struct handover_spawned *, struct err *);

/* The absolute path that argv[0] means here and now: with a slash from the working directory, else by PATH. Links are
 * not followed, so that a release switched by a link is found; nor is that by which the working directory was reached,
 * as long as $PWD tells it. An absolute argv[0] is best: it depends on nothing. */
bool handover_spawn_path(const char *argv0, char *path, size_t size, struct err *);

/* Whether a relative argv[0] still means the path that the predecessor had for it: where that ends in it. Read anew it
 * could be another, for the link may have been switched, and the working directory is the one of the first start. */
bool handover_spawn_path_stays(const char *argv0, const char *path);

#endif
