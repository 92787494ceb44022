/* scene_moves.c - what may happen next in a state, and what comes of it. */
#include "arena.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "controller/complaints.h"
#include "controller/gate.h"
#include "controller/options.h"
#include "controller/plan_make.h"
#include "controller/plan_pack.h"
#include "controller/survey.h"
#include "scene.h"

enum scene_moves {
    MOVE_LOOK,   /* the controller reads the world: it makes its plan, or has to wait */
    MOVE_BEGIN,  /* its first turn */
    MOVE_ARRIVE, /* part b of call a */
    MOVE_LOSE,   /* ... is lost on its way there */
    MOVE_DENY,   /* ... is refused */
    MOVE_MUTE,   /* ... takes effect, and the answer is lost */
    MOVE_BACK,   /* the answer of call a is handed over */
    MOVE_JOB,    /* the job of node a ends, with fate b */
    MOVE_QUIET,  /* the last request to the node behind peer a ends */
    MOVE_TIME,   /* until something is due */
    MOVE_DEATH,  /* of the controller; a: what comes after it (story_act) */
    MOVE_RELOAD, /* of load balancer a */
    MOVE_FORGET, /* load balancer a is started anew without its state */
    MOVE_NEXT,   /* a: what comes after one that has ended */
    MOVE_RENEW   /* call a arrives and is answered */
};

static const char *const words[] = {
    "the controller reads the world",
    "the controller begins",
    "arrives",
    "is lost on its way",
    "is refused",
    "arrives, and its answer is lost",
    "is answered",
    "a job ends",
    "the last request ends",
    "time passes",
    "the controller dies",
    "a load balancer is reloaded",
    "a load balancer is started anew and has forgotten",
    "the next controller comes",
    "arrives and is answered",
};

#define ROLLOUT 1
#define REPAIR  3
#define LAST    (JUDGE_ROLLOUTS - 1) /* the repair at the end */

#define FIRST_PID 200 /* that a job starts */

/* ---- plans: of one content there is one */

#define PLANS_MAX 4096
static struct {
    struct known_plan {
        uint64_t hash;
        char *text;
        struct plan *plan;
    } slots[PLANS_MAX];
    uint32_t n;
} plans;

static uint64_t hash_text(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return h;
}

static struct plan *known(const char *text, uint64_t hash)
{
    for (uint32_t i = 0; i < plans.n; i++)
        if (plans.slots[i].hash == hash && strcmp(plans.slots[i].text, text) == 0)
            return plans.slots[i].plan;
    return NULL;
}

/* `text` lies in the arena. */
static struct plan *learn(const char *text, uint64_t hash)
{
    struct known_plan *k = &plans.slots[plans.n++];
    struct err err = {.text = ""};

    assert(plans.n <= PLANS_MAX);
    k->hash = hash;
    k->text = strdup(text);
    k->plan = plan_unpack(text, &err);
    if (k->plan == NULL || k->text == NULL) {
        (void)fprintf(stderr, "%s\n", err.text);
        abort();
    }
    k->plan->wait_ms[WAIT_WISH] = 24 * 3600 * 1000; /* nobody wishes anything */
    return k->plan;
}

/* ---- controllers */

static void come(struct scene *c, uint8_t act, bool final)
{
    struct sim *s = c->sim;
    uint8_t index = (uint8_t)s->n_seats++;
    struct sim_seat *seat = &s->seats[index];
    static const struct story_process none = {.rollout = 1};

    assert(index < SIM_SEATS);
    memset(seat, 0, offsetof(struct sim_seat, seen));
    seat->sim = s;
    seat->process = &none;
    seat->index = index;
    seat->act = act;
    seat->state = SEAT_RUNS;
    seat->who = (struct sim_who){.rollout = final                 ? LAST
                                            : act == STORY_REPAIR ? REPAIR
                                                                  : ROLLOUT,
                                 .holder = (uint8_t)(index + 1)};
    seat->first_ready = seat->last_ready = SIM_CALLS;
    (void)snprintf(seat->rollout, sizeof seat->rollout, "%s", scan_rollout(seat->who.rollout));
    (void)snprintf(seat->holder, sizeof seat->holder, "h%d", index + 1);
    memset(s->judge.seats, 0, sizeof s->judge.seats); /* what another way to here left there is kept nowhere */
    c->book.last = index;
    c->book.phase = SCENE_LOOKS;
    c->book.began = c->book.late = false;
    c->book.until_ms = 0;
    c->book.final = final;
    memset(seat->seen, 0, sizeof seat->seen);
}

