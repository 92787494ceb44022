#include "health.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "probe.h"
#include "request.h"

#define REPEAT_MS 100

struct health_wait {
    struct request *rq;
    struct probe *probe;
    struct loop_timer timer; /* until the next check */
    struct ident before;
    struct health_want want;
    uint64_t started_ms, limit_at_ms;
};

static void check(void *ctx);

static void cancel(struct request *rq)
{
    struct health_wait *wait = rq->wait;

    probe_cancel(&wait->probe);
    loop_timer_stop(rq->agent->loop, &wait->timer);
    free(wait);
    rq->wait = NULL;
}

static void conclude(struct health_wait *wait, bool healthy, unsigned status, const char *text)
{
    struct request *rq = wait->rq;
    uint64_t now_ms = loop_now_ms();
    json_t *answer;

    if (!healthy && now_ms + REPEAT_MS < wait->limit_at_ms) {
        loop_timer_start(rq->agent->loop, &wait->timer, REPEAT_MS, check, wait);
        return;
    }
    answer = json_pack("{s:b, s:i, s:o, s:o, s:I}", "healthy", healthy, "status", (int)status, "text", json_text(text),
                       "ident", ident_to_json(&wait->before), "elapsed_ms", (json_int_t)(now_ms - wait->started_ms));
    cancel(rq);
    request_answer(rq, HTTP_OK, answer);
}

/* NULL: the answer is the one that is wanted. */
static const char *fault(const struct health_want *want, const struct probe_result *result, char *text, size_t size)
{
    char range[STATUS_RANGE_TEXT];

    if (result->status == 0)
        return result->text;
    if (!status_range_has(&want->status, result->status))
        (void)snprintf(text, size, "%s, not %s", result->text, status_range_format(&want->status, range));
    else if (strstr(result->body, want->body) == NULL)
        (void)snprintf(text, size, "%s, but without \"%.100s\"", result->text, want->body);
    else
        return NULL;
    return text;
}

static void on_probe(void *ctx, const struct probe_result *result)
{
    struct health_wait *wait = ctx;
    struct ident after;
    struct err err = {""};

    wait->probe = NULL;
    if (!service_ident(wait->rq->service, &after, &err)) {
        wait->before = (struct ident){0};
        conclude(wait, false, result->status, err.text);
    } else if (!ident_same_process(&wait->before, &after)) {
        wait->before = after;
        conclude(wait, false, result->status, "the process changed while it was checked");
    } else {
        char text[512];
        const char *why_not = fault(&wait->want, result, text, sizeof text);
        conclude(wait, why_not == NULL, result->status, why_not != NULL ? why_not : result->text);
    }
}

static void check(void *ctx)
{
    struct health_wait *wait = ctx;
    struct service *service = wait->rq->service;
    struct err err = {""};

    if (!service_ident(service, &wait->before, &err))
        conclude(wait, false, 0, err.text);
    else
        wait->probe = probe_start(wait->rq->agent->loop, &service->config->health, service->config->health_timeout_ms,
                                  on_probe, wait);
}

void health_answer(struct request *rq, uint32_t wait_ms, const struct health_want *want)
{
    struct health_wait *wait = calloc(1, sizeof *wait);

    if (wait == NULL)
        abort();
    wait->rq = rq;
    wait->want = *want;
    wait->started_ms = loop_now_ms();
    wait->limit_at_ms = wait->started_ms + wait_ms;
    request_suspend(rq, cancel, wait);
    check(wait);
}
