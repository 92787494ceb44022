#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "controller/clock.h"
#include "controller/world_net.h"
#include "controller/world_work.h"
#include "small_plan.h"
#include "tiny_server.h"

/* A load balancer with an order of servers, and an agent, each behind a tiny server. */
struct fake {
    const char *order[3]; /* of `app` */
    int n_lists, n_patches, n_puts, status;
    bool broken_list, hang, slow_list;
    char log[8192]; /* "METHOD PATH BODY;" */
    char head[8192];
    const char *agent_says;
};

static void list_answer(const struct fake *f, struct tiny_answer *a)
{
    const struct timespec moment = {.tv_nsec = 20 * 1000 * 1000};
    size_t n = 0;

    if (f->slow_list)
        (void)nanosleep(&moment, NULL);
    if (f->broken_list) {
        snprintf(a->body, sizeof a->body, "{\"app\":");
        return;
    }
    n += (size_t)snprintf(a->body, sizeof a->body, "{\"app\":{\"peers\":[");
    for (int i = 0; i < 3; i++)
        n += (size_t)snprintf(a->body + n, sizeof a->body - n,
                              "%s{\"id\":%d,\"server\":\"%s\",\"state\":\"up\",\"active\":%d}", i > 0 ? "," : "", i,
                              f->order[i], i);
    snprintf(a->body + n, sizeof a->body - n,
             "],\"rollout\":{\"active_exact\":true}},\"extra\":{\"peers\":[{\"id\":5,\"server\":\"[::1]:80\",\"state\":"
             "\"up\",\"active\":0}],"
             "\"rollout\":{\"active_exact\":true}}}");
}

static void answer(void *ctx, const struct tiny_request *q, struct tiny_answer *a)
{
    struct fake *f = ctx;
    size_t used = strlen(f->log);
    const char *id = strstr(q->path, "/servers/");

    snprintf(f->log + used, sizeof f->log - used, "%s %s %.300s;", q->method, q->path, q->body);
    snprintf(f->head, sizeof f->head, "%s", q->head);
    a->hang = f->hang;
    if (strcmp(q->method, "PATCH") == 0) {
        f->n_patches++;
        a->status = f->status;
        if (f->status == 412)
            snprintf(a->body, sizeof a->body,
                     "{\"error\":{\"status\":412,\"text\":\"held by bob\",\"code\":\"LeaseHeld\"}}");
        else
            snprintf(a->body, sizeof a->body, "{\"id\":1,\"server\":\"%s\"}",
                     strstr(q->path, "/extra/") != NULL ? "[::1]:80" : f->order[atoi(id + 9) % 3]);
    } else if (strstr(q->path, "/http/upstreams/") != NULL) {
        f->n_lists++;
        list_answer(f, a);
    } else if (strstr(q->path, "/nginx") != NULL) {
        snprintf(a->body, sizeof a->body, "{\"generation\":3,\"load_timestamp\":\"x\"}");
    } else {
        f->n_puts += strcmp(q->method, "PUT") == 0;
        a->status = f->status;
        snprintf(a->body, sizeof a->body, "%s", f->agent_says);
    }
}

struct fix {
    struct fake lbs[2], agents[2];
    struct tiny_server *servers[4];
    struct small_plan sp;
    struct calls *calls;
    struct world *world;
};

static int open_all(void **state)
{
    struct fix *f = calloc(1, sizeof *f);
    int lb_ports[2], agent_ports[2];

    for (int i = 0; i < 2; i++) {
        f->lbs[i] = (struct fake){.order = {"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"}, .status = 200};
        f->agents[i] = (struct fake){.agent_says = "{}", .status = 200};
        f->servers[i] = tiny_start(answer, &f->lbs[i]);
        f->servers[i + 2] = tiny_start(answer, &f->agents[i]);
        lb_ports[i] = f->servers[i]->port;
        agent_ports[i] = f->servers[i + 2]->port;
    }
    small_plan(&f->sp, lb_ports, agent_ports);
    f->calls = calls_open(500, NULL);
    f->world = world_net_open(&f->sp.plan, f->calls);
    *state = f;
    return 0;
}