/* The rollout gives its leases back: what the load balancers show is of interest to nobody any more. */
void scene_drop_shown(struct scene *c)
{
    for (uint8_t i = 0; i < SCENE_CALLS; i++) {
        struct sim_call *call = &c->sim->calls[i];

        if (call->seat == c->book.last && (call->action.kind == ACT_READ_LB || call->action.kind == ACT_LOOK))
            call->used = false;
    }
    memset(scene_seat(c)->seen, 0, sizeof scene_seat(c)->seen);
}

/* Of what a controller that is no more has sent, effects may still arrive; nothing else is of interest. */
static void leave_calls(struct scene *c)
{
    for (uint8_t i = 0; i < SCENE_CALLS; i++) {
        struct sim_call *call = &c->sim->calls[i];

        if (!call->used || call->seat != c->book.last)
            continue;
        for (uint32_t k = 0; k < call->n_parts; k++)
            if (c->book.where[i][k] == WHERE_THERE || !scene_may_matter(&call->action)) {
                c->book.where[i][k] = WHERE_THERE;
                wire_back(c->sim, i, k);
            }
    }
}

/* A request of a dead one that comes behind a higher fence is refused, whenever it comes: as good as gone. An nginx
 * that forgets knows of no fence. */
static bool fenced_off(const struct scene *c, const struct sim_call *call)
{
    const struct sim_truth *t = &c->sim->truth;
    const struct sim_seat *seat = &c->sim->seats[call->seat];
    const struct action *a = &call->action;
    bool at_lb = a->kind == ACT_HOLD ||
                 (a->kind == ACT_ASK && (a->ask == ASK_DRAIN || a->ask == ASK_DOWN || a->ask == ASK_BACK));

    if (a->kind == ACT_LEASE)
        return c->book.reloads == 0 && t->upstreams[seat->upstream_of[a->upstream]].lease.who.fence > call->who.fence;
    if (!at_lb)
        return t->agents[seat->node_of[a->node]].highest.fence > call->who.fence;
    for (uint32_t i = 0; i < t->n_upstreams; i++)
        if (c->book.reloads > 0 || t->upstreams[i].lease.who.fence <= call->who.fence)
            return false;
    return true;
}

void scene_drop_fenced(struct scene *c)
{
    for (uint8_t i = 0; i < SCENE_CALLS; i++) {
        struct sim_call *call = &c->sim->calls[i];

        if (!call->used || c->sim->seats[call->seat].state == SEAT_RUNS || !fenced_off(c, call))
            continue;
        for (uint32_t k = 0, n = call->n_parts; k < n; k++)
            if (c->book.where[i][k] != WHERE_THERE) {
                c->book.where[i][k] = WHERE_THERE;
                wire_back(c->sim, i, k);
            }
    }
}

static bool anything_left(const struct sim *s)
{
    bool claims = false;

    for (uint8_t i = 0; i < s->truth.n_nodes; i++)
        claims = claims || s->truth.agents[i].claim.there;
    return claims || s->judge.n_owned > 0;
}

/* Nothing but deaths: it must have come to its goal, or say that a repair has to be repeated first. */
static void check_goal(struct scene *c)
{
    const struct sim_seat *seat = scene_seat(c);
    bool told = c->book.repaired && (seat->code == EXIT_HELD || seat->code == EXIT_REFUSED);

    if (!c->book.failed && !c->book.late && !told && seat->act == STORY_ROLL && seat->code != 0)
        judge_breach(&c->sim->judge, "goal", "nothing but deaths, and the last controller ended with %d", seat->code);
    for (uint8_t i = 0; i < c->sim->truth.n_nodes; i++)
        if (!c->book.failed && c->sim->n_seats == 1 && c->sim->truth.agents[i].claim.there)
            judge_breach(&c->sim->judge, "goal", "nothing was wrong, and the claim of node %u is still there", i);
}

/* A late request of a dead one came between: its exit code says so, and the same is started again. */
static bool held_up(const struct scene *c)
{
    return c->book.late && c->sim->seats[c->book.last].code != 0 && c->sim->n_seats < SIM_SEATS - 1;
}

static bool begun_any(struct scene *c)
{
    bool any = false;

    for (uint32_t i = 0; c->book.phase == SCENE_RUNS && i < scene_run(c)->n_nodes; i++)
        any = any || run_node(scene_run(c), i)->step != STEP_WAIT;
    for (uint32_t i = 0; i < SCENE_CALLS; i++)
        any = any || (c->sim->calls[i].used && c->sim->calls[i].seat == c->book.last);
    return any;
}

