#include "tests/stage/rollout.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/stage/state.h"

#define ROLLOUT_ARGS_MAX 64

struct stage_rollout *stage_rollout_start(struct stage *s, const char *state, const char *const *args)
{
    struct stage_rollout *r = stage_alloc(s, sizeof *r);
    const char *argv[ROLLOUT_ARGS_MAX + 2] = {stage_text(s, "%s/rollout", s->build)};
    const char *name = stage_text(s, "rollout-%u", ++s->state->n_runs);

    for (size_t i = 0; args[i] != NULL; i++) {
        if (i == ROLLOUT_ARGS_MAX)
            stage_fail(s, "more than %d arguments for rollout", ROLLOUT_ARGS_MAX);
        argv[i + 1] = args[i];
    }
    r->state_dir = state != NULL ? state : stage_mkdir(s, stage_text(s, "%s-state", name));
    r->proc = stage_start(
        s, &(struct stage_spawn){.name = name,
                                 .argv = argv,
                                 .env = (const char *const[]){stage_text(s, "ROLLOUT_STATE=%s", r->state_dir), NULL},
                                 .split = true,
                                 .may_end = true});
    return r;
}

void stage_rollout_end(struct stage *s, struct stage_rollout *r, uint32_t limit_ms)
{
    r->exit_code = stage_proc_wait(s, r->proc, limit_ms);
    r->out = stage_read(s, r->proc->out_path);
    r->err = stage_read(s, r->proc->err_path);
}

struct stage_rollout *stage_rollout(struct stage *s, uint32_t limit_ms, const char *const *args)
{
    struct stage_rollout *r = stage_rollout_start(s, NULL, args);

    stage_rollout_end(s, r, limit_ms);
    return r;
}

const char *stage_rollout_said(struct stage *s, const struct stage_rollout *r)
{
    return stage_read(s, r->proc->out_path);
}

struct until {
    struct stage *s;
    struct stage_rollout *r;
    const char *text;
    bool said;
};

static bool has_said_or_ended(void *ctx)
{
    struct until *u = ctx;
    bool ended = stage_proc_ended(u->s, u->r->proc); /* before reading: what it said last is read too */

    u->said = strstr(stage_read(u->s, u->r->proc->out_path), u->text) != NULL ||
              strstr(stage_read(u->s, u->r->proc->err_path), u->text) != NULL;
    return u->said || ended;
}

void stage_rollout_until(struct stage *s, struct stage_rollout *r, const char *text, uint32_t limit_ms)
{
    struct until u = {s, r, text, false};

    if (stage_comes_true(s, has_said_or_ended, &u, limit_ms) && u.said)
        return;
    stage_tail(s, r->proc->out_path);
    stage_fail_log(s, r->proc->err_path, "rollout %s without having said \"%s\"",
                   r->proc->running ? "ran on past the limit" : "ended", text);
}
