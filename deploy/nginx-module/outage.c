#include "outage.h"

static uint64_t span_ms(const struct outage *outage, uint64_t now_ms)
{
    uint64_t end_ms = now_ms < outage->until_ms ? now_ms : outage->until_ms;

    return outage->since_ms != 0 && end_ms > outage->since_ms ? end_ms - outage->since_ms : 0;
}

static void span_close(struct outage *outage, uint64_t now_ms)
{
    outage->total_ms += span_ms(outage, now_ms);
    outage->since_ms = 0;
}

static void span_extend(struct outage *outage, uint64_t now_ms, uint64_t until_ms)
{
    if (!outage_lasts(outage, now_ms)) {
        span_close(outage, now_ms);
        outage->since_ms = now_ms;
    }
    outage->until_ms = until_ms;
}

void outage_fail(struct outage *outage, uint64_t now_ms, uint64_t utc_ms, uint64_t until_ms)
{
    if (!outage->given_up) {
        outage->given_up = true;
        outage->times++;
        outage->start_ms = utc_ms;
    }
    span_extend(outage, now_ms, until_ms);
}

void outage_try(struct outage *outage, uint64_t now_ms, uint64_t until_ms)
{
    if (outage->given_up) {
        span_extend(outage, now_ms, until_ms);
    }
}

void outage_end(struct outage *outage, uint64_t now_ms)
{
    span_close(outage, now_ms);
    outage->given_up = false;
}

uint64_t outage_total_ms(const struct outage *outage, uint64_t now_ms)
{
    return outage->total_ms + span_ms(outage, now_ms);
}

bool outage_lasts(const struct outage *outage, uint64_t now_ms)
{
    return outage->since_ms != 0 && now_ms < outage->until_ms;
}
