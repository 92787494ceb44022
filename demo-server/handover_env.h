/* handover_env.h - the environment that tells a process which sockets it was given: read, and made for a successor.
 * The rules are systemd's sd_listen_fds(3); HANDOVER_READY_FD is ours. */
#ifndef DEMO_SERVER_HANDOVER_ENV_H
#define DEMO_SERVER_HANDOVER_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

#define HANDOVER_FD_FIRST 3  /* SD_LISTEN_FDS_START */
#define HANDOVER_FDS_MAX  64 /* sockets */
#define HANDOVER_NAME_MAX 32 /* bytes, with its end */

struct handover_env {
    unsigned count; /* sockets from HANDOVER_FD_FIRST on; 0: none were passed, or not to us */
    int ready_fd;   /* -1: nobody waits for our word */
    char names[HANDOVER_FDS_MAX][HANDOVER_NAME_MAX]; /* "" where none was given */
};

/* From an environment as execve takes it. False with the reason where it is meant for `self` but wrong. */
bool handover_env_read(char *const *environment, pid_t self, struct handover_env *, struct err *);

/* A successor's environment: the old one without our variables, then LISTEN_FDS, LISTEN_FDNAMES, HANDOVER_READY_FD and
 * LISTEN_PID. Its pid is known only after the fork: handover_env_set_pid writes it into *pid_at, without malloc or
 * stdio. One block, freed with free(); NULL: no memory. */
char **handover_env_make(char *const *environment, unsigned count, const char *const *names, char **pid_at);
void handover_env_set_pid(char *pid_at, pid_t pid);

/* Whether a NAME=VALUE is one of our variables. */
bool handover_env_is_ours(const char *entry);

#endif
