#include "told.h"

#include <stdio.h>
#include <string.h>

#include "plan_pack.h"

struct telling {
    struct told *told;
    told_event *each;
    void *ctx;
    struct err *err;
    bool good;
};

static void forget(struct told *t, uint32_t i)
{
    view_free(&t->kept[i].view);
    plan_free(&t->kept[i].plan);
    t->n_kept--;
    memmove(&t->kept[i], &t->kept[i + 1], (t->n_kept - i) * sizeof t->kept[0]);
}

/* Those that ended have nothing to tell any more. */
static void make_room(struct told *t)
{
    for (uint32_t i = t->n_kept; i-- > 0;)
        if (t->kept[i].ended)
            forget(t, i);
    if (t->n_kept == TOLD_RUNS_MAX)
        forget(t, 0);
}

static bool begin(struct telling *t, const struct event *e)
{
    struct told *told = t->told;
    struct told_run *run;
    struct plan *plan;

    if (e->payload == NULL)
        return err_set(t->err, "event %llu has no plan", (unsigned long long)e->seq);
    plan = plan_unpack(e->payload, t->err);
    if (plan == NULL)
        return err_context(t->err, "event %llu", (unsigned long long)e->seq);
    make_room(told);
    run = &told->kept[told->n_kept++];
    *run = (struct told_run){.seq = e->seq, .number = ++told->runs, .plan = plan, .view = view_new(plan)};
    return true;
}

static void choose(struct told *t, const struct told_run *run)
{
    t->run = run->number;
    t->plan = run->plan;
    t->view = run->view;
    t->ended = run->ended;
    t->code = run->code;
}

/* NULL: it is over. */
static struct told_run *run_of(struct told *t, const struct event *e)
{
    for (uint32_t i = t->n_kept; i-- > 0;)
        if (e->run == 0 || t->kept[i].seq == e->run)
            return &t->kept[i];
    return NULL;
}

static void note_beside(struct told *t, const struct told_run *run)
{
    t->beside = run->number;
    if (run->ended)
        (void)snprintf(t->beside_text, sizeof t->beside_text, "by %.120s, which ended with exit code %d",
                       run->plan->holder, run->code);
    else
        (void)snprintf(t->beside_text, sizeof t->beside_text, "by %.120s, of which the journal has no end",
                       run->plan->holder);
}

/* Every index of it is one of the plan. */
static bool fits(const struct plan *p, const struct event *e)
{
    bool of_node = e->kind == EVENT_STEP || e->kind == EVENT_NOTE;
    bool said = e->kind == EVENT_OUTPUT && e->node != EVENT_NO_NODE;
    bool of_lease = e->kind == EVENT_LEASED || e->kind == EVENT_LEASE_WAIT || e->kind == EVENT_LEASE_REFUSED;

    return ((!of_node && !said) || e->node < p->n_nodes) && (!of_lease || e->upstream < p->n_upstreams);
}

static bool is_sound(struct telling *t, const struct event *e)
{
    struct told_run *run;

    if (e->kind == EVENT_BEGAN && !begin(t, e))
        return false;
    if (t->told->runs == 0)
        return err_set(t->err, "event %llu comes before the plan", (unsigned long long)e->seq);
    run = run_of(t->told, e);
    return run == NULL || fits(run->plan, e) ||
           err_set(t->err, "event %llu is about something that the plan does not have", (unsigned long long)e->seq);
}

static bool on_event(void *ctx, const struct event *e)
{
    struct telling *t = ctx;
    struct told *told = t->told;
    struct told_run *run;

    t->good = is_sound(t, e);
    if (!t->good)
        return false;
    run = run_of(told, e);
    if (run == NULL)
        return true;
    run->ended = e->kind == EVENT_ENDED;
    run->code = e->code;
    view_feed(run->view, e);
    choose(told, run);
    if (run->number < told->runs)
        note_beside(told, run);
    if (t->each != NULL)
        t->each(t->ctx, told, e);
    return true;
}

bool told_read(struct told *told, struct store *store, const char *rollout, told_event *each, void *ctx,
               struct err *err)
{
    struct telling t = {.told = told, .each = each, .ctx = ctx, .err = err, .good = true};
    bool whole;

    memset(told, 0, sizeof *told);
    whole = store->ops->each(store, rollout, 0, on_event, &t, err);
    if (told->n_kept > 0)
        choose(told, &told->kept[told->n_kept - 1]);
    if (whole)
        return true;
    return t.good ? false : err_context(err, "the journal's rollout %s", rollout);
}

void told_clear(struct told *told)
{
    while (told->n_kept > 0)
        forget(told, told->n_kept - 1);
    memset(told, 0, sizeof *told);
}
