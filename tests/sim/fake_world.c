#include "fake_world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/lines.h"
#include "controller/view.h"

#define LONG_POLL_MS 25000
#define IDLE_MAX     50
#define END_MS       (24 * 3600 * 1000LL) /* a rollout that goes on for longer never ends */

/* ---- on the way */

static bool rule_is_about(const struct fake_rule *r, const struct action *a)
{
    if (r->kind != a->kind || (a->kind == ACT_ASK && r->ask != a->ask))
        return false;
    if (a->kind == ACT_ASK || a->kind == ACT_RENEW || a->kind == ACT_WISH || a->kind == ACT_HOLD ||
        a->kind == ACT_STANDS)
        return r->node < 0 || r->node == a->node;
    return r->place < 0 || r->place == (a->kind == ACT_LEASE ? a->upstream : a->lb);
}

static bool is_effect(const struct action *a)
{
    switch (a->ask) {
    case ASK_NONE:
        return a->kind != ACT_READ_LB && a->kind != ACT_STANDS;
    case ASK_STATUS:
    case ASK_PEERS:
    case ASK_FLOOR:
    case ASK_JOB_END:
    case ASK_HEALTH:
        return false;
    default:
        return true;
    }
}

static void meet(struct fake_call *c, const struct fake_rule *r)
{
    switch (r->fault) {
    case FAULT_FAIL:
        c->fails = ANS_TIMEOUT;
        break;
    case FAULT_LOSE:
        c->loses = true;
        break;
    case FAULT_HANG:
        c->fails = is_effect(&c->action) ? ANS_LOST : ANS_TIMEOUT;
        c->ms += r->ms;
        break;
    case FAULT_LATE:
        c->ms += r->ms;
        c->back_ms += r->ms;
        break;
    }
}

static void world_start(struct world *base, const struct action *a)
{
    struct fake_world *w = (struct fake_world *)base;
    bool to_agent = a->kind == ACT_RENEW || a->kind == ACT_WISH || a->kind == ACT_STANDS ||
                    (a->kind == ACT_ASK && a->ask != ASK_DRAIN && a->ask != ASK_DOWN && a->ask != ASK_BACK);
    uint32_t way_ms = to_agent ? w->agent_ms : w->lb_ms;
    struct fake_call *c = &w->calls[w->n_calls++];

    assert(w->n_calls < FAKE_CALLS);
    *c = (struct fake_call){
        .action = *a, .ms = w->fleet->now_ms + way_ms, .back_ms = way_ms, .order = w->started++, .poll_until_ms = -1};
    c->input = (struct input){.node = a->node, .lb = a->lb, .upstream = a->upstream};
    for (uint32_t i = 0; i < w->n_rules; i++) {
        struct fake_rule *r = &w->rules[i];

        if (!rule_is_about(r, a))
            continue;
        if (r->met >= r->nth && r->met < r->nth + (r->times > 0 ? r->times : 1))
            meet(c, r);
        r->met++;
    }
}

/* ---- at its goal */

static void say(struct fake_call *c, enum answer_kind kind, const char *who, const char *what)
{
    c->input.answer.kind = kind;
    (void)snprintf(c->input.answer.text, sizeof c->input.answer.text, "%s: %s", who, what);
}

static const char *phrase(enum answer_kind kind)
{
    return kind == ANS_FENCED ? "held by another rollout" : kind == ANS_REFUSED ? "refused" : "no answer";
}

