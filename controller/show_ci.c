/* A CI's log: the lines, folded by what is in motion, and an annotation for what a person must see. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "gate.h"
#include "gather.h"
#include "lines.h"
#include "marks.h"
#include "show.h"
#include "status.h"
#include "summary.h"

#define HEARTBEAT_MS 30000

struct show_in_ci {
    struct show base;
    struct gather to;
    const struct marks *marks;
    const char *summary; /* file of the step's summary; NULL = none */
    bool open;           /* a group is */
    uint32_t groups;     /* so far; their names are made of it */
};

static const char *group_name(const struct show_in_ci *s, char name[32])
{
    (void)snprintf(name, 32, "rollout_%u", s->groups);
    return name;
}

static void close_group(struct show_in_ci *s, int64_t wall_ms)
{
    char name[32];

    if (s->open)
        s->marks->close(s->to.f, group_name(s, name), wall_ms);
    s->open = false;
}

/* Groups do not overlap, nodes in motion may: one for all from a time when none is to the next such time. */
static void open_group(struct show_in_ci *s, const struct view *v, const struct event *e)
{
    const char *node = v->plan->nodes[e->node].name;
    char name[32], *title;

    if (s->open)
        return;
    s->groups++;
    s->open = true;
    title = v->plan->batches[0] > 1 || v->n_moving > 1 ? mem_format("%s and others", node) : mem_text(node);
    s->marks->open(s->to.f, group_name(s, name), title, e->wall_ms);
    free(title);
}

static void annotate_node(struct show_in_ci *s, const struct view *v, uint16_t id)
{
    const struct view_node *n = &v->nodes[id];
    char *title = mem_format("%s: %s", v->plan->nodes[id].name, view_outcome(v, id));
    char *text = mem_format("%s%s%s%s%s%s", n->state.why != WHY_NONE ? "in step " : "",
                            n->state.why != WHY_NONE ? step_row((enum step)n->state.why_step)->name : "",
                            n->state.why != WHY_NONE ? ": " : "", why_phrase((enum why)n->state.why),
                            n->text[0] != '\0' ? "; " : "", n->text);

    s->marks->annotate(s->to.f, MARK_ERROR, title, text);
    free(title);
    free(text);
}

static void annotate(struct show_in_ci *s, const struct view *v, const struct event *e)
{
    const struct node *n = &e->state;

    if (e->kind == EVENT_STEP && (n->step == STEP_OUT || (n->step == STEP_DONE && n->outcome == OUTCOME_FAILED)))
        annotate_node(s, v, e->node);
    else if (e->kind == EVENT_STEP && n->step == STEP_DONE && n->gate == GATE_THIN)
        s->marks->annotate(s->to.f, MARK_WARNING, v->plan->nodes[e->node].name, gate_phrase(GATE_THIN));
    else if (e->kind == EVENT_STOPPING || e->kind == EVENT_LEASE_REFUSED)
        s->marks->annotate(s->to.f, MARK_WARNING, "nothing new starts", e->text);
    else if (e->kind == EVENT_HOOKED && e->code != 0)
        s->marks->annotate(s->to.f, MARK_ERROR, "the hook at-end failed", v->hooked);
    else if (e->kind == EVENT_HELD)
        s->marks->annotate(s->to.f, MARK_NOTICE, "waits for a promotion", e->text);
}

static bool ends_group(const struct show_in_ci *s, const struct view *v, const struct event *e)
{
    return s->open && (e->kind == EVENT_ENDED || (e->kind == EVENT_STEP && v->n_moving == 0));
}

static void on_event(struct show *show, const struct view *v, const struct event *e)
{
    struct show_in_ci *s = (struct show_in_ci *)show;

    if (e->kind == EVENT_STEP && node_in_motion(&e->state))
        open_group(s, v, e);
    lines_event(s->to.f, v, e);
    if (ends_group(s, v, e))
        close_group(s, e->wall_ms);
    annotate(s, v, e);
}

static void flush(struct show *show, const struct view *v)
{
    struct show_in_ci *s = (struct show_in_ci *)show;

    (void)v;
    (void)fflush(s->to.f);
    if (s->marks->defuse != NULL && s->to.n > 0) {
        s->to.text[s->to.n] = '\0'; /* behind a rewind the end of a longer text of before still stands there */
        s->marks->defuse(s->to.text);
    }
    gather_flush(&s->to);
}

static void heartbeat(struct show *s, const struct view *v)
{
    lines_heartbeat(((struct show_in_ci *)s)->to.f, v);
    flush(s, v);
}

/* The summary is for people; a rollout does not fail for it. */
static void write_summary(struct show_in_ci *s, const struct view *v, int code, const char *mend)
{
    FILE *f = s->summary != NULL ? fopen(s->summary, "ae") : NULL;

    if (f != NULL)
        summary_write(f, v, code, mend);
    if (s->summary != NULL && (f == NULL || fclose(f) != 0))
        (void)fprintf(s->to.f, "the step's summary could not be written to %s: %s\n", s->summary, strerror(errno));
}

static bool end(struct show *show, const struct view *v, int code, const char *mend)
{
    struct show_in_ci *s = (struct show_in_ci *)show;
    bool good;

    close_group(s, v->now_ms);
    lines_report(s->to.f, v, mend);
    status_end(s->to.f, v, code, mend);
    write_summary(s, v, code, mend);
    flush(show, v);
    good = gather_close(&s->to);
    free(s);
    return good;
}

static struct show *open_ci(FILE *to, const struct marks *marks, const char *summary)
{
    static const struct show_ops ops = {.event = on_event, .flush = flush, .tick = heartbeat, .end = end};
    struct show_in_ci *s = mem_zero(1, sizeof *s);

    s->base = (struct show){.ops = &ops, .tick_ms = HEARTBEAT_MS};
    s->marks = marks;
    s->summary = summary;
    gather_open(&s->to, to);
    return &s->base;
}

struct show *show_github(FILE *to, const char *summary)
{
    return open_ci(to, &marks_github, summary);
}

struct show *show_gitlab(FILE *to)
{
    return open_ci(to, &marks_gitlab, NULL);
}
