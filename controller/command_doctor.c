/* command_doctor.c - doctor: asks all that a rollout would ask, before the first one. It changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "command.h"
#include "common/mem.h"
#include "doctor.h"
#include "mend.h"
#include "say.h"

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
    if (say_is_text())
        doctor_print(stdout, &d);
    else
        say_document(doctor_json(&d));
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
