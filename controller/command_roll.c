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

int command_roll(struct options *o)
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
    } else if ((p = plan_make(s.fleet, o, s.survey, &s.request, &c)) == NULL) {
        code = command_complain(&c);
        (void)fprintf(stderr, "rollout: nothing was changed\n");
    } else if (to_do(p) == 0) {
        (void)printf("%u nodes run release %s already; nothing to do\n", p->n_nodes, p->release_file);
    } else {
        code = command_run(&s, p);
    }
    plan_free(&p);
    complaints_free(&c);
    session_close(&s);
    return code;
}
