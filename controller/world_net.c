#include "world_net.h"

#include <assert.h>
#include <stdlib.h>

#include "answer.h"
#include "clock.h"
#include "common/mem.h"
#include "runner.h"
#include "world_work.h"

#define RESULTS_AT_ONCE 64

static enum input_kind input_of(enum action_kind kind)
{
    switch (kind) {
    case ACT_ASK:
        return IN_ANSWER;
    case ACT_READ_LB:
        return IN_LB;
    case ACT_LEASE:
        return IN_LEASE;
    case ACT_WISH:
        return IN_WISH;
    case ACT_LOOK:
        return IN_LOOK;
    case ACT_HOLD:
        return IN_HOLD;
    case ACT_LOCK:
        return IN_LOCK;
    case ACT_STANDS:
        return IN_STANDS;
    case ACT_END:
        return IN_END;
    case ACT_RENEW:
    case ACT_CUT:
        break;
    }
    return IN_RENEW;
}

struct work *work_new(struct world_net *w, const struct action *a, uint32_t max_parts)
{
    struct work *work = mem_zero(1, sizeof *work + max_parts * sizeof work->parts[0]);

    work->action = *a;
    work->input = (struct input){
        .kind = input_of(a->kind), .node = a->node, .lb = a->lb, .upstream = a->upstream, .voter = a->voter};
    /* From the turn that decided it on: the journal's disk may have taken long, or we stood still since. */
    work->until_ms = a->within_ms > 0 ? w->collected_ms + a->within_ms : INT64_MAX;
    work->input.answer.kind = ANS_OK;
    work->next = w->works;
    work->back = &w->works;
    if (work->next != NULL)
        work->next->back = &work->next;
    w->works = work;
    return work;
}

static void work_free(struct work *work)
{
    *work->back = work->next;
    if (work->next != NULL)
        work->next->back = work->back;
    free(work->looked);
    free(work);
}

struct part *work_part(struct work *work, enum part_kind kind, uint32_t peer)
{
    struct part *part = &work->parts[work->n_parts++];

    *part = (struct part){.work = work, .kind = kind, .peer = peer};
    work->n_open++;
    return part;
}

static void make_ready(struct world_net *w, struct work *work)
{
    *w->ready_end = work;
    w->ready_end = &work->ready_next;
}

void work_tell(struct world_net *w, const struct input *in, const char *text)
{
    struct work *work = work_new(w, &(struct action){.kind = ACT_ASK, .node = in->node}, 0);

    work->input = *in;
    (void)snprintf(work->input.answer.text, sizeof work->input.answer.text, "%s", text);
    make_ready(w, work);
}

void part_end(struct world_net *w, struct part *part, enum answer_kind kind, const char *text)
{
    struct work *work = part->work;
    struct answer *a = &work->input.answer;
    enum answer_kind worse = answer_worse(a->kind, kind);

    if (worse != a->kind || (kind == worse && a->text[0] == '\0'))
        (void)snprintf(a->text, sizeof a->text, "%s", text);
    a->kind = worse;
    assert(work->n_open > 0);
    if (--work->n_open > 0)
        return;
    if (work->silent) {
        work_free(work);
        return;
    }
    make_ready(w, work);
}

void part_call(struct world_net *w, struct part *part, struct call_request *q)
{
    q->tag = part;
    if (q->limit_ms == 0)
        q->limit_ms = w->request_ms;
    calls_start(w->calls, q);
}

static void net_start(struct world *world, const struct action *a)
{
    struct world_net *w = (struct world_net *)world;
    bool at_lb = a->kind == ACT_READ_LB || a->kind == ACT_LEASE || a->kind == ACT_LOOK || a->kind == ACT_HOLD ||
                 (a->kind == ACT_ASK && (a->ask == ASK_DRAIN || a->ask == ASK_DOWN || a->ask == ASK_BACK));

    if (a->kind == ACT_CUT || a->kind == ACT_END || (a->kind == ACT_ASK && a->ask == ASK_HOOK))
        world_hook_start(w, a);
    else if (at_lb)
        world_lb_start(w, a);
    else
        world_agent_start(w, a);
}

static void take_result(struct world_net *w, struct call_result *r)
{
    struct part *part = r->tag;

    if (part->kind >= PART_AGENT)
        world_agent_result(w, part, r);
    else
        world_lb_result(w, part, r);
    call_result_free(r);
}

static size_t hand_out(struct world_net *w, struct input *inputs, size_t capacity)
{
    size_t n = 0;

    while (w->ready != NULL && n < capacity) {
        struct work *work = w->ready;
        w->ready = work->ready_next;
        if (w->ready == NULL)
            w->ready_end = &w->ready;
        inputs[n++] = work->input;
        work->ready_next = w->handed;
        w->handed = work;
    }
    return n;
}

static void free_handed(struct world_net *w)
{
    while (w->handed != NULL) {
        struct work *work = w->handed;
        w->handed = work->ready_next;
        work_free(work);
    }
}

static size_t net_collect(struct world *world, uint32_t wait_ms, struct input *inputs, size_t capacity,
                          uint32_t *elapsed_ms)
{
    struct world_net *w = (struct world_net *)world;
    struct call_result results[RESULTS_AT_ONCE];
    int64_t until_ms = clock_ms() + wait_ms, now_ms;
    bool woken = false, more = true;

    free_handed(w);
    while (more) {
        int64_t left_ms = until_ms - clock_ms();
        bool wait = w->ready == NULL && !woken && left_ms > 0, this_time;
        size_t n = calls_collect(w->calls, wait ? (uint32_t)left_ms : 0, results, RESULTS_AT_ONCE, &this_time);
        for (size_t i = 0; i < n; i++)
            take_result(w, &results[i]);
        if (w->runner != NULL)
            runner_move(w->runner);
        woken = woken || this_time;
        more = n == RESULTS_AT_ONCE || (w->ready == NULL && !woken && clock_ms() < until_ms);
    }
    now_ms = clock_ms();
    *elapsed_ms = now_ms - w->collected_ms < INT32_MAX ? (uint32_t)(now_ms - w->collected_ms) : INT32_MAX;
    w->collected_ms = now_ms;
    return hand_out(w, inputs, capacity);
}

static void net_close(struct world *world)
{
    struct world_net *w = (struct world_net *)world;

    if (w->runner != NULL)
        (void)calls_watch(w->calls, -1);
    runner_close(&w->runner);
    calls_drop(w->calls);
    for (struct work *work = w->works, *next; work != NULL; work = next) {
        next = work->next;
        work_free(work);
    }
    lb_view_free(&w->view);
    free(w->lbs);
    free(w);
}

struct world *world_net_open(const struct plan *plan, struct calls *calls)
{
    static const struct world_ops ops = {.start = net_start, .collect = net_collect, .close = net_close};
    struct world_net *w = mem_zero(1, sizeof *w);

    w->base.ops = &ops;
    w->plan = plan;
    w->calls = calls;
    w->view = lb_view_new(plan);
    w->lbs = mem_zero(plan->n_lbs, sizeof *w->lbs);
    w->ready_end = &w->ready;
    w->request_ms = plan->wait_ms[WAIT_CHANGE] / 3 > 0 ? plan->wait_ms[WAIT_CHANGE] / 3 : 1;
    w->collected_ms = clock_ms();
    return &w->base;
}

void world_net_tell(struct world *world, const struct view *view)
{
    ((struct world_net *)world)->told = view;
}
