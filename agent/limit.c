#include "limit.h"

uint64_t limit_take(struct limit_rate *rate, uint32_t per_s, uint64_t now_ms)
{
    uint64_t now = now_ms * 1000, step = UINT64_C(1000000) / per_s, burst = UINT64_C(1000000) * LIMIT_BURST_S;

    if (rate->next_ms1000 < now)
        rate->next_ms1000 = now;
    if (rate->next_ms1000 + step > now + burst)
        return (rate->next_ms1000 + step - now - burst) / 1000 + 1;
    rate->next_ms1000 += step;
    return 0;
}
