#include <stdio.h>

#include <stdlib.h>

#include "command.h"
#include "common/sha256.h"
#include "mend.h"
#include "plan_resume.h"

/* Nodes that the plan would change. */
static uint32_t to_do(const struct plan *p)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < p->n_nodes; i++)
        n += p->nodes[i].at_target ? 0 : 1;
    return n;
}

/* I4: what stops this run does not put back what the run before left out. */
static bool tell_left_out(const struct session *s)
{
    char *mend = mend_command(s->options, s->options->service);
    bool any = false;

    for (uint32_t i = 0; i < s->survey->n_nodes; i++) {
        const struct survey_node *n = &s->survey->nodes[i];

        if (!plan_resume_holds(n, &s->request) || n->status.claim.n_took_out == 0)
            continue;
        (void)fprintf(stderr,
                      "rollout: %s: out of rotation or its state unknown, as an earlier run left it. Act now: %s\n",
                      survey_node_name(s->fleet, n), mend);
        any = true;
    }
    free(mend);
    return any;
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
    return code != EXIT_HELD && tell_left_out(s) ? 3 : code;
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

int command_roll(struct options *o)
{
    return command_on_fleet(o, command_roll_on);
}

int command_rollback(struct options *o)
{
    return command_on_fleet(o, command_roll_on);
}
