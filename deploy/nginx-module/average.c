#include "average.h"

#define PARTS     256 /* of a millisecond */
#define MS_MAX    200000000
#define NEW_SHARE 8

void average_add(uint64_t *average, uint64_t ms)
{
    int64_t parts = (int64_t)(ms < MS_MAX ? ms : MS_MAX) * PARTS;
    uint64_t old = __atomic_load_n(average, __ATOMIC_RELAXED);
    uint64_t next;

    do {
        int64_t have = old == 0 ? parts : (int64_t)old - 1;

        next = (uint64_t)(have + (parts - have) / NEW_SHARE) + 1;
    } while (!__atomic_compare_exchange_n(average, &old, next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

bool average_read(uint64_t average, uint64_t *ms)
{
    if (average == 0) {
        return false;
    }
    *ms = (average - 1 + PARTS / 2) / PARTS;
    return true;
}
