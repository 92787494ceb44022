/* tmux.h - a terminal that can be read: a tmux server of one test alone, with one window. */
#ifndef STAGE_TMUX_H
#define STAGE_TMUX_H

#include "tests/stage/proc.h"

#define STAGE_TMUX_LIMIT_MS 20000 /* of each of its commands */

struct stage_tmux {
    struct stage *stage;
    struct stage_proc *server;
    const char *socket;
};

/* A window of so many columns and rows, in which /bin/sh runs `command`. */
struct stage_tmux *stage_tmux(struct stage *s, const char *columns, const char *rows, const char *command);
void stage_tmux_end(struct stage_tmux *);

/* STAGE_TMUX(t, "resize-window", "-x", "40"): one command of tmux, as stage_run gives it back. */
#define STAGE_TMUX(t, ...)                                                                                             \
    stage_run((t)->stage, STAGE_TMUX_LIMIT_MS,                                                                         \
              (const char *const[]){"/usr/bin/tmux", "-S", (t)->socket, "-f", "/dev/null", __VA_ARGS__, NULL})

#endif
