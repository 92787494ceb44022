/* handover_older.h - the processes before this one that still drain: a channel to each, which ends with them. On it
 * they pass on the connections that are idle (handover_channel.h). */
#ifndef DEMO_SERVER_HANDOVER_OLDER_H
#define DEMO_SERVER_HANDOVER_OLDER_H

#include <stdbool.h>

#include "handover_env.h"

struct handover_older {
    int fds[HANDOVER_OLDER_MAX]; /* the first `count` are open, and ours */
    unsigned count;
    int epoll_fd; /* watches them; -1: not yet */
};

typedef bool handover_adopt_fn(void *ctx, const char *listener, int fd);

/* What the environment announced, behind ready_fd. False: one of them is not open. */
bool handover_older_inherit(struct handover_older *, const struct handover_env *, struct err *);
bool handover_older_add(struct handover_older *, int fd);

/* Take the connections that have come (a bounded number of them), tell how many more may come, and forget who is gone.
 * adopt NULL: close them (none should come: none was asked for). */
void handover_older_look(struct handover_older *, handover_adopt_fn *adopt, void *ctx);

/* Have them watched, these and those that are added. False: one is not. */
bool handover_older_watch(struct handover_older *, int epoll_fd);

/* A successor has copies of them. */
void handover_older_let_go(struct handover_older *);

/* Let them keep what they have not sent yet, take the rest, and close. */
void handover_older_close(struct handover_older *, handover_adopt_fn *adopt, void *ctx);

#endif
