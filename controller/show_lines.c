#include <stdlib.h>

#include "common/mem.h"
#include "gather.h"
#include "lines.h"
#include "show.h"
#include "status.h"

#define HEARTBEAT_MS 30000 /* a CI's log that says nothing for longer looks hung */

struct show_of_lines {
    struct show base;
    struct gather to;
};

static void on_event(struct show *s, const struct view *v, const struct event *e)
{
    lines_event(((struct show_of_lines *)s)->to.f, v, e);
}

static void flush(struct show *s, const struct view *v)
{
    (void)v;
    gather_flush(&((struct show_of_lines *)s)->to);
}

static void heartbeat(struct show *s, const struct view *v)
{
    lines_heartbeat(((struct show_of_lines *)s)->to.f, v);
    flush(s, v);
}

static bool end(struct show *s, const struct view *v, int code, const char *mend)
{
    struct show_of_lines *l = (struct show_of_lines *)s;
    bool good;

    lines_report(l->to.f, v, mend);
    status_end(l->to.f, v, code, mend);
    good = gather_close(&l->to);
    free(l);
    return good;
}

struct show *show_lines(FILE *to)
{
    static const struct show_ops ops = {.event = on_event, .flush = flush, .tick = heartbeat, .end = end};
    struct show_of_lines *l = mem_zero(1, sizeof *l);

    l->base = (struct show){.ops = &ops, .tick_ms = HEARTBEAT_MS};
    gather_open(&l->to, to);
    return &l->base;
}