static void read_lb(struct fake_world *w, struct fake_call *c)
{
    struct fake_fleet *f = w->fleet;
    uint16_t lb = c->action.lb;
    struct input *in = &c->input;

    if (f->lbs[lb].dead) {
        say(c, ANS_TIMEOUT, f->plan->lbs[lb].name, "no answer");
        return;
    }
    memset(&w->seen[lb], 0, sizeof w->seen[lb]);
    for (uint32_t i = 0; i < f->n_peers; i++) {
        struct seen_upstream *u = &w->seen[lb].upstreams[f->peers[i].upstream];

        if (fake_peer_lb(f, i) != lb)
            continue;
        u->there = true;
        u->configured += f->peers[i].backup ? 0 : 1;
        u->up += !f->peers[i].backup && fake_peer_up(f, i) ? 1 : 0;
        if (i < f->plan->n_peers)
            w->seen[lb].peers[i] = (struct seen_peer){.state = f->peers[i].gate == GATE_DOWN    ? PEER_DOWN
                                                               : f->peers[i].gate == GATE_DRAIN ? PEER_DRAINING
                                                               : f->peers[i].dead               ? PEER_UNAVAIL
                                                                                                : PEER_UP,
                                                      .backup = f->peers[i].backup,
                                                      .active = fake_peer_shown(f, i)};
    }
    in->upstreams = w->seen[lb].upstreams;
    in->peers = w->seen[lb].peers;
    in->generation = f->lbs[lb].generation;
    in->active_exact = f->lbs[lb].exact;
}

static int badness(enum answer_kind kind)
{
    static const int order[] = {
        [ANS_OK] = 0, [ANS_TIMEOUT] = 1, [ANS_LOST] = 2, [ANS_BAD] = 3, [ANS_REFUSED] = 4, [ANS_FENCED] = 5};

    return order[kind];
}

static void patch_all(struct fake_world *w, struct fake_call *c)
{
    const struct action *a = &c->action;
    const struct plan_node *n = &w->plan->nodes[a->node];

    for (uint32_t i = 0; i < n->n_peers; i++) {
        uint32_t peer = n->first_peer + i;
        uint16_t lb = fake_peer_lb(w->fleet, peer);
        enum fake_gate gate = a->ask == ASK_DRAIN                                   ? GATE_DRAIN
                              : a->ask == ASK_DOWN                                  ? GATE_DOWN
                              : a->ask == ASK_BACK && (a->prior_mask >> i & 1) != 0 ? GATE_DRAIN
                                                                                    : GATE_OPEN;
        enum answer_kind kind;

        if ((a->mask >> i & 1) == 0)
            continue;
        kind = w->fleet->lbs[lb].dead ? ANS_TIMEOUT : fake_patch(w->fleet, w->plan, peer, gate);
        if (kind == ANS_OK)
            c->input.answer.ok_mask |= UINT64_C(1) << i;
        else if (badness(kind) > badness(c->input.answer.kind))
            say(c, kind, w->plan->lbs[lb].name, phrase(kind));
    }
}

/* The latest job where it is the plan's rollout's: the id is ROLLOUT/NODE/STEP/ATTEMPT. */
static void tell_job(const struct fake_world *w, const struct fake_job *job, struct answer *said)
{
    size_t size = strlen(w->plan->rollout);

    if (job->id[0] == '\0' || strncmp(job->id, w->plan->rollout, size) != 0 || job->id[size] != '/')
        return;
    said->job_of = job->ask;
    said->job_before = job->before;
    said->job_after = job->after;
    said->attempt = (uint8_t)strtoul(strrchr(job->id, '/') + 1, NULL, 10);
}

static void read_status(struct fake_world *w, struct fake_call *c)
{
    const struct fake_agent *a = &w->fleet->agents[c->action.node];
    struct answer *said = &c->input.answer;

    said->ident = a->now;
    said->job = a->job.state;
    tell_job(w, &a->job, said);
    said->connections = fake_connections(w->fleet, c->action.node);
    said->fence = a->highest;
    said->claim_fence = a->claim.there ? a->claim.fence : 0;
    said->claim_ours = a->claim.there && strcmp(a->claim.rollout, w->plan->rollout) == 0;
    said->claim_live = a->claim.there && a->claim.until_ms > w->fleet->now_ms;
    fake_judge_status_told(w->fleet, c->action.node);
}

