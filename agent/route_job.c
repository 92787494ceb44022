/* Releases, jobs and health. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "admit.h"
#include "claim_store.h"
#include "health.h"
#include "log.h"
#include "request.h"
#include "status.h"

/* The body has been streamed to rq->upload by the server. */
void route_release(struct request *rq)
{
    struct log_quoted by;
    struct err err = {""};
    uint64_t size_bytes = 0;
    enum code code;
    bool fresh;

    code = upload_end(&rq->upload, &size_bytes, &fresh, &err);
    if (code != CODE_JOB_OK) {
        request_refuse(rq, code, "%s", err.text);
        return;
    }
    if (fresh)
        log_event("release_kept", "service=%s sha256=%s size_bytes=%llu by=%s", rq->service->config->name, rq->id,
                  (unsigned long long)size_bytes, request_by(rq, &by));
    request_answer(rq, fresh ? HTTP_CREATED : HTTP_OK,
                   json_pack("{s:s, s:I}", "sha256", rq->id, "size", (json_int_t)size_bytes));
}

/* ---- jobs */

static void refuse_job(struct request *rq, enum code code)
{
    const struct claim_state *state = &rq->service->claim;

    if (code == CODE_NO_CLAIM)
        request_refuse(rq, code, "no rollout holds a live claim on %s here: PUT the claim first",
                       rq->service->config->name);
    else
        request_refuse(rq, code, "the rollout %s holds the claim, with fence %llu", state->claim.rollout,
                       (unsigned long long)state->claim.fence);
}

static void start_job(struct request *rq, const struct job *ask)
{
    struct service *service = rq->service;
    struct job *known = jobs_find(&service->jobs, ask->id);
    struct log_quoted by;
    struct err err = {""};
    enum code code;

    if (known != NULL && job_same_ask(known, ask)) {
        request_answer(rq, HTTP_OK, status_job_to_json(service, known));
        return;
    }
    if (known != NULL) {
        request_refuse(rq, CODE_BAD_REQUEST, "the job %s was asked for before, with another action or release",
                       ask->id);
        return;
    }
    code = claim_may_work(&service->claim, ask->rollout, ask->fence, claim_store_now_ms());
    if (code != CODE_JOB_OK)
        refuse_job(rq, code);
    else if (service_is_busy(service))
        request_refuse(rq, CODE_BUSY, "the job %s is running", service->run.job->id);
    else if ((code = admit_job(service, ask, NULL, &err)) != CODE_JOB_OK)
        request_refuse(rq, code, "%s", err.text);
    else if (!jobs_have_room(&service->jobs, ask->fence))
        request_refuse(rq, CODE_BAD_REQUEST, "the fence %" PRIu64 " has had %d jobs here: use a higher one", ask->fence,
                       JOBS_KEPT);
    else if (!job_run_start(service, ask, &err))
        request_refuse(rq, CODE_INTERNAL, "%s", err.text);
    else {
        log_event("job_taken", "service=%s job=%s by=%s", service->config->name, ask->id, request_by(rq, &by));
        request_answer(rq, HTTP_ACCEPTED, status_job_to_json(service, service->run.job));
    }
}

void route_job_start(struct request *rq)
{
    json_t *body = request_json(rq);
    struct err err = {""};
    struct job ask;

    if (body == NULL)
        return;
    if (job_from_ask(body, &ask, &err))
        start_job(rq, &ask);
    else
        request_refuse(rq, CODE_BAD_REQUEST, "%s", err.text);
    json_decref(body);
}

struct job_wait {
    struct request *rq;
    struct waiter waiter;
    struct loop_timer timer;
};

static void cancel_job_wait(struct request *rq)
{
    struct job_wait *wait = rq->wait;

    waiter_remove(&rq->service->run.waiters, &wait->waiter);
    loop_timer_stop(rq->agent->loop, &wait->timer);
    free(wait);
    rq->wait = NULL;
}

static void on_job_wait_over(void *ctx)
{
    struct request *rq = ((struct job_wait *)ctx)->rq;

    cancel_job_wait(rq);
    request_answer(rq, HTTP_OK, status_job_to_json(rq->service, jobs_find(&rq->service->jobs, rq->id)));
}

void route_job(struct request *rq)
{
    const struct job *job = jobs_find(&rq->service->jobs, rq->id);
    struct job_wait *wait;
    uint32_t wait_ms;

    if (!request_wait_ms(rq, &wait_ms))
        return;
    if (job == NULL) {
        request_refuse(rq, CODE_NOT_FOUND, "the job %s is unknown here", rq->id);
        return;
    }
    if (job->state != JOB_RUNNING || wait_ms == 0) {
        request_answer(rq, HTTP_OK, status_job_to_json(rq->service, job));
        return;
    }
    wait = calloc(1, sizeof *wait);
    if (wait == NULL)
        abort();
    wait->rq = rq;
    wait->waiter = (struct waiter){.fn = on_job_wait_over, .ctx = wait};
    waiter_add(&rq->service->run.waiters, &wait->waiter);
    loop_timer_start(rq->agent->loop, &wait->timer, wait_ms, on_job_wait_over, wait);
    request_suspend(rq, cancel_job_wait, wait);
}

static bool health_wanted(struct request *rq, struct health_want *want)
{
    const char *status = request_query(rq, "status"), *body = request_query(rq, "body");
    struct err err = {""};

    *want = (struct health_want){.status = {200, 299}};
    if (status != NULL && !status_range_parse(status, &want->status, &err)) {
        request_refuse(rq, CODE_BAD_REQUEST, "status: %s", err.text);
        return false;
    }
    if (body != NULL && strlen(body) > HEALTH_BODY_MAX) {
        request_refuse(rq, CODE_BAD_REQUEST, "body: more than %d bytes", HEALTH_BODY_MAX);
        return false;
    }
    if (body != NULL)
        memcpy(want->body, body, strlen(body));
    return true;
}

void route_health(struct request *rq)
{
    struct health_want want;
    uint32_t wait_ms;

    if (request_wait_ms(rq, &wait_ms) && health_wanted(rq, &want))
        health_answer(rq, wait_ms, &want);
}
