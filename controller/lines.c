#include "lines.h"

#include <string.h>
#include <time.h>

#include "common/duration.h"
#include "common/sha256.h"
#include "gate.h"
#include "moment.h"
#include "wall.h"

static void stamp(FILE *f, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;

    (void)localtime_r(&seconds, &tm);
    (void)fprintf(f, "%02d:%02d:%02d.%03d  ", tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(wall_ms % 1000));
}

static const char *plural(uint32_t n)
{
    return n == 1 ? "" : "s";
}

static uint32_t count_resumed(const struct plan *p)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < p->n_nodes; i++)
        n += p->nodes[i].resumed ? 1 : 0;
    return n;
}

void lines_plan(FILE *f, const struct plan *p)
{
    char hex[SHA256_DIGITS + 1];
    uint32_t in_place = 0;
    uint32_t resumed = count_resumed(p);

    sha256_hex(p->release_sha256, hex);
    (void)fprintf(f, "rollout %s, fence %llu: ", p->rollout, (unsigned long long)p->fence);
    if (p->kind == PLAN_REPAIR)
        (void)fprintf(f, "repair, service %s, %u node%s", p->service, p->n_nodes, plural(p->n_nodes));
    else if (p->kind == PLAN_ROLLBACK)
        (void)fprintf(f, "service %s, %u node%s, back to the release before", p->service, p->n_nodes,
                      plural(p->n_nodes));
    else if (p->has_release)
        (void)fprintf(f, "service %s, %u node%s, to release %.12s%s%s", p->service, p->n_nodes, plural(p->n_nodes), hex,
                      p->version[0] != '\0' ? ", version " : "", p->version);
    else
        (void)fprintf(f, "service %s, restart of %u node%s", p->service, p->n_nodes, plural(p->n_nodes));
    for (uint32_t i = 0; i < p->n_nodes; i++)
        in_place += p->nodes[i].in_place ? 1 : 0;
    if (in_place > 0)
        (void)fprintf(f, ", %u in place, without a drain", in_place);
    if (resumed > 0)
        (void)fprintf(f, "; resumed, %u of them left in motion", resumed);
}

static void about_step(FILE *f, const struct view *v, const struct event *e)
{
    const struct step_row *row = step_row((enum step)e->state.step);
    const struct view_node *n = &v->nodes[e->node];
    char took[32];

    if (e->state.step == STEP_DONE)
        (void)fprintf(f, "%s after %s", view_outcome(v, e->node),
                      duration_format_ms(wall_passed_ms(n->begun_ms, n->ended_ms), took, sizeof took));
    else if (e->state.step == STEP_OUT)
        (void)fprintf(f, "%s: %s", view_outcome(v, e->node), why_phrase((enum why)e->state.why));
    else
        (void)fprintf(f, "%swaits for %s%s%s", e->state.reverse ? "way back: " : "", row->waits_for,
                      row->ask == ASK_HOOK ? ": " : "", view_hook(v->plan, &e->state));
    if (e->text[0] != '\0')
        (void)fprintf(f, " (%s: %s)", step_row((enum step)e->from)->name, e->text);
}

/* A line of a hook's output; hooks of the end, which have no node. */
static void about_hook(FILE *f, const struct view *v, const struct event *e)
{
    const char *name = e->node == EVENT_NO_NODE ? "at-end" : v->plan->nodes[e->node].name;
    char limit[32];

    (void)duration_format_ms(v->plan->wait_ms[WAIT_HOOK], limit, sizeof limit);
    if (e->kind == EVENT_OUTPUT)
        (void)fprintf(f, "%-*s  %-8s  | %s", v->name_width, name, "hook", e->text);
    else if (e->kind == EVENT_HOOK)
        (void)fprintf(f, "%-*s  %-8s  runs, at most %s: %s", v->name_width, name, "hook", limit, e->text);
    else
        (void)fprintf(f, "%-*s  %-8s  %s%s", v->name_width, name, "hook",
                      e->code == 0 ? "ended well" : "failed: ", e->code == 0 ? "" : e->text);
}

/* Of leases that are not ours, of waiting for a person, and of the end of all that is new. */
static void about_stop(FILE *f, const struct plan *p, int width, const struct event *e)
{
    char limit[32];

    if (e->kind == EVENT_LEASE_WAIT)
        (void)fprintf(f, "%-*s  at most %s, for a dead rollout's lease to run out: %s", width, "waiting",
                      duration_format_ms(p->lease_wait_ms, limit, sizeof limit), e->text);
    else
        (void)fprintf(f, "%-*s  %s", width, event_name(e->kind), e->text);
}

