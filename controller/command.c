#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "alive.h"
#include "common/duration.h"
#include "common/mem.h"
#include "lines.h"
#include "loop.h"
#include "mend.h"
#include "outlet.h"
#include "signals.h"
#include "store.h"
#include "vigil.h"
#include "world_net.h"

int command_bad(int exit_code, const struct err *err)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "rollout: %s\n", err->text);
    return exit_code;
}

int command_complain(const struct complaints *c)
{
    (void)fflush(stdout);
    for (size_t i = 0; i < c->n; i++)
        (void)fprintf(stderr, "rollout: %s\n", c->lines[i]);
    return c->exit_code;
}

/* A signal came before anything was changed. */
static int interrupted(void)
{
    int number = signals_seen(NULL);

    (void)fprintf(stderr, "rollout: stopped by SIG%s before anything was changed\n", sigabbrev_np(number));
    return 128 + number;
}

int command_on_fleet(struct options *o, int (*act)(struct session *, struct complaints *))
{
    return command_on_journal(o, NULL, act);
}

int command_on_journal(struct options *o, const struct plan *journal, int (*act)(struct session *, struct complaints *))
{
    struct session s;
    struct err err = {.text = ""};
    struct complaints c = {0};
    int code;

    if (!session_open(&s, o, journal, &err))
        code = command_bad(EXIT_CONFIG, &err);
    else if (!session_survey(&s))
        code = interrupted();
    else
        code = act(&s, &c);
    complaints_free(&c);
    session_close(&s);
    return code;
}

static uint64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int command_await_dead(struct session *s, bool repair, struct complaints *c)
{
    struct vigil v = {0};
    struct call_result none;
    enum vigil_verdict verdict;
    char limit[32];

    while ((verdict = vigil_look(&v, s->fleet, s->survey, &s->request, repair, now_ms())) == VIGIL_WAIT) {
        if (v.began_ms == v.looked_ms) {
            (void)printf("waiting, at most %s, for what a dead rollout holds to run out: %s\n",
                         duration_format_ms(v.until_ms - v.began_ms, limit, sizeof limit), v.text);
            (void)fflush(stdout);
        }
        (void)calls_collect(s->calls, v.wait_ms, &none, 1, NULL);
        if (signals_seen(NULL) != 0 || !session_survey(s))
            return interrupted();
    }
    if (verdict == VIGIL_ALIVE)
        complain(c, EXIT_HELD, "%s; it is alive: it was renewed meanwhile", v.text);
    return verdict == VIGIL_ALIVE ? command_complain(c) : 0;
}

/* Lines of the events that were made durable together: they go out together. */
struct shower {
    struct outlet out;
    FILE *lines; /* into text */
    char *text;
    size_t size;
};

static void show_line(void *ctx, const struct view *v, const struct event *e)
{
    struct shower *s = ctx;

    lines_event(s->lines, v, e);
}

static void show_all(void *ctx)
{
    struct shower *s = ctx;

    if (fflush(s->lines) != 0)
        abort(); /* out of memory */
    outlet_put(&s->out, s->text, s->size);
    rewind(s->lines);
}

static void shower_end(struct shower *s)
{
    outlet_end(&s->out);
    (void)fclose(s->lines);
    free(s->text);
}

int command_run(struct session *s, const struct plan *p)
{
    struct err err = {.text = ""};
    struct shower shower = {.out = {.to = stdout}};
    struct loop loop = {
        .plan = p, .show = show_line, .show_all = show_all, .show_ctx = &shower, .signal = signals_seen};
    char *mend;
    int code, alive = -1;

    loop.store = store_sqlite_open(s->options->state, &err);
    if (loop.store != NULL)
        alive = alive_say(s->options->state, p->rollout, &err);
    if (alive < 0) {
        if (loop.store != NULL)
            loop.store->ops->close(loop.store);
        (void)err_context(&err, "no place for the journal (--state DIR names another)");
        return command_bad(EXIT_CONFIG, &err);
    }
    shower.lines = mem_must(open_memstream(&shower.text, &shower.size));
    loop.view = view_new(p);
    loop.world = world_net_open(p, s->calls);
    code = loop_run(&loop);
    shower_end(&shower);
    mend = mend_command(s->options, p->service);
    lines_report(stdout, loop.view, mend);
    if (ferror(stdout))
        lines_report(stderr, loop.view, mend); /* a node that is out is never left out silently */
    free(mend);
    loop.world->ops->close(loop.world);
    loop.store->ops->close(loop.store);
    (void)close(alive);
    view_free(&loop.view);
    return code;
}