static void end(struct scene *c, int code)
{
    struct sim_seat *seat = scene_seat(c);
    bool idle;

    seat->code = code;
    if (c->book.phase == SCENE_RUNS)
        for (uint32_t i = 0; i < seat->plan->n_nodes; i++)
            c->nodes[i] = (struct view_node){.state = *run_node(scene_run(c), i), .text = (char[]){""}};
    else
        seat->view = NULL;
    seat_over(seat, SEAT_ENDED); /* the judge looks at it */
    leave_calls(c);
    idle = !begun_any(c);
    c->book.phase = SCENE_ENDED;
    if (held_up(c)) {
        if (idle)
            c->sim->n_seats--; /* there may be many of those */
        come(c, seat->act, c->book.final);
        return;
    }
    check_goal(c);
    if (c->book.final) {
        judge_calm(&c->sim->judge, &c->sim->truth, code);
        c->book.phase = SCENE_OVER;
    } else if (seat->act == STORY_ROLL && !anything_left(c->sim)) {
        c->book.phase = SCENE_OVER;
    }
}

static void die(struct scene *c, uint8_t next)
{
    struct sim_seat *seat = scene_seat(c);
    bool final = c->book.final;

    c->book.deaths--;
    c->book.repaired = c->book.repaired || seat->act == STORY_REPAIR;
    seat->state = SEAT_DEAD;
    leave_calls(c);
    come(c, next, final);
}

/* ---- the loop, as far as there is anything of it */

static void note_durable(struct scene *c)
{
    struct sim_seat *seat = scene_seat(c);

    for (size_t i = 0; i < c->turn.n_events; i++)
        if (c->turn.events[i].kind == EVENT_STEP) {
            const struct event *e = &c->turn.events[i];

            seat->durable[e->node] = (uint8_t)step_row((enum step)e->state.step)->ask;
            c->nodes[e->node].state = e->state;
        }
}

static bool arrive(struct scene *c, uint8_t call, uint8_t part);

static void turn(struct scene *c)
{
    static struct input inputs[4];
    struct sim_seat *seat = scene_seat(c);
    struct run *r = scene_run(c);
    uint32_t elapsed_ms = 0;
    size_t n = seat->world.ops->collect(&seat->world, 0, inputs, 4, &elapsed_ms);

    run_turn(r, seat->plan, elapsed_ms, inputs, n, &c->turn);
    note_durable(c);
    for (size_t i = 0; i < c->turn.n_actions; i++) {
        uint8_t slot = 0;

        while (c->sim->calls[slot].used)
            slot++;
        assert(slot < SCENE_CALLS);
        seat->world.ops->start(&seat->world, &c->turn.actions[i]);
        c->book.stepped = c->book.stepped || scene_may_matter(&c->turn.actions[i]);
        memset(c->book.where[slot], WHERE_SENT, sizeof c->book.where[slot]);
    }
    turn_clear(&c->turn);
    for (uint32_t lb = 0; lb < seat->plan->n_lbs; lb++)
        for (size_t i = 0; i < n; i++)
            if (inputs[i].kind == IN_LB && inputs[i].lb == lb)
                memset(&seat->seen[lb], 0, sizeof seat->seen[lb]);
    if (run_over(r))
        end(c, run_exit_code(r, 0));
}

static void begin(struct scene *c)
{
    struct sim_seat *seat = scene_seat(c);
    struct run *r = run_new(seat->plan);

    assert(r->size_bytes <= SCENE_RUN_MAX);
    memcpy(&c->at, r, r->size_bytes);
    run_free(&r);
    c->view = (struct view){.plan = seat->plan, .name_width = 8, .nodes = c->nodes};
    seat->view = &c->view;
    c->book.phase = SCENE_RUNS;
    seat->collected_ms = c->sim->truth.now_ms;
    turn(c);
}

static void world_ends(struct scene *c);

