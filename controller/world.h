/* world.h - everything outside of the core, behind two calls. The real one is world_net.c; the tests have another. */
#ifndef CONTROLLER_WORLD_H
#define CONTROLLER_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "ask.h"

struct world {
    const struct world_ops *ops;
};

struct world_ops {
    /* Begin an action; never waits. Every action is answered by exactly one input of a later collect. */
    void (*start)(struct world *, const struct action *);
    /* Wait at most wait_ms for inputs, then take what is there, at most `capacity`; returns how many, sets elapsed_ms
     * to the time since the collect before (monotonic). */
    size_t (*collect)(struct world *, uint32_t wait_ms, struct input *inputs, size_t capacity, uint32_t *elapsed_ms);
    void (*close)(struct world *);
};

#endif
