/* Others change things as well: noticed before the next effect; ours is repaired, what is not ours stops the rollout.
 */
#include "story.h"

#include "controller/judge.h"
#include "controller/lb_view.h"
#include "tests/unit/controller/small_plan.h"

/* ---- somebody puts a node back that is out for us */

static void a_draining_node_that_somebody_puts_back_is_left_in_use(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    s.plan->wait_ms[WAIT_DRAIN] = 60000;
    s.fleet->peers[0].hold_ms = 20000;
    fake_when(s.fleet, "a at lb2/app: drain", 100, fake_peer_opened, 0);
    story_roll(&s);
    story_ends(&s, 1, "AA", -1);
    assert_int_equal(story_logged(&s, "job"), 0);
    assert_int_equal(story_logged(&s, "b claim"), 0);
    assert_true(s.fleet->now_ms - story_when(&s, "somebody puts") < 2000); /* and not after the drain's limit */
    story_says(&s, "stopped: a: somebody else put 10.0.0.1:8000 back at lb1 while it was out");
    story_end(&s);
}

/* Also where the end of the drain's time would have led on. */
static void on_proceed_it_is_left_in_use_as_well(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    s.plan->drain_proceed = true;
    s.fleet->peers[0].hold_ms = 20000;
    fake_when(s.fleet, "a at lb2/app: drain", 4700, fake_peer_opened, 0);
    story_roll(&s);
    story_ends(&s, 1, "AA", -1);
    assert_int_equal(story_logged(&s, ": down"), 0);
    assert_int_equal(story_logged(&s, "job"), 0);
    story_end(&s);
}

/* What is being restarted is finished, and comes back healthy; then it is over. */
static void a_node_that_is_put_back_behind_its_job_is_the_last(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    fake_when(s.fleet, "a job r1", 50, fake_peer_opened, 0);
    story_roll(&s);
    story_ends(&s, 1, "BA", -1);
    assert_int_equal(story_logged(&s, "b claim"), 0);
    assert_int_equal(story_logged(&s, "a at lb1/app: down"), 1); /* an operator's will is not undone */
    story_says(&s, "stopped: a: somebody else put 10.0.0.1:8000 back at lb1 while it was out");
    story_end(&s);
}

/* It is healthy before the lease could be renewed, which would tell whether it may have been another run. */
static void nor_does_a_slow_lease_hide_who_put_it_back(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2});

    (void)state;
    s.fleet->agents[0].gets_healthy_ms = 3000;
    fake_world_rule(
        s.world,
        (struct fake_rule){
            .kind = ACT_LEASE, .node = -1, .place = -1, .nth = 1, .times = 20, .fault = FAULT_LATE, .ms = 4000});
    fake_when(s.fleet, "a job ends", 2500, fake_peer_opened, 0);
    story_roll(&s);
    story_ends(&s, 1, "BA", -1);
    story_says(&s, "stopped: a: somebody else put 10.0.0.1:8000 back at lb1 while it was out");
    story_end(&s);
}

/* It was draining before us; whoever puts it back has ended that. */
static void a_drain_that_its_operator_ends_meanwhile_is_not_given_back(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    s.fleet->peers[0].gate = GATE_DRAIN;
    fake_when(s.fleet, "a job r1", 50, fake_peer_opened, 0);
    story_roll(&s);
    assert_int_equal(s.code, 1);
    assert_int_equal(s.fleet->peers[0].gate, GATE_OPEN);
    story_end(&s);
}

/* What is not ours, too, but a list that was begun before the drain tells nothing of it. */
static void a_list_from_before_is_no_drift(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 3, .lbs = 2});

    (void)state;
    s.plan->batches[0] = 3;
    s.plan->max_unavailable = 2;
    fake_world_rule(
        s.world,
        (struct fake_rule){.kind = ACT_READ_LB, .place = 1, .nth = 2, .times = 20, .fault = FAULT_LATE, .ms = 300});
    story_roll(&s);
    story_ends(&s, 0, "BBB", -1);
    story_end(&s);
}

