/* doctor_test.c - each check of `rollout doctor`: a good fleet is all ok; one thing spoiled is told under its name,
 * with the exit code and what mends it. */
#include "controller/doctor.h"

#include "scene.h"

#define NOW_S  1000000
#define REPAIR "rollout repair --hosts fleet.ini"

static const char *warning = "app.service has Type=simple";

static void examine(struct scene *s, struct doctor *d)
{
    scene_plan(s);
    doctor_examine(d, &(struct doctor_facts){.fleet = s->fleet,
                                             .options = &s->options,
                                             .survey = &s->survey,
                                             .request = &s->request,
                                             .plan = s->plan,
                                             .complaints = &s->complaints,
                                             .repair = REPAIR,
                                             .now_s = NOW_S});
}

static void open_scene(struct scene *s)
{
    scene_open(s, NULL);
    for (uint32_t i = 0; i < SCENE_LBS; i++)
        s->upstreams[i].lease.state_told = s->upstreams[i].lease.state_kept = true;
    for (uint32_t i = 0; i < SCENE_NODES; i++) {
        s->nodes[i].cert_ends_s = NOW_S + 90 * 86400;
        s->nodes[i].has_clock = true;
    }
}

static void a_good_fleet_is_all_ok(void **state)
{
    struct scene s;
    struct doctor d = {0};

    (void)state;
    open_scene(&s);
    examine(&s, &d);
    assert_int_equal(d.n, 14);
    for (size_t i = 0; i < d.n; i++) {
        if (d.rows[i].result != DOCTOR_OK)
            fail_msg("%s: %s", d.rows[i].what, d.rows[i].detail);
        assert_null(d.rows[i].mend);
    }
    assert_int_equal(doctor_exit_code(&d), 0);
    doctor_clear(&d);
    scene_close(&s);
}

/* ---- what is spoiled */
static void lb_silent(struct scene *s)
{
    s->lbs[1].good = false;
    s->lbs[1].call = CALL_NOT_SENT;
    s->lbs[1].n_upstreams = 0;
    (void)snprintf(s->lbs[1].text, sizeof s->lbs[1].text, "GET lb2: refused");
}

static void lb_no_api(struct scene *s)
{
    s->lbs[1].good = false;
    s->lbs[1].n_upstreams = 0;
    (void)snprintf(s->lbs[1].text, sizeof s->lbs[1].text, "is no nginx API");
}

static void lb_read_only(struct scene *s)
{
    s->lbs[1].good = false;
    s->lbs[1].read_only = true;
    (void)snprintf(s->lbs[1].text, sizeof s->lbs[1].text, "method disabled");
}

static void state_not_kept(struct scene *s)
{
    s->upstreams[0].lease.state_kept = false;
}

static void state_not_told(struct scene *s)
{
    s->upstreams[0].lease.state_told = s->upstreams[0].lease.state_kept = false;
}

static void lb_without_zone(struct scene *s)
{
    s->lbs[1].n_upstreams = 0;
}

static void node_without_peer(struct scene *s)
{
    s->listening[2] = "10.9.9.9:80";
}

static void foreign_peer(struct scene *s)
{
    s->peers[1][3].server = s->peers[1][3].name = "10.9.9.9:80";
}

static void left_out(struct scene *s)
{
    static struct agent_took_out took[] = {{"lb1", "app", "10.0.0.2:80", false, false}};

    s->nodes[1].status.claim = (struct agent_claim){
        .there = true, .rollout = "r9", .holder = "bob", .fence = 2, .n_took_out = 1, .took_out = took};
}

static void claimed(struct scene *s)
{
    left_out(s);
    s->nodes[1].status.claim.left_s = 20;
}

static void down_by_hand(struct scene *s)
{
    s->options.max_unavailable.value = 2;
    s->peers[0][2].state = PEER_DOWN;
}

static void unavail(struct scene *s)
{
    s->options.max_unavailable.value = 2;
    s->peers[0][2].state = PEER_UNAVAIL;
}

