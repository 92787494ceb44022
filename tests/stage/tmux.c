#include "tests/stage/tmux.h"

#include <signal.h>

static bool answers(void *ctx)
{
    return STAGE_TMUX((struct stage_tmux *)ctx, "start-server", ";", "show-options", "-g").exit_code == 0;
}

struct stage_tmux *stage_tmux(struct stage *s, const char *columns, const char *rows, const char *command)
{
    struct stage_tmux *t = stage_alloc(s, sizeof *t);

    *t = (struct stage_tmux){.stage = s, .socket = stage_text(s, "%s/tmux", s->dir)};
    t->server = stage_start(
        s, &(struct stage_spawn){
               .name = "tmux",
               .argv = (const char *const[]){"/usr/bin/tmux", "-S", t->socket, "-f", "/dev/null", "-D", NULL},
               .env = (const char *const[]){"LC_ALL=C.UTF-8", NULL},
               .may_end = true,
               .no_leak_check = true,
           });
    stage_wait_until(s, answers, t, STAGE_TMUX_LIMIT_MS, "tmux to answer");
    if (STAGE_TMUX(t, "new-session", "-d", "-x", columns, "-y", rows, command).exit_code != 0)
        stage_fail(s, "tmux opens no window");
    return t;
}

void stage_tmux_end(struct stage_tmux *t)
{
    stage_proc_stop(t->stage, t->server, SIGTERM, STAGE_TMUX_LIMIT_MS);
}
