/* command_doctor.c - doctor: asks all that a rollout would ask, before the first one. It changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "command.h"
#include "common/mem.h"
#include "doctor.h"
#include "mend.h"

static void show(const struct doctor *d, const struct options *o)
{
    if (o->output == OUTPUT_JSON) {
        json_t *all = doctor_json(d);
        char *text = mem_must(json_dumps(all, JSON_INDENT(1)));

        (void)puts(text);
        free(text);
        json_decref(all);
    } else {
        doctor_print(stdout, d);
    }
}

static int examine(struct session *s, struct complaints *c)
{
    struct plan *p = plan_make(s->fleet, s->options, s->survey, &s->request, c);
    char *repair = mend_command(s->options, s->options->service);
    const struct doctor_facts facts = {.fleet = s->fleet,
                                       .options = s->options,
                                       .survey = s->survey,
                                       .request = &s->request,
                                       .plan = p,
                                       .complaints = c,
                                       .repair = repair,
                                       .now_s = (int64_t)time(NULL)};
    struct doctor d = {0};
    int code;

    doctor_examine(&d, &facts);
    show(&d, s->options);
    code = doctor_exit_code(&d);
    doctor_clear(&d);
    free(repair);
    plan_free(&p);
    return code;
}

int command_doctor(struct options *o)
{
    return command_on_fleet(o, examine);
}
