/* A rollout that is broken off and resumed: the table's resume rules, and whole rollouts of the fake fleet whose
 * controller is killed at each of its turns. No journal survives: the second controller knows what the agents say. */
#include "controller/judge.h"
#include "controller/run.h"
#include "story.h"

#define NODES    3
#define LAPSE_MS 31000 /* longer than any lease or claim of the fake plan */

/* ---- the table */

static bool terminal(enum step s)
{
    return s == STEP_DONE || s == STEP_OUT;
}

/* From where it resumes, limits alone lead to an end; and nobody is resumed into a step that changes something. */
static void every_step_resumes_to_a_bounded_one(void **state)
{
    (void)state;
    for (int s = 0; s < STEP_COUNT; s++) {
        enum step at = step_row((enum step)s)->on_resume;
        int n = 0;

        if (s == STEP_DONE) {
            assert_int_equal(at, STEP_DONE);
            continue;
        }
        assert_false(terminal(at) || step_row(at)->effect);
        if (at == STEP_WAIT)
            continue; /* its turn comes again */
        assert_int_not_equal(step_row(at)->limit, WAIT_NONE);
        while (!terminal(at) && n++ < STEP_COUNT)
            at = step_row(at)->on_limit;
        if (!terminal(at))
            fail_msg("%s: its resume never ends", step_row((enum step)s)->name);
    }
}

/* Where our claim may be at the agent, the resume begins by asking for it. */
static void every_step_that_may_be_claimed_resumes_by_its_claim(void **state)
{
    bool claimed[STEP_COUNT] = {[STEP_CLAIM] = true}, more = true;

    (void)state;
    while (more) {
        more = false;
        for (int s = 0; s < STEP_COUNT; s++) {
            const struct step_row *row = step_row((enum step)s);
            const enum step next[] = {row->on_good, row->on_bad, row->on_limit, row->on_stop};

            for (int k = 0; k < 4 && claimed[s] && s != STEP_DONE; k++) {
                more = more || (!claimed[next[k]] && next[k] != STEP_DONE);
                claimed[next[k]] = true;
            }
        }
    }
    for (int s = 0; s < STEP_COUNT; s++)
        if (claimed[s] && s != STEP_DONE && step_row((enum step)s)->on_resume != STEP_MEND)
            fail_msg("%s: a resume does not ask for its claim", step_row((enum step)s)->name);
}

/* ---- whole rollouts */

/* Who dies when: behind so many turns; before or behind the requests of the last one; and whether those under way still
 * arrive. */
struct death {
    uint32_t turn;
    bool sends, arrive;
};

/* The controller until its death. False: it came to its end before. */
static bool live(struct story *s, struct death d)
{
    static struct input inputs[64];
    struct run *r = run_new(s->plan);
    struct turn t = {0};
    uint32_t wait_ms = 0, turns = 0;

    while (!run_over(r) && turns++ < d.turn) {
        uint32_t elapsed_ms = 0;
        size_t n = s->world->base.ops->collect(&s->world->base, wait_ms, inputs, 64, &elapsed_ms);

        turn_clear(&t);
        run_turn(r, s->plan, elapsed_ms, inputs, n, &t);
        for (size_t i = 0; i < t.n_actions && (turns < d.turn || d.sends); i++)
            s->world->base.ops->start(&s->world->base, &t.actions[i]);
        wait_ms = run_wait_ms(r, s->plan);
    }
    for (int i = 0; d.arrive && i < 4; i++) {
        uint32_t elapsed_ms;

        (void)s->world->base.ops->collect(&s->world->base, 100, inputs, 64, &elapsed_ms);
    }
    turns = run_over(r) ? 0 : 1;
    turn_free(&t);
    run_free(&r);
    return turns != 0;
}

static bool by_our_job(const struct fake_agent *a)
{
    return strncmp(a->job.id, "r1/", 3) == 0 && a->job.ask == ASK_JOB && a->job.state == JOB_DONE &&
           ident_same_process(&a->now, &a->job.after);
}

/* As plan_make.c does it from a survey. */
static struct plan *plan_of_claims(const struct story *s, struct fake_shape shape)
{
    struct plan *p = fake_plan(shape);

    p->fence = s->plan->fence + 1;
    p->max_unavailable = s->plan->max_unavailable;
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        const struct fake_agent *a = &s->fleet->agents[i];
        struct plan_node *n = &p->nodes[i];

        n->surveyed = n->before = a->now;
        n->claim_fence = a->claim.there ? a->claim.fence : 0;
        n->resumed = a->claim.there;
        if (n->resumed) {
            n->before = a->claim.before;
            n->out_mask = a->claim.mask;
            n->prior_drain_mask = a->claim.prior_mask;
        } else {
            n->at_target = p->has_release ? ident_runs(&a->now, p->release_sha256) : by_our_job(a);
        }
    }
    return p;
}

static unsigned times(const struct story *s, const char *node, const char *job)
{
    char line[64];

    (void)snprintf(line, sizeof line, "%s job r1/%s/%s/", node, node, job);
    return story_logged(s, line);
}

/* The same rollout again, once all that the dead one held has run out: a new plan and world for the fleet, which
 * outlives its controllers. The plan before comes back, to be freed when the fleet goes. */
static struct plan *again(struct story *s, struct fake_shape shape)
{
    struct plan *before = s->plan;

    fake_fleet_pass(s->fleet, s->fleet->now_ms + LAPSE_MS);
    fake_world_free(&s->world);
    s->plan = plan_of_claims(s, shape);
    s->world = fake_world_new(s->fleet, s->plan);
    return before;
}

