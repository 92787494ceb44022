/* handover_child.h - a successor on its way: started, waited for, told apart from a dead one, ended. No policy: what a
 * good or a bad end means is handover.c's. */
#ifndef DEMO_SERVER_HANDOVER_CHILD_H
#define DEMO_SERVER_HANDOVER_CHILD_H

#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "handover_channel.h"
#include "handover_spawn.h"

struct handover_child {
    pid_t pid;       /* 0: there is none */
    ino_t their_end; /* handover_spawn.h; so is */
    uint64_t started;
    bool spared; /* nothing is looked for outside of its group: nobody has the channel open, or it may serve already */
    int channel_fd;      /* -1: over. One that takes no connections keeps it as well: by it, it counts its elders */
    int epoll_fd;        /* the caller's, which watches the channel; -1: nothing does */
    bool ready;          /* it serves */
    int64_t deadline_ms; /* then it is killed, on handover_now_ms's clock; INT64_MAX: it serves, no limit any more */
    bool doomed;         /* it is not to become ready any more, `why` says why */
    char why[300];
    int status;                    /* once it is reaped: as waitpid gave it */
    size_t room;                   /* how many connections may be sent now; SIZE_MAX: any number */
    bool full;                     /* and for no more after those */
    char takes[HANDOVER_WORD_MAX]; /* the listeners whose connections it takes, see handover_channel.h */
};

enum handover_child_state {
    HANDOVER_CHILD_WAIT,  /* nothing new */
    HANDOVER_CHILD_READY, /* it serves: said once */
    HANDOVER_CHILD_GONE,  /* reaped; `why` is the sentence; pid is 0 */
};

int64_t handover_now_ms(void);

bool handover_child_start(struct handover_child *, const struct handover_spawn *, uint32_t limit_ms, struct err *);

/* Look at channel, exit status and clock, and do what is due. Never blocks. Call it when any of them may have changed.
 */
enum handover_child_state handover_child_look(struct handover_child *, const char *path);

/* Have it end with SIGTERM, for `why`. It may serve already, or be about to: its word is still heard (READY), after
 * which it has no deadline any more. It takes no connections. */
void handover_child_ask_to_end(struct handover_child *, const char *why);

/* Have it ended with `signal`, and all that it started and that stayed in its group; its deadline still stands. What
 * left the group is killed when the process itself is reaped, and never was ready (handover_stray.h). */
void handover_child_end(struct handover_child *, int signal, const char *why);

/* One that is not ready: kill and reap it, now. */
void handover_child_kill(struct handover_child *);

/* Give one that serves a copy of a connection. END: it takes none of that listener, or none any more. */
enum handover_channel_result handover_child_pass(struct handover_child *, const char *name, int fd);

#endif
