#include <stdlib.h>

#include "command.h"
#include "say.h"
#include "unclaimed.h"

/* Nodes that a claim calls out. */
static uint32_t claimed(const struct session *s)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->survey->n_nodes; i++)
        n += s->survey->nodes[i].good && s->survey->nodes[i].status.claim.n_took_out > 0 ? 1 : 0;
    return n;
}

/* What could not be asked counts as unknown: worse than a repair that was not needed. */
static int put_back(struct session *s, const struct plan *p, bool complaints, int code)
{
    bool people = say_is_text();
    unsigned unknown; /* some of it may be the node of an agent that did not answer */
    char *lines = unclaimed_text(s, true, &unknown);

    if ((unknown > 0 && code == EXIT_UNREACHABLE) || (code == EXIT_REFUSED && claimed(s) > p->n_nodes))
        code = 3;
    if (!people) /* whose last line is the report */
        say_lines(lines, false);
    if (p->n_nodes > 0)
        code = command_run(s, p, code);
    else if (complaints)
        say("nothing to repair at the agents that answered");
    else
        say("no agent has a claim of a rollout; nothing to repair");
    if (people)
        say_lines(lines, false);
    free(lines);
    return code;
}

static int repair(struct session *s, struct complaints *c)
{
    struct plan *p;
    int code = command_await_dead(s, true, c);

    if (code == EXIT_HELD)
        command_unchanged(code, c);
    if (code != 0)
        return code;
    p = plan_make_repair(s->fleet, s->options, s->survey, &s->request, c);
    code = command_complain(c);
    if (p == NULL)
        command_unchanged(code, c);
    else
        code = put_back(s, p, c->n > 0, code);
    plan_free(&p);
    return code;
}

int command_repair(struct options *o)
{
    return command_on_fleet(o, repair);
}
