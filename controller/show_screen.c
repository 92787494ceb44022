#include <stdlib.h>

#include "common/mem.h"
#include "lines.h"
#include "show.h"
#include "status.h"
#include "terminal.h"
#include "wall.h"

#define FRAME_MS 100 /* ten a second: nobody reads faster */

struct show_on_screen {
    struct show base;
    struct terminal terminal;
    FILE *above; /* lines that are to stay, into: */
    char *text;
    size_t n;
};

/* What a person must not miss because it was on the screen for a tenth of a second. */
static bool is_lasting(const struct event *e)
{
    switch (e->kind) {
    case EVENT_STEP:
        return e->state.step == STEP_OUT || (e->state.step == STEP_DONE && e->state.outcome != OUTCOME_ALREADY) ||
               (e->state.failed && e->text[0] != '\0' && e->state.why_step == e->from);
    case EVENT_HOOKED:
        return e->code != 0;
    case EVENT_OUTPUT:
    case EVENT_LEASE_WAIT:
    case EVENT_LEASE_REFUSED:
    case EVENT_HELD:
    case EVENT_PROMOTED:
    case EVENT_STOPPING:
        return true;
    default:
        return false;
    }
}

static void on_event(struct show *show, const struct view *v, const struct event *e)
{
    struct show_on_screen *s = (struct show_on_screen *)show;

    if (is_lasting(e))
        lines_event(s->above, v, e);
}

static void draw(struct show *show, const struct view *v)
{
    struct show_on_screen *s = (struct show_on_screen *)show;
    struct screen_style style = *terminal_look(&s->terminal);
    char *frame;
    size_t n;
    FILE *f = mem_must(open_memstream(&frame, &n));

    style.rows = style.rows > 1 ? style.rows - 1 : 1; /* the cursor's own */
    screen_draw(f, v, wall_now_ms(), &style);
    mem_close(f, &frame);
    if (fflush(s->above) != 0)
        abort();          /* out of memory */
    s->text[s->n] = '\0'; /* behind a rewind the end of a longer text of before still stands there */
    terminal_put(&s->terminal, s->text, frame);
    rewind(s->above);
    free(frame);
}

static bool end(struct show *show, const struct view *v, int code, const char *mend)
{
    struct show_on_screen *s = (struct show_on_screen *)show;
    struct screen_style style = s->terminal.style;
    FILE *to = s->terminal.out.to;

    draw(show, v); /* what is to stay goes out */
    terminal_close(&s->terminal);
    screen_table(to, v, &style);
    lines_report(to, v, mend);
    status_end(to, v, code, mend);
    (void)fclose(s->above);
    free(s->text);
    free(s);
    return fflush(to) == 0 && !ferror(to);
}

struct show *show_screen(FILE *to)
{
    static const struct show_ops ops = {.event = on_event, .tick = draw, .end = end};
    struct show_on_screen *s = mem_zero(1, sizeof *s);

    s->base = (struct show){.ops = &ops, .tick_ms = FRAME_MS};
    terminal_open(&s->terminal, to);
    s->above = mem_must(open_memstream(&s->text, &s->n));
    return &s->base;
}
