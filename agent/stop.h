/* stop.h - end a process that cannot come to mean another: SIGTERM, a while for it to drain, SIGKILL. */
#ifndef AGENT_STOP_H
#define AGENT_STOP_H

#include <stdbool.h>

#include "loop.h"

#define STOP_KILLED_MS 5000 /* from SIGKILL on: one that is still there hangs in the kernel */

/* gone: it has ended. Called once, never from within stop_begin. */
typedef void stop_fn(void *ctx, bool gone);

/* Zeroed = none. It belongs to the caller and stays where it is until fn was called, or stop_cancel. */
struct stop {
    struct loop *loop;
    struct loop_slot slot; /* fd: the pidfd, the caller's */
    struct loop_timer timer;
    bool killed, at_work;
    stop_fn *fn;
    void *ctx;
};

void stop_begin(struct stop *stop, struct loop *loop, int pidfd, uint32_t drain_ms, stop_fn *fn, void *ctx);
void stop_cancel(struct stop *stop);

#endif
