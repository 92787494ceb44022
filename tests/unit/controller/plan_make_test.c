/* Plans from a hosts file, options and a survey made by hand: what is refused, with which exit code and in which words.
 * Each row spoils one thing in a fleet where everything is well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/sha256.h"
#include "controller/plan_make.h"
#include "controller/plan_resume.h"

#define NODES 4
#define LBS   2
#define PORTS 2 /* per node and load balancer at most */

static const char HOSTS[] = "[lb]\n"
                            "lb1 rollout_api=http://127.0.0.1:1/api\n"
                            "lb2 rollout_api=http://127.0.0.1:2/api\n"
                            "[web]\n"
                            "a\nb\nc\nd\n";

/* The fleet: nodes a to d on 10.0.0.1:80 to 10.0.0.4:80, each in upstream `app` of both load balancers. */
struct scene {
    struct fleet *fleet;
    struct options options;
    struct plan_request request;
    struct survey survey;
    struct survey_lb lbs[LBS];
    struct survey_node nodes[NODES];
    struct survey_upstream upstreams[LBS][2];
    struct survey_peer peers[LBS][NODES * PORTS];
    const char *listening[NODES][PORTS];
    struct agent_took_out took_out[LBS];
    char servers[NODES][32];
    struct complaints complaints;
    struct plan *plan;
};

static const char *const features[] = {"claim", "restart", "upgrade", "rollback", "health", "release"};

static void fill_node(struct scene *s, uint32_t i)
{
    struct survey_node *n = &s->nodes[i];
    char host[2] = {(char)('a' + i), '\0'};

    (void)snprintf(s->servers[i], sizeof s->servers[i], "10.0.0.%u:80", i + 1);
    s->listening[i][0] = s->servers[i];
    *n = (struct survey_node){.host = (uint32_t)fleet_find_host(s->fleet, host), .call = CALL_FINE, .good = true};
    n->root = (struct agent_root){.version = WIRE_VERSION,
                                  .agent = "rollout-agent 0.1.0",
                                  .node = s->fleet->hosts[n->host].name,
                                  .n_features = 6,
                                  .features = (const char **)(uintptr_t)features};
    n->status = (struct agent_status){
        .service = "app", .running = true, .fence = 3, .n_listening = 1, .listening = s->listening[i]};
    n->status.ident = (struct ident){.pid = 100 + i, .start_ticks = 1};
    n->status.ident.sha256[0] = 'A';
}

static void fill_lb(struct scene *s, uint32_t i)
{
    s->lbs[i] = (struct survey_lb){.host = (uint32_t)fleet_find_host(s->fleet, i == 0 ? "lb1" : "lb2"),
                                   .call = CALL_FINE,
                                   .good = true,
                                   .api_version = 9,
                                   .n_upstreams = 1,
                                   .upstreams = s->upstreams[i]};
    s->upstreams[i][0] = (struct survey_upstream){
        .name = "app", .lease = {.known = true, .fence = 5}, .n_peers = NODES, .peers = s->peers[i]};
    for (uint32_t k = 0; k < NODES; k++)
        s->peers[i][k] =
            (struct survey_peer){.id = k, .server = s->servers[k], .name = s->servers[k], .state = PEER_UP};
}

static void set_up(struct scene *s, const char *option)
{
    char *argv[] = {"rollout", "--hosts", "fleet.ini", "--service", "app", (char *)(uintptr_t)option, NULL};
    char *env[] = {"HOME=/home/ann", NULL};
    struct err err = {""};

    memset(s, 0, sizeof *s);
    if (!options_parse(option == NULL ? 5 : 6, argv, env, &s->options, &err) ||
        !fleet_parse("fleet.ini", HOSTS, strlen(HOSTS), &s->fleet, &err))
        fail_msg("%s", err.text);
    s->request = (struct plan_request){.rollout = "r1", .holder = "ann@ci", .has_release = true, .release_size = 1};
    s->request.release_sha256[0] = 'B';
    for (uint32_t i = 0; i < NODES; i++)
        fill_node(s, i);
    for (uint32_t i = 0; i < LBS; i++)
        fill_lb(s, i);
    s->survey = (struct survey){.n_lbs = LBS, .n_nodes = NODES, .lbs = s->lbs, .nodes = s->nodes};
}

static void tear_down(struct scene *s)
{
    plan_free(&s->plan);
    complaints_free(&s->complaints);
    fleet_free(&s->fleet);
    options_free(&s->options);
}

static void make(struct scene *s)
{
    s->plan = plan_make(s->fleet, &s->options, &s->survey, &s->request, &s->complaints);
}