static void agent_silent(struct scene *s)
{
    s->nodes[2].good = false;
    s->nodes[2].call = CALL_TIMEOUT;
    s->nodes[2].text = "no answer within 3s";
}

static void agent_refuses(struct scene *s)
{
    s->nodes[2].good = false;
    s->nodes[2].text = "forbidden: not in allow";
}

static void agent_without_its_helper(struct scene *s)
{
    agent_refuses(s);
    s->nodes[2].text = "unavailable: the helper half is not there";
}

static void agent_of_another_name(struct scene *s)
{
    s->nodes[2].root.node = "z";
}

static void voter_silent(struct scene *s)
{
    static struct survey_node other;

    other = s->nodes[3];
    other.good = false;
    s->survey.others = &other;
    s->survey.n_others = 1;
    s->survey.n_nodes = 3;
    s->peers[0][3].server = s->peers[1][3].server = "10.0.0.3:80"; /* listed twice: the plan has that, too */
}

static void agent_older(struct scene *s)
{
    s->nodes[1].root.agent = "rollout-agent 0.0.9";
}

static void agent_of_another_contract(struct scene *s)
{
    s->nodes[1].root.version = WIRE_VERSION + 1;
}

static void certificate_ends(struct scene *s)
{
    s->nodes[1].cert_ends_s = NOW_S + 3 * 86400 + 5;
}

static void lb_certificate_ends(struct scene *s)
{
    s->lbs[0].cert_ends_s = NOW_S + 86400;
}

static void clock_ahead(struct scene *s)
{
    s->nodes[1].ahead_s = 6;
}

static void clock_behind(struct scene *s)
{
    s->nodes[1].ahead_s = -3600;
}

static void bad_unit(struct scene *s)
{
    s->nodes[3].status.warnings = &warning;
    s->nodes[3].status.n_warnings = 1;
}

static void unsigned_release(struct scene *s)
{
    s->nodes[0].status.signing_required = true;
    s->options.release = "app-2";
}

static void too_few_up(struct scene *s)
{
    s->options.max_unavailable.value = 1;
    s->peers[0][2].state = PEER_UNAVAIL;
}

static void no_process(struct scene *s)
{
    memset(&s->nodes[2].status.ident, 0, sizeof s->nodes[2].status.ident);
}

static void held(struct scene *s)
{
    s->upstreams[0].lease.ttl_s = 9;
    (void)snprintf(s->upstreams[0].lease.id, sizeof s->upstreams[0].lease.id, "r9");
}

