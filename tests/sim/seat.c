/* seat.c - a controller's life: it reads the world, makes its plan, runs the loop as shipped, and ends or is killed. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/mem.h"
#include "controller/complaints.h"
#include "controller/gate.h"
#include "controller/lines.h"
#include "controller/options.h"
#include "controller/plan_make.h"
#include "controller/plan_pack.h"
#include "controller/plan_resume.h"
#include "controller/vigil.h"
#include "fibre.h"
#include "sim.h"

#define WALL_S 1763913600 /* what people's clocks show when a story begins */

static struct sim_seat *current;

struct sim_seat *seat_now(void)
{
    return current;
}

/* The loop asks for the time for people's sake alone. */
/* NOLINTBEGIN(bugprone-reserved-identifier): the names that the linker's --wrap wants */
int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    if (current == NULL)
        return __real_clock_gettime(clock, t);
    t->tv_sec = WALL_S + current->sim->truth.now_ms / 1000;
    t->tv_nsec = current->sim->truth.now_ms % 1000 * 1000000;
    return 0;
}

/* The journal's first event has the whole plan, which nobody reads in a story; it took a quarter of all time. One story
 * in so many packs it nevertheless. */
#define PACKED_IN 64
char *__real_plan_pack(const struct plan *p);
char *__wrap_plan_pack(const struct plan *p);
char *__wrap_plan_pack(const struct plan *p)
{
    char *packed, *text;

    if (current != NULL && current->sim->story->seed % PACKED_IN != 0)
        return strdup("{}");
    packed = __real_plan_pack(p); /* the JSON library's memory, which the end of an arena would not give back */
    text = strdup(packed);
    free(packed);
    return text;
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* ---- standing still, and being killed */

/* What is due meanwhile happens right here: mostly it is this seat's turn again, and no stack has to change. */
void seat_wait(struct sim_seat *seat)
{
    struct sim *s = seat->sim;

    current = NULL;
    if (s->seen != NULL)
        s->seen(s);
    s->next = sim_next(s);
    if (s->next != seat)
        fibre_yield();
    s->next = NULL;
    current = seat;
    seat->awake = false;
}

void seat_sleep(struct sim_seat *seat, uint32_t ms)
{
    seat->awake = seat->sleeping = true;
    seat->wake_ms = seat->sim->truth.now_ms + ms;
    fibre_yield();
    seat->awake = seat->sleeping = false;
}

void seat_point(struct sim_seat *seat, enum sim_fault where)
{
    struct sim *s = seat->sim;
    const struct story_process *p = seat->process;

    seat->points++;
    if (p->pause_at == seat->points) {
        sim_fired(s, SIM_PAUSED);
        sim_note(s, TRACE_PAUSE, seat->index, p->pause_ms, 0, 0);
        seat_sleep(seat, p->pause_ms);
    }
    if (p->crash_at != seat->points)
        return;
    sim_fired(s, where);
    sim_note(s, TRACE_CRASH, seat->index, where, 0, 0);
    seat_over(seat, SEAT_DEAD);
    fibre_yield(); /* never resumed */
    abort();
}

/* ---- the journal */

/* How did the node leave its row? */
static void count_way(struct sim_seat *seat, const struct event *e)
{
    const struct step_row *row = step_row((enum step)e->from);
    struct sim *s = seat->sim;
    uint32_t limit = seat->plan->wait_ms[row->limit];
    bool late = row->limit != WAIT_NONE && s->truth.now_ms - seat->entered_ms[e->node] >= (int64_t)limit;
    enum step to = (enum step)e->state.step;
    enum tally_way way = WAY_FAILURE;

    if (e->from == STEP_WAIT)
        way = WAY_SUCCESS;         /* its turn has come */
    else if (e->from == STEP_BAKE) /* its limit is its success */
        way = e->state.why != WHY_NONE && e->state.why_step == STEP_BAKE ? WAY_FAILURE : WAY_SUCCESS;
    else if (e->from == STEP_READDED && e->text[0] == '\0')
        way = WAY_SUCCESS; /* its on_bad is where it leads without a bake, too */
    else if (e->state.stopping && to == row->on_stop)
        way = WAY_STOP;
    else if (late && to == row->on_limit && row->limit != WAIT_NONE)
        way = WAY_LIMIT;
    else if (node_went_well((enum step)e->from, to) ||
             (to != row->on_bad && (!e->state.failed || seat->failed[e->node])))
        way = WAY_SUCCESS; /* there, or by the other way that the rule knows */
    s->tally->ways[e->from][way]++;
    if (e->from == STEP_BAKE && e->state.gate == GATE_BAD)
        sim_fired(s, SIM_SERVES_BADLY);
    else if (e->from == STEP_BAKE && e->state.gate == GATE_THIN)
        sim_fired(s, SIM_NO_TRAFFIC);
    if (e->from == STEP_DONE && to == STEP_DONE)
        s->judge.facts[FACT_FALLEN]++;
    if (to == STEP_OUT)
        judge_left_told(&s->judge, seat->index, seat->node_of[e->node]);
    seat->entered_ms[e->node] = s->truth.now_ms;
    seat->failed[e->node] = e->state.failed;
    sim_note(s, TRACE_STEP, seat->index, seat->node_of[e->node], e->from, to);
}

static bool seat_append(struct store *store, struct event *events, size_t n, struct err *err)
{
    struct sim_seat *seat = (struct sim_seat *)(void *)((char *)store - offsetof(struct sim_seat, store));
    bool good;

    seat_point(seat, SIM_CRASH_BEFORE_APPEND);
    seat->appends++;
    if (seat->process->full_at > 0 && seat->appends >= seat->process->full_at) {
        sim_fired(seat->sim, SIM_JOURNAL_FULL);
        good = err_set(err, "no space left on device");
    } else {
        good = seat->journal->ops->append(seat->journal, events, n, err);
        for (size_t i = 0; i < n; i++)
            if (events[i].kind == EVENT_STEP)
                seat->durable[events[i].node] = (uint8_t)step_row((enum step)events[i].state.step)->ask;
    }
    seat_point(seat, SIM_CRASH_AFTER_APPEND);
    return good;
}

static bool seat_each(struct store *store, const char *rollout, uint64_t from,
                      bool (*fn)(void *ctx, const struct event *), void *ctx, struct err *err)
{
    struct sim_seat *seat = (struct sim_seat *)(void *)((char *)store - offsetof(struct sim_seat, store));

    return seat->journal->ops->each(seat->journal, rollout, from, fn, ctx, err);
}

static void show(void *ctx, const struct view *v, const struct event *e)
{
    struct sim_seat *seat = ctx;

    (void)v;
    seat->sim->tally->events++;
    if (e->kind == EVENT_STEP)
        count_way(seat, e);
    else if (e->kind == EVENT_STOPPING)
        sim_note(seat->sim, TRACE_STOPPING, seat->index, 0, 0, 0);
}

static int signals(int *count)
{
    *count = current->signals;
    return current->signal;
}

/* ---- what it is */

static uint32_t to_do(const struct plan *p)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < p->n_nodes; i++)
        n += p->nodes[i].at_target ? 0 : 1;
    return n;
}