/* False: the job still runs and the long poll goes on. */
static bool read_job(struct fake_world *w, struct fake_call *c)
{
    const struct fake_agent *a = &w->fleet->agents[c->action.node];
    struct answer *said = &c->input.answer;
    char id[64];

    fake_job_id(id, w->plan, c->action.node, c->action.job, c->action.attempt);
    if (strcmp(id, a->job.id) != 0) {
        say(c, ANS_REFUSED, w->plan->nodes[c->action.node].name, "no such job");
        return true;
    }
    if (c->poll_until_ms < 0)
        c->poll_until_ms =
            w->fleet->now_ms + (w->plan->wait_ms[WAIT_JOB] < LONG_POLL_MS ? w->plan->wait_ms[WAIT_JOB] : LONG_POLL_MS);
    if (a->job.state == JOB_RUNNING && w->fleet->now_ms < c->poll_until_ms)
        return false;
    said->job = a->job.state;
    said->touched = a->job.touched;
    said->ident = a->job.after;
    if (a->job.state == JOB_FAILED)
        (void)snprintf(said->text, sizeof said->text, "no_successor: no new process came");
    return true;
}

static void check_health(struct fake_world *w, struct fake_call *c)
{
    uint16_t node = c->action.node;
    struct answer *said = &c->input.answer;

    said->ident = w->fleet->agents[node].now;
    said->healthy = fake_healthy(w->fleet, node);
    if (!said->healthy)
        (void)snprintf(said->text, sizeof said->text, "GET /healthz: HTTP status 503");
    if (!c->loses)
        fake_judge_health_told(w->fleet, node, said->healthy);
}

/* Also what answers a claim that is renewed. */
static void tell_wish(struct fake_world *w, struct fake_call *c)
{
    const struct fake_wish *there = &w->fleet->agents[c->action.node].wish;
    struct answer *said = &c->input.answer;

    said->wish = (uint8_t)there->wish;
    said->wish_id = there->id;
    said->wish_taken = there->taken;
    said->wish_age_ms = (uint32_t)(w->fleet->now_ms - there->put_ms);
    if (there->id != 0)
        (void)snprintf(said->text, sizeof said->text, "ann@desk");
}

static void ask_wish(struct fake_world *w, struct fake_call *c)
{
    struct fake_wish *there = &w->fleet->agents[c->action.node].wish;

    if (c->action.expect != 0 && c->action.expect == there->id && !there->taken) {
        there->taken = true;
        there->effect = c->action.effect;
        fake_log(w->fleet, "%s: the wish is taken%s", w->plan->nodes[c->action.node].name,
                 there->effect ? "" : ", in vain");
    }
    tell_wish(w, c);
}

/* False: not yet answered. */
static bool ask_agent(struct fake_world *w, struct fake_call *c)
{
    struct fake_fleet *f = w->fleet;
    const struct action *a = &c->action;
    enum answer_kind kind = ANS_OK;

    if (f->agents[a->node].dead) {
        say(c, ANS_TIMEOUT, f->plan->nodes[a->node].name, "no answer");
        return true;
    }
    if (a->kind == ACT_RENEW) {
        kind = fake_claim_put(f, w->plan, a, true);
        tell_wish(w, c);
    } else if (a->kind == ACT_WISH) {
        ask_wish(w, c);
    } else if (a->kind == ACT_STANDS) {
        read_status(w, c);
    } else if (a->ask == ASK_JOB_END) {
        return read_job(w, c);
    } else if (a->ask == ASK_STATUS) {
        read_status(w, c);
    } else if (a->ask == ASK_HEALTH) {
        check_health(w, c);
    } else if (a->ask == ASK_CLAIM) {
        kind = fake_claim_put(f, w->plan, a, false);
    } else if (a->ask == ASK_UNCLAIM) {
        kind = fake_claim_drop(f, w->plan, a->node);
    } else if (a->ask == ASK_STAGE) {
        kind = a->reverse ? ANS_OK : fake_stage(f, w->plan, a->node); /* what replaced it was kept */
    } else {
        assert(a->ask == ASK_JOB || a->ask == ASK_UNDO);
        kind = fake_job_post(f, w->plan, a);
        c->input.answer.claim_gone = kind == ANS_FENCED && !f->agents[a->node].claim.there;
    }
    if (kind != ANS_OK)
        say(c, kind, f->plan->nodes[a->node].name, phrase(kind));
    return true;
}