/* As seat.c's look_around and make_plan. False: it has to wait, and has done so; it looks again. */
static bool look(struct scene *c)
{
    struct sim *s = c->sim;
    struct sim_seat *seat = scene_seat(c);
    const struct fleet *fleet = scan_fleet(s->story);
    bool repair = seat->act == STORY_REPAIR;
    struct vigil v = {.began = c->book.began, .until_ms = c->book.until_ms};
    struct complaints complaints = {0};
    struct plan_request q = {
        .rollout = seat->rollout, .holder = seat->holder, .has_release = !s->story->restart, .release_size = 1};
    struct options o;
    struct survey *survey;
    struct plan *p = NULL;
    enum vigil_verdict verdict;

    arena_begin();
    scan_options(s->story, &o);
    scan_sha256(q.has_release ? 'B' : 0, q.release_sha256);
    survey = scan_survey(s, fleet);
    verdict = vigil_look(&v, fleet, survey, &q, repair, (uint64_t)s->truth.now_ms);
    c->book.began = v.began;
    c->book.until_ms = v.until_ms;
    if (verdict == VIGIL_FREE)
        p = repair ? plan_make_repair(fleet, &o, survey, &q, &complaints)
                   : plan_make(fleet, &o, survey, &q, &complaints);
    if (p != NULL) {
        char *text = plan_pack(p);
        uint64_t hash = hash_text(text);
        uint32_t to_do = repair ? p->n_nodes : 0;

        for (uint32_t i = 0; i < p->n_nodes && !repair; i++)
            to_do += p->nodes[i].at_target ? 0 : 1;
        seat->plan = known(text, hash);
        arena_end();
        if (seat->plan == NULL)
            seat->plan = learn(text, hash);
        c->book.began = false;
        c->book.until_ms = 0;
        if (to_do == 0) {
            end(c, complaints.exit_code);
            return true;
        }
        seat->who.fence = seat->plan->fence;
        wire_open(seat);
        seat->collected_ms = 0;
        c->book.phase = SCENE_PLANS;
        return true;
    }
    arena_end();
    if (verdict == VIGIL_WAIT) {
        s->truth.now_ms += v.wait_ms;
        world_ends(c);
        return false;
    }
    end(c, verdict == VIGIL_ALIVE ? EXIT_HELD : complaints.exit_code);
    return true;
}

/* What it waits for may be disturbed after its first look; from then on it is one step. */
static void look_until(struct scene *c)
{
    bool began = c->book.began;

    while (!look(c) && began)
        ;
}

/* ---- the world */

/* A long poll sees at once what it waits for. */
static void look_again(struct scene *c)
{
    for (uint8_t i = 0; i < SCENE_CALLS; i++)
        for (uint8_t k = 0; c->sim->calls[i].used && k < c->sim->calls[i].n_parts; k++)
            if (c->book.where[i][k] == WHERE_HELD)
                (void)arrive(c, i, k);
}

/* False: it is held there. */
static bool arrive(struct scene *c, uint8_t i, uint8_t k)
{
    struct sim *s = c->sim;
    struct sim_call *call = &s->calls[i];
    uint8_t gates[SIM_PEERS] = {0};

    for (uint8_t p = 0; p < s->truth.n_peers; p++)
        gates[p] = s->truth.peers[p].gate;
    s->n_dues = s->next_order = 0;
    wire_arrive(s, i, k);
    for (uint8_t p = 0; p < s->truth.n_peers; p++)
        if (gates[p] == SIM_OPEN && s->truth.peers[p].gate != SIM_OPEN) /* how long that takes is MOVE_QUIET's */
            s->truth.peers[p].held_until_ms = s->truth.now_ms + SCENE_HELD_MS;
    for (uint32_t d = 0; d < s->n_dues; d++)
        if (s->dues[d].kind == DUE_JOB) {
            struct sim_job *job = &s->truth.agents[s->dues[d].a].jobs[s->truth.agents[s->dues[d].a].n_jobs - 1];

            job->ends_ms = s->truth.now_ms + SCENE_JOB_MS;
        }
    c->book.where[i][k] = s->n_dues > 0 && s->dues[0].kind == DUE_ARRIVE ? WHERE_HELD : WHERE_THERE;
    for (uint32_t d = 0; d < s->n_dues; d++)
        if (s->dues[d].kind == DUE_BACK)
            c->book.where[i][k] = WHERE_THERE;
    s->n_dues = 0;
    if (c->book.where[i][k] == WHERE_THERE && s->seats[call->seat].state != SEAT_RUNS) {
        c->book.late = c->book.late || c->book.phase != SCENE_LOOKS || c->book.began; /* before, nobody has looked */
        wire_back(s, i, k);
    }
    return c->book.where[i][k] == WHERE_THERE;
}