static const char *const names[NODES] = {"a", "b", "c"};

/* What must hold of a rollout that was killed and resumed to its end. */
struct wanted {
    int code;
    const char *runs;
    unsigned jobs, undos; /* of one node, at most */
    uint32_t draining;    /* the peer that is so before and behind; 0 = none */
};

static bool all_as_before(const struct story *s, uint32_t draining)
{
    for (uint32_t i = 0; i < NODES; i++)
        if (s->fleet->agents[i].claim.there)
            return false;
    for (uint32_t i = 0; i < s->plan->n_peers; i++)
        if (s->fleet->peers[i].gate != (i == draining && i > 0 ? GATE_DRAIN : GATE_OPEN))
            return false;
    return true;
}

static void expect(const struct story *s, const struct wanted *w, const char *when)
{
    bool good = s->code == w->code && s->fleet->judge.breach[0] == '\0' && all_as_before(s, w->draining);

    for (uint32_t i = 0; i < NODES; i++)
        good = good && s->fleet->agents[i].now.sha256[0] == (uint8_t)w->runs[i] &&
               times(s, names[i], "job") <= w->jobs && times(s, names[i], "undo") <= w->undos;
    if (good)
        return;
    story_tell(s);
    fail_msg("killed %s: exit code %d; %s", when, s->code, s->fleet->judge.breach);
}

/* Killed at turn `first` and, where that is not 0, the resume at turn `second`, then resumed to its end. False: it came
 * to its end before. */
static bool killed(struct fake_shape shape, void (*spoil)(struct story *), struct death first, uint32_t second,
                   const struct wanted *w)
{
    struct story s = story_begin(shape);
    struct plan *plans[2] = {NULL, NULL};
    char when[80];
    bool died;

    (void)snprintf(when, sizeof when, "at turn %u (%s) and %u", first.turn,
                   !first.sends   ? "unsent"
                   : first.arrive ? "arrived"
                                  : "lost",
                   second);
    if (spoil != NULL)
        spoil(&s);
    died = live(&s, first);
    if (died && second > 0) {
        plans[0] = again(&s, shape);
        died = live(&s, (struct death){.turn = second, .sends = second % 2 == 0, .arrive = second % 3 == 0});
    }
    if (died) {
        plans[1] = again(&s, shape);
        story_roll(&s);
        expect(&s, w, when);
    }
    story_end(&s);
    for (int i = 0; i < 2; i++)
        plan_free(&plans[i]);
    return died;
}

/* At each turn, in each way; and the resume at a turn of its own. */
static void killed_everywhere(struct fake_shape shape, void (*spoil)(struct story *), struct wanted w)
{
    uint32_t turn = 1;

    for (bool died = true; died; turn++) {
        died = killed(shape, spoil, (struct death){turn, false, false}, 0, &w);
        if (died) {
            (void)killed(shape, spoil, (struct death){turn, true, false}, 0, &w);
            (void)killed(shape, spoil, (struct death){turn, true, true}, 0, &w);
        }
        for (uint32_t second = 1 + turn % 5; died && second < 60; second += 5)
            (void)killed(shape, spoil, (struct death){turn, true, true}, second, &w);
    }
    assert_true(turn > 40); /* else it died of nothing */
}

static void an_upgrade_killed_at_any_turn_gets_to_the_target(void **state)
{
    (void)state;
    killed_everywhere((struct fake_shape){.nodes = NODES, .lbs = 2}, NULL, (struct wanted){0, "BBB", 1, 0, 0});
}

static void a_restart_killed_at_any_turn_restarts_each_node_once(void **state)
{
    (void)state;
    killed_everywhere((struct fake_shape){.nodes = NODES, .lbs = 2, .restart = true}, NULL,
                      (struct wanted){0, "AAA", 1, 0, 0});
}

static void b_hands_nothing_over(struct story *s)
{
    s->fleet->agents[1].fate = FATE_KEPT;
}

static void b_gets_ill(struct story *s)
{
    s->fleet->agents[1].fate = FATE_ILL;
}

static void a_peer_of_b_is_draining(struct story *s)
{
    s->fleet->peers[2].gate = GATE_DRAIN;
    s->plan->max_unavailable = 2;
}

/* One that failed is not left out, and what comes behind it is not begun; each run may try it once. */
static void a_failure_killed_at_any_turn_ends_as_one(void **state)
{
    (void)state;
    killed_everywhere((struct fake_shape){.nodes = NODES, .lbs = 2}, b_hands_nothing_over,
                      (struct wanted){1, "BAA", 3, 0, 0});
    killed_everywhere((struct fake_shape){.nodes = NODES, .lbs = 2}, b_gets_ill, (struct wanted){1, "BAA", 3, 3, 0});
}

static void what_was_draining_before_is_draining_again(void **state)
{
    (void)state;
    killed_everywhere((struct fake_shape){.nodes = NODES, .lbs = 2}, a_peer_of_b_is_draining,
                      (struct wanted){0, "BBB", 1, 0, 2});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_resumes_to_a_bounded_one),
        cmocka_unit_test(every_step_that_may_be_claimed_resumes_by_its_claim),
        cmocka_unit_test(an_upgrade_killed_at_any_turn_gets_to_the_target),
        cmocka_unit_test(a_restart_killed_at_any_turn_restarts_each_node_once),
        cmocka_unit_test(a_failure_killed_at_any_turn_ends_as_one),
        cmocka_unit_test(what_was_draining_before_is_draining_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
