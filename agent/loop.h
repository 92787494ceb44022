/* loop.h - the only loop of each half of the agent: one thread, one epoll, descriptors and timers. Milliseconds are
 * monotonic. Callbacks may add and remove anything. */
#ifndef AGENT_LOOP_H
#define AGENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

typedef void loop_fn(void *ctx);

struct loop;
struct loop *loop_new(void);
void loop_free(struct loop **loop);

uint64_t loop_now_ms(void);

/* A descriptor; `slot` belongs to the caller and stays where it is until loop_remove. */
struct loop_slot {
    int fd;
    loop_fn *fn;
    void *ctx;
};
bool loop_add(struct loop *loop, struct loop_slot *slot, uint32_t epoll_events);
void loop_change(struct loop *loop, struct loop_slot *slot, uint32_t epoll_events);
void loop_remove(struct loop *loop, struct loop_slot *slot); /* before its fd is closed */

/* A timer fires once; zeroed = stopped. It belongs to the caller. */
struct loop_timer {
    uint64_t due_ms;
    loop_fn *fn;
    void *ctx;
    bool armed;
    struct loop_timer *next;
};
void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t in_ms, loop_fn *fn, void *ctx);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);

void loop_turn(struct loop *loop, uint64_t limit_ms);
void loop_run(struct loop *loop); /* until loop_stop */
void loop_stop(struct loop *loop);

/* Who waits for something that happens once: woken all at once, each entry taken off before its fn is called. */
struct waiter {
    loop_fn *fn;
    void *ctx;
    struct waiter *next;
};
void waiter_add(struct waiter **list, struct waiter *w);
void waiter_remove(struct waiter **list, struct waiter *w);
void waiter_wake(struct waiter **list);

#endif
