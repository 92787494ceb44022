#include <stdio.h>

#include "command.h"
#include "common/sha256.h"
#include "left_out.h"
#include "told.h"

/* Nodes that the plan would change. */
static uint32_t to_do(const struct plan *p)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < p->n_nodes; i++)
        n += p->nodes[i].at_target ? 0 : 1;
    return n;
}

static void tell_done(const struct plan *p)
{
    if (p->kind == PLAN_ROLLBACK)
        (void)printf("%u node%s taken back by %s already; nothing to do\n", p->n_nodes,
                     p->n_nodes == 1 ? " was" : "s were", p->rollout);
    else if (p->has_release)
        (void)printf("%u node%s release %s already; nothing to do\n", p->n_nodes, p->n_nodes == 1 ? " runs" : "s run",
                     p->release_file);
    else
        (void)printf("rollout %s has restarted %s already; nothing to do\n", p->rollout,
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
            (void)printf("%s: taken back to %.12s already\n", p->nodes[i].name, to);
        else
            (void)printf("%s: back %.12s -> %.12s\n", p->nodes[i].name, from, to);
    }
}

int command_refused(const struct session *s, const struct complaints *c)
{
    int code = command_complain(c);

    (void)fprintf(stderr, "rollout: nothing was changed\n");
    return left_out_tell(s, false, code == EXIT_HELD) ? 3 : code;
}

int command_roll_on(struct session *s, struct complaints *c)
{
    struct plan *p;
    int code = command_await_dead(s, false, c);

    if (code != 0) {
        (void)fprintf(stderr, "rollout: nothing was changed\n");
        return code;
    }
    p = plan_make(s->fleet, s->options, s->survey, &s->request, c);
    if (p == NULL) {
        code = command_refused(s, c);
    } else if (to_do(p) == 0) {
        tell_done(p);
    } else {
        if (p->kind == PLAN_ROLLBACK)
            tell_ways_back(p);
        survey_free(&s->survey); /* the plan has all that counts; of a large fleet it is much */
        code = command_run(s, p);
    }
    plan_free(&p);
    return code;
}

static int roll_again(struct session *s, struct complaints *c)
{
    if (!left_out_by_journal(s))
        return command_roll_on(s, c);
    (void)fprintf(stderr, "rollout: nothing was changed\n");
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
    code = command_on_journal(o, NULL, told.view, roll_again);
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
