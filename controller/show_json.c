/* One JSON object a line (NDJSON); docs/events.md. */
#include <stdlib.h>

#include "common/json.h"
#include "common/mem.h"
#include "event_json.h"
#include "gather.h"
#include "moment.h"
#include "say.h"
#include "show.h"
#include "status.h"
#include "wall.h"

#define HEARTBEAT_MS 30000

struct show_as_json {
    struct show base;
    struct gather to;
};

/* Takes `o`. */
static void put(struct show *show, const struct plan *p, json_t *o)
{
    char *text;

    (void)json_object_set_new(o, "v", json_integer(EVENT_SCHEMA));
    (void)json_object_set_new(o, "rollout", json_text(p->rollout));
    text = mem_must(json_dumps(o, JSON_COMPACT));
    (void)fprintf(((struct show_as_json *)show)->to.f, "%s\n", text);
    free(text);
    json_decref(o);
}

static void on_event(struct show *s, const struct view *v, const struct event *e)
{
    json_t *o = event_json(v->plan, e);

    if (e->kind == EVENT_BEGAN)
        (void)json_object_set_new(o, "plan", event_plan_json(v->plan));
    put(s, v->plan, o);
}

static void flush(struct show *s, const struct view *v)
{
    (void)v;
    gather_flush(&((struct show_as_json *)s)->to);
}

static void heartbeat(struct show *s, const struct view *v)
{
    char at[STATUS_TIME], *text;
    size_t n;
    int64_t now_ms = wall_now_ms();
    FILE *f = mem_must(open_memstream(&text, &n));

    moment_all(f, v, now_ms);
    mem_close(f, &text);
    put(s, v->plan,
        mem_must(json_pack("{s:s,s:i,s:s,s:o}", "event", "heartbeat", "seq", 0, "at", status_time(now_ms, at), "text",
                           json_text(text))));
    free(text);
    flush(s, v);
}

static bool end(struct show *show, const struct view *v, int code, const char *mend)
{
    struct show_as_json *s = (struct show_as_json *)show;
    char at[STATUS_TIME], *next = status_next(v, code, mend);
    bool good;

    put(show, v->plan,
        mem_must(json_pack("{s:s,s:i,s:s,s:s,s:i,s:o,s:o,s:o}", "event", "report", "seq", 0, "at",
                           status_time(v->now_ms, at), "text", status_of_code(code), "exit_code", code, "reasons",
                           say_reasons(), "nodes", event_nodes_json(v), "next",
                           next == NULL ? json_null() : json_text(next))));
    free(next);
    good = gather_close(&s->to);
    free(s);
    return good;
}

struct show *show_json(FILE *to)
{
    static const struct show_ops ops = {.event = on_event, .flush = flush, .tick = heartbeat, .end = end};
    struct show_as_json *s = mem_zero(1, sizeof *s);

    s->base = (struct show){.ops = &ops, .tick_ms = HEARTBEAT_MS};
    gather_open(&s->to, to);
    return &s->base;
}