void lines_event(FILE *f, const struct view *v, const struct event *e)
{
    if (e->kind != EVENT_ENDED && e->kind != EVENT_RELEASED)
        lines_every_event(f, v, e);
}

void lines_every_event(FILE *f, const struct view *v, const struct event *e)
{
    const struct plan *p = v->plan;
    int width = v->name_width;

    stamp(f, e->wall_ms);
    if (e->kind == EVENT_STEP || e->kind == EVENT_NOTE) {
        (void)fprintf(f, "%-*s  %-8s  ", width, p->nodes[e->node].name, step_row((enum step)e->state.step)->name);
        if (e->kind == EVENT_STEP)
            about_step(f, v, e);
        else
            (void)fprintf(f, "still waits: %s", e->text);
    } else if (e->kind == EVENT_BEGAN) {
        lines_plan(f, p);
    } else if (e->kind == EVENT_LEASED) {
        (void)fprintf(f, "%-*s  %-8s  upstream %s is ours", width, p->lbs[p->upstreams[e->upstream].lb].name, "lease",
                      p->upstreams[e->upstream].name);
    } else if (e->kind == EVENT_LOCKED) {
        (void)fprintf(f, "%-*s  %-8s  %s", width, "agents", "lock", e->text);
    } else if (e->kind == EVENT_OUTPUT || e->kind == EVENT_HOOK || e->kind == EVENT_HOOKED) {
        about_hook(f, v, e);
    } else if (e->kind == EVENT_RELEASED) {
        (void)fprintf(f, "%-*s  all leases are given back", width, "released");
    } else if (e->kind == EVENT_ENDED) {
        (void)fprintf(f, "%-*s  with exit code %d", width, "ended", e->code);
    } else {
        about_stop(f, p, width, e);
    }
    (void)fputc('\n', f);
    (void)fflush(f);
}

void lines_heartbeat(FILE *f, const struct view *v)
{
    int64_t now_ms = wall_now_ms();

    stamp(f, now_ms);
    (void)fprintf(f, "%-*s  ", v->name_width, "heartbeat");
    moment_all(f, v, now_ms);
    (void)fputc('\n', f);
}

static void count_outcomes(FILE *f, const struct view *v)
{
    const char *names[8];
    uint32_t counts[8] = {0}, n = 0;
    char took[32];

    for (uint32_t i = 0; i < v->plan->n_nodes; i++) {
        const char *name = view_outcome(v, (uint16_t)i);
        uint32_t k = 0;

        while (k < n && strcmp(names[k], name) != 0)
            k++;
        if (k == n && n < 8)
            names[n++] = name;
        if (k < n)
            counts[k]++;
    }
    (void)fprintf(f, "%u node%s", v->plan->n_nodes, plural(v->plan->n_nodes));
    for (uint32_t k = 0; k < n; k++)
        (void)fprintf(f, "%s %u %s", k == 0 ? ":" : ",", counts[k], names[k]);
    (void)fprintf(f, "; took %s\n", duration_format_ms(wall_passed_ms(v->began_ms, v->now_ms), took, sizeof took));
}

static void name_reason(FILE *f, const struct view *v, uint16_t id)
{
    const struct view_node *n = &v->nodes[id];
    const struct node *state = &n->state;

    (void)fprintf(f, "%s: %s", v->plan->nodes[id].name, view_outcome(v, id));
    if (state->why != WHY_NONE)
        (void)fprintf(f, "; in step %s: %s", step_row((enum step)state->why_step)->name,
                      why_phrase((enum why)state->why));
    else if (state->step != STEP_DONE)
        (void)fprintf(f, "; in step %s: the rollout was broken off", step_row((enum step)state->step)->name);
    if (n->text[0] != '\0')
        (void)fprintf(f, " (%s)", n->text);
}

static void name_out(FILE *f, const struct view *v, uint16_t id, const char *mend)
{
    const struct plan *p = v->plan;
    const struct node *n = &v->nodes[id].state;
    bool any = false;

    name_reason(f, v, id);
    for (uint32_t i = 0; i < p->nodes[id].n_peers; i++) {
        uint32_t peer = p->nodes[id].first_peer + i;

        if ((n->out_mask >> i & 1) == 0)
            continue;
        (void)fprintf(f, "%s%s of upstream %s at %s", any ? ", " : ". Out or unknown: ", p->peers[peer].server,
                      p->upstreams[p->peers[peer].upstream].name, p->lbs[plan_peer_lb(p, peer)].name);
        any = true;
    }
    (void)fprintf(f, ". Act now: %s\n", mend);
}

