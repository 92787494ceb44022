#include "node.h"

#include <assert.h>
#include <string.h>

#include "gate.h"
#include "judge.h"

const struct step_row step_rows[STEP_COUNT] = {
#define STEP(id, ask_, effect_, every_, limit_, good_, bad_, over_, stop_, resume_, name_, waits_)                     \
    [STEP_##id] = {.name = name_,                                                                                      \
                   .waits_for = waits_,                                                                                \
                   .ask = ASK_##ask_,                                                                                  \
                   .effect = effect_,                                                                                  \
                   .every = WAIT_##every_,                                                                             \
                   .limit = WAIT_##limit_,                                                                             \
                   .on_good = STEP_##good_,                                                                            \
                   .on_bad = STEP_##bad_,                                                                              \
                   .on_limit = STEP_##over_,                                                                           \
                   .on_stop = STEP_##stop_,                                                                            \
                   .on_resume = STEP_##resume_},
#include "node.def"
#undef STEP
};

const char *why_phrase(enum why why)
{
    static const char *const phrases[WHY_COUNT] = {
#define X(name, text) [WHY_##name] = text,
        WHYS(X)
#undef X
    };

    return phrases[why];
}

const char *node_job_name(enum ask job)
{
    return job == ASK_UNDO ? "undo" : "job";
}

const uint8_t *node_target(const struct node *n, const struct plan *p)
{
    if (n->reverse)
        return n->goal;
    return p->has_release ? p->release_sha256 : n->before.sha256;
}

void node_leave_be(struct node *n, uint64_t peers)
{
    n->peers_mask &= ~peers;
    n->prior_drain_mask &= ~peers;
    n->out_mask &= ~peers;
}

void node_hurry(struct node *n)
{
    if ((n->step == STEP_JOB || n->step == STEP_UNDO) && n->next_ask_ms != UINT32_MAX)
        n->next_ask_ms = 0;
}

void node_init(struct node *n, uint16_t id, const struct plan *p)
{
    const struct plan_node *pn = &p->nodes[id];

    memset(n, 0, sizeof *n);
    n->id = id;
    n->step = STEP_WAIT;
    n->left_ms = UINT32_MAX;
    n->next_ask_ms = UINT32_MAX;
    n->before = p->kind == PLAN_REPAIR || pn->resumed || pn->brought ? pn->before : pn->surveyed;
    n->out_mask = n->peers_mask = pn->out_mask;
    n->prior_drain_mask = pn->prior_drain_mask;
    n->claim_fence = pn->claim_fence;
    n->reverse = p->kind == PLAN_ROLLBACK || (p->goes_back && pn->has_target);
    if (n->reverse)
        memcpy(n->goal, pn->target_sha256, sizeof n->goal);
    if (p->goes_back && pn->brought) { /* as the first half left it */
        n->step = STEP_DONE;
        n->outcome = OUTCOME_UPGRADED;
        n->job = ASK_JOB;
        n->now = pn->surveyed;
    }
}

struct action node_action(const struct node *n, const struct plan *p)
{
    const struct step_row *row = &step_rows[n->step];
    struct action a = {.kind = ACT_ASK,
                       .ask = row->ask,
                       .node = n->id,
                       .mask = row->ask == ASK_BACK ? n->out_mask : n->peers_mask,
                       .prior_mask = n->prior_drain_mask,
                       .expect = n->claim_fence,
                       .before = n->before,
                       .attempt = n->attempt,
                       .hook = n->hook,
                       .job = (enum ask)n->job,
                       .reverse = n->reverse};

    (void)p;
    memcpy(a.goal, n->goal, sizeof a.goal);
    return a;
}

static enum outcome final_outcome(const struct node *n, const struct plan *p)
{
    if (n->theirs)
        return OUTCOME_LEFT;
    if (p->kind == PLAN_REPAIR)
        return OUTCOME_MENDED; /* whatever it took */
    if (n->reverse && ident_runs(&n->now, n->goal) && !(n->why == WHY_HOOK && p->kind == PLAN_ROLLBACK))
        /* even where that took a detour; and behind failures the way back is what counts, not its hooks */
        return n->job == ASK_NONE && p->kind == PLAN_ROLLBACK ? OUTCOME_ALREADY : OUTCOME_BACK;
    if (n->failed)
        return OUTCOME_FAILED;
    if (n->stopping)
        return OUTCOME_STOPPED;
    return n->job == ASK_NONE ? OUTCOME_ALREADY : OUTCOME_UPGRADED;
}

static void ask_now(struct node *n, const struct plan *p, struct move *m)
{
    n->asked = true;
    n->next_ask_ms = UINT32_MAX;
    m->asks = true;
    m->action = node_action(n, p);
}

/* The release before has proved itself, and beside peers that run the bad one it has nothing to be measured by. */
static bool bakes(const struct node *n, const struct plan *p)
{
    return p->wait_ms[WAIT_BAKE] > 0 && !(n->reverse && p->kind == PLAN_ROLL);
}

enum hook_point node_hook_point(enum step step)
{
    assert(step_rows[step].ask == ASK_HOOK);
    return step == STEP_BEFORE ? HOOK_BEFORE_DRAIN : step == STEP_AFTER ? HOOK_AFTER_HANDOVER : HOOK_AFTER_READD;
}

bool node_went_well(enum step from, enum step to)
{
    enum step step = step_rows[from].on_good;

    while (step != to && (step_rows[step].ask == ASK_HOOK || step == STEP_CONFIRM))
        step = step_rows[step].on_good;
    return step == to;
}

/* What a before-drain did is taken back, however far the node has come since; unless another rollout has it by now. */
static bool owes_readd(const struct node *n, const struct plan *p)
{
    return plan_hooks(p, HOOK_AFTER_READD) > 0 && (n->hooked & HOOKED_ANY) != 0 && (n->hooked & HOOKED_READDED) == 0 &&
           !n->theirs && !n->anew;
}

/* The steps of hooks that there are not, or that were run, are passed over. */
static enum step way_of_hooks(const struct node *n, const struct plan *p, enum step to)
{
    if (to == STEP_UNCLAIM && owes_readd(n, p))
        to = STEP_READDED;
    if (to == STEP_BEFORE && (plan_hooks(p, HOOK_BEFORE_DRAIN) == 0 || (n->hooked & HOOKED_ALL) != 0))
        to = step_rows[STEP_BEFORE].on_good;
    if (to == STEP_AFTER && plan_hooks(p, HOOK_AFTER_HANDOVER) == 0)
        to = step_rows[STEP_CONFIRM].on_good;
    return to;
}

/* A node that is handed over in place is neither taken out nor put back. Behind that, who bakes? */
static enum step way(const struct node *n, const struct plan *p, enum step to)
{
    to = way_of_hooks(n, p, to);
    if (p->nodes[n->id].in_place && to == STEP_FLOOR)
        to = STEP_JOB;
    if (p->nodes[n->id].in_place && to == STEP_BACK)
        to = STEP_READDED;
    if (to == STEP_READDED && plan_hooks(p, HOOK_AFTER_READD) == 0)
        to = step_rows[STEP_READDED].on_good;
    if (to == STEP_BAKE && (!bakes(n, p) || (n->step == STEP_READDED &&
                                             n->now.pid == 0))) /* a node that never was out has no new process */
        to = step_rows[STEP_BAKE].on_good;
    if (to == STEP_UNDO && n->reverse)
        to = STEP_OUT; /* the way back has no way back: the bad release is not put into rotation again */
    return to;
}

static void fail(struct node *, enum why);

/* The one place where a step changes. */
static void enter(struct node *n, const struct plan *p, enum step to, struct move *m)
{
    const struct step_row *row;

    m->moved = true;
    m->from = (enum step)n->step;
    to = way(n, p, to);
    if (to != (enum step)n->step)
        n->hook = 0;
    if (to == STEP_READDED)
        n->hooked |= HOOKED_READDED;
    row = &step_rows[to];
    if (to == STEP_DONE && n->anew)
        fail(n, WHY_AGENT); /* its claim could not be dropped, and it has not begun */
    n->step = (uint8_t)to;
    n->left_ms = row->limit == WAIT_NONE ? UINT32_MAX : p->wait_ms[row->limit];
    n->streak = 0;
    n->healthy_ms = 0;
    n->asked = n->noted = n->cut = false;
    n->next_ask_ms = UINT32_MAX;
    if (to == STEP_CLAIM || to == STEP_RECLAIM)
        n->claimed = true;
    if (to == STEP_DRAIN)
        n->out_mask |= n->peers_mask; /* an intent counts as out */
    if (to == STEP_JOB || to == STEP_UNDO) {
        n->job = (uint8_t)row->ask;
        n->attempt++;
    }
    if (to == STEP_DONE)
        n->outcome = (uint8_t)final_outcome(n, p);
    if (row->ask != ASK_NONE)
        ask_now(n, p, m);
}

/* Off the good path: remember the first reason. What cannot be unclaimed is told, but the node is well. */
static void fail(struct node *n, enum why why)
{
    if ((n->step == STEP_UNCLAIM && !n->anew) || why == WHY_NONE)
        return;
    n->failed = true;
    if (n->why == WHY_NONE) {
        n->why = (uint8_t)why;
        n->why_step = n->step;
    }
}

static void stop_now(struct node *n, const struct plan *p, struct move *m)
{
    if (n->why == WHY_NONE) {
        n->why = WHY_STOP;
        n->why_step = n->step;
    }
    enter(n, p, step_rows[n->step].on_stop, m);
}

static void limit_over(struct node *n, const struct plan *p, struct move *m)
{
    const struct step_row *row = &step_rows[n->step];
    bool confirmed = n->step == STEP_EMPTY && n->streak > 0;
    bool well = (n->step == STEP_READDED && n->cut) || (n->step == STEP_BAKE && n->gate < GATE_SLOW) ||
                (p->drain_proceed && (n->step == STEP_QUIET || confirmed));

    if (!well)
        fail(n, judge_limit_why((enum step)n->step));
    n->claim_stays = n->step == STEP_UNCLAIM;
    enter(n, p, well ? row->on_good : row->on_limit, m);
}

/* Answered by the run itself, so nothing of ours is under way in the world meanwhile. */
static bool asks_run(const struct node *n)
{
    return step_rows[n->step].ask == ASK_PEERS || step_rows[n->step].ask == ASK_FLOOR;
}

/* An earlier run of this rollout has had it: where this one is rolled back, it goes back as well. */
static void take_as_done(struct node *n, const struct plan *p, struct move *m)
{
    enter(n, p, STEP_DONE, m);
    if (!p->nodes[n->id].brought)
        return;
    n->now = p->nodes[n->id].surveyed;
    n->job = ASK_JOB;
}

/* A long poll that ended too early goes on; what is to be confirmed costs one small request. */
static bool asks_at_once(const struct node *n, const struct answer *a)
{
    return (step_rows[n->step].ask == ASK_JOB_END && a->kind == ANS_OK) || (a->one_by_one && n->streak > 0);
}

/* Nothing came of it so far. Not all is zeroed: it is large, and there is one for each node and turn. */
static void stay(struct move *m)
{
    m->asks = m->moved = m->note = false;
    m->from = STEP_WAIT;
    m->text[0] = '\0';
}

struct move node_begin(struct node *n, const struct plan *p)
{
    struct move m;

    stay(&m);
    assert(n->step == STEP_WAIT);
    if (p->kind == PLAN_REPAIR || p->nodes[n->id].resumed)
        enter(n, p, STEP_MEND, &m);
    else if (p->nodes[n->id].at_target)
        take_as_done(n, p, &m);
    else
        enter(n, p, step_rows[STEP_WAIT].on_good, &m);
    return m;
}

bool node_was_changed(const struct node *n)
{
    return n->step == STEP_DONE && !n->reverse && n->job != ASK_NONE && n->now.pid != 0 &&
           !ident_runs(&n->now, n->before.sha256);
}

struct move node_begin_back(struct node *n, const struct plan *p)
{
    struct move m;

    stay(&m);
    assert(node_was_changed(n));
    memcpy(n->goal, n->before.sha256, sizeof n->goal);
    n->reverse = true;
    n->failed = n->stopping = n->doubt = n->claim_stays = false;
    n->why = WHY_NONE;
    n->why_step = STEP_WAIT;
    n->outcome = OUTCOME_NONE;
    n->job = ASK_NONE;
    n->hooked = 0;
    n->gate = 0;        /* nothing is judged on the way back */
    n->claim_fence = 0; /* it was given back; the agent is asked again */
    enter(n, p, STEP_CHECK, &m);
    return m;
}

void node_elapse(struct node *n, uint32_t elapsed_ms)
{
    if (n->left_ms != UINT32_MAX)
        n->left_ms = n->left_ms > elapsed_ms ? n->left_ms - elapsed_ms : 0;
    if (n->next_ask_ms != UINT32_MAX)
        n->next_ask_ms = n->next_ask_ms > elapsed_ms ? n->next_ask_ms - elapsed_ms : 0;
    if (n->streak > 0)
        n->healthy_ms = ms_later(n->healthy_ms, elapsed_ms);
}

struct move node_due(struct node *n, const struct plan *p)
{
    struct move m;

    stay(&m);
    if (!node_in_motion(n))
        return m;
    /* An effect under way is never left behind: the world answers within the limits of its calls. */
    if (n->left_ms == 0 && (!n->asked || asks_run(n)))
        limit_over(n, p, &m);
    else if (n->next_ask_ms == 0 && !n->asked)
        ask_now(n, p, &m);
    return m;
}

struct move node_gate(struct node *n, const struct plan *p, uint8_t gate)
{
    struct move m;

    stay(&m);
    assert(n->step == STEP_BAKE);
    n->gate = gate;
    if (gate == GATE_BAD && !n->asked) {
        fail(n, WHY_TRAFFIC);
        enter(n, p, step_rows[STEP_BAKE].on_bad, &m);
    }
    return m;
}

struct move node_answer(struct node *n, const struct plan *p, const struct answer *a)
{
    const struct step_row *row = &step_rows[n->step];
    struct move m;
    struct verdict v;

    stay(&m);
    assert(n->asked);
    n->asked = false;
    if (n->step == STEP_OUT)
        return m; /* it was given up while it waited */
    v = judge(n, p, a);
    memcpy(m.text, a->text, sizeof m.text);
    if (v.kind == VERDICT_GOOD) {
        enter(n, p, n->stopping && row->on_stop != n->step ? row->on_stop : row->on_good, &m);
    } else if (v.kind == VERDICT_BAD || v.kind == VERDICT_GOTO) {
        fail(n, v.why);
        enter(n, p, v.kind == VERDICT_BAD ? row->on_bad : v.to, &m);
    } else if (n->left_ms == 0) {
        limit_over(n, p, &m);
    } else if (n->stopping && row->on_stop != n->step) {
        stop_now(n, p, &m);
    } else {
        n->next_ask_ms = asks_at_once(n, a) ? 0 : p->wait_ms[row->every];
        m.note = m.text[0] != '\0' && !n->noted;
        n->noted = n->noted || m.note;
    }
    return m;
}

struct move node_stop(struct node *n, const struct plan *p)
{
    struct move m;

    stay(&m);
    if (!node_in_motion(n) || n->stopping)
        return m;
    n->stopping = step_rows[n->step].on_stop != n->step;
    if (n->stopping && (!n->asked || asks_run(n)))
        stop_now(n, p, &m);
    return m;
}

struct move node_withhold(struct node *n, const struct plan *p)
{
    struct move m;

    stay(&m);
    assert(n->asked);
    n->asked = false;
    n->stopping = true;
    if (n->step != STEP_JOB) {
        stop_now(n, p, &m);
        return m;
    }
    n->why = n->why == WHY_NONE ? WHY_STOP : n->why; /* as if the job had never been thought of */
    n->why_step = n->why == WHY_STOP ? n->step : n->why_step;
    n->job = ASK_NONE;
    n->attempt--;
    enter(n, p, STEP_RETURN, &m);
    return m;
}

/* Its way back is short, and has limits of its own. */
static bool goes_back(const struct node *n)
{
    return n->step == STEP_RETURN || n->step == STEP_BACK || n->step == STEP_SEEN || n->step == STEP_UNCLAIM;
}

struct move node_grace_over(struct node *n, const struct plan *p)
{
    const struct step_row *row = &step_rows[n->step];
    struct move m;
    bool asked = n->asked;

    stay(&m);
    n->cut = n->cut || row->ask == ASK_HOOK;
    if (!node_in_motion(n) || goes_back(n) || row->on_stop != n->step)
        return m;
    if (n->step == STEP_BAKE || n->step == STEP_READDED) {
        n->left_ms = 0;
        if (n->gate == GATE_SLOW)
            n->gate = GATE_THIN; /* it had no time to get warm */
        return m;
    }
    fail(n, WHY_STOP);
    enter(n, p, STEP_OUT, &m);
    n->asked = asked;
    return m;
}

uint32_t node_wait_ms(const struct node *n)
{
    uint32_t wait = n->next_ask_ms;

    if (!node_in_motion(n))
        return UINT32_MAX;
    if ((!n->asked || asks_run(n)) && n->left_ms < wait)
        wait = n->left_ms;
    return wait;
}
