#include "status.h"

#include <string.h>
#include <time.h>

#include "common/duration.h"
#include "common/json.h"
#include "common/mem.h"
#include "event_json.h"
#include "lines.h"

enum standing status_standing(bool ended, bool alive)
{
    return ended ? STANDING_ENDED : alive ? STANDING_AT_WORK : STANDING_BROKEN_OFF;
}

const char *status_word(enum standing standing)
{
    static const char *const words[] = {
        [STANDING_AT_WORK] = "at_work", [STANDING_ENDED] = "ended", [STANDING_BROKEN_OFF] = "broken_off"};

    return words[standing];
}

const char *status_of_code(int code)
{
    static const struct {
        int code;
        const char *says;
    } rows[] = {
        {0, "every node is at the target"},
        {1, "failed; every node is in rotation"},
        {3, "a node is out of rotation, or its state is unknown"},
        {4, "a load balancer could not be reached"},
        {5, "refused"},
        {6, "another rollout holds the lease or a claim"},
        {7, "paused; every node is in rotation"},
        {8, "rolled back"},
        {78, "the journal could not be written; nothing was changed"},
        {129, "interrupted by SIGHUP; every node is in rotation"},
        {130, "interrupted; every node is in rotation"},
        {143, "interrupted by SIGTERM; every node is in rotation"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].code == code)
            return rows[i].says;
    return "an exit code that this version does not know";
}

const char *status_time(int64_t wall_ms, char text[STATUS_TIME])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm = {0};
    size_t n;

    (void)gmtime_r(&seconds, &tm);
    n = strftime(text, STATUS_TIME, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(text + n, STATUS_TIME - n, ".%03uZ", (unsigned)(wall_ms % 1000) % 1000);
    return text;
}

/* ---- one node */

static bool in_motion(const struct told *t, uint32_t node)
{
    return node_in_motion(&t->view->nodes[node].state);
}

/* A node in motion is left so only where nobody moves it any more. */
static const char *state_of(const struct told *t, uint32_t node, enum standing standing)
{
    return standing == STANDING_AT_WORK && in_motion(t, node) ? "in motion" : view_outcome(t->view, (uint16_t)node);
}

/* What was taken out counts as out until it was seen back. */
static bool is_out(const struct told *t, uint32_t node, uint32_t i)
{
    return (t->view->nodes[node].state.out_mask >> i & 1) != 0;
}

static bool needs_a_word(const struct told *t, uint32_t node)
{
    const struct node *n = &t->view->nodes[node].state;

    return in_motion(t, node) || n->step == STEP_OUT || n->outcome == OUTCOME_FAILED || n->outcome == OUTCOME_STOPPED;
}

static void print_node(FILE *f, const struct told *t, uint32_t node, enum standing standing)
{
    const struct view_node *n = &t->view->nodes[node];
    const struct plan *p = t->plan;
    const char *before = "; out or unknown: ";

    (void)fprintf(f, "%s: %s", p->nodes[node].name, state_of(t, node, standing));
    if (in_motion(t, node))
        (void)fprintf(f, " in step %s, which waits for %s", step_row((enum step)n->state.step)->name,
                      step_row((enum step)n->state.step)->waits_for);
    if (n->state.why != WHY_NONE)
        (void)fprintf(f, "; in step %s: %s", step_row((enum step)n->state.why_step)->name,
                      why_phrase((enum why)n->state.why));
    if (n->text[0] != '\0')
        (void)fprintf(f, " (%s)", n->text);
    for (uint32_t i = 0; i < p->nodes[node].n_peers; i++) {
        uint32_t peer = p->nodes[node].first_peer + i;

        if (!is_out(t, node, i))
            continue;
        (void)fprintf(f, "%s%s of upstream %s at %s", before, p->peers[peer].server,
                      p->upstreams[p->peers[peer].upstream].name, p->lbs[plan_peer_lb(p, peer)].name);
        before = ", ";
    }
    (void)fputc('\n', f);
}

/* ---- the whole */

/* A hook of the end has failed and nothing else: no command of ours would do anything. */
static bool only_its_end_failed(const struct view *v, int code)
{
    struct view_counts c = view_count(v);

    return code == 1 && v->hooked[0] != '\0' && c.done == v->plan->n_nodes;
}

char *status_next(const struct view *v, int code, const char *mend)
{
    if (code == 0 || code == 8 || only_its_end_failed(v, code))
        return NULL;
    if (code == 3 || v->plan->kind == PLAN_REPAIR)
        return mem_text(mend);
    return mem_format("rollout resume %s", v->plan->rollout);
}

void status_end(FILE *f, const struct view *v, int code, const char *mend)
{
    char *next = status_next(v, code, mend);

    (void)fprintf(f, "exit code %d: %s\n", code, status_of_code(code));
    if (next != NULL)
        (void)fprintf(f, "next: %s\n", next);
    free(next);
}