/* What a dead rollout holds is waited for, as command_await_dead does. NULL: it is alive. */
static struct survey *look_around(struct sim_seat *seat, const struct plan_request *q, struct complaints *c)
{
    struct sim *s = seat->sim;
    const struct fleet *fleet = scan_fleet(s->story);
    struct survey *survey = scan_survey(s, fleet);
    struct vigil v = {0};
    enum vigil_verdict verdict;

    while ((verdict = vigil_look(&v, fleet, survey, q, seat->act == STORY_REPAIR, (uint64_t)s->truth.now_ms)) ==
           VIGIL_WAIT) {
        seat_sleep(seat, v.wait_ms);
        survey = scan_survey(s, fleet);
    }
    if (verdict == VIGIL_ALIVE)
        complain(c, EXIT_HELD, "it is alive");
    return verdict == VIGIL_ALIVE ? NULL : survey;
}

/* As command_refused: what the run before left out makes it 3. */
static void refuse(struct sim_seat *seat, const struct survey *survey, const struct plan_request *q,
                   struct complaints *c)
{
    for (uint32_t i = 0; survey != NULL && i < survey->n_nodes && c->exit_code != EXIT_HELD; i++)
        if (plan_resume_holds(&survey->nodes[i], q) && survey->nodes[i].status.claim.n_took_out > 0)
            seat->code = 3;
}