static void lease(struct fake_world *w, struct fake_call *c)
{
    uint16_t upstream = c->action.upstream, lb = w->plan->upstreams[upstream].lb;
    enum answer_kind kind =
        w->fleet->lbs[lb].dead ? ANS_TIMEOUT : fake_lease_put(w->fleet, w->plan, upstream, c->action.ttl_ms);

    if (kind != ANS_OK)
        say(c, kind, w->plan->lbs[lb].name, phrase(kind));
}

static void arrive(struct fake_world *w, struct fake_call *c)
{
    bool answered = true;

    c->input.kind = c->action.kind == ACT_READ_LB  ? IN_LB
                    : c->action.kind == ACT_LEASE  ? IN_LEASE
                    : c->action.kind == ACT_RENEW  ? IN_RENEW
                    : c->action.kind == ACT_WISH   ? IN_WISH
                    : c->action.kind == ACT_HOLD   ? IN_HOLD
                    : c->action.kind == ACT_STANDS ? IN_STANDS
                                                   : IN_ANSWER;
    if (c->fails != ANS_OK)
        say(c, c->fails, "the network", "no answer");
    else if (c->action.kind == ACT_READ_LB)
        read_lb(w, c);
    else if (c->action.kind == ACT_LEASE)
        lease(w, c);
    else if (c->action.kind == ACT_HOLD)
        patch_all(w, c);
    else if (c->action.kind == ACT_ASK &&
             (c->action.ask == ASK_DRAIN || c->action.ask == ASK_DOWN || c->action.ask == ASK_BACK))
        patch_all(w, c);
    else
        answered = ask_agent(w, c);
    if (!answered) {
        c->ms = w->fleet->now_ms + 10; /* the agent looks again */
        return;
    }
    if (c->loses) {
        c->input.answer = (struct answer){.kind = ANS_LOST};
        say(c, ANS_LOST, "the network", "the connection was reset");
    }
    c->arrived = true;
    c->ms = w->fleet->now_ms + c->back_ms;
}

/* ---- waiting */

static struct fake_call *next_call(struct fake_world *w)
{
    struct fake_call *next = NULL;

    for (uint32_t i = 0; i < w->n_calls; i++) {
        struct fake_call *c = &w->calls[i];

        if (next == NULL || c->ms < next->ms || (c->ms == next->ms && c->order < next->order))
            next = c;
    }
    return next;
}

static void must_get_on(struct fake_world *w, bool got_on)
{
    w->idle = got_on ? 0 : w->idle + 1;
    if (w->idle <= IDLE_MAX && w->fleet->now_ms < END_MS)
        return;
    (void)fprintf(stderr, "%s\nthe controller %s\n", w->fleet->log,
                  w->idle > IDLE_MAX ? "spins: it collects and collects, and no time passes" : "never ends");
    abort();
}

static size_t world_collect(struct world *base, uint32_t wait_ms, struct input *inputs, size_t capacity,
                            uint32_t *elapsed_ms)
{
    struct fake_world *w = (struct fake_world *)base;
    struct fake_fleet *f = w->fleet;
    int64_t until = f->now_ms + wait_ms;
    int signals = f->signals;
    size_t n = 0;

    for (;;) {
        struct fake_call *c = next_call(w);
        int64_t next = c == NULL ? INT64_MAX : c->ms, due = fake_fleet_due(f);

        if ((n > 0 && next > f->now_ms) || n == capacity || f->signals > signals)
            break; /* all that is there by now */
        if (next > until && due > until) {
            fake_fleet_pass(f, n > 0 ? f->now_ms : until);
            break;
        }
        if (due <= next) {
            fake_fleet_pass(f, due);
            continue;
        }
        fake_fleet_pass(f, next);
        if (!c->arrived) {
            arrive(w, c);
        } else {
            inputs[n++] = c->input;
            *c = w->calls[--w->n_calls];
        }
    }
    *elapsed_ms = (uint32_t)(f->now_ms - w->collected_ms);
    w->collected_ms = f->now_ms;
    must_get_on(w, n > 0 || *elapsed_ms > 0);
    return n;
}

static void world_close(struct world *base)
{
    struct fake_world *w = (struct fake_world *)base;

    fake_world_free(&w);
}

