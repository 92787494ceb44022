/* junit.h - a rollout that is over as JUnit XML, a test case a node: what CI systems show as test results. The form is
 * that of Ant's and Maven's reports (Jenkins' junit-10.xsd): a node that failed is a <failure>, one that is out of
 * rotation or unknown an <error>, one that was not begun, or stopped, <skipped>.
 *
 * Where no rollout was begun, it is one test case, the command: passed with exit code 0, else an <error>. */
#ifndef CONTROLLER_JUNIT_H
#define CONTROLLER_JUNIT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "view.h"

void junit_write(FILE *, const struct view *, int code);

/* That of a command that ended with `code` and began nothing. rollout: its id, "" where it has none. reasons:
 * sentences; sum: what stands for them where there are none. at_ms: wall clock. */
struct junit_unbegun {
    const char *command, *rollout, *sum;
    const json_t *reasons;
    int64_t at_ms;
};
void junit_write_unbegun(FILE *, const struct junit_unbegun *, int code);

#endif
