#include "event.h"

#include <assert.h>
#include <string.h>

static const char *const NAMES[] = {
#define X(name, text) text,
    EVENTS(X)
#undef X
};

const char *event_name(enum event_kind kind)
{
    assert(kind < EVENT_COUNT);
    return NAMES[kind];
}

int event_kind_of(const char *name)
{
    for (int i = 0; i < EVENT_COUNT; i++)
        if (strcmp(NAMES[i], name) == 0)
            return i;
    return -1;
}