static void a_node_that_somebody_takes_out_counts(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 3});

    (void)state;
    fake_when(s.fleet, "a unclaimed", 0, fake_peer_closed, 2);
    story_roll(&s);
    assert_int_equal(s.code, 1);
    assert_int_equal(s.fleet->agents[1].now.sha256[0], 'A');
    assert_int_equal(story_logged(&s, "b at lb1/app"), 0);
    assert_int_equal(s.fleet->peers[2].gate, GATE_DOWN);
    story_says(&s, "too few other peers were up");
    assert_string_equal(s.fleet->judge.breach, "");
    story_end(&s);
}

/* ---- an nginx that forgets */

static void a_node_that_drains_is_taken_down_again(void **state)
{
    static const char *const lines[] = {"a at lb2/app: drain", "a at lb2/app: down"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct story s = story_begin((struct fake_shape){.nodes = 2, .lbs = 2});

        fake_when(s.fleet, lines[i], i == 0 ? 200 : 20, fake_lb_forgets, 0);
        story_roll(&s);
        story_ends(&s, 0, "BB", -1);
        assert_int_equal(story_logged(&s, "a at lb2/app: drain"), 1);
        story_before(&s, "lb1 forgets", "a at lb1/app: down");
        assert_true(story_when(&s, "a job r1") >
                    story_when(&s, "lb1 forgets") + 600); /* as long as its requests last */
        story_says(&s, "lb1 has forgotten that 10.0.0.1:8000 is out");
        story_end(&s);
    }
}

static void a_node_that_is_not_vouched_for_is_taken_out_again(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    s.fleet->agents[0].gets_healthy_ms = 4000;
    fake_when(s.fleet, "a job ends", 100, fake_lb_forgets, 0);
    story_roll(&s);
    story_ends(&s, 0, "BB", -1);
    assert_int_equal(story_logged(&s, "a at lb1/app: down"), 2);
    assert_int_equal(story_logged(&s, "a at lb1/app: open"), 1);
    story_before(&s, "lb1 forgets", "a at lb1/app: down");
    story_end(&s);
}

/* A request to take it down again that is overtaken by the one that puts it back would leave it out for good. */
static void it_goes_back_only_behind_that(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    s.fleet->agents[0].gets_healthy_ms = 1500;
    fake_when(s.fleet, "a job ends", 100, fake_lb_forgets, 0);
    fake_world_rule(s.world,
                    (struct fake_rule){.kind = ACT_HOLD, .node = -1, .place = -1, .fault = FAULT_LATE, .ms = 1500});
    story_roll(&s);
    story_ends(&s, 0, "BB", -1);
    assert_int_equal(story_logged(&s, "a at lb1/app: down"), 2);
    assert_int_equal(story_logged(&s, "a at lb1/app: open"), 1);
    assert_true(story_when(&s, "a at lb1/app: open") > story_when(&s, "a job ends") + 3000);
    story_end(&s);
}

/* Others count on it by then: the floor comes first. */
static void it_is_not_taken_out_again_below_the_floor(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 3});

    (void)state;
    s.fleet->agents[0].gets_healthy_ms = 4000;
    fake_when(s.fleet, "a job ends", 100, fake_lb_forgets, 0);
    fake_when(s.fleet, "a job ends", 90, fake_peer_dies, 2);
    story_roll(&s);
    assert_int_equal(story_logged(&s, "a at lb1/app: down"), 1);
    assert_int_equal(s.fleet->agents[0].now.sha256[0], 'B');
    assert_int_equal(s.code, 1); /* b waits for the floor in vain */
    story_end(&s);
}

static void forget(struct fake_fleet *f, uint32_t lb)
{
    fake_lb_forgets(f, lb);
    fake_when(f, "a at lb1/app: down", 100, forget, lb);
}