static void lose(struct scene *c, uint8_t i, uint8_t k)
{
    c->sim->calls[i].parts[k].reply = ANS_LOST;
    c->book.where[i][k] = WHERE_THERE;
}

static void hand_over(struct scene *c, uint8_t i)
{
    for (uint32_t k = c->sim->calls[i].n_parts; k-- > 0;)
        wire_back(c->sim, i, k);
    turn(c);
}

/* Which process it is says nothing of when it began, nor of what others began before it: the same on all ways to here.
 */
static void name_process(struct sim *s, uint8_t node, struct sim_job *job)
{
    struct sim_agent *a = &s->truth.agents[node];

    s->truth.next_pid = 1;
    s->truth.next_job = job->order = 0;
    assert(a->n_jobs < SIM_JOBS);
    if (a->now.pid == 0 || job->after.pid == 0 || sim_same(&job->before, &job->after))
        return; /* no new one */
    a->now.pid = FIRST_PID + SIM_JOBS * (uint32_t)node + a->n_jobs;
    a->now.ticks = 1;
    job->after = a->now;
}

static void end_job(struct scene *c, uint8_t node, uint8_t fate)
{
    struct sim *s = c->sim;
    struct sim_agent *a = &s->truth.agents[node];
    struct sim_job *job = &a->jobs[a->n_jobs - 1];

    a->fate = a->undo_fate = fate;
    sim_job_end(&s->truth, node, job);
    a->fate = a->undo_fate = SIM_FATE_GOOD;
    name_process(s, node, job);
    if (a->now.pid == 0)
        process_dies(s, node);
    judge_job_done(&s->judge, &s->truth, node, job);
    look_again(c);
}

static void end_requests(struct scene *c, uint8_t node)
{
    for (uint8_t i = 0; i < c->sim->truth.n_peers; i++)
        if (c->sim->truth.peers[i].node == node && c->sim->truth.peers[i].gate != SIM_OPEN)
            c->sim->truth.peers[i].held_until_ms = SIM_NEVER;
    look_again(c);
}

static void lb_restarts(struct scene *c, uint8_t lb, bool forgets)
{
    static struct story_event events[2] = {{.fault = SIM_LB_RELOADS}, {.fault = SIM_LB_FORGETS}};
    static struct story story;
    const struct story *own = c->sim->story;

    story = *own;
    events[forgets].what = lb;
    story.events[0] = events[forgets];
    c->sim->story = &story;
    event_happens(c->sim, 0, false);
    c->sim->story = own;
    c->book.reloads--;
    look_again(c);
}

static const struct sim_job *running(const struct sim_truth *t, uint8_t node)
{
    const struct sim_job *job = sim_job_last(&t->agents[node]);

    return job != NULL && job->state == SIM_JOB_RUNNING ? job : NULL;
}

static bool holds_on(const struct sim_truth *t, uint8_t node)
{
    for (uint8_t i = 0; i < t->n_peers; i++)
        if (t->peers[i].node == node && t->peers[i].gate != SIM_OPEN && sim_peer_holds(t, i))
            return true;
    return false;
}

/* The next moment at which something is due; SIM_EVER where nothing is. */
static int64_t next_ms(const struct scene *c)
{
    const struct sim *s = c->sim;
    const struct sim_truth *t = &s->truth;
    const struct sim_seat *seat = &s->seats[c->book.last];
    int64_t next = SIM_EVER, own;

    for (uint8_t i = 0; i < t->n_nodes; i++)
        if (running(t, i) != NULL && running(t, i)->ends_ms < next)
            next = running(t, i)->ends_ms;
    for (uint8_t i = 0; i < t->n_peers; i++)
        if (t->peers[i].gate != SIM_OPEN && sim_peer_holds(t, i) && t->peers[i].held_until_ms < next)
            next = t->peers[i].held_until_ms;
    if (c->book.phase != SCENE_RUNS)
        return next;
    for (uint32_t i = 0; i < SCENE_CALLS; i++)
        for (uint32_t k = 0; s->calls[i].used && k < s->calls[i].n_parts; k++)
            if (c->book.where[i][k] == WHERE_HELD && s->calls[i].parts[k].poll_until_ms < next)
                next = s->calls[i].parts[k].poll_until_ms;
    own = seat->collected_ms + run_wait_ms(&c->at.run, seat->plan);
    return own < next ? own : next;
}

/* Whatever of the world is due by then ends, too. */
static void world_ends(struct scene *c)
{
    struct sim_truth *t = &c->sim->truth;

    for (uint8_t i = 0; i < t->n_nodes; i++)
        if (running(t, i) != NULL && running(t, i)->ends_ms <= t->now_ms)
            end_job(c, i, SIM_FATE_GOOD);
}

