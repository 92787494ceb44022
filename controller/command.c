#include "command.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "lines.h"
#include "loop.h"
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

int command_interrupted(void)
{
    int number = signals_seen(NULL);

    (void)fprintf(stderr, "rollout: stopped by %s before anything was changed\n",
                  number == SIGINT ? "SIGINT" : "SIGTERM");
    return 128 + number;
}

/* --state, else the place that the XDG base directory specification gives. */
static struct store *open_store(const struct options *o, struct err *err)
{
    const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char folder[4096];

    if (o->state != NULL)
        (void)snprintf(folder, sizeof folder, "%s", o->state);
    else if (xdg != NULL && xdg[0] == '/')
        (void)snprintf(folder, sizeof folder, "%s/rollout", xdg);
    else if (home != NULL && home[0] == '/')
        (void)snprintf(folder, sizeof folder, "%s/.local/state/rollout", home);
    else {
        (void)err_set(err, "no place for the journal: HOME is not set; give --state DIR");
        return NULL;
    }
    return store_sqlite_open(folder, err);
}

static void show_line(void *ctx, const struct view *v, const struct event *e)
{
    (void)ctx;
    lines_event(stdout, v, e);
}

int command_run(struct session *s, const struct plan *p)
{
    struct err err = {.text = ""};
    struct loop loop = {.plan = p, .show = show_line, .signal = signals_seen};
    char mend[1200];
    int code;

    loop.store = open_store(s->options, &err);
    if (loop.store == NULL)
        return command_bad(EXIT_CONFIG, &err);
    (void)snprintf(mend, sizeof mend, "rollout repair --hosts %s --service %s", s->options->hosts, p->service);
    loop.view = view_new(p);
    loop.world = world_net_open(p, s->calls);
    code = loop_run(&loop);
    lines_report(stdout, loop.view, mend);
    loop.world->ops->close(loop.world);
    loop.store->ops->close(loop.store);
    view_free(&loop.view);
    return code;
}
