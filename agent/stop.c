#include "stop.h"

#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

static void end(struct stop *stop, bool gone)
{
    stop_cancel(stop);
    stop->fn(stop->ctx, gone);
}

static void on_end(void *ctx)
{
    end(ctx, true);
}

static void on_limit(void *ctx)
{
    struct stop *stop = ctx;

    if (stop->killed) {
        end(stop, false);
        return;
    }
    stop->killed = true;
    (void)syscall(SYS_pidfd_send_signal, stop->slot.fd, SIGKILL, NULL, 0);
    loop_timer_start(stop->loop, &stop->timer, STOP_KILLED_MS, on_limit, stop);
}

void stop_begin(struct stop *stop, struct loop *loop, int pidfd, uint32_t drain_ms, stop_fn *fn, void *ctx)
{
    *stop = (struct stop){.loop = loop, .fn = fn, .ctx = ctx, .at_work = true};
    stop->slot = (struct loop_slot){.fd = pidfd, .fn = on_end, .ctx = stop};
    if (!loop_add(loop, &stop->slot, EPOLLIN)) {
        stop->slot.fn = NULL;
        stop->killed = true; /* nobody would notice its end: told after a moment */
        drain_ms = 0;
    }
    (void)syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0);
    loop_timer_start(loop, &stop->timer, drain_ms, on_limit, stop);
}

void stop_cancel(struct stop *stop)
{
    if (!stop->at_work)
        return;
    stop->at_work = false;
    loop_timer_stop(stop->loop, &stop->timer);
    if (stop->slot.fn != NULL)
        loop_remove(stop->loop, &stop->slot);
}
