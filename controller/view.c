#include "view.h"

#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "wall.h"

#define NAME_WIDTH_MIN 8
#define NAME_WIDTH_MAX 40

static char no_text[] = "";

/* Most nodes never have one. */
static void set_text(struct view_node *n, const char *text)
{
    if (n->text != no_text)
        free(n->text);
    n->text = text[0] != '\0' ? mem_text(text) : no_text;
}

static int name_width(const struct plan *p)
{
    size_t width = NAME_WIDTH_MIN;

    for (uint32_t i = 0; i < p->n_nodes; i++)
        width = strlen(p->nodes[i].name) > width ? strlen(p->nodes[i].name) : width;
    return width > NAME_WIDTH_MAX ? NAME_WIDTH_MAX : (int)width;
}

struct view *view_new(const struct plan *p)
{
    struct view *v = mem_zero(1, sizeof *v);

    v->plan = p;
    v->name_width = name_width(p);
    v->nodes = mem_zero(p->n_nodes, sizeof *v->nodes);
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        node_init(&v->nodes[i].state, (uint16_t)i, p);
        v->nodes[i].text = no_text;
        v->n_moving += node_in_motion(&v->nodes[i].state) ? 1 : 0;
    }
    return v;
}

void view_free(struct view **v)
{
    if (*v == NULL)
        return;
    for (uint32_t i = 0; i < (*v)->plan->n_nodes; i++)
        set_text(&(*v)->nodes[i], "");
    free((*v)->nodes);
    free(*v);
    *v = NULL;
}

static void feed_step(struct view *v, struct view_node *n, const struct event *e)
{
    bool fell = e->state.failed && !n->state.failed;
    enum step from = (enum step)e->from;

    if (n->step_ms != 0 && from < STEP_COUNT && node_went_well(from, (enum step)e->state.step)) {
        v->step_ms[from] += wall_passed_ms(n->step_ms, e->wall_ms);
        v->step_n[from]++;
    }
    v->n_moving -= node_in_motion(&n->state) ? 1 : 0;
    n->state = e->state;
    v->n_moving += node_in_motion(&n->state) ? 1 : 0;
    n->step_ms = e->wall_ms;
    if (e->from == STEP_WAIT || e->from == STEP_DONE) /* DONE: it is taken back */
        n->begun_ms = e->wall_ms;
    if (e->state.step == STEP_DONE || e->state.step == STEP_OUT)
        n->ended_ms = e->wall_ms;
    if ((fell || e->state.step == STEP_OUT || e->from == STEP_BAKE) && e->text[0] != '\0')
        set_text(n, e->text);
    else if (e->state.why == WHY_NONE)
        set_text(n, ""); /* a note was about the step before */
}

static void feed_end(struct view *v, const struct event *e)
{
    if (e->kind == EVENT_HOOKED && e->code != 0 && v->hooked[0] == '\0')
        (void)snprintf(v->hooked, sizeof v->hooked, "%.150s: %.160s", v->hook, e->text);
    (void)snprintf(v->hook, sizeof v->hook, "%s", e->kind == EVENT_HOOK ? e->text : "");
}

void view_feed(struct view *v, const struct event *e)
{
    if (v->began_ms == 0)
        v->began_ms = e->wall_ms;
    v->now_ms = e->wall_ms;
    if (e->kind == EVENT_STOPPING)
        (void)snprintf(v->stopping, sizeof v->stopping, "%s", e->text);
    if (e->kind == EVENT_HELD)
        (void)snprintf(v->held, sizeof v->held, "%s", e->text);
    if (e->kind == EVENT_PROMOTED || e->kind == EVENT_STOPPING)
        v->held[0] = '\0';
    if (e->kind == EVENT_HOOK || e->kind == EVENT_HOOKED)
        feed_end(v, e);
    if (e->node >= v->plan->n_nodes)
        return;
    if (e->kind == EVENT_STEP)
        feed_step(v, &v->nodes[e->node], e);
    else if ((e->kind == EVENT_NOTE || (e->kind == EVENT_OUTPUT && !v->nodes[e->node].state.failed)) &&
             e->text[0] != '\0')
        set_text(&v->nodes[e->node], e->text);
}

struct view_counts view_count(const struct view *v)
{
    struct view_counts c = {0};

    for (uint32_t i = 0; i < v->plan->n_nodes; i++) {
        const struct node *n = &v->nodes[i].state;

        if (node_in_motion(n))
            c.moving++;
        else if (n->step == STEP_WAIT)
            c.waiting++;
        else if (n->step == STEP_OUT)
            c.out++;
        else if (n->outcome == OUTCOME_FAILED)
            c.failed++;
        else
            c.done++;
    }
    return c;
}

const char *view_hook(const struct plan *p, const struct node *n)
{
    enum hook_point point;

    if (step_row((enum step)n->step)->ask != ASK_HOOK)
        return "";
    point = node_hook_point((enum step)n->step);
    return n->hook < plan_hooks(p, point) ? plan_hook(p, point, n->hook)->command : "";
}

const char *view_outcome(const struct view *v, uint16_t node)
{
    const struct node *n = &v->nodes[node].state;

    if (n->step == STEP_OUT)
        return v->plan->nodes[node].in_place ? "NOT WELL, IN ROTATION" : "OUT OF ROTATION";
    if (n->step == STEP_WAIT)
        return "not begun";
    if (n->step != STEP_DONE)
        return "left in mid-motion";
    switch ((enum outcome)n->outcome) {
    case OUTCOME_UPGRADED:
        return v->plan->has_release ? "upgraded" : "restarted";
    case OUTCOME_ALREADY:
        return "already there";
    case OUTCOME_MENDED:
        return "put back";
    case OUTCOME_FAILED:
        return n->why_step == STEP_BAKE      ? "failed its bake, in rotation as it is"
               : n->why_step == STEP_READDED ? "failed its hook, in rotation as it is"
                                             : "failed, in rotation";
    case OUTCOME_LEFT:
        return "taken over by another run";
    case OUTCOME_STOPPED:
        return "stopped, in rotation";
    case OUTCOME_BACK:
        return "taken back";
    case OUTCOME_NONE:
        break;
    }
    return "unknown";
}