static void a_good_fleet_becomes_a_plan(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s, NULL);
    make(&s);
    assert_non_null(s.plan);
    assert_int_equal(s.complaints.n, 0);
    assert_int_equal(s.plan->fence, 6); /* 1 + the highest that anybody has seen */
    assert_int_equal(s.plan->n_upstreams, 2);
    assert_int_equal(s.plan->n_peers, 8);
    for (uint32_t i = 0; i < s.plan->n_peers; i++) { /* grouped by node, then by load balancer */
        assert_int_equal(s.plan->peers[i].node, i / 2);
        assert_int_equal(plan_peer_lb(s.plan, i), i % 2);
        assert_string_equal(s.plan->peers[i].server, s.servers[i / 2]);
    }
    for (uint32_t i = 0; i < NODES; i++) {
        assert_int_equal(s.plan->nodes[i].first_peer, 2 * i);
        assert_int_equal(s.plan->nodes[i].n_peers, 2);
        assert_false(s.plan->nodes[i].at_target);
    }
    tear_down(&s);
}

/* By which what an nginx lists later is known to be the node; not where the hosts file names its peers. */
static void the_plan_knows_where_the_services_listen(void **state)
{
    struct fleet_host *named;
    struct scene s;

    (void)state;
    set_up(&s, NULL);
    named = (struct fleet_host *)(uintptr_t)&s.fleet->hosts[s.nodes[1].host];
    s.listening[0][1] = "[::1]:81";
    s.nodes[0].status.n_listening = 2;
    named->peer = "10.0.0.2:80";
    make(&s);
    assert_non_null(s.plan);
    assert_string_equal(s.plan->nodes[0].listens, "10.0.0.1:80,[::1]:81");
    assert_string_equal(s.plan->nodes[1].listens, "");
    tear_down(&s);
}

/* ---- what is refused */

