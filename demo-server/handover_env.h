/* handover_env.h - the environment that tells a process which sockets it was given: read, and made for a successor.
 * The rules are systemd's sd_listen_fds(3); these are ours:
 *   HANDOVER_READY_FD  the channel to the predecessor, right behind the sockets
 *   HANDOVER_OLDER     how many channels to still older processes follow it
 *   HANDOVER_INIT      1 where pid 1 is the reaper of handover_init.h
 *   HANDOVER_EXE       the path that was executed */
#ifndef DEMO_SERVER_HANDOVER_ENV_H
#define DEMO_SERVER_HANDOVER_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

#define HANDOVER_FD_FIRST  3  /* SD_LISTEN_FDS_START */
#define HANDOVER_FDS_MAX   64 /* sockets */
#define HANDOVER_NAME_MAX  32 /* bytes, with its end */
#define HANDOVER_OLDER_MAX 2  /* processes that still drain beside the one that serves */

struct handover_env {
    unsigned count;  /* sockets from HANDOVER_FD_FIRST on; 0: none were passed, or not to us */
    int ready_fd;    /* -1: nobody waits for our word */
    unsigned older;  /* channels right behind it */
    const char *exe; /* what the predecessor has executed; of the environment, NULL: none */
    bool init; /* pid 1 wants to know who serves. Believed of a predecessor only: another pid 1 must get no signal */
    char names[HANDOVER_FDS_MAX][HANDOVER_NAME_MAX]; /* "" where none was given */
};

/* From an environment as execve takes it. False with the reason where it is meant for `self` but wrong. */
bool handover_env_read(char *const *environment, pid_t self, struct handover_env *, struct err *);

/* What a successor is told. */
struct handover_env_next {
    const char *const *names; /* of the sockets */
    unsigned count, older;
    bool init;
    const char *exe; /* or NULL */
};

/* A successor's environment: the old one without our variables, then those that it needs, LISTEN_PID last. Its pid is
 * known only after the fork: handover_env_set_pid writes it into *pid_at, without malloc or stdio. One block, freed
 * with free(); NULL: no memory. */
char **handover_env_make(char *const *environment, const struct handover_env_next *, char **pid_at);
void handover_env_set_pid(char *pid_at, pid_t pid);

/* Take them out of this process's environment. */
void handover_env_clear(void);

/* Whether a NAME=VALUE is one of our variables. */
bool handover_env_is_ours(const char *entry);

#endif