static int close_all(void **state)
{
    struct fix *f = *state;

    f->world->ops->close(f->world);
    calls_close(&f->calls);
    for (int i = 0; i < 4; i++)
        if (f->servers[i] != NULL)
            tiny_stop(f->servers[i]);
    free(f);
    return 0;
}

static struct input do_it(struct fix *f, struct action a)
{
    struct input in[2];
    uint32_t elapsed_ms;

    f->world->ops->start(f->world, &a);
    assert_int_equal(f->world->ops->collect(f->world, 10000, in, 2, &elapsed_ms), 1);
    return in[0];
}

static struct action ask(enum ask what, uint64_t mask)
{
    return (struct action){.kind = ACT_ASK, .ask = what, .node = 0, .mask = mask};
}

static void a_read_shows_the_plans_rows_once(void **state)
{
    struct fix *f = *state;
    struct input in = do_it(f, (struct action){.kind = ACT_READ_LB, .lb = 1});

    assert_int_equal(in.kind, IN_LB);
    assert_int_equal(in.lb, 1);
    assert_int_equal(in.answer.kind, ANS_OK);
    assert_true(in.active_exact);
    assert_true(in.generation != 0);
    assert_int_equal(in.upstreams[2].configured, 3);
    assert_int_equal(in.peers[4].state, PEER_UP);
    assert_int_equal(in.peers[4].active, 1);
    assert_int_equal(f->lbs[1].n_lists, 1);
    assert_int_equal(f->lbs[0].n_lists, 0);
}

static void a_broken_list_is_no_snapshot(void **state)
{
    struct fix *f = *state;

    f->lbs[0].broken_list = true;
    struct input in = do_it(f, (struct action){.kind = ACT_READ_LB, .lb = 0});
    assert_int_equal(in.answer.kind, ANS_BAD);
    assert_non_null(strstr(in.answer.text, "lb1"));
}

static void a_drain_reaches_every_peer_with_the_lease(void **state)
{
    struct fix *f = *state;
    struct input in = do_it(f, ask(ASK_DRAIN, 7));

    assert_int_equal(in.kind, IN_ANSWER);
    assert_int_equal(in.answer.kind, ANS_OK);
    assert_int_equal(in.answer.ok_mask, 7);
    assert_non_null(strstr(f->lbs[0].log, "PATCH /api/9/http/upstreams/app/servers/0 {\"drain\":true};"));
    assert_non_null(strstr(f->lbs[0].log, "PATCH /api/9/http/upstreams/extra/servers/5 {\"drain\":true};"));
    assert_non_null(strstr(f->lbs[1].log, "PATCH /api/9/http/upstreams/app/servers/0 {\"drain\":true};"));
    assert_non_null(strstr(f->lbs[1].head, "Rollout-Fence: 7\r\nRollout-Id: r-1\r\nRollout-Ttl: 31"));
    assert_int_equal(f->lbs[0].n_lists, 1); /* one for both of its peers */
    in = do_it(f, ask(ASK_DOWN, 1));
    assert_int_equal(in.answer.ok_mask, 1);
    assert_int_equal(f->lbs[0].n_lists, 1); /* young enough */
    assert_int_equal(f->lbs[0].n_patches, 3);
}

/* The lock was confirmed for so long only (NGINX Plus): who waited for a list, or slept, must ask again. */
static void a_patch_that_had_to_wait_beyond_its_time_is_not_sent(void **state)
{
    struct fix *f = *state;
    struct action a = ask(ASK_DRAIN, 7);
    struct input in;

    a.within_ms = 1;
    f->lbs[0].slow_list = f->lbs[1].slow_list = true;
    in = do_it(f, a);
    assert_int_equal(in.answer.kind, ANS_TIMEOUT);
    assert_int_equal(in.answer.ok_mask, 0);
    assert_non_null(strstr(in.answer.text, "not sent"));
    assert_int_equal(f->lbs[0].n_patches + f->lbs[1].n_patches, 0);
    a.within_ms = 60000;
    in = do_it(f, a);
    assert_int_equal(in.answer.kind, ANS_OK);
    assert_int_equal(f->lbs[0].n_patches + f->lbs[1].n_patches, 3);
}