/* It takes no options that say how to roll. */
static void repairs(struct options *o)
{
    o->order = ORDER_INVENTORY;
    o->in_place = false;
    o->max_failures = o->failure_action = o->pause_after = 0;
}

static struct plan *make_plan(struct sim_seat *seat, struct complaints *c)
{
    struct sim *s = seat->sim;
    const struct fleet *fleet = scan_fleet(s->story);
    bool back = seat->act == STORY_ROLLBACK;
    struct options o;
    struct plan_request q = {.rollout = seat->rollout,
                             .holder = seat->holder,
                             .rollback = back,
                             .has_release = !s->story->restart && !back,
                             .release_size = 1};
    struct survey *survey;
    struct plan *p = NULL;

    scan_options(s->story, &o);
    if (seat->act == STORY_REPAIR)
        repairs(&o);
    if (back)
        o.release = NULL;
    scan_sha256(q.has_release ? 'B' : 0, q.release_sha256);
    survey = look_around(seat, &q, c);
    seat_sleep(seat, dice_in(&s->dice, 1, 20));
    if (survey != NULL)
        p = seat->act == STORY_REPAIR ? plan_make_repair(fleet, &o, survey, &q, c)
                                      : plan_make(fleet, &o, survey, &q, c);
    seat->code = c->exit_code;
    if (p == NULL && seat->act != STORY_REPAIR)
        refuse(seat, survey, &q, c);
    return p;
}

/* Where dead rollouts left the nodes that this one takes up again. */
static void count_resumed(const struct sim_seat *seat)
{
    struct sim *s = seat->sim;

    for (uint32_t i = 0; i < seat->plan->n_nodes; i++)
        for (uint32_t k = seat->index; k-- > 0;) {
            struct sim_seat *dead = &s->seats[k];
            uint8_t step;

            if (dead->state != SEAT_DEAD || dead->view == NULL || dead->counted)
                continue;
            for (uint32_t n = 0; n < dead->plan->n_nodes; n++)
                if (dead->node_of[n] == seat->node_of[i]) {
                    step = dead->view->nodes[n].state.step;
                    s->tally->ways[step][WAY_RESUME]++;
                }
        }
    for (uint32_t k = 0; k < seat->index; k++)
        s->seats[k].counted = s->seats[k].state == SEAT_DEAD;
}

static void run(struct sim_seat *seat)
{
    static const struct store_ops ops = {.append = seat_append, .each = seat_each};
    struct loop loop = {.plan = seat->plan,
                        .world = &seat->world,
                        .store = &seat->store,
                        .show = show,
                        .show_ctx = seat,
                        .signal = signals};

    seat->store.ops = &ops;
    if (seat->sim->journal == NULL)
        seat->sim->journal = store_memory_open();
    seat->journal = seat->sim->journal;
    loop.view = seat->view = view_new(seat->plan);
    seat->who.fence = seat->plan->fence;
    wire_open(seat);
    hook_resumed(seat);
    count_resumed(seat);
    sim_note(seat->sim, TRACE_PLAN, seat->index, seat->plan->n_nodes, (int64_t)seat->plan->fence, 0);
    seat->code = loop_run(&loop);
}

/* As command_roll.c and command_repair.c. */
static void live(void *arg)
{
    struct sim_seat *seat = arg;
    struct complaints c = {0};
    bool repair = seat->act == STORY_REPAIR;

    seat->plan = make_plan(seat, &c);
    if (seat->plan != NULL && (repair ? seat->plan->n_nodes > 0 : to_do(seat->plan) > 0)) {
        run(seat);
        seat->code = seat->code != 0 ? seat->code : c.exit_code;
    } else {
        sim_note(seat->sim, TRACE_NO_PLAN, seat->index, seat->code, 0, 0);
    }
    seat_over(seat, SEAT_ENDED);
}

/* ---- its end */

