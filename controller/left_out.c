#include "left_out.h"

#include <stdio.h>
#include <stdlib.h>

#include "mend.h"
#include "plan_resume.h"

bool left_out_tell(const struct session *s, bool repair, bool lapsed)
{
    char *mend = mend_command(s->options, s->options->service);
    bool any = false;

    for (uint32_t i = 0; i < s->survey->n_nodes; i++) {
        const struct survey_node *n = &s->survey->nodes[i];
        const struct agent_claim *claim = &n->status.claim;

        if (!n->good || !claim->there || claim->n_took_out == 0 || (lapsed && claim->left_s > 0) ||
            (!repair && !plan_resume_holds(n, &s->request)))
            continue;
        (void)fprintf(stderr,
                      "rollout: %s: out of rotation or its state unknown, as rollout %s (%s) left it. Act now: %s\n",
                      survey_node_name(s->fleet, n), claim->rollout, claim->holder, mend);
        any = true;
    }
    free(mend);
    return any;
}