static void lb_unreachable(struct scene *s)
{
    s->lbs[1].good = false;
    s->lbs[1].call = CALL_NOT_SENT;
    (void)snprintf(s->lbs[1].text, sizeof s->lbs[1].text, "connection refused");
}
static void lb_makes_no_sense(struct scene *s)
{
    s->lbs[1].good = false;
    (void)snprintf(s->lbs[1].text, sizeof s->lbs[1].text, "its API speaks version 3 only");
}
static void agent_unreachable(struct scene *s)
{
    s->nodes[1].good = false;
    s->nodes[1].call = CALL_TIMEOUT;
    s->nodes[1].text = "no answer within 3s";
}
static void agent_of_another_name(struct scene *s)
{
    s->nodes[1].root.node = "z";
}
static void agent_too_old(struct scene *s)
{
    s->nodes[1].root.version = 0;
}
static void agent_cannot_upgrade(struct scene *s)
{
    s->nodes[1].root.n_features = 2;
}
/* Node b takes signed releases only, and has had one of sequence 4. */
static void signed_only(struct scene *s)
{
    s->options.release = "app-2";
    s->request.signature.arch = "x86_64";
    s->nodes[1].status.signing_required = true;
    s->nodes[1].status.sequence = 4;
}
static void signed_with(struct scene *s, const char *app, uint64_t sequence, uint8_t first)
{
    struct label *label = &s->request.signature.label;
    uint8_t sha256[SHA256_BYTES] = {first};

    signed_only(s);
    s->request.signature.there = true;
    (void)snprintf(label->app, sizeof label->app, "%s", app);
    sha256_hex(sha256, label->sha256);
    label->sequence = sequence;
}
static void signed_well(struct scene *s)
{
    signed_with(s, "jobs,app", 4, 'B');
}
static void signed_for_another_file(struct scene *s)
{
    signed_with(s, "app", 5, 'C');
}
static void signed_for_another_service(struct scene *s)
{
    signed_with(s, "apps", 5, 'B');
}
static void signed_before(struct scene *s)
{
    signed_with(s, "app", 3, 'B');
}
static void unsigned_but_there_already(struct scene *s)
{
    signed_only(s);
    s->nodes[1].status.ident.sha256[0] = 'B';
}
static void unsigned_and_restarted(struct scene *s)
{
    signed_only(s);
    s->request.has_release = false;
}
static void nothing_runs(struct scene *s)
{
    s->nodes[1].status.ident.pid = 0;
}
static void another_file_is_installed(struct scene *s)
{
    s->nodes[1].status.has_installed = true;
    s->nodes[1].status.installed[0] = 'C';
}
static void another_file_and_no_release(struct scene *s)
{
    another_file_is_installed(s);
    s->request.has_release = false;
}
static void a_job_runs(struct scene *s)
{
    s->nodes[1].status.job.id = "r0/b/job/1";
    s->nodes[1].status.job.state = JOB_RUNNING;
}
static void claimed(struct scene *s)
{
    s->nodes[1].status.claim =
        (struct agent_claim){.there = true, .rollout = "r0", .holder = "bob@ci", .fence = 3, .ttl_s = 30, .left_s = 20};
}
static void left_out(struct scene *s)
{
    claimed(s);
    s->nodes[1].status.claim.left_s = 0;
    s->nodes[1].status.claim.n_took_out = 1;
}
static void left_in_mid_handover(struct scene *s)
{
    claimed(s);
    s->nodes[1].status.claim.left_s = 0;
    s->nodes[1].status.ident.sha256[0] = 'B';
}
/* What an earlier run of this very rollout left of node b: out of both load balancers, draining at lb2 before. */
static void left_by_an_earlier_run(struct scene *s)
{
    s->took_out[0] = (struct agent_took_out){.lb = "lb1", .upstream = "app", .server = s->servers[1]};
    s->took_out[1] =
        (struct agent_took_out){.lb = "lb2", .upstream = "app", .server = s->servers[1], .was_draining = true};
    s->nodes[1].status.claim = (struct agent_claim){.there = true,
                                                    .rollout = "r1",
                                                    .holder = "bob@ci",
                                                    .fence = 5,
                                                    .ttl_s = 30,
                                                    .has_target = true,
                                                    .before = {.pid = 42},
                                                    .n_took_out = 2,
                                                    .took_out = s->took_out};
    s->nodes[1].status.claim.target[0] = 'B';
    s->peers[0][1].state = s->peers[1][1].state = PEER_DOWN;
}
static void another_target_before(struct scene *s)
{
    left_by_an_earlier_run(s);
    s->nodes[1].status.claim.target[0] = 'C';
}
static void rolled_back_before(struct scene *s)
{
    another_target_before(s);
    s->nodes[1].status.claim.before.sha256[0] = 'B';
}
static void no_release_before(struct scene *s)
{
    left_by_an_earlier_run(s);
    s->nodes[1].status.claim.has_target = false;
}
static void a_release_before(struct scene *s)
{
    left_by_an_earlier_run(s);
    s->request.has_release = false;
}
static void took_out_elsewhere(struct scene *s)
{
    left_by_an_earlier_run(s);
    s->took_out[1].lb = "lb9";
}
/* In the middle of a job, and where nothing runs: the run before has begun it, and this one goes on. */
static void left_in_the_job(struct scene *s)
{
    left_by_an_earlier_run(s);
    s->nodes[1].status.job.id = "r1/b/job/1";
    s->nodes[1].status.job.state = JOB_RUNNING;
}
static void left_without_a_process(struct scene *s)
{
    left_by_an_earlier_run(s);
    s->nodes[1].status.ident.pid = 0;
    s->nodes[1].status.n_listening = 0;
}
/* Two jobs of a pipeline, with its id. */
static void claimed_by_another_of_our_id(struct scene *s)
{
    claimed(s);
    s->nodes[1].status.claim.rollout = "r1";
}
static void leased(struct scene *s)
{
    struct lb_lease *l = &s->upstreams[1][0].lease;

    l->ttl_s = 12;
    (void)snprintf(l->id, sizeof l->id, "r0");
    (void)snprintf(l->holder, sizeof l->holder, "bob@ci");
}
static void leased_by_another_of_our_id(struct scene *s)
{
    leased(s);
    (void)snprintf(s->upstreams[1][0].lease.id, sizeof s->upstreams[1][0].lease.id, "r1");
}
static void no_lease_member(struct scene *s)
{
    s->upstreams[1][0].lease.known = false;
}
static void no_peer(struct scene *s)
{
    s->listening[1][0] = "10.9.9.9:80";
}
static void two_nodes_one_peer(struct scene *s)
{
    s->listening[1][0] = "10.0.0.1:80";
}
static void one_peer_twice(struct scene *s)
{
    s->peers[1][1].server = "10.0.0.1:80";
    s->peers[1][1].name = "10.0.0.1:80";
}
static void one_is_down_already(struct scene *s)
{
    s->peers[0][2].state = PEER_UNAVAIL;
}
static void what_is_out_already_alone(struct scene *s)
{
    s->survey.n_nodes = 1;
    s->peers[0][0].state = s->peers[1][0].state = PEER_DOWN;
}
static void one_counts_as_backup(struct scene *s)
{
    s->upstreams[0][0].n_peers = s->upstreams[1][0].n_peers = 2;
    s->survey.n_nodes = 2;
    s->peers[0][1].backup = true;
}
static void two_ports_a_node(struct scene *s)
{
    static const char *const second[NODES] = {"10.0.0.1:81", "10.0.0.2:81", "10.0.0.3:81", "10.0.0.4:81"};

    for (uint32_t i = 0; i < NODES; i++) {
        s->listening[i][1] = second[i];
        s->nodes[i].status.n_listening = 2;
        s->peers[0][NODES + i] =
            (struct survey_peer){.id = NODES + i, .server = second[i], .name = second[i], .state = PEER_UP};
    }
    s->upstreams[0][0].n_peers = 2 * NODES;
}
/* All else as it should be */
static void spelled_otherwise(struct scene *s)
{
    s->listening[1][0] = "[::ffff:10.0.0.2]:80";
    s->peers[1][2].server = "10.0.0.99:80"; /* found by its name in nginx's configuration */
}
static void wildcard_expanded(struct scene *s)
{
    static const char *expanded[] = {"127.0.0.1:80", "10.0.0.2:80", "[::1]:80"};

    s->nodes[1].status.listening = expanded;
    s->nodes[1].status.n_listening = 3;
}
static void a_dead_claim_that_took_nothing(struct scene *s)
{
    claimed(s);
    s->nodes[1].status.claim.left_s = 0;
}
static void our_own_claim(struct scene *s)
{
    claimed(s);
    s->nodes[1].status.claim.rollout = "r1";
    s->nodes[1].status.claim.holder = "ann@ci";
    s->nodes[1].status.claim.has_target = true;
    s->nodes[1].status.claim.target[0] = 'B';
}
static void a_lease_that_ran_out(struct scene *s)
{
    leased(s);
    s->upstreams[1][0].lease.ttl_s = 0;
}
static void a_foreign_upstream(struct scene *s)
{
    static struct survey_peer other = {.server = "10.8.8.8:80", .name = "10.8.8.8:80", .state = PEER_DOWN};

    s->upstreams[0][1] = (struct survey_upstream){.name = "mail", .n_peers = 1, .peers = &other};
    s->lbs[0].n_upstreams = 2;
}

