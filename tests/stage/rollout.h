/* rollout.h - the controller as a case runs it: with its arguments, to its end or in the background. */
#ifndef STAGE_ROLLOUT_H
#define STAGE_ROLLOUT_H

#include "tests/stage/proc.h"

struct stage_rollout {
    struct stage_proc *proc;
    int exit_code;         /* after stage_rollout_end: 0..255, or 128 + signal */
    const char *out, *err; /* after stage_rollout_end: the whole texts */
    const char *state_dir; /* its own, unless the environment given says otherwise */
};

/* Start `rollout ARGS...` (NULL-terminated). Each start has a state folder of its own (an empty disk) unless `state` is
 * one of an earlier start. */
struct stage_rollout *stage_rollout_start(struct stage *s, const char *state, const char *const *args);
/* Wait for its end; past the limit it is killed and the stage fails. */
void stage_rollout_end(struct stage *s, struct stage_rollout *r, uint32_t limit_ms);
/* Both. */
struct stage_rollout *stage_rollout(struct stage *s, uint32_t limit_ms, const char *const *args);
/* What it has written to stdout so far. */
const char *stage_rollout_said(struct stage *s, const struct stage_rollout *r);
/* Wait until its output (stdout or stderr) holds `text`; the stage fails past the limit or when it ends without. */
void stage_rollout_until(struct stage *s, struct stage_rollout *r, const char *text, uint32_t limit_ms);

#endif
