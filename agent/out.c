#include "out.h"

#include "agent.h"
#include "claim_store.h"
#include "log.h"
#include "service.h"

static bool is_out(const struct claim *claim)
{
    return claim->held && json_array_size(claim->took_out) > 0;
}

void out_since(struct claim *claim, int64_t before_ms)
{
    claim->out_since_ms = !is_out(claim) ? 0 : before_ms != 0 ? before_ms : (int64_t)claim_store_now_ms();
}

uint64_t out_seconds(const struct claim *claim)
{
    int64_t past_ms = (int64_t)claim_store_now_ms() - claim->out_since_ms;

    if (!is_out(claim))
        return 0;
    return past_ms > 0 ? (uint64_t)past_ms / 1000 + 1 : 1; /* never 0 while it is out */
}

static void tell(void *ctx)
{
    struct service *service = ctx;
    const struct claim *claim = &service->claim.claim;
    uint64_t left_ms = claim_left_ms(claim, claim_store_now_ms());
    struct log_quoted holder;

    log_event("node_is_out", "service=%s rollout=%s fence=%llu out_s=%llu left_s=%llu claim=%s holder=%s",
              service->config->name, claim->rollout, (unsigned long long)claim->fence,
              (unsigned long long)out_seconds(claim), (unsigned long long)left_ms / 1000,
              left_ms > 0 ? "lives" : "run_out", log_quote(&holder, claim->holder));
    loop_timer_start(service->agent->loop, &service->out_timer, service->agent->config.out_interval_ms, tell, service);
}

void out_watch(struct service *service)
{
    if (!is_out(&service->claim.claim))
        loop_timer_stop(service->agent->loop, &service->out_timer);
    else if (!service->out_timer.armed)
        loop_timer_start(service->agent->loop, &service->out_timer, service->agent->config.out_interval_ms, tell,
                         service);
}
