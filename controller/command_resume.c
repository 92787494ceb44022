/* command_resume.c - rollout resume ID: on from where an earlier run was left. What the nodes and load balancers show
 * decides; the journal of that run, where it is there, spares the hosts file and the options, and tells what failed. */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "common/sha256.h"
#include "left_out.h"
#include "plan_resume.h"
#include "say.h"
#include "told.h"

#define FAILED_TOLD_MAX 20

/* The file of then must be the file of now. */
static void check_release(const struct plan *journal, const struct plan_request *q, struct complaints *c)
{
    char was[SHA256_DIGITS + 1], is[SHA256_DIGITS + 1];

    sha256_hex(journal->release_sha256, was);
    sha256_hex(q->release_sha256, is);
    if (journal->has_release != q->has_release)
        complain(c, EXIT_REFUSED, "rollout %s %s; take another id for what is something else", journal->rollout,
                 journal->has_release ? "upgrades, and there is no --release now" : "only restarts");
    else if (memcmp(journal->release_sha256, q->release_sha256, sizeof q->release_sha256) != 0)
        complain(c, EXIT_REFUSED, "rollout %s is to release %.12s, and %s is %.12s by now; give the same file",
                 q->rollout, was, journal->release_file, is);
    else if (q->rolls_back && !q->has_release)
        plan_resume_takes_nothing_back(q, c);
}

/* Nobody has let it go on beyond a pause that it died before. */
static uint32_t pause_left(const struct plan *journal, const struct view *was)
{
    uint32_t done = 0;

    for (uint32_t i = 0; i < journal->n_nodes; i++)
        done += was->nodes[i].state.outcome == OUTCOME_UPGRADED ? 1 : 0;
    return done < journal->pause_after ? journal->pause_after - done : 0;
}

static int resume(struct session *s, struct complaints *c)
{
    if (left_out_by_journal(s)) {
        command_unchanged(3, NULL);
        return 3;
    }
    plan_resume_rolled_back(s->fleet, s->survey, &s->request, c);
    if (s->journal != NULL) {
        s->request.pause_left = pause_left(s->journal, s->was);
        check_release(s->journal, &s->request, c);
    } else {
        plan_resume_traces(s->fleet, s->survey, &s->request, c);
    }
    return c->exit_code == 0 ? command_roll_on(s, c) : command_refused(s, c);
}

/* What failed is tried again: who resumes has seen why, and a node that is well is not touched. */
static void tell_failed(const struct told *t)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->plan->n_nodes; i++) {
        const struct node *node = &t->view->nodes[i].state;

        if (node->outcome != OUTCOME_FAILED || node->step != STEP_DONE || n++ >= FAILED_TOLD_MAX)
            continue;
        say("%s: failed before, and is tried again; in step %s: %s", t->plan->nodes[i].name,
            step_row((enum step)node->why_step)->name, why_phrase((enum why)node->why));
    }
    if (n > FAILED_TOLD_MAX)
        say("and %u more that failed before", n - FAILED_TOLD_MAX);
}

static int by_journal(struct options *o, const struct told *t)
{
    struct err err = {.text = ""};

    if (t->plan == NULL) {
        if (o->hosts != NULL)
            return command_on_journal(o, NULL, NULL, resume);
        (void)err_set(
            &err,
            "the journal in %s knows no rollout %s: give --hosts FILE, so that the fleet is asked, and --release "
            "FILE where it upgrades",
            o->state, o->id);
        return command_bad(EXIT_CONFIG, &err);
    }
    if (t->plan->kind == PLAN_REPAIR) {
        (void)err_set(&err, "%s is a repair: `rollout repair --hosts FILE` goes on with it", o->id);
        return command_bad(EXIT_USAGE, &err);
    }
    tell_failed(t);
    if (t->plan->kind == PLAN_ROLL)
        return command_on_journal(o, t->plan, t->view, resume);
    o->command = COMMAND_ROLLBACK;
    return command_on_journal(o, t->plan, t->view, command_roll_again);
}

int command_resume(struct options *o)
{
    struct err err = {.text = ""};
    struct store *store = store_sqlite_read(o->state, &err);
    struct told told = {0};
    bool readable = store == NULL ? err.text[0] == '\0' : told_read(&told, store, o->id, NULL, NULL, &err);
    int code;

    if (store != NULL)
        store->ops->close(store);
    if (!readable && o->hosts == NULL) {
        (void)err_context(&err, "give --hosts FILE, so that the fleet is asked");
        code = command_bad(EXIT_CONFIG, &err);
    } else {
        if (!readable) {
            (void)err_context(&err, "going on without the journal");
            (void)command_bad(0, &err);
            told_clear(&told);
        }
        code = by_journal(o, &told);
    }
    told_clear(&told);
    return code;
}