static void time_passes(struct scene *c)
{
    struct sim_seat *seat = scene_seat(c);
    int64_t next = next_ms(c);

    c->sim->truth.now_ms = next > c->sim->truth.now_ms ? next : c->sim->truth.now_ms;
    world_ends(c);
    look_again(c);
    if (seat->collected_ms + run_wait_ms(scene_run(c), seat->plan) <= c->sim->truth.now_ms)
        turn(c);
}

/* ---- all that may happen */

struct list {
    struct scene_move *moves;
    uint32_t n;
};

static void put(struct list *l, uint8_t kind, uint8_t a, uint8_t b)
{
    assert(l->n < SCENE_MOVES_MAX);
    l->moves[l->n++] = (struct scene_move){kind, a, b};
}

/* A renewal of what the controller has: it arrives and is answered before anything else happens (but a death). */
static bool is_prompt(const struct scene *c, const struct sim_call *call)
{
    const struct action *a = &call->action;

    if (!c->reach->prompt || c->sim->seats[call->seat].state != SEAT_RUNS)
        return false;
    return a->kind == ACT_RENEW ||
           (a->kind == ACT_LEASE && a->ttl_ms > 0 && run_lease(&c->at.run, a->upstream)->state == LEASE_HELD);
}

/* False: there is none. */
static bool put_prompt(const struct scene *c, struct list *l)
{
    for (uint8_t i = 0; i < SCENE_CALLS; i++) {
        if (!c->sim->calls[i].used || !is_prompt(c, &c->sim->calls[i]) || c->book.where[i][0] != WHERE_SENT)
            continue;
        put(l, MOVE_RENEW, i, 0);
        if (c->book.faults > 0) {
            put(l, MOVE_LOSE, i, 0);
            put(l, MOVE_MUTE, i, 0);
            put(l, MOVE_DENY, i, 0);
        }
        return true;
    }
    return false;
}

static void put_part(const struct scene *c, struct list *l, uint8_t i, uint8_t k)
{
    const struct sim_call *call = &c->sim->calls[i];

    put(l, MOVE_ARRIVE, i, k);
    if (c->sim->seats[call->seat].state != SEAT_RUNS || c->book.faults == 0)
        return;
    put(l, MOVE_LOSE, i, k);
    if (scene_may_matter(&call->action)) {
        put(l, MOVE_MUTE, i, k);
        put(l, MOVE_DENY, i, k);
    }
}

/* It arrives where that matters, and else right with its answer. */
static void put_list(const struct scene *c, struct list *l, uint8_t i, bool waits)
{
    bool there = c->book.where[i][0] == WHERE_THERE;

    if (!there && scene_shows_change(c, c->sim->calls[i].parts[0].lb))
        put(l, MOVE_ARRIVE, i, 0);
    else if (!waits)
        put(l, MOVE_BACK, i, 0);
}

static void put_calls(const struct scene *c, struct list *l, bool *still)
{
    bool lazy = reach_uses(c->reach, REACH_LISTS) && c->reach->faults == 0 && c->reach->reloads == 0,
         waits = lazy && scene_lists_wait(c);

    for (uint8_t i = 0; i < SCENE_CALLS; i++) {
        const struct sim_call *call = &c->sim->calls[i];
        bool live = call->used && c->sim->seats[call->seat].state == SEAT_RUNS, all = true;

        if (lazy && scene_is_list(c, i)) {
            put_list(c, l, i, waits);
            *still = false;
            continue;
        }
        for (uint8_t k = 0; call->used && k < call->n_parts; k++) {
            uint8_t where = c->book.where[i][k];

            all = all && where == WHERE_THERE;
            if (where == WHERE_SENT)
                put_part(c, l, i, k);
        }
        if (live && all)
            put(l, MOVE_BACK, i, 0);
        for (uint8_t k = 0; live && k < call->n_parts; k++)
            *still = *still && c->book.where[i][k] == WHERE_HELD;
    }
}

