#include "told.h"

#include <string.h>

struct telling {
    struct told *told;
    told_event *each;
    void *ctx;
    struct err *err;
    bool good;
};

static void forget(struct told *t)
{
    view_free(&t->view);
    plan_free(&t->plan);
}

static bool begin(struct telling *t, const struct event *e)
{
    if (e->payload == NULL)
        return err_set(t->err, "event %llu has no plan", (unsigned long long)e->seq);
    forget(t->told);
    t->told->plan = plan_unpack(e->payload, t->err);
    if (t->told->plan == NULL)
        return err_context(t->err, "event %llu", (unsigned long long)e->seq);
    t->told->view = view_new(t->told->plan);
    t->told->runs++;
    return true;
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
    if (e->kind == EVENT_BEGAN && !begin(t, e))
        return false;
    if (t->told->plan == NULL)
        return err_set(t->err, "event %llu comes before the plan", (unsigned long long)e->seq);
    return fits(t->told->plan, e) ||
           err_set(t->err, "event %llu is about something that the plan does not have", (unsigned long long)e->seq);
}

static bool on_event(void *ctx, const struct event *e)
{
    struct telling *t = ctx;
    struct told *told = t->told;

    t->good = is_sound(t, e);
    if (!t->good)
        return false;
    told->ended = e->kind == EVENT_ENDED;
    told->code = e->code;
    view_feed(told->view, e);
    if (t->each != NULL)
        t->each(t->ctx, told, e);
    return true;
}

bool told_read(struct told *told, struct store *store, const char *rollout, told_event *each, void *ctx,
               struct err *err)
{
    struct telling t = {.told = told, .each = each, .ctx = ctx, .err = err, .good = true};

    memset(told, 0, sizeof *told);
    if (store->ops->each(store, rollout, 0, on_event, &t, err))
        return true;
    return t.good ? false : err_context(err, "the journal's rollout %s", rollout);
}

void told_clear(struct told *told)
{
    forget(told);
    memset(told, 0, sizeof *told);
}