/* What somebody else took out stays out; a rollout that went well must not hide it. */
static void name_left_alone(FILE *f, const struct view *v, uint16_t id)
{
    const struct plan *p = v->plan;
    const struct node *n = &v->nodes[id].state;
    const char *before = ": was out before, by somebody else, and is so still: ";

    if (p->kind == PLAN_REPAIR || p->nodes[id].in_place || n->step != STEP_DONE || !n->claimed)
        return;
    for (uint32_t i = 0; i < p->nodes[id].n_peers; i++) {
        uint32_t peer = p->nodes[id].first_peer + i;

        if ((n->peers_mask >> i & 1) != 0 && (n->prior_drain_mask >> i & 1) == 0)
            continue;
        (void)fprintf(f, "%s%s%s of upstream %s at %s", before[0] == ':' ? p->nodes[id].name : "", before,
                      p->peers[peer].server, p->upstreams[p->peers[peer].upstream].name,
                      p->lbs[plan_peer_lb(p, peer)].name);
        before = ", ";
    }
    if (before[0] == ',')
        (void)fputc('\n', f);
}

/* A gate that was not passed must not look as if it were. */
static void name_inconclusive(FILE *f, const struct view *v, uint16_t id)
{
    const struct view_node *n = &v->nodes[id];

    if (n->state.step == STEP_DONE && n->state.outcome != OUTCOME_FAILED && n->state.gate == GATE_THIN)
        (void)fprintf(f, "%s: %s; %s%s%s%s\n", v->plan->nodes[id].name, view_outcome(v, id), gate_phrase(GATE_THIN),
                      n->text[0] != '\0' ? " (" : "", n->text, n->text[0] != '\0' ? ")" : "");
}

/* Nodes that failed say why themselves. */
static void name_stop(FILE *f, const struct view *v)
{
    bool failed = false;

    for (uint32_t i = 0; i < v->plan->n_nodes; i++)
        failed = failed || v->nodes[i].state.outcome == OUTCOME_FAILED || v->nodes[i].state.step == STEP_OUT;
    if (v->stopping[0] != '\0' && !failed)
        (void)fprintf(f, "stopped: %s\n", v->stopping);
}

/* Nothing about a node; it makes a 1 of a 0. */
static void name_hook(FILE *f, const struct view *v)
{
    if (v->hooked[0] != '\0')
        (void)fprintf(f, "the hook at-end failed: %s\n", v->hooked);
}

/* The node is well, but others are kept away from it, and then told that a dead rollout left it so. */
static void name_claim(FILE *f, const struct view *v, uint16_t id, const char *mend)
{
    const struct view_node *n = &v->nodes[id];
    char limit[32];

    if (n->state.step != STEP_DONE || !n->state.claim_stays)
        return;
    (void)fprintf(f, "%s: our claim is still at its agent, for at most %s more", v->plan->nodes[id].name,
                  duration_format_ms(v->plan->lease_ttl_ms, limit, sizeof limit));
    if (n->text[0] != '\0')
        (void)fprintf(f, " (%s)", n->text);
    (void)fprintf(f, "; then: %s\n", mend);
}

void lines_report(FILE *f, const struct view *v, const char *mend)
{
    count_outcomes(f, v);
    name_stop(f, v);
    name_hook(f, v);
    for (uint32_t i = 0; i < v->plan->n_nodes; i++)
        name_left_alone(f, v, (uint16_t)i);
    for (uint32_t i = 0; i < v->plan->n_nodes; i++)
        name_inconclusive(f, v, (uint16_t)i);
    for (uint32_t i = 0; i < v->plan->n_nodes; i++)
        name_claim(f, v, (uint16_t)i, mend);
    for (uint32_t i = 0; i < v->plan->n_nodes; i++) {
        const struct node *n = &v->nodes[i].state;

        if (n->step == STEP_DONE && (n->outcome == OUTCOME_FAILED || n->outcome == OUTCOME_STOPPED)) {
            name_reason(f, v, (uint16_t)i);
            (void)fputc('\n', f);
        }
    }
    for (uint32_t i = 0; i < v->plan->n_nodes; i++) {
        const struct node *n = &v->nodes[i].state;

        if (n->step != STEP_DONE && (n->step != STEP_WAIT || n->out_mask != 0))
            name_out(f, v, (uint16_t)i, mend);
    }
    (void)fflush(f);
}
