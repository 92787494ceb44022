/* The reads: /v1, /v1/services, /v1/services/APP; and the claim, which answers with the status too. */
#include <stdlib.h>
#include <string.h>

#include "claim_store.h"
#include "common/json.h"
#include "log.h"
#include "request.h"
#include "route_lock.h"
#include "status.h"

/* A status is answered once the versions that are being asked for have come, or with what is known by then: a service
 * that does not answer must not make the agent look dead to its controller. */
struct status_wait {
    struct request *rq;
    unsigned pending;
    struct loop_timer timer;
    struct waiter waiters[]; /* one a service */
};

void route_about(struct request *rq)
{
    request_answer(rq, HTTP_OK,
                   json_pack("{s:i, s:s, s:s, s:[s,s,s,s,s,s,s,s,s,s,s]}", "version", WIRE_VERSION, "agent",
                             "rollout-agent/" ROLLOUT_VERSION, "node", rq->agent->config.node, "features", "claim",
                             "restart", "upgrade", "rollback", "health", "release", "previous", "wish", "health-match",
                             "signature", "lock"));
}

static json_t *build(struct request *rq)
{
    json_t *list;

    if (rq->service != NULL)
        return status_to_json(rq->service);
    list = json_array();
    for (unsigned i = 0; i < rq->agent->config.service_count; i++)
        (void)json_array_append_new(list, status_to_json(&rq->agent->services[i]));
    return json_pack("{s:o}", "services", list);
}

static void cancel_wait(struct request *rq)
{
    struct status_wait *wait = rq->wait;

    for (unsigned i = 0; i < rq->agent->config.service_count; i++)
        waiter_remove(&rq->agent->services[i].version.waiters, &wait->waiters[i]);
    loop_timer_stop(rq->agent->loop, &wait->timer);
    free(wait);
    rq->wait = NULL;
}

static void answer_now(void *ctx)
{
    struct request *rq = ((struct status_wait *)ctx)->rq;

    cancel_wait(rq);
    request_answer(rq, HTTP_OK, build(rq));
}

static void on_version(void *ctx)
{
    struct status_wait *wait = ctx;

    if (--wait->pending == 0)
        answer_now(wait);
}

static void answer_status(struct request *rq)
{
    unsigned count = rq->agent->config.service_count;
    struct status_wait *wait = calloc(1, sizeof *wait + count * sizeof *wait->waiters);

    if (wait == NULL)
        abort();
    wait->rq = rq;
    for (unsigned i = 0; i < count; i++) {
        struct service *service = &rq->agent->services[i];
        struct ident ident;
        wait->waiters[i] = (struct waiter){.fn = on_version, .ctx = wait};
        if ((rq->service == NULL || rq->service == service) && service_ident(service, &ident, NULL) &&
            version_want(service, &ident, &wait->waiters[i]))
            wait->pending++;
    }
    if (wait->pending > 0) {
        loop_timer_start(rq->agent->loop, &wait->timer, VERSION_WAIT_MS, answer_now, wait);
        request_suspend(rq, cancel_wait, wait);
        return;
    }
    free(wait);
    request_answer(rq, HTTP_OK, build(rq));
}

void route_services(struct request *rq)
{
    answer_status(rq);
}

void route_service(struct request *rq)
{
    answer_status(rq);
}

/* ---- the claim */

static void refuse_claim(struct request *rq, enum code code)
{
    const struct claim_state *state = &rq->service->claim;
    const struct claim *there = &state->claim;

    if (code == CODE_CLAIM_HELD && claim_left_ms(there, claim_store_now_ms()) == 0)
        route_lock_refuse(rq, code);
    else if (code == CODE_CLAIM_HELD)
        request_refuse(rq, code, "the rollout %s of %s holds this node with fence %llu for another %llu s",
                       there->rollout, there->holder, (unsigned long long)there->fence,
                       (unsigned long long)(claim_left_ms(there, claim_store_now_ms()) + 999) / 1000);
    else if (code == CODE_CLAIM_CHANGED)
        request_refuse(rq, code, "the claim is another one by now: its fence is %llu",
                       (unsigned long long)(there->held ? there->fence : 0));
    else
        request_refuse(rq, code, "the fence %llu of the rollout %s has been seen here: use a higher one",
                       (unsigned long long)state->fence, state->fence_rollout);
}

void route_claim_put(struct request *rq)
{
    struct claim_state next;
    struct claim wanted;
    struct err err = {""};
    uint64_t expect, now_ms = claim_store_now_ms();
    enum code code;
    json_t *body = request_json(rq);

    if (body == NULL)
        return;
    if (!claim_from_json(body, &wanted, &expect, &err)) {
        json_decref(body);
        request_refuse(rq, CODE_BAD_REQUEST, "%s", err.text);
        return;
    }
    json_decref(body);
    code = claim_may_put(&rq->service->claim, &wanted, expect, now_ms);
    if (code != CODE_JOB_OK) {
        claim_clear(&wanted);
        refuse_claim(rq, code);
        return;
    }
    claim_put(&rq->service->claim, &wanted, now_ms, &next);
    claim_clear(&wanted);
    if (!service_set_claim(rq->service, &next, &err)) {
        request_refuse(rq, CODE_INTERNAL, "%s", err.text);
        return;
    }
    const struct claim *now = &rq->service->claim.claim;
    struct log_quoted holder, by;
    log_event("claim_put", "service=%s rollout=%s fence=%llu ttl_s=%u holder=%s out=%zu by=%s",
              rq->service->config->name, now->rollout, (unsigned long long)now->fence, now->ttl_s,
              log_quote(&holder, now->holder), json_array_size(now->took_out), request_by(rq, &by));
    answer_status(rq);
}

void route_claim_drop(struct request *rq)
{
    struct owner owner;
    struct claim_state *state = &rq->service->claim, next = *state;
    struct log_quoted by;
    struct err err = {""};

    if (!request_owner(rq, &owner))
        return;
    if (claim_may_drop(state, &owner) != CODE_JOB_OK) {
        request_refuse(rq, CODE_FENCE_STALE, "the claim there is of the rollout %s with fence %llu",
                       state->claim.rollout, (unsigned long long)state->claim.fence);
        return;
    }
    if (state->claim.held) {
        next.claim = (struct claim){0}; /* the fence stays */
        if (!service_set_claim(rq->service, &next, &err)) {
            request_refuse(rq, CODE_INTERNAL, "%s", err.text);
            return;
        }
        log_event("claim_dropped", "service=%s rollout=%s fence=%llu by=%s", rq->service->config->name, owner.rollout,
                  (unsigned long long)owner.fence, request_by(rq, &by));
    }
    answer_status(rq);
}
