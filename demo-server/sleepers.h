/* sleepers.h - who sleeps until when: a binary heap, the earliest deadline on top. A sleeper is a member of something
 * of the caller's and is borrowed while it is in the heap. Deadlines are nanoseconds on a clock of the caller's. */
#ifndef DEMO_SERVER_SLEEPERS_H
#define DEMO_SERVER_SLEEPERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sleeper {
    int64_t deadline_ns;
    size_t index; /* where it stands in the heap, kept by sleepers_* */
};

struct sleepers { /* {0} is an empty heap */
    struct sleeper **heap;
    size_t count, room;
};

/* False: no memory, nothing was changed. */
bool sleepers_add(struct sleepers *, struct sleeper *);
/* It must be in the heap. */
void sleepers_remove(struct sleepers *, struct sleeper *);
/* The earliest, still in the heap; NULL where nobody sleeps. */
struct sleeper *sleepers_first(const struct sleepers *);
/* Forget all and free the heap's own memory. */
void sleepers_clear(struct sleepers *);

#endif
