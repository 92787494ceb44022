#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alive.h"
#include "clock.h"
#include "common/duration.h"
#include "left_out.h"
#include "lines.h"
#include "live.h"
#include "loop.h"
#include "mend.h"
#include "say.h"
#include "show.h"
#include "signals.h"
#include "store.h"
#include "vigil.h"
#include "world_net.h"

int command_bad(int exit_code, const struct err *err)
{
    say_why("%s", err->text);
    return exit_code;
}

int command_complain(const struct complaints *c)
{
    for (size_t i = 0; i < c->n; i++)
        say_why("%s", c->lines[i]);
    return c->exit_code;
}

/* Where they name several, one is enough to begin with: the others may have ended until then. */
static const char *other_of(const struct complaints *c)
{
    for (size_t i = 0; c != NULL && i < c->n; i++)
        if (c->others[i] != NULL)
            return c->others[i];
    return "ID";
}

void command_unchanged(int exit_code, const struct complaints *c)
{
    if (exit_code == EXIT_HELD)
        say_why("nothing was changed; wait until rollout %s has ended, or end it: rollout abort %s --hosts FILE",
                other_of(c), other_of(c));
    else
        say_why("nothing was changed%s", exit_code == EXIT_UNREACHABLE ? "; once that is mended run this again" : "");
}

int command_interrupted(void)
{
    int number = signals_seen(NULL);

    say_why("stopped by SIG%s before anything was changed", sigabbrev_np(number));
    return 128 + number;
}

static int interrupted_unread(const struct session *s)
{
    int code = command_interrupted();

    return left_out_unread(s) ? 3 : code;
}

int command_on_fleet(struct options *o, int (*act)(struct session *, struct complaints *))
{
    return command_on_journal(o, NULL, NULL, act);
}

int command_on_journal(struct options *o, const struct plan *journal, const struct view *was,
                       int (*act)(struct session *, struct complaints *))
{
    struct session s;
    struct err err = {.text = ""};
    struct complaints c = {0};
    bool open = session_open(&s, o, journal, &err);
    int code;

    s.was = was;
    if (!open)
        code = command_bad(EXIT_CONFIG, &err);
    else if (say_rollout(s.rollout), !session_survey(&s))
        code = interrupted_unread(&s);
    else
        code = act(&s, &c);
    complaints_free(&c);
    session_close(&s);
    return code;
}

static void complain_held(struct complaints *c, const struct vigil *v)
{
    complain(c, EXIT_HELD, "%s; it is alive: it was renewed meanwhile", v->text);
    complain_of(c, v->rollout);
}

int command_await_dead(struct session *s, bool repair, struct complaints *c)
{
    struct vigil v = {0};
    struct call_result none;
    enum vigil_verdict verdict;
    char limit[32];

    while ((verdict = vigil_look(&v, s->fleet, s->survey, &s->request, repair, (uint64_t)clock_ms())) == VIGIL_WAIT) {
        if (v.began_ms == v.looked_ms)
            say("waiting, at most %s, for what a dead rollout holds to run out: %s",
                duration_format_ms(v.until_ms - v.began_ms, limit, sizeof limit), v.text);
        (void)calls_collect(s->calls, v.wait_ms, &none, 1, NULL);
        if (signals_seen(NULL) != 0 || !session_survey(s))
            return left_out_tell(s, repair, false) ? 3 : command_interrupted();
    }
    if (verdict == VIGIL_ALIVE)
        complain_held(c, &v);
    return verdict == VIGIL_ALIVE ? command_complain(c) : 0;
}

/* What the loop tells, and whom. */
struct telling {
    const struct plan *plan;
    struct view *view;
    struct live *live;
    struct shows shows;
};

static void tell_event(void *ctx, const struct view *v, const struct event *e)
{
    shows_event(&((struct telling *)ctx)->shows, v, e);
}

static void tell_all(void *ctx)
{
    struct telling *t = ctx;

    shows_flush(&t->shows, t->view);
}

static void tell_moment(void *ctx, const struct run *r)
{
    struct telling *t = ctx;

    live_look(t->live, r, t->plan);
    shows_tick(&t->shows, t->view);
}

/* What a rollout is written to: the journal, and what says that its process lives. Whatever cannot be opened is found
 * before anything is changed. */
struct records {
    struct store *store;
    int alive;
};

static bool open_records(struct records *r, const struct options *o, const struct plan *p, struct err *err)
{
    r->alive = -1;
    r->store = store_sqlite_open(o->state, err);
    if (r->store != NULL)
        r->alive = alive_say(o->state, p->rollout, err);
    if (r->alive >= 0)
        return true;
    if (r->store != NULL)
        r->store->ops->close(r->store);
    return err_context(err, "no place for the journal (--state DIR names another)");
}

static void close_records(struct records *r)
{
    r->store->ops->close(r->store);
    (void)close(r->alive);
}

static int roll(struct session *s, const struct plan *p, int otherwise, struct store *store, struct telling *t)
{
    struct loop loop = {.plan = p,
                        .age_ms = (uint32_t)(clock_ms() - s->began_ms),
                        .store = store,
                        .world = world_net_open(p, s->calls),
                        .view = t->view,
                        .show = tell_event,
                        .show_all = tell_all,
                        .tick = t->shows.tick_ms != UINT32_MAX ? tell_moment : NULL,
                        .tick_ms = t->shows.tick_ms,
                        .show_ctx = t,
                        .signal = signals_seen,
                        .wished = signals_wished};
    char *mend;
    int code;

    world_net_tell(loop.world, t->view);
    mend = mend_command(s->options, p->service);
    code = loop_run(&loop);

    if (code == 0)
        code = otherwise;
    (void)shows_end(&t->shows, t->view, code, mend);
    say_reported();
    if (ferror(stdout))
        lines_report(stderr, t->view, mend); /* a node that is out is never left out silently */
    free(mend);
    loop.world->ops->close(loop.world);
    return code;
}

/* Nothing can be begun; what a dead rollout left out stays so, and is named. */
static int cannot_begin(const struct session *s, const struct plan *p, const struct err *err)
{
    int code = command_bad(EXIT_CONFIG, err);

    return left_out_tell(s, p->kind == PLAN_REPAIR, false) ? 3 : code;
}

int command_run(struct session *s, const struct plan *p, int otherwise)
{
    struct err err = {.text = ""};
    struct telling telling = {.plan = p};
    struct records records;
    int code;

    if (!open_records(&records, s->options, p, &err))
        return cannot_begin(s, p, &err);
    if (shows_open(&telling.shows, s->options, stdout, &err)) {
        survey_free(&s->survey); /* the plan has all that counts; of a large fleet it is much */
        telling.view = view_new(p);
        telling.live = live_new(p);
        telling.view->live = telling.live;
        code = roll(s, p, otherwise, records.store, &telling);
        view_free(&telling.view);
        live_free(&telling.live);
    } else {
        code = cannot_begin(s, p, &err);
    }
    close_records(&records);
    return code;
}
