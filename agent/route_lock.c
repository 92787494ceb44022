/* The lock: this agent's vote, given, renewed and taken back. */
#include "route_lock.h"

#include "claim_store.h"
#include "log.h"
#include "request.h"

void route_lock_refuse(struct request *rq, enum code code)
{
    const struct claim_state *state = &rq->service->claim;
    const struct lock *there = &state->lock;
    uint64_t now_ms = claim_store_now_ms(), left_ms = lock_left_ms(there, now_ms);

    if (code == CODE_CLAIM_HELD && left_ms > 0)
        request_refuse(rq, code, "the rollout %s of %s has its vote with fence %llu for another %llu s", there->rollout,
                       there->holder, (unsigned long long)there->fence, (unsigned long long)(left_ms + 999) / 1000);
    else if (code == CODE_CLAIM_HELD)
        request_refuse(rq, code, "the rollout %s of %s holds this node with fence %llu for another %llu s",
                       state->claim.rollout, state->claim.holder, (unsigned long long)state->claim.fence,
                       (unsigned long long)(claim_left_ms(&state->claim, now_ms) + 999) / 1000);
    else
        request_refuse(rq, code, "the fence %llu of the rollout %s has been seen here: use a higher one",
                       (unsigned long long)state->fence, state->fence_rollout);
}

static void answer_lock(struct request *rq)
{
    request_answer(rq, HTTP_OK,
                   json_pack("{s:o}", "lock", lock_to_json(&rq->service->claim.lock, claim_store_now_ms())));
}

static void log_lock(const struct request *rq, const char *event, const struct lock *lock)
{
    struct log_quoted holder, by;

    log_event(event, "service=%s rollout=%s fence=%llu ttl_s=%u holder=%s by=%s", rq->service->config->name,
              lock->rollout, (unsigned long long)lock->fence, lock->ttl_s, log_quote(&holder, lock->holder),
              request_by(rq, &by));
}

void route_lock_put(struct request *rq)
{
    uint64_t now_ms = claim_store_now_ms();
    struct claim_state next;
    struct lock wanted;
    struct err err = {""};
    bool good, renewed;
    enum code code;
    json_t *body = request_json(rq);

    if (body == NULL)
        return;
    good = lock_from_json(body, &wanted, &err);
    json_decref(body);
    if (!good) {
        request_refuse(rq, CODE_BAD_REQUEST, "%s", err.text);
        return;
    }
    code = lock_may_put(&rq->service->claim, &wanted, now_ms);
    if (code != CODE_JOB_OK) {
        route_lock_refuse(rq, code);
        return;
    }
    renewed = lock_same(&rq->service->claim.lock, &wanted);
    lock_put(&rq->service->claim, &wanted, now_ms, &next);
    if (!service_set_claim(rq->service, &next, &err)) {
        request_refuse(rq, CODE_INTERNAL, "%s", err.text);
        return;
    }
    if (!renewed)
        log_lock(rq, "lock_put", &rq->service->claim.lock);
    answer_lock(rq);
}

void route_lock_drop(struct request *rq)
{
    struct owner owner;
    struct lock there = rq->service->claim.lock;
    struct claim_state next;
    struct err err = {""};

    if (!request_owner(rq, &owner))
        return;
    if (lock_may_drop(&rq->service->claim, &owner) != CODE_JOB_OK) {
        request_refuse(rq, CODE_FENCE_STALE, "the lock there is of the rollout %s with fence %llu", there.rollout,
                       (unsigned long long)there.fence);
        return;
    }
    if (there.held) {
        lock_drop(&rq->service->claim, &next);
        if (!service_set_claim(rq->service, &next, &err)) {
            request_refuse(rq, CODE_INTERNAL, "%s", err.text);
            return;
        }
        log_lock(rq, "lock_dropped", &there);
    }
    answer_lock(rq);
}
