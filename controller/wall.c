#include "wall.h"

#include <stdbool.h>

#include "clock.h"

static int64_t base_ms;
static bool begun;

void wall_begin(void)
{
    base_ms = clock_of_ms(CLOCK_REALTIME) - clock_ms();
    begun = true;
}

int64_t wall_now_ms(void)
{
    return begun ? base_ms + clock_ms() : clock_of_ms(CLOCK_REALTIME);
}
