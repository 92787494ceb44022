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
    int *codes; /* a line's exit code */
    size_t n;
    int exit_code; /* of the worst: 5 before 6 before 4; 0 = none */
};

void complain(struct complaints *, int exit_code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void complaints_free(struct complaints *);

#endif
