/* plan_rollback.c - to which release each node goes back. Its agent knows: what ran before the release that runs, and
 * is kept there, so that nothing has to be brought. */
#include <string.h>

#include "agent_api.h"
#include "common/sha256.h"
#include "plan_make.h"

/* A run of it was here before us: once more would be one release too far. */
static bool is_done(const struct agent_status *st, const struct plan_request *q)
{
    return agent_api_took_back(&st->job, q->rollout) && st->job.state == JOB_DONE &&
           ident_runs(&st->ident, st->job.after.sha256);
}

/* A run of it has claimed the node and says where it goes: by now the release before may be another one. */
static bool is_claimed(const struct agent_status *st, const struct plan_request *q)
{
    return st->claim.there && st->claim.has_target && strcmp(st->claim.rollout, q->rollout) == 0;
}

void plan_check_back(const char *name, const struct survey_node *n, const struct plan_request *q, struct complaints *c)
{
    const struct agent_status *st = &n->status;
    bool aimed = st->has_previous && memcmp(st->previous, st->claim.target, sizeof st->previous) == 0;

    if (!st->claim.has_target || !(aimed || agent_api_took_back(&st->job, q->rollout)))
        complain(c, EXIT_REFUSED,
                 "%s: rollout %s has claimed it, and is no rollback; go on with that by rollout resume", name,
                 q->rollout);
}

void plan_aim_back(struct plan_node *n, const struct agent_status *st, const struct plan_request *q,
                   struct complaints *c)
{
    bool claimed = is_claimed(st, q), done = is_done(st, q);
    char hex[SHA256_DIGITS + 1];

    n->at_target = done;
    n->has_target = claimed || done || st->has_previous;
    memcpy(n->target_sha256,
           claimed ? st->claim.target
           : done  ? st->ident.sha256
                   : st->previous,
           sizeof n->target_sha256);
    if (n->has_target)
        return;
    sha256_hex(st->ident.sha256, hex);
    complain(
        c, EXIT_REFUSED,
        "%s: its agent knows no release before %.12s, which runs there; bring one with --release, or take the host "
        "out with --limit",
        n->name, hex);
}