static const struct {
    void (*spoil)(struct scene *);
    const char *option; /* NULL = none */
    int exit_code;      /* 0: a plan */
    const char *says;
} rows[] = {
    {lb_unreachable, NULL, 4, "load balancer lb2: connection refused"},
    {lb_makes_no_sense, NULL, 5, "load balancer lb2: its API speaks version 3 only"},
    {agent_unreachable, NULL, 4, "node b: no answer within 3s"},
    {agent_of_another_name, NULL, 5, "b: the agent there calls itself z; correct the hosts file or its `node =`"},
    {agent_too_old, NULL, 5, "b: its agent speaks version 0 of the contract, this rollout 1; upgrade the older"},
    {agent_cannot_upgrade, NULL, 5, "b: its agent (rollout-agent 0.1.0) cannot do upgrade; upgrade the agent"},
    {signed_only, NULL, 5,
     "b takes signed releases only, and there is no signature beside it; sign it: minisign -Sm app-2 -t \"app:app "
     "version:TEXT sequence:5 arch:x86_64 sha256:42000000"},
    {signed_well, NULL, 0, NULL},
    {signed_for_another_file, NULL, 5, "b takes signed releases only, and its signature is of another file; sign it:"},
    {signed_for_another_service, NULL, 5, "b takes signed releases only, and its signature is for another service"},
    {signed_before, NULL, 5, "b takes signed releases only, and a later one has been installed, by the sequence of"},
    {unsigned_but_there_already, NULL, 0, NULL},
    {unsigned_and_restarted, NULL, 0, NULL},
    {nothing_runs, NULL, 5, "b: no process of service app runs there; start it first"},
    {another_file_and_no_release, NULL, 5, "b: the installed executable of service app is not the one that runs, so"},
    {another_file_is_installed, NULL, 0, NULL},
    {a_job_runs, NULL, 5, "b: its agent is at work on job r0/b/job/1; wait for its end"},
    {claimed, NULL, 6, "b: claimed by rollout r0 (bob@ci), 20 s left"},
    {left_out, NULL, 5, "b: left out by rollout r0 (bob@ci), which is dead; put it back first: rollout repair"},
    {left_in_mid_handover, NULL, 5,
     "b: left in mid-handover by rollout r0 (bob@ci), which is dead; put it back first:"},
    {another_target_before, NULL, 5, "b: rollout r1 is to release 430000000000, and --release is 420000000000; give"},
    {rolled_back_before, NULL, 5,
     "b: rollout r1 was taking it back to 430000000000 when it was broken off; go on with --failure-action rollback, "
     "or put it back first: "},
    {no_release_before, NULL, 5, "b: rollout r1 only restarts; leave --release out, or take another id"},
    {a_release_before, NULL, 5, "b: rollout r1 is to release 420000000000; name its file by --release, or"},
    {took_out_elsewhere, NULL, 5, "b: rollout r1 took 10.0.0.2:80 out of upstream app at load balancer lb9, which is"},
    {left_by_an_earlier_run, NULL, 0, NULL},
    {left_in_the_job, NULL, 0, NULL},
    {left_without_a_process, NULL, 0, NULL},
    {leased, NULL, 6, "upstream app at lb2: held by rollout r0 (bob@ci), 12 s left"},
    {claimed_by_another_of_our_id, NULL, 6, "b: claimed by rollout r1 (bob@ci), 20 s left"},
    {leased_by_another_of_our_id, NULL, 6, "upstream app at lb2: held by rollout r1 (bob@ci), 12 s left"},
    {no_lease_member, NULL, 5,
     "load balancer lb2 has no lease (NGINX Plus), so a majority of the agents of all hosts must give this rollout "
     "their "
     "votes, and 0 of 4 can: a: its agent (rollout-agent 0.1.0) cannot do lock; upgrade the agent"},
    {no_peer, NULL, 5,
     "b: no load balancer has a peer at an address that its service listens on, such as 10.9.9.9:80; name it by "
     "rollout_peer="},
    {two_nodes_one_peer, NULL, 5,
     "peer 10.0.0.1:80 of upstream app at lb1 is both a and b; say which by rollout_peer="},
    {one_peer_twice, NULL, 5, "upstream app at lb2 lists 10.0.0.1:80 twice; a peer must be one server"},
    {one_is_down_already, NULL, 5,
     "upstream app at lb1: 3 of 4 peers are up and the floor is 3, so none may be taken out"},
    {one_is_down_already, "--max-unavailable=2", 0, NULL},
    {what_is_out_already_alone, NULL, 0, NULL},
    {one_counts_as_backup, NULL, 5, "upstream app at lb1: 1 of 1 peers are up and the floor is 1"},
    {two_ports_a_node, NULL, 5,
     "upstream app at lb1: 8 of 8 peers are up and the floor is 7, so none may be taken out (a node has 2 there)"},
    {two_ports_a_node, "--max-unavailable=2", 0, NULL},
    {two_ports_a_node, "--max-unavailable=25%", 0, NULL},
    {spelled_otherwise, NULL, 0, NULL},
    {wildcard_expanded, NULL, 0, NULL},
    {a_dead_claim_that_took_nothing, NULL, 0, NULL},
    {our_own_claim, NULL, 0, NULL},
    {a_lease_that_ran_out, NULL, 0, NULL},
    {a_foreign_upstream, NULL, 0, NULL},
};