static void each_thing_that_is_wrong_is_told_under_its_name_with_what_mends_it(void **state)
{
    static const struct {
        void (*spoil)(struct scene *);
        enum doctor_result result;
        int code;
        const char *what, *detail, *mend;
    } rows[] = {
        {lb_silent, DOCTOR_FAIL, 4, "load balancers", "lb2: GET lb2: refused", "see that nginx runs"},
        {lb_no_api, DOCTOR_FAIL, 5, "load balancers", "lb2: is no nginx API", "rollout_api"},
        {lb_read_only, DOCTOR_FAIL, 5, "changes", "lb2: method disabled", "api write=on"},
        {state_not_kept, DOCTOR_WARN, 0, "state kept", "lb1: what is drained is forgotten", "api_state FILE;"},
        {state_not_told, DOCTOR_WARN, 0, "state kept", "lb1: its module is older", "upgrade"},
        {lb_without_zone, DOCTOR_WARN, 0, "peers", "lb2: it lists no upstream", "`zone`"},
        {node_without_peer, DOCTOR_FAIL, 5, "peers", "c: no load balancer has a peer", "rollout_peer="},
        {foreign_peer, DOCTOR_WARN, 0, "peers without an agent", "upstream app at lb2 has 1 peer of no node",
         "hosts file"},
        {left_out, DOCTOR_FAIL, 3, "left out", "b: left out by rollout r9 (bob)", REPAIR},
        {claimed, DOCTOR_WARN, 0, "left out", "b: claimed by rollout r9 (bob), 20 s left", "wait"},
        {down_by_hand, DOCTOR_WARN, 0, "in rotation", "c: 10.0.0.3:80 of upstream app at lb1 is down", "PATCH"},
        {unavail, DOCTOR_WARN, 0, "in rotation", "c: 10.0.0.3:80 of upstream app at lb1 is unavail", "answers there"},
        {agent_silent, DOCTOR_FAIL, 4, "agents", "c: no answer within 3s", "rollout-agent runs there"},
        {agent_refuses, DOCTOR_FAIL, 5, "agents", "c: forbidden", "configuration"},
        {agent_without_its_helper, DOCTOR_FAIL, 5, "agents", "c: unavailable", "rollout-agent-helper@"},
        {agent_of_another_name, DOCTOR_FAIL, 5, "agents", "c: the agent there calls itself z", "node ="},
        {voter_silent, DOCTOR_WARN, 5, "agents", "d has a vote", "hosts file everywhere"},
        {agent_older, DOCTOR_WARN, 0, "agent versions", "b has rollout-agent 0.0.9", "upgrade"},
        {agent_of_another_contract, DOCTOR_FAIL, 5, "agent versions", "b: its agent speaks version", "upgrade"},
        {certificate_ends, DOCTOR_WARN, 0, "certificates", "b: its certificate ends in 3 days", "rollout-pki renew"},
        {lb_certificate_ends, DOCTOR_WARN, 0, "certificates", "lb1: its certificate ends in 1 day", "renew"},
        {clock_ahead, DOCTOR_WARN, 0, "clocks", "b: its clock is 6 s ahead of ours", "set-ntp"},
        {clock_behind, DOCTOR_WARN, 0, "clocks", "b: its clock is 3600 s behind ours", "set-ntp"},
        {bad_unit, DOCTOR_WARN, 0, "units", "d: app.service has Type=simple", "--check"},
        {unsigned_release, DOCTOR_FAIL, 5, "plan", "a takes signed releases only", "minisign -Sm app-2"},
        {too_few_up, DOCTOR_FAIL, 5, "plan", "none may be taken out", "raise --max-unavailable"},
        {no_process, DOCTOR_FAIL, 5, "plan", "c: no process of service app runs there", "start it first"},
        {held, DOCTOR_WARN, 0, "plan", "held by rollout r9", "end it: rollout abort r9 --hosts"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;
        struct doctor d = {0};
        unsigned found = 0, fails = 0;

        open_scene(&s);
        rows[i].spoil(&s);
        examine(&s, &d);
        for (size_t k = 0; k < d.n; k++) {
            assert_true((d.rows[k].result == DOCTOR_OK) == (d.rows[k].mend == NULL));
            fails += d.rows[k].result == DOCTOR_FAIL ? 1 : 0;
            found += d.rows[k].result == rows[i].result && strcmp(d.rows[k].what, rows[i].what) == 0 &&
                             strstr(d.rows[k].detail, rows[i].detail) != NULL && d.rows[k].mend != NULL &&
                             strstr(d.rows[k].mend, rows[i].mend) != NULL
                         ? 1
                         : 0;
        }
        if (found != 1 || doctor_exit_code(&d) != rows[i].code || (rows[i].result == DOCTOR_FAIL && fails != 1)) {
            doctor_print(stderr, &d);
            fail_msg("\"%s\": %u times, %u fails, exit code %d", rows[i].detail, found, fails, doctor_exit_code(&d));
        }
        doctor_clear(&d);
        scene_close(&s);
    }
}

static void what_cannot_be_told_is_not_guessed(void **state)
{
    struct scene s;
    struct doctor d = {0};

    (void)state;
    open_scene(&s);
    agent_silent(&s);
    foreign_peer(&s);
    examine(&s, &d);
    for (size_t i = 0; i < d.n; i++)
        if (strcmp(d.rows[i].what, "peers without an agent") == 0)
            assert_string_equal(d.rows[i].detail, "not looked at: not every node has told where it listens");
    assert_int_equal(d.rows[d.n - 1].result, DOCTOR_WARN); /* the plan: not known yet */
    doctor_clear(&d);
    scene_close(&s);
}

static bool says(const struct doctor *d, enum doctor_result result, const char *what, const char *detail)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->rows[i].result == result && strcmp(d->rows[i].what, what) == 0 &&
            strstr(d->rows[i].detail, detail) != NULL)
            return true;
    return false;
}

