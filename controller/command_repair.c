#include <stdio.h>

#include "command.h"
#include "unclaimed.h"

/* What could not be asked counts as unknown: worse than a repair that was not needed. */
static int worse(int run_code, int complaint_code)
{
    return run_code != 0 ? run_code : complaint_code;
}

static int repair(struct session *s, struct complaints *c)
{
    struct plan *p;
    int code = command_await_dead(s, true, c);

    if (code != 0)
        return code;
    p = plan_make_repair(s->fleet, s->options, s->survey, &s->request, c);
    code = command_complain(c);
    if (p == NULL)
        (void)fprintf(stderr, "rollout: nothing was changed\n");
    else if (p->n_nodes > 0)
        code = worse(command_run(s, p), code);
    else
        (void)printf(c->n > 0 ? "nothing to repair at the agents that answered\n"
                              : "no agent has a claim of a rollout; nothing to repair\n");
    if (p != NULL && unclaimed_tell(stdout, s, true) > 0 && code == EXIT_UNREACHABLE)
        code = 3; /* one that is out may be the node whose agent did not answer */
    plan_free(&p);
    return code;
}

int command_repair(struct options *o)
{
    return command_on_fleet(o, repair);
}