static bool complained(const struct scene *s, const char *text)
{
    for (size_t i = 0; i < s->complaints.n; i++)
        if (strstr(s->complaints.lines[i], text) != NULL)
            return true;
    return false;
}

static void what_is_refused_and_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;

        set_up(&s, rows[i].option);
        rows[i].spoil(&s);
        make(&s);
        if (s.complaints.exit_code != rows[i].exit_code || (s.plan != NULL) != (rows[i].exit_code == 0))
            fail_msg("row %zu: exit code %d, not %d: %s", i, s.complaints.exit_code, rows[i].exit_code,
                     s.complaints.n > 0 ? s.complaints.lines[0] : "no complaint");
        if (rows[i].says != NULL && !complained(&s, rows[i].says))
            fail_msg("row %zu: says '%s', not '%s'", i, s.complaints.lines[0], rows[i].says);
        tear_down(&s);
    }
}

static void all_reasons_come_at_once_and_the_worst_counts(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s, NULL);
    agent_unreachable(&s);
    s.nodes[2].root.node = "z";
    s.nodes[0].status.claim = (struct agent_claim){.there = true, .rollout = "r0", .holder = "h", .left_s = 1};
    make(&s);
    assert_null(s.plan);
    assert_int_equal(s.complaints.n, 3);
    assert_int_equal(s.complaints.exit_code, 5);
    tear_down(&s);
}

static void what_runs_the_release_already_is_not_rolled_and_needs_no_floor(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s, NULL);
    for (uint32_t i = 0; i < NODES; i++)
        s.nodes[i].status.ident.sha256[0] = 'B';
    one_is_down_already(&s);
    make(&s);
    assert_non_null(s.plan);
    for (uint32_t i = 0; i < NODES; i++)
        assert_true(s.plan->nodes[i].at_target);
    tear_down(&s);
}

