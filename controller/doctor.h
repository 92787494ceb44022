/* doctor.h - what stands in a rollout's way, and how to mend it: from a survey and what plan_make says to a table of
 * findings. Pure; who asks is command_doctor.c.
 *
 * Every check has at least one line: one that found nothing wrong says what it saw. */
#ifndef CONTROLLER_DOCTOR_H
#define CONTROLLER_DOCTOR_H

#include <jansson.h>
#include <stdio.h>

#include "plan_make.h"

enum doctor_result {
    DOCTOR_OK,
    DOCTOR_WARN, /* a rollout would begin all the same */
    DOCTOR_FAIL
};

struct doctor_finding {
    enum doctor_result result;
    int code;            /* of a FAIL: 3 a node is out, 4 not reached, 5 a rollout would be refused; else 0 */
    const char *what;    /* the check */
    char *detail, *mend; /* owned; mend NULL: there is nothing to mend */
};

struct doctor {                  /* all zero = nothing was looked at */
    struct doctor_finding *rows; /* owned */
    size_t n;
};

/* All borrowed. */
struct doctor_facts {
    const struct fleet *fleet;
    const struct options *options;
    const struct survey *survey; /* made for COMMAND_DOCTOR: it has certificates and clocks */
    const struct plan_request *request;
    const struct plan *plan; /* that plan_make made, or NULL and why not: */
    const struct complaints *complaints;
    const char *repair; /* the command that puts back what is out */
    int64_t now_s;      /* UNIX seconds */
};

void doctor_examine(struct doctor *, const struct doctor_facts *);

/* The worst: 3, else 5, else 4; 0 where nothing is a FAIL. */
int doctor_exit_code(const struct doctor *);

/* "FAIL  agents  web1: ..." a line, below each that is not ok "      mend: ...". Without control characters. */
void doctor_print(FILE *, const struct doctor *);

/* {"exit_code":N,"findings":[{"result":"ok|warn|fail","what":TEXT,"detail":TEXT,"mend":TEXT|null}]}; a new reference.
 */
json_t *doctor_json(const struct doctor *);

void doctor_clear(struct doctor *);

#endif