static void an_nginx_that_always_forgets_is_given_up(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2});

    (void)state;
    fake_when(s.fleet, "a at lb1/app: drain", 100, forget, 0);
    story_roll(&s);
    story_ends(&s, 1, "AA", -1);
    assert_in_range(story_logged(&s, "a at lb1/app: down"), 3, 100);
    assert_int_equal(story_logged(&s, "job"), 0);
    story_says(&s, "requests to it did not end within the drain timeout");
    story_end(&s);
}

/* Anybody could take it until the next renewal. */
static void a_forgotten_lease_is_taken_again_at_once(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    fake_when(s.fleet, "a unclaimed", 0, fake_lb_forgets, 0);
    story_roll(&s);
    story_ends(&s, 0, "BB", -1);
    story_before(&s, "lb1 forgets", "lb1/app lease r1 fence 7\n");
    story_before(&s, "lb1/app lease r1 fence 7\n", "b at lb1/app: drain");
    assert_true(story_when(&s, "b at lb1/app: drain") > story_when(&s, "lb1/app lease r1 fence 7\n"));
    story_end(&s);
}

/* ---- an agent that forgets */

static void a_claim_that_its_agent_lost_is_put_again(void **state)
{
    static const struct {
        const char *line;
        uint32_t later_ms;
    } rows[] = {{"a at lb2/app: down", 0},   /* the agent is asked next */
                {"a at lb2/app: down", 503}, /* it takes no job */
                {"a job ends", 12},
                {"a job ends", 2000}}; /* nobody asks: seen by the next renewal */

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct story s = story_begin((struct fake_shape){.nodes = 2, .lbs = 2});

        s.plan->wait_ms[WAIT_HEALTH] = 20000;
        s.fleet->agents[0].gets_healthy_ms = i == 3 ? 12000 : 100;
        fake_when(s.fleet, rows[i].line, rows[i].later_ms, fake_agent_forgets, 0);
        story_roll(&s);
        story_ends(&s, 0, "BB", -1);
        story_before(&s, "agent of a forgets", "a claim r1 fence 7");
        story_says(&s, "its agent had lost our claim, and has it again");
        story_end(&s);
    }
}

/* Not a second later: where the way to the agent takes nearly as long as a claim lives, it would be gone again. */
static void a_job_that_found_no_claim_is_sent_again_behind_it(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2, .lbs = 2});
    int64_t claimed;

    (void)state;
    fake_when(s.fleet, "a at lb2/app: down", 503, fake_agent_forgets, 0);
    story_roll(&s);
    story_ends(&s, 0, "BB", -1);
    assert_int_equal(story_logged(&s, "a claim r1 fence 7"), 2); /* and once more */
    claimed = story_when(&s, "agent of a forgets");
    assert_in_range(story_when(&s, "a job r1/a/job") - claimed, 0, 300);
    story_end(&s);
}

static void steal(struct fake_fleet *f, uint32_t node)
{
    fake_agent_forgets(f, node);
    fake_claim_stolen(f, node);
}

static void a_claim_that_another_has_by_now_stops_the_rollout(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    fake_when(s.fleet, "a at lb2/app: down", 0, steal, 0);
    story_roll(&s);
    assert_int_equal(story_logged(&s, "job"), 0);
    assert_int_equal(story_logged(&s, "b claim"), 0);
    story_says(&s, "the claim of a is no longer ours");
    assert_string_equal(s.fleet->agents[0].claim.rollout, "r9");
    s.fleet->judge.breach[0] = '\0'; /* it puts back what it took out, whosever the claim is by now */
    story_end(&s);
}

/* ---- a job that is sent again: nobody may have come meanwhile */

static struct story job_sent_twice(void)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2, .lbs = 2});

    fake_world_rule(s.world, (struct fake_rule){.kind = ACT_ASK, .ask = ASK_JOB, .node = 0, .fault = FAULT_FAIL});
    return s;
}

