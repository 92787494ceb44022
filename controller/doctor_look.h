/* doctor_look.h - the inside of the doctor, shared by doctor.c, doctor_lb.c, doctor_node.c and doctor_findings.c only.
 *
 * A check looks at the facts and says what it has found: look_fail, look_warn, or, where nothing was bad, what it saw.
 */
#ifndef CONTROLLER_DOCTOR_LOOK_H
#define CONTROLLER_DOCTOR_LOOK_H

#include "doctor.h"

#define EXIT_OUT 3

/* One check at work. All borrowed. */
struct look {
    struct doctor *d;
    const struct doctor_facts *f;
    const struct survey *s; /* the facts' */
    const char *what;
    bool bad; /* it has found something */
};

/* A finding, as its `detail`; `mend` is copied. `code`: as in struct doctor_finding. */
void look_ok(struct look *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void look_warn(struct look *, const char *mend, const char *format, ...) __attribute__((format(printf, 3, 4)));
void look_fail(struct look *, int code, const char *mend, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The i-th load balancer and a node, for people. */
static inline const char *look_lb_name(const struct look *l, uint32_t i)
{
    return l->f->fleet->hosts[l->s->lbs[i].host].name;
}

static inline const char *look_node_name(const struct look *l, const struct survey_node *n)
{
    return survey_node_name(l->f->fleet, n);
}

static inline const char *look_plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

#define CHECK(name, what) void doctor_check_##name(struct look *);
#include "doctor.def"
#undef CHECK

#endif
