/* rollout_bake_case.c - a node that is back is watched by what nginx counts: a release that is worse under traffic
 * alone fails, one that is as good as the one before passes, and where nobody comes nothing is passed. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tests/stage/quick.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define CLIENTS      3

/* ---- clients that take what they get: what they are answered is what nginx counts */

struct clients {
    pthread_t threads[CLIENTS];
    uint16_t port;
    atomic_bool enough;
    atomic_uint answered;
};

static void *client(void *ctx)
{
    struct clients *c = ctx;
    struct stage_quick *q = calloc(1, sizeof *q);

    while (q != NULL && !atomic_load(&c->enough))
        if (stage_quick(q, c->port, NULL, "GET", "/sleep/?duration=2ms", NULL, 5000))
            atomic_fetch_add(&c->answered, 1);
    free(q);
    return NULL;
}

static void end_clients(void *ctx)
{
    struct clients *c = ctx;

    atomic_store(&c->enough, true);
    for (int i = 0; i < CLIENTS; i++)
        (void)pthread_join(c->threads[i], NULL);
    free(c);
}

static void clients_come(struct stage_fleet *f)
{
    struct clients *c = calloc(1, sizeof *c);

    if (c == NULL)
        abort();
    c->port = f->lb[0]->port;
    for (int i = 0; i < CLIENTS; i++)
        if (pthread_create(&c->threads[i], NULL, client, c) != 0)
            stage_fail(f->stage, "no thread for a client");
    (void)stage_keep(f->stage, c, end_clients);
}

static struct stage_rollout *roll(struct stage_fleet *f, const char *variant, const char *bake, const char *more)
{
    return stage_fleet_start(f, (const char *const[]){"--release", stage_server_variant(f->stage, variant), "--bake",
                                                      bake, "--bake-min-requests=60", more, NULL});
}

/* ---- */

static void expect_failed_bake(struct stage *s, const char *variant, const char *bake, const char *text)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_rollout *r;
    uint64_t began;

    clients_come(f);
    r = roll(f, variant, bake, NULL);
    stage_rollout_until(s, r, "node1     bake", RUN_LIMIT_MS);
    began = stage_now_ms();
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 1,
                         STAGE_SAYS("node1: failed its bake, in rotation as it is",
                                    "it served worse than the others after it was back", text, "2 not begun"));
    assert_true(strcmp(bake, "50s") != 0 || stage_now_ms() - began < 30000);
    assert_int_equal(stage_fleet_at_version(f, "1"), 2);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

/* Healthy at every check. Nobody waits for the end of the bake to see it. */
static void a_release_that_errs_under_traffic_fails_at_once(struct stage *s)
{
    expect_failed_bake(s, "errs", "50s", "got a 5xx");
}

static void a_release_that_is_slow_under_traffic_fails(struct stage *s)
{
    expect_failed_bake(s, "slow", "5s", "ms on average");
}

static void a_release_that_errs_is_taken_back_where_that_is_wanted(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_rollout *r;

    clients_come(f);
    r = roll(f, "errs", "50s", "--failure-action=rollback");
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 8, STAGE_SAYS("it served worse than the others after it was back"));
    assert_int_equal(stage_fleet_at_version(f, "1"), 3);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

static void a_release_as_good_as_the_one_before_passes(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_rollout *r;

    clients_come(f);
    r = roll(f, "v2", "2s", NULL);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("3 nodes: 3 upgraded", "requests 0 got a 5xx and 0 failed"));
    if (strstr(r->out, "inconclusive") != NULL)
        stage_fail(s, "there was traffic:\n%s", r->out);
    assert_true(stage_fleet_all_up(f));
}

static void without_traffic_nothing_is_passed_and_it_says_so(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 2, 2);
    struct stage_rollout *r = roll(f, "v2", "300ms", "--on-inconclusive=pause");

    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(
        s, r, 7,
        STAGE_SAYS("1 upgraded, 1 not begun", "node1: upgraded; its bake was inconclusive",
                   "inconclusive: 0 requests came to it and 0 to the other peers, a verdict needs 60"));
    assert_int_equal(stage_fleet_at_version(f, "2"), 1);
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
    r = roll(f, "v2", "300ms", NULL);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("node2: upgraded; its bake was inconclusive"));
    assert_int_equal(stage_fleet_at_version(f, "2"), 2);
}

/* Its counters begin at 0 again, below what they were when the bake began: neither is taken for the other. */
static void a_bake_goes_on_over_a_restart_of_nginx(struct stage *s)
{
    struct stage_fleet *f = stage_fleet(s, 3, 1);
    struct stage_rollout *r;

    clients_come(f);
    r = roll(f, "v2", "4s", "--limit=node1");
    stage_rollout_until(s, r, "node1     bake", RUN_LIMIT_MS);
    stage_nginx_stop(f->lb[0], SIGTERM);
    stage_nginx_again(f->lb[0]);
    stage_rollout_end(s, r, RUN_LIMIT_MS);
    stage_rollout_expect(s, r, 0, STAGE_SAYS("1 upgraded", "requests 0 got a 5xx and 0 failed"));
    if (strstr(r->out, "inconclusive") != NULL)
        stage_fail(s, "there was traffic:\n%s", r->out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_release_that_errs_under_traffic_fails_at_once),
        stage_test(a_release_that_is_slow_under_traffic_fails),
        stage_test(a_release_that_errs_is_taken_back_where_that_is_wanted),
        stage_test(a_release_as_good_as_the_one_before_passes),
        stage_test(without_traffic_nothing_is_passed_and_it_says_so),
        stage_test(a_bake_goes_on_over_a_restart_of_nginx),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