/* Does the report name this node as out? */
static bool names(void *ctx, uint8_t node)
{
    const struct sim_seat *seat = ctx;
    char *text = NULL;
    size_t size = 0;
    FILE *f;
    bool found;

    f = mem_must(open_memstream(&text, &size));
    lines_report(f, seat->view, "rollout repair --hosts hosts");
    (void)fclose(f);
    found = strstr(text, scan_node_name(seat->sim->story, node)) != NULL;
    free(text);
    return found;
}

static void tell_judge(struct sim_seat *seat)
{
    struct sim *s = seat->sim;
    struct judge_end e = {.who = seat->who,
                          .seat = seat->index,
                          .code = seat->code,
                          .target = s->story->restart || seat->act == STORY_ROLLBACK ? 0 : 'B',
                          .rolls = seat->act == STORY_ROLL,
                          .names = names,
                          .ctx = seat};

    if (seat->view == NULL)
        return;
    for (uint32_t i = 0; i < seat->plan->n_nodes; i++)
        e.plan_nodes |= 1u << seat->node_of[i];
    judge_ended(&s->judge, &s->truth, &e);
}

void seat_over(struct sim_seat *seat, enum seat_state state)
{
    struct sim *s = seat->sim;
    bool dead = state == SEAT_DEAD;

    seat->state = (uint8_t)state;
    seat->over_ms = s->truth.now_ms;
    if (!dead) {
        sim_note(s, TRACE_END, seat->index, seat->code, 0, 0);
        s->tally->exits[seat->code < 16 ? seat->code : 15]++;
        tell_judge(seat);
        hook_over(seat);
    }
    for (uint8_t i = 0; i < SIM_CALLS; i++)
        if (s->calls[i].used && s->calls[i].ready && s->calls[i].seat == seat->index)
            s->calls[i].used = false;
    if (s->next_process < s->story->n_processes && !s->story->processes[s->next_process].overlaps) {
        uint32_t next = s->next_process++;

        sim_due(s, s->truth.now_ms + s->story->processes[next].start_ms, DUE_START, (uint8_t)next, 0);
    }
}

/* ---- */

uint8_t seat_start(struct sim *s, const struct story_process *p)
{
    uint8_t index = (uint8_t)s->n_seats++;
    struct sim_seat *seat = &s->seats[index];

    assert(index < SIM_SEATS);
    memset(seat, 0, offsetof(struct sim_seat, seen));
    seat->sim = s;
    seat->process = p;
    seat->index = index;
    seat->act = p->act;
    seat->state = SEAT_RUNS;
    seat->who = (struct sim_who){.rollout = p->rollout, .holder = (uint8_t)(index + 1)};
    seat->first_ready = seat->last_ready = SIM_CALLS;
    (void)snprintf(seat->rollout, sizeof seat->rollout, "%s", scan_rollout(p->rollout));
    (void)snprintf(seat->holder, sizeof seat->holder, "h%d", index + 1);
    if (p->empty_disk && s->journal != NULL) {
        sim_fired(s, SIM_JOURNAL_GONE);
        s->journal = NULL;
    }
    for (uint8_t i = 0; i < index; i++)
        if (s->seats[i].state == SEAT_RUNS) {
            sim_fired(s, SIM_SECOND_CONTROLLER);
            break;
        }
    if (p->wish > 0)
        sim_due(s, s->truth.now_ms + p->wish_ms, DUE_WISH, index, 0);
    if (p->signal_ms > 0)
        sim_due(s, s->truth.now_ms + p->signal_ms, DUE_SIGNAL, index, 0);
    if (p->signal_ms > 0 && p->signal_more_ms > 0)
        sim_due(s, s->truth.now_ms + p->signal_ms + p->signal_more_ms, DUE_SIGNAL, index, 1);
    sim_note(s, TRACE_START, index, p->act, p->rollout, 0);
    s->tally->processes++;
    seat->awake = true;
    seat->wake_ms = s->truth.now_ms;
    fibre_begin(index, live, seat);
    return index;
}

void seat_resume(struct sim_seat *seat)
{
    current = seat;
    fibre_resume(seat->index);
    current = NULL;
}
