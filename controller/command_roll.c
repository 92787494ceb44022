#include <stdio.h>

#include "command.h"

/* Nodes that the plan would change. */
static uint32_t to_do(const struct plan *p)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < p->n_nodes; i++)
        n += p->nodes[i].at_target ? 0 : 1;
    return n;
}

static int roll(struct session *s, struct complaints *c)
{
    struct plan *p = plan_make(s->fleet, s->options, s->survey, &s->request, c);
    int code = 0;

    if (p == NULL) {
        code = command_complain(c);
        (void)fprintf(stderr, "rollout: nothing was changed\n");
    } else if (to_do(p) == 0) {
        (void)printf("%u node%s release %s already; nothing to do\n", p->n_nodes, p->n_nodes == 1 ? " runs" : "s run",
                     p->release_file);
    } else {
        code = command_run(s, p);
    }
    plan_free(&p);
    return code;
}

int command_roll(struct options *o)
{
    return command_on_fleet(o, roll);
}