static bool all_done(const struct told *t)
{
    return t->ended &&
           (t->code == 0 || t->code == 8 /* all is as it was before */ || only_its_end_failed(t->view, t->code));
}

/* NULL: nothing. Caller frees. */
static char *to_do(const struct told *t, enum standing standing)
{
    if (standing == STANDING_AT_WORK || all_done(t))
        return NULL;
    if (t->plan->kind == PLAN_REPAIR)
        return mem_text("rollout repair --hosts FILE");
    return mem_format("rollout resume %s", t->plan->rollout);
}

static void print_counts(FILE *f, const struct told *t, enum standing standing)
{
    const char *names[16];
    uint32_t counts[16] = {0}, n = 0;

    for (uint32_t i = 0; i < t->plan->n_nodes; i++) {
        const char *name = state_of(t, i, standing);
        uint32_t k = 0;

        while (k < n && strcmp(names[k], name) != 0)
            k++;
        if (k == n && n < 16)
            names[n++] = name;
        if (k < n)
            counts[k]++;
    }
    (void)fprintf(f, "%u node%s", t->plan->n_nodes, t->plan->n_nodes == 1 ? "" : "s");
    for (uint32_t k = 0; k < n; k++)
        (void)fprintf(f, "%s %u %s", k == 0 ? ":" : ",", counts[k], names[k]);
    (void)fputc('\n', f);
}

void status_print(FILE *f, const struct told *t, bool alive)
{
    enum standing standing = status_standing(t->ended, alive);
    char began[STATUS_TIME], last[STATUS_TIME];
    char *command = to_do(t, standing);

    (void)status_time(t->view->began_ms, began);
    (void)status_time(t->view->now_ms, last);
    lines_plan(f, t->plan);
    (void)fprintf(f, "\nbegan %s by %s\n", began, t->plan->holder);
    if (standing == STANDING_ENDED)
        (void)fprintf(f, "ended %s with exit code %d: %s\n", last, t->code, status_of_code(t->code));
    else if (standing == STANDING_AT_WORK)
        (void)fprintf(f, "at work; its last event came %s\n", last);
    else
        (void)fprintf(f, "broken off after %s: the journal has no end of it, and no process of it lives here\n", last);
    if (t->beside != 0)
        (void)fprintf(f, "beside run %u, which is told here, there was run %u %s; rollout show %s has both\n", t->run,
                      t->beside, t->beside_text, t->plan->rollout);
    print_counts(f, t, standing);
    if (t->view->held[0] != '\0' && standing == STANDING_AT_WORK)
        (void)fprintf(f, "waits: %s\n", t->view->held);
    if (t->view->stopping[0] != '\0')
        (void)fprintf(f, "stopped: %s\n", t->view->stopping);
    for (uint32_t i = 0; i < t->plan->n_nodes; i++)
        if (needs_a_word(t, i))
            print_node(f, t, i, standing);
    if (command != NULL)
        (void)fprintf(f, "what to do: %s\n", command);
    free(command);
}

/* ---- JSON */

static json_t *node_json(const struct told *t, uint32_t node, enum standing standing)
{
    const struct view_node *n = &t->view->nodes[node];
    const struct plan *p = t->plan;

    return json_pack("{s:o,s:s,s:s,s:o,s:o,s:o}", "node", json_text(p->nodes[node].name), "step",
                     step_row((enum step)n->state.step)->name, "state", state_of(t, node, standing), "why",
                     json_text_or_null(why_phrase((enum why)n->state.why)), "text", json_text_or_null(n->text), "out",
                     event_out_json(t->view, node));
}

json_t *status_json(const struct told *t, bool alive)
{
    enum standing standing = status_standing(t->ended, alive);
    const struct plan *p = t->plan;
    char began[STATUS_TIME], last[STATUS_TIME], *command = to_do(t, standing);
    json_t *nodes = mem_must(json_array()), *o;

    for (uint32_t i = 0; i < p->n_nodes; i++)
        json_append(nodes, node_json(t, i, standing));
    o = json_pack("{s:s,s:s,s:o,s:s,s:s,s:o,s:o,s:o,s:I,s:I,s:s,s:s,s:o,s:o,s:o}", "rollout", p->rollout, "standing",
                  status_word(standing), "exit_code", standing == STANDING_ENDED ? json_integer(t->code) : json_null(),
                  "kind", plan_kind_word(p->kind), "service", p->service, "release", event_release_json(p), "version",
                  json_text_or_null(p->version), "holder", json_text(p->holder), "fence", (json_int_t)p->fence, "runs",
                  (json_int_t)t->runs, "began", status_time(t->view->began_ms, began), "last",
                  status_time(t->view->now_ms, last), "stopping", json_text_or_null(t->view->stopping), "nodes", nodes,
                  "to_do", json_text_or_null(command));
    free(command);
    return mem_must(o);
}