struct fake_world *fake_world_new(struct fake_fleet *f, const struct plan *p)
{
    static const struct world_ops ops = {world_start, world_collect, world_close};
    struct fake_world *w = calloc(1, sizeof *w);

    if (w == NULL)
        abort();
    w->base.ops = &ops;
    w->fleet = f;
    w->plan = p;
    w->collected_ms = f->now_ms;
    w->lb_ms = 2;
    w->agent_ms = 3;
    return w;
}

void fake_world_free(struct fake_world **w)
{
    free(*w);
    *w = NULL;
}

void fake_world_rule(struct fake_world *w, struct fake_rule rule)
{
    assert(w->n_rules < FAKE_RULES);
    w->rules[w->n_rules++] = rule;
}

/* ---- a whole rollout */

static struct fake_fleet *signalled; /* loop.h gives its question no context */

static int signals_so_far(int *count)
{
    *count = signalled->signals;
    return signalled->signal;
}

static bool wished(enum wish wish)
{
    bool *there = &signalled->usr[wish == WISH_PROMOTE], came = *there;

    *there = false;
    return came;
}

/* A journal in memory, on a disk that fills up. */
struct full_store {
    struct store base;
    struct store *memory;
    uint32_t left; /* appends until it is full; 0 = never */
};

static bool full_append(struct store *base, struct event *events, size_t n, struct err *err)
{
    struct full_store *s = (struct full_store *)base;

    if (s->left == 1)
        return err_set(err, "no space left on device");
    s->left -= s->left > 0 ? 1 : 0;
    return s->memory->ops->append(s->memory, events, n, err);
}

/* What a person sees, at the fleet's time instead of the wall's. */
struct watching {
    struct fake_fleet *fleet;
    struct view *view;
    const struct fake_watch *watch;
};

static void show(void *ctx, const struct view *v, const struct event *e)
{
    struct watching *w = ctx;
    struct event then = *e;

    if (e->kind == EVENT_STEP)
        assert(v->nodes[e->node].state.step == e->state.step); /* the loop has fed its own view before */
    then.wall_ms = FAKE_WALL_MS + w->fleet->now_ms;
    view_feed(w->view, &then);
    if (w->watch->event != NULL)
        w->watch->event(w->watch->ctx, w->view, &then);
}

static void tick(void *ctx, const struct run *r)
{
    struct watching *w = ctx;

    w->watch->tick(w->watch->ctx, w->view, r, FAKE_WALL_MS + w->fleet->now_ms);
}

int fake_rollout_watched(struct fake_world *w, const struct fake_watch *watch)
{
    static const struct store_ops ops = {.append = full_append};
    struct full_store store = {.base = {&ops}, .memory = store_memory_open(), .left = w->store_fails};
    struct view *view = view_new(w->plan);
    struct watching watching = {.fleet = w->fleet, .view = view_new(w->plan), .watch = watch};
    struct loop loop = {.plan = w->plan,
                        .age_ms = w->age_ms,
                        .world = &w->base,
                        .store = &store.base,
                        .view = view,
                        .show = show,
                        .tick = watch->tick != NULL ? tick : NULL,
                        .tick_ms = watch->tick_ms,
                        .show_ctx = &watching,
                        .signal = signals_so_far,
                        .wished = wished};
    int code;

    signalled = w->fleet;
    code = loop_run(&loop);
    if (watch->end != NULL)
        watch->end(watch->ctx, watching.view, code);
    fake_judge_end(w->fleet, code);
    store.memory->ops->close(store.memory);
    view_free(&view);
    view_free(&watching.view);
    return code;
}

static void line_of(void *ctx, const struct view *v, const struct event *e)
{
    lines_event(ctx, v, e);
}

static void report(void *ctx, const struct view *v, int code)
{
    (void)code;
    lines_report(ctx, v, "rollout repair --hosts FILE");
}

int fake_rollout(struct fake_world *w, FILE *lines)
{
    struct fake_watch watch = {.event = line_of, .end = report, .ctx = lines};

    return fake_rollout_watched(w, lines != NULL ? &watch : &(struct fake_watch){0});
}