/* Without a journal: all that is needed stands in the claim. */
static void what_an_earlier_run_left_is_resumed_by_its_claim(void **state)
{
    void (*const left[])(struct scene *) = {left_by_an_earlier_run, left_in_the_job, left_without_a_process};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const struct plan_node *n;
        struct scene s;

        set_up(&s, NULL);
        left[i](&s);
        s.nodes[1].status.ident.sha256[0] = 'B'; /* at the target, but not in its place */
        make(&s);
        assert_non_null(s.plan);
        n = &s.plan->nodes[1];
        assert_true(n->resumed && !n->at_target);
        assert_int_equal(n->n_peers, 2);
        assert_int_equal(n->out_mask, 3);
        assert_int_equal(n->prior_drain_mask, 2);
        assert_int_equal(n->claim_fence, 5);
        assert_int_equal(n->before.pid, 42);
        assert_true(n->partial == (i == 2)); /* who listens nowhere may have peers that nobody knows of */
        assert_false(s.plan->nodes[0].resumed);
        assert_int_equal(s.plan->nodes[0].out_mask, 0);
        tear_down(&s);
    }
}

/* I5: a restart leaves no other trace than the agent's latest job. */
static void what_this_rollout_restarted_is_at_the_target(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s, NULL);
    s.request.has_release = false;
    for (uint32_t i = 0; i < NODES; i++)
        s.nodes[i].status.job = (struct agent_job){.id = i == 3 ? "r1/d/undo/2" : "r1/x/job/1",
                                                   .rollout = i == 0 ? "r0" : "r1",
                                                   .state = i == 2 ? JOB_FAILED : JOB_DONE,
                                                   .after = s.nodes[i].status.ident};
    make(&s);
    assert_non_null(s.plan);
    assert_false(s.plan->nodes[0].at_target); /* another rollout's */
    assert_true(s.plan->nodes[1].at_target);
    assert_false(s.plan->nodes[2].at_target); /* it failed */
    assert_false(s.plan->nodes[3].at_target); /* it was undone */
    plan_free(&s.plan);
    s.nodes[1].status.job.after.pid++; /* restarted by somebody since */
    make(&s);
    assert_false(s.plan->nodes[1].at_target);
    tear_down(&s);
}

/* Of a rolled-back one, too: what this rollout brought by an earlier run goes back with the rest. */
static void what_an_earlier_run_brought_is_known_with_what_ran_before(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s, NULL);
    for (uint32_t i = 0; i < 2; i++) {
        s.nodes[i].status.ident.sha256[0] = 'B';
        s.nodes[i].status.job = (struct agent_job){
            .id = "r1/x/job/1", .rollout = i == 0 ? "r1" : "r0", .state = JOB_DONE, .after = s.nodes[i].status.ident};
        s.nodes[i].status.job.before.sha256[0] = 'A';
    }
    make(&s);
    assert_non_null(s.plan);
    assert_true(s.plan->nodes[0].at_target && s.plan->nodes[0].brought);
    assert_int_equal(s.plan->nodes[0].before.sha256[0], 'A');
    assert_true(s.plan->nodes[1].at_target && !s.plan->nodes[1].brought); /* another rollout's */
    assert_false(s.plan->nodes[2].brought);
    tear_down(&s);
}

/* ---- a resume without a journal */

static void no_trace(struct scene *s)
{
    (void)s;
}
static void a_lease_alone(struct scene *s)
{
    leased_by_another_of_our_id(s);
}
static void a_lease_alone_and_no_release(struct scene *s)
{
    leased_by_another_of_our_id(s);
    s->request.has_release = false;
}
static void an_upgrade_alone(struct scene *s)
{
    s->nodes[2].status.job = (struct agent_job){.id = "r1/c/job/1", .rollout = "r1", .has_release = true};
    s->nodes[2].status.job.release[0] = 'B';
}
static void an_upgrade_alone_and_no_release(struct scene *s)
{
    an_upgrade_alone(s);
    s->request.has_release = false;
}
static void an_undo_alone_and_no_release(struct scene *s)
{
    an_upgrade_alone_and_no_release(s);
    s->nodes[2].status.job.id = "r1/c/undo/2";
}
static void a_restart_to_take_back(struct scene *s)
{
    s->nodes[2].status.job = (struct agent_job){.id = "r1/c/job/1", .rollout = "r1"};
    s->request.has_release = false;
    s->request.rolls_back = true;
}
static void a_way_back_and_no_release(struct scene *s)
{
    an_upgrade_alone_and_no_release(s);
    s->request.rolls_back = true;
    s->nodes[2].status.job.action = "rollback"; /* to 'B', from 'C' */
    s->nodes[2].status.job.before.sha256[0] = 'C';
}
static void a_claim_to_go_back_and_no_release(struct scene *s)
{
    an_upgrade_alone_and_no_release(s);
    s->nodes[2].status.job.state = JOB_DONE;
    s->nodes[2].status.claim =
        (struct agent_claim){.there = true, .rollout = "r1", .holder = "ann", .has_target = true, .target = {'A'}};
    s->nodes[2].status.claim.before = (struct ident){.pid = 1, .sha256 = {'B'}};
}
static void a_claim_alone(struct scene *s)
{
    left_by_an_earlier_run(s);
}