static void put_world(const struct scene *c, struct list *l)
{
    const struct sim_truth *t = &c->sim->truth;

    for (uint8_t i = 0; i < t->n_nodes; i++) {
        if (holds_on(t, i))
            put(l, MOVE_QUIET, i, 0);
        if (running(t, i) == NULL)
            continue;
        put(l, MOVE_JOB, i, SIM_FATE_GOOD);
        if (c->book.faults > 0) {
            put(l, MOVE_JOB, i, SIM_FATE_KEPT);
            put(l, MOVE_JOB, i, SIM_FATE_DIED);
            put(l, MOVE_JOB, i, SIM_FATE_ILL);
            put(l, MOVE_JOB, i, SIM_FATE_UNTRUE);
        }
    }
    for (uint8_t i = 0; i < t->n_lbs && c->book.reloads > 0; i++) {
        put(l, MOVE_RELOAD, i, 0);
        put(l, MOVE_FORGET, i, 0);
    }
}

static void put_deaths(const struct scene *c, struct list *l)
{
    if (c->book.deaths == 0 || c->book.phase >= SCENE_ENDED || (!c->book.stepped && reach_uses(c->reach, REACH_DEATHS)))
        return;
    put(l, MOVE_DEATH, c->book.final ? STORY_REPAIR : STORY_ROLL, 0);
    if (!c->book.final)
        put(l, MOVE_DEATH, STORY_REPAIR, 0);
}

uint32_t scene_moves(struct scene *c, struct scene_move *moves)
{
    struct list l = {.moves = moves};
    bool still = true;
    uint8_t call, part;

    if (c->book.phase == SCENE_OVER)
        return 0;
    put_deaths(c, &l);
    if (put_prompt(c, &l))
        return l.n;
    if (reach_uses(c->reach, REACH_ALONE) && scene_alone(c, &call, &part)) {
        put_part(c, &l, call, part);
        return l.n;
    }
    put_calls(c, &l, &still);
    put_world(c, &l);
    switch ((enum scene_phase)c->book.phase) {
    case SCENE_LOOKS:
        put(&l, MOVE_LOOK, 0, 0);
        break;
    case SCENE_PLANS:
        put(&l, MOVE_BEGIN, 0, 0);
        break;
    case SCENE_RUNS:
        if (still)
            put(&l, MOVE_TIME, 0, 0);
        break;
    case SCENE_ENDED: /* after a repair somebody goes on; what is left then is for a repair */
        put(&l, MOVE_NEXT, scene_seat(c)->act == STORY_REPAIR ? STORY_ROLL : STORY_REPAIR, 0);
        break;
    case SCENE_OVER:
        break;
    }
    return l.n;
}

struct scene_move scene_answer(uint8_t call)
{
    return (struct scene_move){.kind = MOVE_BACK, .a = call};
}

static void fault(struct scene *c)
{
    c->book.faults--;
    c->book.failed = true;
}

void scene_move(struct scene *c, const struct scene_move *m)
{
    struct sim *s = c->sim;
    int64_t then_ms = s->truth.now_ms;

    s->dice.state = 1; /* chance has no part in it */
    c->book.stepped = m->kind == MOVE_NEXT;
    switch ((enum scene_moves)m->kind) {
    case MOVE_LOOK:
        look_until(c);
        break;
    case MOVE_BEGIN:
        begin(c);
        break;
    case MOVE_ARRIVE:
        (void)arrive(c, m->a, m->b);
        look_again(c);
        break;
    case MOVE_LOSE:
        fault(c);
        lose(c, m->a, m->b);
        break;
    case MOVE_DENY:
    case MOVE_MUTE:
        fault(c);
        s->calls[m->a].parts[m->b].fault = m->kind == MOVE_DENY ? SIM_REFUSED : SIM_LOST_ANSWER;
        (void)arrive(c, m->a, m->b);
        look_again(c);
        break;
    case MOVE_BACK:
        if (c->book.where[m->a][0] == WHERE_SENT) /* a list */
            (void)arrive(c, m->a, 0);
        hand_over(c, m->a);
        break;
    case MOVE_JOB:
        if (m->b != SIM_FATE_GOOD)
            fault(c);
        end_job(c, m->a, m->b);
        break;
    case MOVE_QUIET:
        end_requests(c, m->a);
        break;
    case MOVE_TIME:
        time_passes(c);
        break;
    case MOVE_DEATH:
        die(c, m->a);
        break;
    case MOVE_RELOAD:
    case MOVE_FORGET:
        c->book.failed = c->book.failed || m->kind == MOVE_FORGET;
        lb_restarts(c, m->a, m->kind == MOVE_FORGET);
        break;
    case MOVE_RENEW:
        (void)arrive(c, m->a, 0);
        hand_over(c, m->a);
        break;
    case MOVE_NEXT:
        c->book.repaired = c->book.repaired || scene_seat(c)->act == STORY_REPAIR;
        come(c, m->a, m->a == STORY_REPAIR);
        break;
    }
    c->book.stepped = c->book.stepped || s->truth.now_ms != then_ms;
    judge_always(&s->judge, &s->truth);
}

