/* What an event costs whoever tells it: as much in a fleet of thousands as in a small one, and little. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "controller/show.h"

#define SMALL 500
#define LARGE 10000
#define TIMES 3 /* a large fleet may cost so much more: caches, not loops over all nodes */

struct fleet_plan {
    struct plan plan;
    struct plan_lb lb;
    struct plan_upstream upstream;
    struct plan_peer *peers;
    struct plan_node *nodes;
    char (*names)[16];
};

static void fill(struct fleet_plan *f, uint32_t n)
{
    *f = (struct fleet_plan){.lb = {.name = "lb1", .api = "http://lb1/api", .address = "lb1", .api_version = 9},
                             .upstream = {.name = "app"},
                             .peers = calloc(n, sizeof *f->peers),
                             .nodes = calloc(n, sizeof *f->nodes),
                             .names = calloc(n, sizeof *f->names)};
    for (uint32_t i = 0; i < n; i++) {
        (void)snprintf(f->names[i], sizeof f->names[i], "web%05u", i);
        f->peers[i] = (struct plan_peer){.node = (uint16_t)i, .server = "10.0.0.1:80"};
        f->nodes[i] = (struct plan_node){.name = f->names[i],
                                         .agent = "https://web:9443",
                                         .address = "web",
                                         .zone = "",
                                         .health = "",
                                         .first_peer = i,
                                         .n_peers = 1};
    }
    f->plan = (struct plan){.rollout = "r-1",
                            .holder = "ann",
                            .service = "app",
                            .version = "2",
                            .n_batches = 1,
                            .batches = {1},
                            .n_lbs = 1,
                            .n_upstreams = 1,
                            .n_peers = n,
                            .n_nodes = n,
                            .lbs = &f->lb,
                            .upstreams = &f->upstream,
                            .peers = f->peers,
                            .nodes = f->nodes};
}

static void clear(struct fleet_plan *f)
{
    free(f->peers);
    free(f->nodes);
    free(f->names);
}

/* One node after another by the good path. */
static unsigned long tell_all(struct show *show, struct view *v)
{
    unsigned long told = 0;
    int64_t now_ms = 1700000000000;

    for (uint32_t i = 0; i < v->plan->n_nodes; i++) {
        struct event e = {.kind = EVENT_STEP, .node = (uint16_t)i};

        node_init(&e.state, (uint16_t)i, v->plan);
        while (e.state.step != STEP_DONE) {
            e.from = e.state.step;
            e.state.step = (uint8_t)step_row((enum step)e.from)->on_good;
            e.state.outcome = e.state.step == STEP_DONE ? OUTCOME_UPGRADED : OUTCOME_NONE;
            e.wall_ms = now_ms += 100;
            e.seq = ++told;
            view_feed(v, &e);
            show->ops->event(show, v, &e);
        }
        if (show->ops->flush != NULL)
            show->ops->flush(show, v);
    }
    return told;
}

/* Nanoseconds of CPU an event, the end told as well. */
static double cost(struct show *(*open)(FILE *), uint32_t n)
{
    struct fleet_plan f;
    FILE *to = tmpfile();
    struct show *show = open(to);
    struct view *v;
    unsigned long told;
    clock_t began;

    fill(&f, n);
    v = view_new(&f.plan);
    began = clock();
    told = tell_all(show, v);
    assert_true(show->ops->end(show, v, 0, "rollout repair"));
    began = clock() - began;
    view_free(&v);
    clear(&f);
    assert_int_equal(fclose(to), 0);
    return (double)began * 1e9 / CLOCKS_PER_SEC / (double)told;
}

static struct show *github(FILE *to)
{
    return show_github(to, NULL);
}

static struct show *audit(FILE *to)
{
    struct err err;

    (void)to;
    return show_audit("/dev/null", &err);
}

static void an_event_costs_a_large_fleet_no_more_than_a_small_one(void **state)
{
    static const struct {
        const char *name;
        struct show *(*open)(FILE *);
    } rows[] = {
        {"plain", show_lines}, {"github", github}, {"gitlab", show_gitlab}, {"json", show_json}, {"audit", audit}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double small = cost(rows[i].open, SMALL), large = cost(rows[i].open, LARGE);

        print_message("%-6s  %6.0f ns of CPU an event of %u nodes, %6.0f of %u\n", rows[i].name, small, SMALL, large,
                      LARGE);
        if (large > TIMES * small)
            fail_msg("%s: %.0f ns an event in a fleet of %u, %.0f in one of %u", rows[i].name, small, SMALL, large,
                     LARGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_costs_a_large_fleet_no_more_than_a_small_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