/* Between the turn and the send are the journal's disk, and whatever stops a process. */
static void a_patch_whose_process_stood_still_before_it_is_not_sent(void **state)
{
    struct fix *f = *state;
    struct action a = ask(ASK_DRAIN, 1);
    struct input in = do_it(f, (struct action){.kind = ACT_READ_LB, .lb = 0});
    int64_t collected_ms = clock_ms();

    assert_int_equal(in.answer.kind, ANS_OK);
    a.within_ms = 20;
    while (clock_ms() <= collected_ms + a.within_ms)
        (void)usleep(1000);
    in = do_it(f, a);
    assert_int_equal(in.answer.kind, ANS_TIMEOUT);
    assert_non_null(strstr(in.answer.text, "not sent"));
    assert_int_equal(f->lbs[0].n_patches, 0);
}

static void a_vote_is_put_and_given_back_at_its_voter(void **state)
{
    struct fix *f = *state;
    struct plan_voter voters[] = {
        {.host = "web1", .service = "app", .agent = f->sp.nodes[0].agent, .address = "127.0.0.1"},
        {.host = "web2", .service = "a p", .agent = f->sp.nodes[1].agent, .address = "127.0.0.1"}};
    struct input in;

    f->sp.plan.voters = voters;
    f->sp.plan.n_voters = 2;
    in = do_it(f, (struct action){.kind = ACT_LOCK, .voter = 1, .ttl_ms = 30500});
    assert_int_equal(in.kind, IN_LOCK);
    assert_int_equal(in.voter, 1);
    assert_int_equal(in.answer.kind, ANS_OK);
    assert_string_equal(f->agents[1].log,
                        "PUT /v1/services/a%20p/lock "
                        "{\"rollout\":\"r-1\",\"fence\":7,\"ttl\":31,\"holder\":\"ann@ci-7 pid 4711\"};");
    f->agents[0].status = 409;
    f->agents[0].agent_says = "{\"error\":{\"code\":\"claim_held\",\"text\":\"rollout r-2 of bob\"}}";
    in = do_it(f, (struct action){.kind = ACT_LOCK, .voter = 0, .ttl_ms = 30500});
    assert_int_equal(in.answer.kind, ANS_FENCED);
    assert_non_null(strstr(in.answer.text, "agent of web1: claim_held: rollout r-2 of bob"));
    f->agents[0].status = 200;
    in = do_it(f, (struct action){.kind = ACT_LOCK, .voter = 0});
    assert_int_equal(in.answer.kind, ANS_OK);
    assert_non_null(
        strstr(f->agents[0].log, "DELETE /v1/services/app/lock?rollout=r-1&fence=7&holder=ann%40ci-7%20pid%204711 ;"));
}

static void going_back_restores_what_was(void **state)
{
    struct fix *f = *state;
    struct action a = ask(ASK_BACK, 5);

    a.prior_mask = 4;
    assert_int_equal(do_it(f, a).answer.kind, ANS_OK);
    assert_non_null(strstr(f->lbs[0].log, "{\"down\":false,\"drain\":false};"));
    assert_non_null(strstr(f->lbs[1].log, "{\"down\":false,\"drain\":true};"));
}

static void the_load_balancer_that_failed_is_named_and_the_others_count(void **state)
{
    struct fix *f = *state;

    tiny_stop(f->servers[1]);
    f->servers[1] = NULL;
    struct input in = do_it(f, ask(ASK_DRAIN, 7));
    assert_int_equal(in.answer.kind, ANS_TIMEOUT);
    assert_int_equal(in.answer.ok_mask, 3);
    assert_non_null(strstr(in.answer.text, "lb2"));
}

