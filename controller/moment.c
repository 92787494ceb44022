#include "moment.h"

#include "common/duration.h"
#include "live.h"
#include "wall.h"

const char *moment_time(uint64_t ms, char *text, size_t size)
{
    return duration_format_ms(ms < 10000 ? ms / 100 * 100 : ms / 1000 * 1000, text, size);
}

/* "lb1 3, lb2 0": requests that are left, a load balancer each. */
static void add_left(FILE *f, const struct view *v, uint32_t node)
{
    const struct plan *p = v->plan;
    const char *before = "";
    uint32_t first = p->nodes[node].first_peer;

    for (uint32_t i = 0; i < p->nodes[node].n_peers; i++) {
        uint32_t sum = 0;
        bool told = false;

        for (uint32_t j = 0; j < p->nodes[node].n_peers; j++) {
            bool same = plan_peer_lb(p, first + j) == plan_peer_lb(p, first + i);

            told = told || (same && j < i);
            sum += same ? v->live->peers[first + j].active : 0;
        }
        if (told)
            continue;
        (void)fprintf(f, "%s%s %u", before, p->lbs[plan_peer_lb(p, first + i)].name, sum);
        before = ", ";
    }
}

/* Its requests are counted, load balancer by load balancer. */
static bool is_counted(const struct view *v, uint32_t node)
{
    enum step step = (enum step)v->nodes[node].state.step;

    return v->live != NULL && (step == STEP_QUIET || step == STEP_SILENT);
}

/* What only a look at it now can tell of its step. */
static void tell_progress(FILE *f, const struct view *v, uint32_t node)
{
    enum ask ask = step_row((enum step)v->nodes[node].state.step)->ask;
    char time[32];

    if (is_counted(v, node)) {
        (void)fputs("requests: ", f);
        add_left(f, v, node);
        (void)fputs("; ", f);
    } else if (ask == ASK_HEALTH && v->live->streaks[node] >= v->plan->success_threshold) {
        (void)fprintf(f, "good, and must stay so for %s; ", moment_time(v->plan->min_healthy_ms, time, sizeof time));
    } else if (ask == ASK_HEALTH) {
        (void)fprintf(f, "%u of %u good; ", v->live->streaks[node], v->plan->success_threshold);
    }
}

void moment_left(FILE *f, const struct view *v, uint32_t node)
{
    uint32_t limit = v->plan->wait_ms[WAIT_HOOK], left = v->live != NULL ? v->live->left_ms[node] : UINT32_MAX;
    char time[32];

    if (v->live != NULL && step_row((enum step)v->nodes[node].state.step)->ask == ASK_HOOK) {
        (void)fprintf(f, "%s of ", moment_time(left < limit ? limit - left : 0, time, sizeof time));
        (void)fprintf(f, "%s", moment_time(limit, time, sizeof time));
    } else if (left != UINT32_MAX) {
        (void)fprintf(f, "%s left", moment_time(left, time, sizeof time));
    }
}

void moment_node(FILE *f, const struct view *v, uint32_t node)
{
    const struct node *n = &v->nodes[node].state;
    enum step step = (enum step)n->step;
    const char *note = v->nodes[node].text;

    if (v->live != NULL) {
        tell_progress(f, v, node);
        moment_left(f, v, node);
        if (v->live->left_ms[node] != UINT32_MAX || step_row(step)->ask == ASK_HOOK)
            (void)fputs("; ", f);
    }
    if (n->reverse)
        (void)fputs("way back: ", f);
    if (n->failed && n->why != WHY_NONE)
        (void)fprintf(f, "FAILED: %s; ", why_phrase((enum why)n->why));
    if (note[0] != '\0' && !is_counted(v, node))
        (void)fprintf(f, "%s; ", note);
    (void)fprintf(f, "waits for %s", step_row(step)->waits_for);
    if (step_row(step)->ask == ASK_HOOK)
        (void)fprintf(f, ": %s", view_hook(v->plan, n));
    if (note[0] != '\0' && is_counted(v, node)) /* most often how many requests, once more */
        (void)fprintf(f, " (%s)", note);
}

#define NAMED_MAX 3

void moment_all(FILE *f, const struct view *v, int64_t now_ms)
{
    struct view_counts c = view_count(v);
    uint32_t named = 0;

    (void)fprintf(f, "%u of %u done, %u failed", c.done, v->plan->n_nodes, c.failed + c.out);
    if (v->held[0] != '\0')
        (void)fprintf(f, "; waits for a promotion, %s", v->held);
    if (v->hook[0] != '\0')
        (void)fprintf(f, "; the hook at-end runs: %s", v->hook);
    for (uint32_t i = 0; i < v->plan->n_nodes && named < NAMED_MAX; i++) {
        const struct view_node *n = &v->nodes[i];
        char since[32];

        if (!node_in_motion(&n->state))
            continue;
        (void)fprintf(f, "; %s %s for %s: ", v->plan->nodes[i].name, step_row((enum step)n->state.step)->name,
                      moment_time(wall_passed_ms(n->step_ms, now_ms), since, sizeof since));
        moment_node(f, v, i);
        named++;
    }
    if (c.moving > named)
        (void)fprintf(f, "; and %u more", c.moving - named);
}
