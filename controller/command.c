#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alive.h"
#include "common/mem.h"
#include "lines.h"
#include "loop.h"
#include "mend.h"
#include "outlet.h"
#include "signals.h"
#include "store.h"
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
    struct session s;
    struct err err = {.text = ""};
    struct complaints c = {0};
    int code;

    if (!session_open(&s, o, &err))
        code = command_bad(EXIT_CONFIG, &err);
    else if (!session_survey(&s))
        code = interrupted();
    else
        code = act(&s, &c);
    complaints_free(&c);
    session_close(&s);
    return code;
}

static void show_line(void *ctx, const struct view *v, const struct event *e)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = mem_must(open_memstream(&text, &size));

    lines_event(f, v, e);
    if (fclose(f) != 0)
        abort(); /* out of memory */
    outlet_put(ctx, text, size);
    free(text);
}

int command_run(struct session *s, const struct plan *p)
{
    struct err err = {.text = ""};
    struct outlet out = {.to = stdout};
    struct loop loop = {.plan = p, .show = show_line, .show_ctx = &out, .signal = signals_seen};
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
    loop.view = view_new(p);
    loop.world = world_net_open(p, s->calls);
    code = loop_run(&loop);
    outlet_end(&out);
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