static void a_resume_without_a_journal_needs_traces(void **state)
{
    static const struct {
        void (*spoil)(struct scene *);
        const char *says; /* NULL: enough to go on from */
    } traces[] = {
        {no_trace,
         "nothing in the fleet tells of rollout r1, nor does the journal; to begin it: rollout --rollout-id r1"},
        {a_lease_alone, NULL},
        {a_lease_alone_and_no_release,
         "nothing in the fleet tells whether rollout r1 upgrades or restarts; run it again "},
        {an_upgrade_alone, NULL},
        {an_upgrade_alone_and_no_release, "c: rollout r1 is to release 420000000000; name its file by --release"},
        {an_undo_alone_and_no_release, "nothing in the fleet tells whether rollout r1 upgrades or restarts"},
        {a_restart_to_take_back, "rollout r1 only restarts, so --failure-action rollback has nothing to take back"},
        {a_way_back_and_no_release,
         "c: rollout r1 was taking it back from 430000000000; to go on with that, name the file of 430000000000 by"},
        {a_claim_to_go_back_and_no_release, "c: rollout r1 was taking it back from 420000000000; to go on with that"},
        {a_claim_alone, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof traces / sizeof *traces; i++) {
        struct scene s;

        set_up(&s, NULL);
        traces[i].spoil(&s);
        plan_resume_traces(s.fleet, &s.survey, &s.request, &s.complaints);
        assert_int_equal(s.complaints.exit_code, traces[i].says == NULL ? 0 : EXIT_REFUSED);
        if (traces[i].says != NULL && !complained(&s, traces[i].says))
            fail_msg("row %zu: says '%s'", i, s.complaints.lines[0]);
        tear_down(&s);
    }
}

/* It would bring to the nodes what it took away from them. */
static void what_was_rolled_back_is_not_resumed(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s, NULL);
    an_upgrade_alone(&s);
    plan_resume_rolled_back(s.fleet, &s.survey, &s.request, &s.complaints);
    assert_int_equal(s.complaints.n, 0);
    s.nodes[2].status.job.action = "rollback";
    plan_resume_rolled_back(s.fleet, &s.survey, &s.request, &s.complaints);
    assert_true(complained(&s, "c: rollout r1 was rolled back there"));
    s.nodes[2].status.job.id = "r1/c/undo/1"; /* of one node that failed alone */
    complaints_free(&s.complaints);
    plan_resume_rolled_back(s.fleet, &s.survey, &s.request, &s.complaints);
    assert_int_equal(s.complaints.n, 0);
    tear_down(&s);
}

/* Two rollouts that list the same load balancers otherwise still take the leases in one order. */
static void leases_are_in_the_order_of_the_urls(void **state)
{
    struct scene s;
    struct survey_lb first;

    (void)state;
    set_up(&s, NULL);
    first = s.lbs[0];
    s.lbs[0] = s.lbs[1];
    s.lbs[1] = first;
    make(&s);
    assert_non_null(s.plan);
    assert_string_equal(s.plan->lbs[s.plan->upstreams[0].lb].api, "http://127.0.0.1:1/api");
    tear_down(&s);
}

/* ---- repair */

static void dead_claim(struct scene *s, uint32_t node)
{
    s->took_out[0] = (struct agent_took_out){.lb = "lb1", .upstream = "app", .server = s->servers[node]};
    s->took_out[1] =
        (struct agent_took_out){.lb = "lb2", .upstream = "app", .server = s->servers[node], .was_draining = true};
    s->nodes[node].status.claim = (struct agent_claim){.there = true,
                                                       .rollout = "r0",
                                                       .holder = "bob@ci",
                                                       .fence = 5,
                                                       .ttl_s = 30,
                                                       .has_target = true,
                                                       .before = {.pid = 42},
                                                       .n_took_out = 2,
                                                       .took_out = s->took_out};
    s->nodes[node].status.claim.target[0] = 'B';
}

static void repair(struct scene *s)
{
    s->plan = plan_make_repair(s->fleet, &s->options, &s->survey, &s->request, &s->complaints);
}

