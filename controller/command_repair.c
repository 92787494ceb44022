#include <stdio.h>

#include "command.h"

/* What could not be asked counts as unknown: worse than a repair that was not needed. */
static int worse(int run_code, int complaint_code)
{
    return run_code != 0 ? run_code : complaint_code;
}

int command_repair(struct options *o)
{
    struct session s;
    struct err err = {.text = ""};
    struct complaints c = {0};
    struct plan *p = NULL;
    int code = 0;

    if (!session_open(&s, o, &err)) {
        code = command_bad(EXIT_CONFIG, &err);
    } else if (!session_survey(&s)) {
        code = command_interrupted();
    } else {
        p = plan_make_repair(s.fleet, o, s.survey, &s.request, &c);
        code = command_complain(&c);
        if (p == NULL)
            (void)fprintf(stderr, "rollout: nothing was changed\n");
        else if (p->n_nodes > 0)
            code = worse(command_run(&s, p), code);
        else
            (void)printf(c.n > 0 ? "nothing to repair at the agents that answered\n"
                                 : "no agent has a claim of a rollout; nothing to repair\n");
    }
    plan_free(&p);
    complaints_free(&c);
    session_close(&s);
    return code;
}