static void a_server_hit_by_mistake_is_put_back_and_the_next_try_is_right(void **state)
{
    struct fix *f = *state;

    assert_int_equal(do_it(f, (struct action){.kind = ACT_READ_LB, .lb = 1}).answer.kind, ANS_OK);
    f->lbs[1].order[0] = "10.0.0.2:80";
    f->lbs[1].order[1] = "10.0.0.1:80";
    struct input in = do_it(f, ask(ASK_DRAIN, 4));
    assert_int_equal(in.answer.kind, ANS_BAD);
    assert_int_equal(in.answer.ok_mask, 0);
    assert_non_null(strstr(in.answer.text, "10.0.0.2:80 was changed by mistake and put back"));
    assert_non_null(strstr(f->lbs[1].log, "/app/servers/0 {\"drain\":true};PATCH /api/9/http/upstreams/app/servers/0 "
                                          "{\"down\":false,\"drain\":false};"));
    in = do_it(f, ask(ASK_DRAIN, 4));
    assert_int_equal(in.answer.kind, ANS_OK);
    assert_non_null(strstr(f->lbs[1].log, "/app/servers/1 {\"drain\":true};"));
}

static void a_peer_that_is_not_listed_is_refused_without_a_patch(void **state)
{
    struct fix *f = *state;

    f->lbs[1].order[0] = "10.0.0.7:80";
    struct input in = do_it(f, ask(ASK_DOWN, 4));
    assert_int_equal(in.answer.kind, ANS_REFUSED);
    assert_non_null(strstr(in.answer.text, "10.0.0.1:80"));
    assert_int_equal(f->lbs[1].n_patches, 0);
}

static void a_lease_is_an_empty_patch_and_another_holder_fences(void **state)
{
    struct fix *f = *state;
    struct input in = do_it(f, (struct action){.kind = ACT_LEASE, .upstream = 1, .ttl_ms = 30000});

    assert_int_equal(in.kind, IN_LEASE);
    assert_int_equal(in.upstream, 1);
    assert_int_equal(in.answer.kind, ANS_OK);
    assert_non_null(strstr(f->lbs[0].log, "PATCH /api/9/http/upstreams/extra/servers/5 {};"));
    assert_non_null(strstr(f->lbs[0].head, "Rollout-Ttl: 30"));
    f->lbs[0].status = 412;
    in = do_it(f, (struct action){.kind = ACT_LEASE, .upstream = 0, .ttl_ms = 0});
    assert_int_equal(in.answer.kind, ANS_FENCED);
    assert_non_null(strstr(in.answer.text, "held by bob"));
    assert_non_null(strstr(f->lbs[0].head, "Rollout-Ttl: 0"));
}

#define STATUS(releases)                                                                                               \
    "{\"service\":\"app\",\"node\":\"web1\",\"running\":false,\"ident\":null,\"installed\":null,\"listening\":[],"     \
    "\"connections\":0,\"fence\":0,\"releases\":[" releases "],\"claim\":null,\"job\":null}"

static void a_release_is_sent_only_where_it_is_not(void **state)
{
    struct fix *f = *state;
    char path[] = "/tmp/world_net_test_XXXXXX";
    int fd = mkstemp(path);

    assert_int_equal(write(fd, "binary", 6), 6);
    close(fd);
    f->sp.plan.has_release = true;
    f->sp.plan.release_file = path;
    f->agents[0].agent_says =
        STATUS("{\"sha256\":\"abababababababababababababababababababababababababababababababab\",\"size\":6}");
    assert_int_equal(do_it(f, ask(ASK_STAGE, 0)).answer.kind, ANS_OK);
    assert_int_equal(f->agents[0].n_puts, 0);
    f->agents[0].agent_says = STATUS("");
    assert_int_equal(do_it(f, ask(ASK_STAGE, 0)).answer.kind, ANS_OK);
    assert_int_equal(f->agents[0].n_puts, 1);
    assert_non_null(strstr(f->agents[0].log, "/releases/abab"));
    assert_non_null(strstr(f->agents[0].log, " binary;"));
    unlink(path);
}