static void a_job_is_sent_again_to_a_silent_node(void **state)
{
    struct story s = job_sent_twice();

    (void)state;
    story_roll(&s);
    story_ends(&s, 0, "BB", -1);
    assert_int_equal(story_logged(&s, "a job r1/a/job/1"), 1);
    story_end(&s);
}

static void a_job_is_not_sent_again_to_a_node_in_use(void **state)
{
    struct story s = job_sent_twice();

    (void)state;
    fake_when(s.fleet, "a at lb2/app: down", 600, fake_peer_opened, 0);
    story_roll(&s);
    story_ends(&s, 1, "AA", -1);
    assert_int_equal(story_logged(&s, "job"), 0);
    story_says(&s, "somebody else put 10.0.0.1:8000 back at lb1");
    story_end(&s);
}

static void a_job_is_sent_again_once_a_forgotten_node_is_silent(void **state)
{
    struct story s = job_sent_twice();

    (void)state;
    fake_when(s.fleet, "a at lb2/app: down", 600, fake_lb_forgets, 0);
    story_roll(&s);
    story_ends(&s, 0, "BB", -1);
    assert_int_equal(story_logged(&s, "a at lb1/app: down"), 2);
    assert_true(story_when(&s, "a job r1") > story_when(&s, "lb1 forgets") + 600); /* as long as its requests last */
    story_end(&s);
}

/* A drain likewise: others may be gone by then. */
static void a_drain_is_not_sent_again_below_the_floor(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 3});

    (void)state;
    fake_world_rule(s.world, (struct fake_rule){.kind = ACT_ASK, .ask = ASK_DRAIN, .node = 0, .fault = FAULT_FAIL});
    fake_at(s.fleet, 400, fake_peer_closed, 2);
    story_roll(&s);
    assert_int_equal(s.code, 1);
    assert_int_equal(story_logged(&s, ": drain"), 0);
    story_says(&s, "a failed: a load balancer could not be changed");
    story_end(&s);
}

/* The way back restarts it as well. */
static void an_undo_waits_until_the_node_is_silent(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    s.fleet->agents[0].fate = FATE_ILL;
    fake_when(s.fleet, "a job ends", 5900, fake_lb_forgets, 0);
    story_roll(&s);
    story_ends(&s, 1, "AA", -1);
    assert_int_equal(story_logged(&s, "a at lb1/app: down"), 2);
    assert_true(story_when(&s, "a job r1/a/undo") > story_when(&s, "lb1 forgets") + 600);
    story_end(&s);
}

/* I2: what cannot be read may be in use again; so the node stays out, and is named. */
static void an_undo_is_not_sent_past_a_dead_load_balancer(void **state)
{
    struct story s = story_begin((struct fake_shape){.nodes = 2, .lbs = 2});

    (void)state;
    s.fleet->agents[0].fate = FATE_ILL;
    fake_when(s.fleet, "a job ends", 1000, fake_lb_dies, 1);
    story_roll(&s);
    story_ends(&s, 3, "BA", 0);
    assert_int_equal(story_logged(&s, "a job r1/a/undo"), 0);
    story_end(&s);
}

/* ---- a file that changes: the node's server in one more upstream */

#define PEER(id, server, state) "{\"id\":" id ",\"server\":\"" server "\",\"state\":\"" state "\",\"active\":0}"
#define APP                     "\"app\":{\"peers\":[" PEER("0", "10.0.0.1:80", "up") "," PEER("1", "10.0.0.2:80", "up") "]}"
#define EXTRA                   "\"extra\":{\"peers\":[" PEER("0", "[::1]:80", "up") "]}"

static void fill(struct lb_view *v, const char *list)
{
    struct err err = {""};

    if (!lb_view_fill(v, 0, list, strlen(list), &err))
        fail_msg("%s", err.text);
}