static void a_repair_is_of_what_the_claims_say(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s, NULL);
    dead_claim(&s, 2);
    s.nodes[2].status.claim.left_s = 7;
    repair(&s);
    assert_non_null(s.plan);
    assert_int_equal(s.complaints.n, 0);
    assert_int_equal(s.plan->n_nodes, 1);
    assert_string_equal(s.plan->nodes[0].name, "c");
    assert_int_equal(s.plan->nodes[0].out_mask, 3);
    assert_int_equal(s.plan->nodes[0].prior_drain_mask, 2);
    assert_int_equal(s.plan->nodes[0].claim_fence, 5);
    assert_int_equal(s.plan->nodes[0].before.pid, 42);
    assert_true(s.plan->nodes[0].has_target);
    assert_int_equal(s.plan->nodes[0].target_sha256[0], 'B');
    assert_int_equal(s.plan->lease_wait_ms, 9000); /* the claim's rest, and a little */
    assert_false(s.plan->nodes[0].partial);
    assert_false(s.plan->nodes[0].in_place);
    tear_down(&s);
}

static void a_claim_that_took_nothing_out_is_of_a_handover_in_place(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s, NULL);
    dead_claim(&s, 2);
    s.nodes[2].status.claim.n_took_out = 0;
    repair(&s);
    assert_non_null(s.plan);
    assert_int_equal(s.plan->n_nodes, 1);
    assert_true(s.plan->nodes[0].in_place);
    tear_down(&s);
}

/* I2: what is in use nevertheless, or may be, must not be restarted. */
static void a_repair_knows_where_the_claim_does_not_name_all(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct scene s;

        set_up(&s, NULL);
        dead_claim(&s, 2);
        if (i == 0)
            s.nodes[2].status.claim.n_took_out = 1; /* at the other somebody else had it down */
        else
            s.nodes[2].status.n_listening = 0;
        repair(&s);
        assert_non_null(s.plan);
        assert_int_equal(s.plan->n_nodes, 1);
        assert_true(s.plan->nodes[0].partial);
        tear_down(&s);
    }
}

static void nothing_claimed_is_nothing_to_repair(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s, NULL);
    repair(&s);
    assert_non_null(s.plan);
    assert_int_equal(s.plan->n_nodes, 0);
    tear_down(&s);
}

/* A claim that cannot be followed to its end stays, and tells the next repair; the others are mended. */
static void what_a_repair_cannot_follow_it_leaves(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s, NULL);
    dead_claim(&s, 0);
    s.took_out[1].lb = "lb9";
    s.nodes[1].status.claim = (struct agent_claim){.there = true, .rollout = "r0", .holder = "h", .fence = 5};
    s.nodes[2].root.node = "z";
    agent_unreachable(&s);
    s.nodes[1].good = true;
    s.nodes[3].good = false;
    s.nodes[3].call = CALL_TIMEOUT;
    repair(&s);
    assert_non_null(s.plan);
    assert_int_equal(s.plan->n_nodes, 1);
    assert_string_equal(s.plan->nodes[0].name, "b");
    assert_int_equal(s.plan->nodes[0].first_peer, 0);
    assert_int_equal(s.plan->n_peers, 0);
    assert_int_equal(s.complaints.exit_code, 5);
    assert_true(complained(&s, "a: rollout r0 took 10.0.0.1:80 out of upstream app at load balancer lb9, which the "
                               "hosts file does not name; correct the hosts file"));
    assert_true(complained(&s, "c: the agent there calls itself z"));
    assert_true(complained(&s, "node d: "));
    tear_down(&s);
}

static void a_repair_needs_its_load_balancers(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s, NULL);
    dead_claim(&s, 0);
    lb_unreachable(&s);
    repair(&s);
    assert_null(s.plan);
    assert_int_equal(s.complaints.exit_code, 4);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_fleet_becomes_a_plan),
        cmocka_unit_test(the_plan_knows_where_the_services_listen),
        cmocka_unit_test(what_is_refused_and_why),
        cmocka_unit_test(all_reasons_come_at_once_and_the_worst_counts),
        cmocka_unit_test(what_runs_the_release_already_is_not_rolled_and_needs_no_floor),
        cmocka_unit_test(what_an_earlier_run_left_is_resumed_by_its_claim),
        cmocka_unit_test(what_this_rollout_restarted_is_at_the_target),
        cmocka_unit_test(what_an_earlier_run_brought_is_known_with_what_ran_before),
        cmocka_unit_test(a_resume_without_a_journal_needs_traces),
        cmocka_unit_test(what_was_rolled_back_is_not_resumed),
        cmocka_unit_test(leases_are_in_the_order_of_the_urls),
        cmocka_unit_test(a_repair_is_of_what_the_claims_say),
        cmocka_unit_test(a_claim_that_took_nothing_out_is_of_a_handover_in_place),
        cmocka_unit_test(a_repair_knows_where_the_claim_does_not_name_all),
        cmocka_unit_test(nothing_claimed_is_nothing_to_repair),
        cmocka_unit_test(what_a_repair_cannot_follow_it_leaves),
        cmocka_unit_test(a_repair_needs_its_load_balancers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