static void the_agents_asks_go_where_they_belong(void **state)
{
    struct fix *f = *state;
    struct action a = ask(ASK_JOB_END, 0);

    f->agents[0].agent_says = STATUS("");
    struct input in = do_it(f, ask(ASK_STATUS, 0));
    assert_int_equal(in.answer.kind, ANS_OK);
    in = do_it(f, (struct action){.kind = ACT_STANDS, .node = 0});
    assert_int_equal(in.kind, IN_STANDS);
    assert_int_equal(in.answer.kind, ANS_OK);
    assert_non_null(strstr(f->agents[0].log, "GET /v1/services/app ;GET /v1/services/app ;"));
    f->agents[0].agent_says =
        "{\"id\":\"x\",\"state\":\"running\",\"before\":null,\"after\":null,\"healthy\":true,\"ident\":null}";
    a.job = ASK_JOB;
    a.attempt = 1;
    assert_int_equal(do_it(f, a).answer.job, JOB_RUNNING);
    a.ask = ASK_JOB;
    assert_int_equal(do_it(f, a).answer.kind, ANS_OK);
    assert_true(do_it(f, ask(ASK_HEALTH, 0)).answer.healthy);
    assert_int_equal(do_it(f, ask(ASK_UNCLAIM, 0)).answer.kind, ANS_OK);
    in = do_it(f, (struct action){.kind = ACT_RENEW, .node = 0, .mask = 1, .expect = 7});
    assert_int_equal(in.kind, IN_RENEW);
    assert_int_equal(in.answer.kind, ANS_OK);
    assert_non_null(strstr(f->agents[0].log, "GET /v1/services/app/jobs/r-1/web1/job/1?wait=2000ms ;"));
    assert_non_null(strstr(f->agents[0].log, "POST /v1/services/app/jobs {"));
    assert_non_null(strstr(f->agents[0].log, "GET /v1/services/app/health ;"));
    assert_non_null(
        strstr(f->agents[0].log, "DELETE /v1/services/app/claim?rollout=r-1&fence=7&holder=ann%40ci-7%20pid%204711 ;"));
    assert_non_null(strstr(f->agents[0].log, "PUT /v1/services/app/claim {\"rollout\":\"r-1\",\"fence\":7"));
}

static void a_wake_up_ends_a_collect_without_inputs(void **state)
{
    struct fix *f = *state;
    struct action a = ask(ASK_STATUS, 0);
    struct input in;
    uint32_t elapsed_ms;
    time_t began = time(NULL);

    f->agents[0].hang = true;
    f->world->ops->start(f->world, &a);
    calls_wake(f->calls);
    assert_int_equal(f->world->ops->collect(f->world, 20000, &in, 1, &elapsed_ms), 0);
    assert_true(time(NULL) - began < 10);
    /* and the answer under way is not lost: it ends as a timeout after the request limit of a second */
    assert_int_equal(f->world->ops->collect(f->world, 20000, &in, 1, &elapsed_ms), 1);
    assert_int_equal(in.answer.kind, ANS_TIMEOUT);
    assert_true(elapsed_ms >= 500 && elapsed_ms < 15000);
}

static void closing_breaks_off_what_is_under_way(void **state)
{
    struct fix *f = *state;
    struct action a = ask(ASK_DRAIN, 7), read = {.kind = ACT_READ_LB, .lb = 0};
    struct input in;
    uint32_t elapsed_ms;

    f->lbs[0].hang = f->lbs[1].hang = true;
    f->world->ops->start(f->world, &a);
    f->world->ops->start(f->world, &read);
    assert_int_equal(f->world->ops->collect(f->world, 50, &in, 1, &elapsed_ms), 0);
    f->world->ops->close(f->world);
    assert_int_equal(calls_under_way(f->calls), 0);
    f->world = world_net_open(&f->sp.plan, f->calls);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)
    const struct CMUnitTest tests[] = {
        T(a_read_shows_the_plans_rows_once),
        T(a_broken_list_is_no_snapshot),
        T(a_drain_reaches_every_peer_with_the_lease),
        T(a_patch_that_had_to_wait_beyond_its_time_is_not_sent),
        T(a_patch_whose_process_stood_still_before_it_is_not_sent),
        T(a_vote_is_put_and_given_back_at_its_voter),
        T(going_back_restores_what_was),
        T(the_load_balancer_that_failed_is_named_and_the_others_count),
        T(a_server_hit_by_mistake_is_put_back_and_the_next_try_is_right),
        T(a_peer_that_is_not_listed_is_refused_without_a_patch),
        T(a_lease_is_an_empty_patch_and_another_holder_fences),
        T(a_release_is_sent_only_where_it_is_not),
        T(the_agents_asks_go_where_they_belong),
        T(a_wake_up_ends_a_collect_without_inputs),
        T(closing_breaks_off_what_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