static void what_plus_does_not_say_is_said(void **state)
{
    struct scene s;
    struct doctor d = {0};

    (void)state;
    open_scene(&s);
    s.upstreams[1].lease = (struct lb_lease){0};
    examine(&s, &d);
    assert_true(says(&d, DOCTOR_OK, "state kept", "lb2 does not say (NGINX Plus)"));
    assert_true(says(&d, DOCTOR_OK, "state kept", "1 keeps"));
    assert_true(says(&d, DOCTOR_FAIL, "plan", "cannot do lock"));
    doctor_clear(&d);
    scene_close(&s);
}

static void where_hosts_are_limited_out_no_peer_is_foreign(void **state)
{
    struct scene s;
    struct doctor d = {0};

    (void)state;
    scene_open(&s, (const char *const[]){"--limit=a,b,c", NULL});
    foreign_peer(&s);
    s.survey.n_nodes = 3;
    examine(&s, &d);
    assert_true(says(&d, DOCTOR_OK, "peers without an agent", "--limit"));
    assert_true(says(&d, DOCTOR_OK, "clocks", "no agent has told"));
    doctor_clear(&d);
    scene_close(&s);
}

static void a_node_that_is_out_is_worse_than_a_refusal_and_that_than_silence(void **state)
{
    void (*const spoils[])(struct scene *) = {agent_silent, no_process, left_out};
    const int codes[] = {4, 5, 3};
    struct scene s;

    (void)state;
    for (int n = 0; n < 3; n++) {
        struct doctor d = {0};

        open_scene(&s);
        for (int k = 0; k <= n; k++) {
            if (k == 1)
                memset(&s.nodes[3].status.ident, 0, sizeof s.nodes[3].status.ident);
            else
                spoils[k](&s);
        }
        examine(&s, &d);
        assert_int_equal(doctor_exit_code(&d), codes[n]);
        doctor_clear(&d);
        scene_close(&s);
    }
}

static void the_table_is_plain_text_and_json_has_the_same(void **state)
{
    char text[256] = "";
    struct doctor_finding rows[] = {{DOCTOR_OK, 0, "agents", (char[]){"2 of 2\x1b[2J"}, NULL},
                                    {DOCTOR_FAIL, 4, "a", (char[]){"b\nc"}, (char[]){"d"}}};
    struct doctor d = {.rows = rows, .n = 2};
    FILE *to = fmemopen(text, sizeof text, "w");
    json_t *o = doctor_json(&d), *row;

    (void)state;
    doctor_print(to, &d);
    (void)fclose(to);
    assert_string_equal(text, "ok    agents  2 of 2?[2J\nFAIL  a       b?c\n      mend: d\n");
    assert_int_equal(json_integer_value(json_object_get(o, "exit_code")), 4);
    row = json_array_get(json_object_get(o, "findings"), 1);
    assert_string_equal(json_string_value(json_object_get(row, "result")), "fail");
    assert_string_equal(json_string_value(json_object_get(row, "detail")), "b\nc");
    assert_string_equal(json_string_value(json_object_get(row, "mend")), "d");
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(o, "findings"), 0), "mend")));
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_fleet_is_all_ok),
        cmocka_unit_test(each_thing_that_is_wrong_is_told_under_its_name_with_what_mends_it),
        cmocka_unit_test(what_cannot_be_told_is_not_guessed),
        cmocka_unit_test(what_plus_does_not_say_is_said),
        cmocka_unit_test(where_hosts_are_limited_out_no_peer_is_foreign),
        cmocka_unit_test(a_node_that_is_out_is_worse_than_a_refusal_and_that_than_silence),
        cmocka_unit_test(the_table_is_plain_text_and_json_has_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
