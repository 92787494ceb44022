#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "common/mem.h"
#include "common/sha256.h"
#include "left_out.h"
#include "plan_json.h"
#include "say.h"
#include "told.h"
#include "unclaimed.h"

static void tell_done(const struct plan *p)
{
    if (p->kind == PLAN_ROLLBACK)
        say("%u node%s taken back by %s already; nothing to do", p->n_nodes, p->n_nodes == 1 ? " was" : "s were",
            p->rollout);
    else if (p->has_release)
        say("%u node%s release %s already; nothing to do", p->n_nodes, p->n_nodes == 1 ? " runs" : "s run",
            p->release_file);
    else
        say("rollout %s has restarted %s already; nothing to do", p->rollout,
            p->n_nodes == 1 ? "the node" : "all nodes");
}

/* Each node may have another release before. */
static void tell_ways_back(const struct plan *p)
{
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        char from[SHA256_DIGITS + 1], to[SHA256_DIGITS + 1];

        sha256_hex(p->nodes[i].surveyed.sha256, from);
        sha256_hex(p->nodes[i].target_sha256, to);
        if (p->nodes[i].at_target)
            say("%s: taken back to %.12s already", p->nodes[i].name, to);
        else
            say("%s: back %.12s -> %.12s", p->nodes[i].name, from, to);
    }
}

/* all: also where no rollout begins that would tell of them. */
static void tell_unclaimed(const struct session *s, bool all)
{
    char *lines = unclaimed_text(s, all, NULL);

    say_lines(lines, true);
    free(lines);
}

int command_refused(const struct session *s, const struct complaints *c)
{
    int code = command_complain(c);

    tell_unclaimed(s, true);
    command_unchanged(code, c);
    return left_out_tell(s, false, code == EXIT_HELD) ? 3 : code;
}

int command_roll_on(struct session *s, struct complaints *c)
{
    struct plan *p;
    int code = command_await_dead(s, false, c);

    if (code != 0) {
        command_unchanged(code, c);
        return code;
    }
    if (left_out_by_limit(s)) {
        command_unchanged(3, NULL);
        return 3;
    }
    p = plan_make(s->fleet, s->options, s->survey, &s->request, c);
    if (p == NULL) {
        code = command_refused(s, c);
    } else if (plan_to_do(p) == 0) {
        tell_done(p);
        tell_unclaimed(s, true);
    } else {
        if (p->kind == PLAN_ROLLBACK)
            tell_ways_back(p);
        tell_unclaimed(s, false);
        code = command_run(s, p, 0);
    }
    plan_free(&p);
    return code;
}

int command_roll_again(struct session *s, struct complaints *c)
{
    if (!left_out_by_journal(s))
        return command_roll_on(s, c);
    command_unchanged(3, NULL);
    return 3;
}

/* An id that was given may be one of before: of what that run had in its hands the journal tells, where it can be read.
 */
static int roll(struct options *o)
{
    struct store *store = o->rollout_id != NULL ? store_sqlite_read(o->state, NULL) : NULL;
    struct told told = {0};
    int code;

    if (store != NULL) {
        if (!told_read(&told, store, o->rollout_id, NULL, NULL, NULL))
            told_clear(&told);
        store->ops->close(store);
    }
    code = command_on_journal(o, NULL, told.view, command_roll_again);
    told_clear(&told);
    return code;
}

int command_roll(struct options *o)
{
    return roll(o);
}

int command_rollback(struct options *o)
{
    return roll(o);
}