static void a_server_in_one_more_upstream_is_noticed(void **state)
{
    static const int ports[2] = {1, 2};
    struct small_plan s;
    struct lb_view *v;

    (void)state;
    small_plan(&s, ports, ports);
    v = lb_view_new(&s.plan);
    fill(v, "{" APP "," EXTRA "}");
    assert_false(v->peers[0].elsewhere || v->peers[3].elsewhere);
    fill(v, "{" APP "," EXTRA ",\"new\":{\"peers\":[" PEER("0", "10.0.0.1:80", "up") "]}}");
    assert_true(v->peers[0].elsewhere);
    assert_false(v->peers[2].elsewhere); /* another load balancer's */
    assert_int_equal(v->peers[0].state, PEER_UP);
    fill(v,
         "{" APP ",\"extra\":{\"peers\":[" PEER("0", "[::1]:80", "up") "," PEER("1", "10.0.0.1:80", "draining") "]}}");
    assert_true(v->peers[0].elsewhere);
    fill(v, "{" APP "," EXTRA ",\"new\":{\"peers\":[" PEER("0", "10.0.0.1:80", "down") "]}}");
    assert_false(v->peers[0].elsewhere);
    lb_view_free(&v);
}

#define OLD "\"old\":{\"peers\":[" PEER("0", "10.0.0.2:80", "up") "]}"

/* A repair's plan has what was taken out alone; any other has all, so this came since the survey. */
static void in_the_first_list_it_is_known_to_a_repair_alone(void **state)
{
    static const int ports[2] = {1, 2};

    (void)state;
    for (int repair = 0; repair < 2; repair++) {
        struct small_plan s;
        struct lb_view *v;

        small_plan(&s, ports, ports);
        s.plan.kind = repair == 1 ? PLAN_REPAIR : PLAN_ROLL;
        v = lb_view_new(&s.plan);
        fill(v, "{" APP "," EXTRA "," OLD "}");
        assert_int_equal(v->peers[3].elsewhere, repair == 1 ? ELSEWHERE_NOT : ELSEWHERE_SERVER);
        lb_view_free(&v);
    }
}

/* Another port of the same service, in whatever upstream: found afresh when the plan was made, and not there then. */
static void another_address_of_a_node_is_noticed(void **state)
{
    static const struct {
        const char *list;
        enum elsewhere first, second; /* of web1, of web2 */
    } rows[] = {
        {"{" APP "," EXTRA "}", ELSEWHERE_NOT, ELSEWHERE_NOT},
        {"{" APP "," EXTRA ",\"new\":{\"peers\":[" PEER("0", "10.0.0.1:81", "up") "]}}", ELSEWHERE_ADDRESS,
         ELSEWHERE_NOT},
        {"{" APP ",\"extra\":{\"peers\":[" PEER("0", "[::1]:80", "up") "," PEER("1", "10.0.0.2:81", "draining") "]}}",
         ELSEWHERE_NOT, ELSEWHERE_ADDRESS},
        {"{" APP "," EXTRA ",\"new\":{\"peers\":[" PEER("0", "10.0.0.1:81", "down") "]}}", ELSEWHERE_NOT,
         ELSEWHERE_NOT},
        {"{" APP "," EXTRA ",\"new\":{\"peers\":[" PEER("0", "10.0.0.3:81", "up") "]}}", ELSEWHERE_NOT, ELSEWHERE_NOT},
        {"{" APP "," EXTRA ",\"new\":{\"peers\":[" PEER("0", "10.0.0.1:80", "up") "]}}", ELSEWHERE_SERVER,
         ELSEWHERE_NOT},
        /* web1's in `app`, only spelled otherwise */
        {"{\"app\":{\"peers\":[" PEER("0", "[::ffff:10.0.0.1]:80", "up") "]}," EXTRA "}", ELSEWHERE_NOT, ELSEWHERE_NOT},
    };
    static const int ports[2] = {1, 2};
    struct small_plan s;
    struct lb_view *v;

    (void)state;
    small_plan(&s, ports, ports);
    s.nodes[0].listens = "10.0.0.1:80,10.0.0.1:81,[::1]:80";
    s.nodes[1].listens = "10.0.0.2:80,10.0.0.2:81";
    v = lb_view_new(&s.plan);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fill(v, rows[i].list);
        if (v->peers[0].elsewhere != rows[i].first || v->peers[3].elsewhere != rows[i].second ||
            v->peers[2].elsewhere != ELSEWHERE_NOT)
            fail_msg("row %zu: %d, %d, %d", i, v->peers[0].elsewhere, v->peers[3].elsewhere, v->peers[2].elsewhere);
    }
    lb_view_free(&v);
}

