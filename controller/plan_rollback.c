/* plan_rollback.c - to which release each node goes back. Its agent knows: what ran before the release that runs, and
 * is kept there, so that nothing has to be brought. */
#include <string.h>

#include "common/sha256.h"
#include "plan_make.h"

/* A run of this very rollout was here before us: once more would be one release too far. */
static bool is_done(const struct agent_status *st, const struct plan_request *q)
{
    const struct agent_job *job = &st->job;

    return job->id != NULL && job->rollout != NULL && job->action != NULL && strcmp(job->rollout, q->rollout) == 0 &&
           strcmp(job->action, "rollback") == 0 && job->state == JOB_DONE && ident_runs(&st->ident, job->after.sha256);
}

void plan_aim_back(struct plan_node *n, const struct agent_status *st, const struct plan_request *q,
                   struct complaints *c)
{
    char hex[SHA256_DIGITS + 1];

    const struct agent_claim *claim = &st->claim;
    bool begun = claim->there && claim->has_target && strcmp(claim->rollout, q->rollout) == 0;

    n->at_target = is_done(st, q);
    n->has_target = n->at_target || begun || st->has_previous;
    memcpy(n->target_sha256,
           begun          ? claim->target
           : n->at_target ? st->ident.sha256
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
