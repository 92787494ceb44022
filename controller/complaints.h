/* complaints.h - why a plan cannot be: all reasons at once, so that an operator mends them in one go. */
#ifndef CONTROLLER_COMPLAINTS_H
#define CONTROLLER_COMPLAINTS_H

#include <stddef.h>

/* Exit codes of DESIGN 4.4 that a refusal before any change can have. */
enum {
    EXIT_UNREACHABLE = 4,
    EXIT_REFUSED = 5,
    EXIT_HELD = 6,
};

struct complaints { /* all zero = none */
    char **lines;
    int *codes;    /* a line's exit code */
    char **others; /* the rollout that a line is about, where that is another one; else NULL */
    size_t n;
    int exit_code; /* of the worst: 5 before 6 before 4; 0 = none */
};

void complain(struct complaints *, int exit_code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The last line is about that rollout. */
void complain_of(struct complaints *, const char *rollout);
void complaints_free(struct complaints *);

#endif
