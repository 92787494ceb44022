/* What people read: a rollout as plain lines, and its end. Times are the fake fleet's; the zone is UTC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/sim/fake_plan.h"
#include "tests/sim/fake_world.h"

struct reading {
    struct plan *plan;
    struct fake_fleet *fleet;
    struct fake_world *world;
    char *text;
    int code;
};

static struct reading begin(struct fake_shape shape)
{
    struct reading r = {.plan = fake_plan(shape)};

    r.fleet = fake_fleet_new(r.plan);
    r.world = fake_world_new(r.fleet, r.plan);
    return r;
}

static void roll(struct reading *r)
{
    size_t n;
    FILE *f = open_memstream(&r->text, &n);

    r->code = fake_rollout(r->world, f);
    (void)fclose(f);
}

static void end(struct reading *r)
{
    free(r->text);
    fake_world_free(&r->world);
    fake_fleet_free(&r->fleet);
    plan_free(&r->plan);
}

static void a_good_rollout(void **state)
{
    struct reading r = begin((struct fake_shape){.nodes = 2});

    (void)state;
    r.plan->version = "2.1";
    r.plan->nodes[1].at_target = true;
    roll(&r);
    assert_string_equal(
        r.text, "16:00:00.000  rollout r1, fence 7: service app, 2 nodes, to release 420000000000, version 2.1\n"
                "16:00:00.004  lb1       lease     upstream app is ours\n"
                "16:00:00.004  a         check     waits for the agent to say what runs\n"
                "16:00:00.010  a         look      waits for the load balancers to show its peers\n"
                "16:00:00.014  a         claim     waits for the agent to take our claim\n"
                "16:00:00.020  a         stage     waits for the release to be on the node\n"
                "16:00:00.026  a         floor     waits for enough other peers to be up\n"
                "16:00:00.264  a         drain     waits for all load balancers to take drain:true\n"
                "16:00:00.268  a         quiet     waits for nginx to hold no more requests to it\n"
                "16:00:00.514  a         quiet     still waits: 1 request, the first of them at lb1\n"
                "16:00:01.276  a         down      waits for all load balancers to take down:true\n"
                "16:00:01.280  a         empty     waits for the agent to confirm the process, and no connections "
                "where an nginx was reloaded meanwhile\n"
                "16:00:01.286  a         silent    waits for all load balancers to show it down and without requests\n"
                "16:00:01.780  a         job       waits for the agent to take the job\n"
                "16:00:01.786  a         handover  waits for the new process to take over\n"
                "16:00:01.992  a         verify    waits for the agent to confirm the new process and its executable\n"
                "16:00:01.998  a         health    waits for enough health checks in a row from the new process\n"
                "16:00:02.004  a         health    still waits: GET /healthz: HTTP status 503\n"
                "16:00:03.522  a         back      waits for all load balancers to take it back\n"
                "16:00:03.526  a         seen      waits for all load balancers to show it as it was before\n"
                "16:00:03.530  a         unclaim   waits for the agent to drop our claim\n"
                "16:00:03.536  a         done      upgraded after 3.5s\n"
                "16:00:03.536  b         done      already there after 0ms\n"
                "2 nodes: 1 upgraded, 1 already there; took 3.5s\n");
    assert_int_equal(r.code, 0);
    end(&r);
}

static void a_node_that_is_left_out(void **state)
{
    struct reading r = begin((struct fake_shape){.nodes = 3, .lbs = 2});

    (void)state;
    fake_when(r.fleet, "a job ends", 0, fake_lb_dies, 1);
    roll(&r);
    assert_string_equal(
        r.text, "16:00:00.000  rollout r1, fence 7: service app, 3 nodes, to release 420000000000\n"
                "16:00:00.004  lb1       lease     upstream app is ours\n"
                "16:00:00.008  lb2       lease     upstream app is ours\n"
                "16:00:00.008  a         check     waits for the agent to say what runs\n"
                "16:00:00.014  a         look      waits for the load balancers to show its peers\n"
                "16:00:00.018  a         claim     waits for the agent to take our claim\n"
                "16:00:00.024  a         stage     waits for the release to be on the node\n"
                "16:00:00.030  a         floor     waits for enough other peers to be up\n"
                "16:00:00.268  a         drain     waits for all load balancers to take drain:true\n"
                "16:00:00.272  a         quiet     waits for nginx to hold no more requests to it\n"
                "16:00:00.518  a         quiet     still waits: 2 requests, the first of them at lb1\n"
                "16:00:01.280  a         down      waits for all load balancers to take down:true\n"
                "16:00:01.284  a         empty     waits for the agent to confirm the process, and no connections "
                "where an nginx was reloaded meanwhile\n"
                "16:00:01.290  a         silent    waits for all load balancers to show it down and without requests\n"
                "16:00:01.784  a         job       waits for the agent to take the job\n"
                "16:00:01.790  a         handover  waits for the new process to take over\n"
                "16:00:01.996  a         verify    waits for the agent to confirm the new process and its executable\n"
                "16:00:02.002  a         health    waits for enough health checks in a row from the new process\n"
                "16:00:02.008  a         health    still waits: GET /healthz: HTTP status 503\n"
                "16:00:03.526  a         back      waits for all load balancers to take it back\n"
                "16:00:03.530  a         back      still waits: lb2: no answer\n"
                "16:00:06.526  a         OUT       OUT OF ROTATION: a load balancer could not be changed back\n"
                "16:00:06.526  stopping  a is out of rotation: a load balancer could not be changed back\n"
                "3 nodes: 1 OUT OF ROTATION, 2 not begun; took 9.5s\n"
                "a: OUT OF ROTATION; in step back: a load balancer could not be changed back (lb2: no answer). Out or "
                "unknown: 10.0.0.1:8000 of upstream app at lb2. Act now: rollout repair --hosts FILE\n");
    assert_int_equal(r.code, 3);
    end(&r);
}

/* No version, no release, nobody begun: the first line and the last. */
static void what_was_refused_before_anything(void **state)
{
    struct reading r = begin((struct fake_shape){.nodes = 2, .restart = true});

    (void)state;
    fake_lease_stolen(r.fleet, 0);
    roll(&r);
    assert_string_equal(r.text, "16:00:00.000  rollout r1, fence 7: service app, restart of 2 nodes\n"
                                "16:00:00.004  refused   upstream app at lb1: lb1: held by another rollout\n"
                                "16:00:00.004  stopping  upstream app at lb1: lb1: held by another rollout\n"
                                "2 nodes: 2 not begun; took 4ms\n"
                                "stopped: upstream app at lb1: lb1: held by another rollout\n");
    assert_int_equal(r.code, 6);
    end(&r);
}

static int utc(void **state)
{
    (void)state;
    (void)setenv("TZ", "UTC", 1);
    tzset();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_rollout),
        cmocka_unit_test(a_node_that_is_left_out),
        cmocka_unit_test(what_was_refused_before_anything),
    };

    return cmocka_run_group_tests(tests, utc, NULL);
}
