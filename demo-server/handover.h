/* handover.h - a serving process gives its sockets to a successor, and goes only when that one serves.
 *
 * For any single-threaded server with a loop over file descriptors. The library owns the listening sockets, the
 * signals, the successor, its readiness, the pid file and the limits; what a connection is, only the server knows
 * (handover_ops).
 *
 *   handover_begin()                             first thing in main
 *   h = handover_new(&options, &ops, ctx, &err)  takes what was passed on; blocks the signals
 *   fd = handover_listen(h, "a0", &addr, &err)   once a listener: the inherited socket, or one bound anew
 *   ... start to serve on them ...
 *   handover_ready(h, &err)                      pid file, sd_notify, word to the predecessor, which then drains
 *   until handover_ended(h), asked once a turn:  wait for handover_fd(h) and the server's own descriptors,
 *       handover_wake(h)                         when that one is readable
 *   handover_free(&h)
 *
 * SIGUSR2: the executable that argv[0] named at the start (its path, not its inode; an absolute path is best) is
 * started with the same arguments, environment and working directory; the listeners are its fd 3.., announced as
 * systemd does (LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES); the number in HANDOVER_READY_FD is a channel
 * (handover_channel.h) into which it writes one byte once it serves. Only then does this process accept no more, let
 * its connections end, and leave the loop. A successor that cannot be executed, exits, closes the channel or is not
 * ready within upgrade_timeout_ms is killed, with its children, and reaped; this process has never stopped serving,
 * logs why, and takes the next SIGUSR2. One at a time: a SIGUSR2 meanwhile is refused. A successor takes the next one
 * while its predecessor still drains; three processes at most, so with two that drain it is refused.
 * SIGTERM and SIGINT: drain and leave, also while draining for a successor (`alone`); a second one: leave at once. A
 * successor on its way is told to stop, too; one that serves already drains by its own limit. One that has said so and
 * has exited with 0 was told to stop by somebody who read the pid file: then this process drains and leaves as well.
 *
 * A bad executable shares the listeners' file descriptions until it is gone. One that makes them block stops nobody
 * (handover_socket.h: why, and what it costs).
 *
 * What a successor can still break: it may shutdown(2) the shared listeners, which no longer listen then; it may
 * signal its parent (gracehttp sends SIGTERM, which this process takes for a stop: start no such program as a
 * successor); and one that has said that it serves is believed: killed right after, it leaves no server, for this
 * process has begun to leave. Connections in the queue of an address that the successor does not ask for are reset when
 * the last process that listens there closes it.
 *
 * Connections that are idle when the successor serves are passed to it (handover_pass): their clients notice nothing.
 * What remains is the server's: of which it cannot say that all that was read was answered, it keeps until they speak,
 * or until the drain limit ends.
 *
 * The pid file names a process that serves: it is replaced (renamed over) by the new process once that serves, before
 * it reports so; a predecessor whose successor failed after that puts its own pid back. A process that leaves for a
 * successor does not touch it, one that leaves without removes it if it is its own. PIDFILE.upgrade beside it tells how
 * the last SIGUSR2 went (common/upgrade_note.h). As pid 1: handover_init.h. */
#ifndef DEMO_SERVER_HANDOVER_H
#define DEMO_SERVER_HANDOVER_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"

struct handover;

struct handover_options {
    char *const *argv;   /* as main got it; borrowed for the life of the handover */
    const char *pidfile; /* borrowed; NULL: none */
    uint32_t upgrade_timeout_ms;
    uint32_t drain_timeout_ms;
    /* How many connections each predecessor (there may be two) may have on their way to adopt(): there must be places
     * for them kept free, which no other client takes. */
    uint32_t adopt_ahead;
};

struct handover_ops {
    /* Accept no more (the listeners are closed by the library right after). `last`: nobody else accepts from these
     * sockets, so first take in what waits in their queues. From now on every answer closes its connection. */
    void (*quiesce)(void *ctx, bool last);
    /* While draining for a successor: this process was told to stop as well, or the successor has gone and by the pid
     * file nobody serves after it. No connection will be passed any more, so the silent ones may go as at a stop. NULL:
     * nothing to do. */
    void (*alone)(void *ctx);
    /* Connections that are still open. Asked once a turn while draining; 0 ends it. */
    size_t (*left)(void *ctx);
    /* Every 50 ms while draining: close what has been silent for long enough. */
    void (*sweep)(void *ctx);
    /* The drain limit is over, or somebody insists: end them all; how many requests were cut short. */
    size_t (*abandon)(void *ctx);
    /* A connection of the predecessor's, idle, that came by the listener of that name; its descriptor is the server's
     * from now on. True: one more may come for it; false: it took one of the places that are kept free. NULL: this
     * server takes none, predecessors keep theirs until they end. */
    bool (*adopt)(void *ctx, const char *listener, int fd);
    /* A happening (one word) and a sentence for people. */
    void (*log)(void *ctx, const char *event, const char *text);
};

/* First thing in main: SIGUSR2, which would end a process that knows nothing of it, is kept until there is a handover
 * that takes it. Between execve and main (half a millisecond, with shared libraries) nothing can be done about it: who
 * starts a server sends it none before there is a pid file. */
void handover_begin(void);

/* NULL with the reason: a bad LISTEN_FDS, an inherited fd that is no listening socket. Variables that another process's
 * LISTEN_PID marks as not ours are ignored. All of them leave the environment. SIGPIPE is ignored from here on,
 * SIGUSR2, SIGTERM, SIGINT and SIGCHLD are blocked: call it before any thread is made. */
struct handover *handover_new(const struct handover_options *, const struct handover_ops *, void *ctx, struct err *);

/* A listening, non-blocking, close-on-exec socket that stays the library's; -1 with the reason. What is accepted from
 * it inherits a receive timeout of a millisecond (handover_socket.h), which only blocking reads heed. `name` (no colon,
 * at most 31 characters) goes into LISTEN_FDNAMES. Inherited sockets are found by address; with port 0 by name and
 * host.
 */
int handover_listen(struct handover *, const char *name, const struct addr *, struct err *);

/* This process serves. Inherited sockets that nobody asked for are closed. False with the reason: the pid file could
 * not be written; the predecessor goes on serving when this process then exits. */
bool handover_ready(struct handover *, struct err *);

/* While draining: give the successor a connection on which nothing is under way and of which nothing was read that was
 * not answered. PASSED: it has its own descriptor, the caller closes this one without a shutdown. LATER: try again at
 * the next sweep. NEVER: there is none that takes it. */
enum handover_passed { HANDOVER_PASSED, HANDOVER_PASS_LATER, HANDOVER_PASS_NEVER };
enum handover_passed handover_pass(struct handover *, const char *listener, int fd);

int handover_fd(const struct handover *);
void handover_wake(struct handover *);
bool handover_ended(struct handover *);

/* Ends a successor that is not ready, removes the pid file if it is ours to remove. */
void handover_free(struct handover **);

#endif