/* Down where the plan looks, and in use where it does not. */
static void such_a_node_is_not_restarted(void **state)
{
    static const enum step steps[] = {STEP_LOOK, STEP_FLOOR, STEP_QUIET, STEP_SILENT};
    struct plan *p = fake_plan((struct fake_shape){.nodes = 2});

    (void)state;
    for (int elsewhere = 0; elsewhere < 2; elsewhere++)
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            bool out = i >= 2;
            struct answer a = {
                .kind = ANS_OK, .seen = 1, .up = out ? 0 : 1, .down = out ? 1 : 0, .elsewhere = elsewhere == 1};
            struct node n;
            struct verdict v;

            node_init(&n, 0, p);
            n.step = (uint8_t)steps[i];
            n.peers_mask = 1;
            n.streak = 1;
            v = judge(&n, p, &a);
            if (v.kind != (elsewhere == 1 ? VERDICT_BAD : VERDICT_GOOD) || (elsewhere == 1 && v.why != WHY_PEERS))
                fail_msg("%s: verdict %d", step_row(steps[i])->name, v.kind);
        }
    plan_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_draining_node_that_somebody_puts_back_is_left_in_use),
        cmocka_unit_test(on_proceed_it_is_left_in_use_as_well),
        cmocka_unit_test(a_node_that_is_put_back_behind_its_job_is_the_last),
        cmocka_unit_test(nor_does_a_slow_lease_hide_who_put_it_back),
        cmocka_unit_test(a_drain_that_its_operator_ends_meanwhile_is_not_given_back),
        cmocka_unit_test(a_list_from_before_is_no_drift),
        cmocka_unit_test(a_node_that_somebody_takes_out_counts),
        cmocka_unit_test(a_node_that_drains_is_taken_down_again),
        cmocka_unit_test(a_node_that_is_not_vouched_for_is_taken_out_again),
        cmocka_unit_test(it_goes_back_only_behind_that),
        cmocka_unit_test(it_is_not_taken_out_again_below_the_floor),
        cmocka_unit_test(an_nginx_that_always_forgets_is_given_up),
        cmocka_unit_test(a_forgotten_lease_is_taken_again_at_once),
        cmocka_unit_test(a_claim_that_its_agent_lost_is_put_again),
        cmocka_unit_test(a_job_that_found_no_claim_is_sent_again_behind_it),
        cmocka_unit_test(a_claim_that_another_has_by_now_stops_the_rollout),
        cmocka_unit_test(a_job_is_sent_again_to_a_silent_node),
        cmocka_unit_test(a_job_is_not_sent_again_to_a_node_in_use),
        cmocka_unit_test(a_job_is_sent_again_once_a_forgotten_node_is_silent),
        cmocka_unit_test(a_drain_is_not_sent_again_below_the_floor),
        cmocka_unit_test(an_undo_waits_until_the_node_is_silent),
        cmocka_unit_test(an_undo_is_not_sent_past_a_dead_load_balancer),
        cmocka_unit_test(a_server_in_one_more_upstream_is_noticed),
        cmocka_unit_test(in_the_first_list_it_is_known_to_a_repair_alone),
        cmocka_unit_test(another_address_of_a_node_is_noticed),
        cmocka_unit_test(such_a_node_is_not_restarted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
