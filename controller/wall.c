#include "wall.h"

#include <stdbool.h>
#include <time.h>

static int64_t base_ms;
static bool begun;

static int64_t clock_of(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void wall_begin(void)
{
    base_ms = clock_of(CLOCK_REALTIME) - clock_of(CLOCK_BOOTTIME);
    begun = true;
}

int64_t wall_now_ms(void)
{
    return begun ? base_ms + clock_of(CLOCK_BOOTTIME) : clock_of(CLOCK_REALTIME);
}