void scene_tell(const struct scene *c, const struct scene_move *m, FILE *f)
{
    static const char *const kinds[] = {"",     "read of lb", "lease",     "renewal of the claim",
                                        "look", "wish",       "down again"};
    static const char *const asks[] = {
#define X(name, text) text,
        ASKS(X)
#undef X
    };
    const struct action *a = &c->sim->calls[m->a].action;

    (void)fprintf(f, "seat %u: ", c->book.last);
    if ((m->kind >= MOVE_ARRIVE && m->kind <= MOVE_BACK) || m->kind == MOVE_RENEW)
        (void)fprintf(f, "seat %u's %s (node %u, upstream %u, lb %u) ", c->sim->calls[m->a].seat,
                      a->kind == ACT_ASK ? asks[a->ask] : kinds[a->kind], a->node, a->upstream, a->lb);
    (void)fprintf(f, "%s", words[m->kind]);
    if (m->kind == MOVE_JOB || m->kind == MOVE_QUIET)
        (void)fprintf(f, " (node %u, %u)", m->a, m->b);
    if (m->kind == MOVE_DEATH || m->kind == MOVE_NEXT)
        (void)fprintf(f, "; next: %s", m->a == STORY_REPAIR ? "repair" : "the same id again");
    (void)fputc('\n', f);
}

/* ---- the beginning */

static void set_up(struct sim *s, const struct story *y)
{
    struct sim_truth *t = &s->truth;

    t->now_ms = SCENE_NOW_MS;
    t->next_pid = 1;
    t->n_nodes = y->nodes;
    t->n_lbs = t->n_upstreams = y->lbs;
    for (uint8_t i = 0; i < y->lbs; i++) {
        t->lbs[i] =
            (struct sim_lb){.exact = y->exact, .generation = 1, .dead_until_ms = SIM_NEVER, .reload_ms = SIM_NEVER};
        t->upstreams[i] = (struct sim_upstream){.lb = i, .lease = {.until_ms = SIM_NEVER}};
        for (uint8_t n = 0; n < y->nodes; n++)
            t->peers[t->n_peers++] = (struct sim_peer){
                .upstream = i, .node = n, .gate = SIM_OPEN, .closed_ms = SIM_NEVER, .held_until_ms = SIM_NEVER};
    }
    for (uint8_t i = 0; i < y->nodes; i++)
        t->agents[i] = (struct sim_agent){.now = {.pid = 100u + i, .ticks = 1, .boot = 1, .exe = 'A'},
                                          .dead_until_ms = SIM_NEVER,
                                          .healthy_ms = SIM_NEVER,
                                          .installed = 'A'};
}

void scene_begin(struct scene *c, struct sim *s, struct reach *r)
{
    static struct story story;
    static struct tally tally;

    story = (struct story){.nodes = r->nodes,
                           .lbs = r->lbs,
                           .upstreams_per_lb = 1,
                           .ports = 1,
                           .exact = !r->forgetful,
                           .restart = r->restart,
                           .n_batches = 1,
                           .batches = {r->at_a_time},
                           .max_unavailable = r->at_a_time,
                           .drain_ms = 8000, /* two looks at two load balancers, each after a pause */
                           .job_ms = 4000,
                           .probe_ms = 1000,
                           .threshold = 1,
                           .healthy_ms = 4000,
                           .ttl_ms = 3000,
                           .request_ms = 1000,
                           .poll_ms = 1000,
                           .way_ms = 1,
                           .traffic = 1};
    memset(c, 0, sizeof *c);
    memset(s, 0, sizeof *s);
    c->sim = s;
    c->reach = r;
    s->story = &story;
    s->tally = &tally;
    c->book.deaths = r->deaths;
    c->book.faults = r->faults;
    c->book.reloads = r->reloads;
    scan_begin(&story);
    trace_begin(&s->trace);
    set_up(s, &story);
    judge_begin(&s->judge, &s->truth,
                &(struct judge_rules){.max_unavailable = r->at_a_time, .threshold = 1, .target = r->restart ? 0 : 'B'});
    come(c, STORY_ROLL, false);
    c->book.stepped = true;
}
