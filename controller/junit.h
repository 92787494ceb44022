/* junit.h - a rollout that is over as JUnit XML, a test case a node: what CI systems show as test results. The form is
 * that of Ant's and Maven's reports (Jenkins' junit-10.xsd): a node that failed is a <failure>, one that is out of
 * rotation or unknown an <error>, one that was not begun, or stopped, <skipped>. */
#ifndef CONTROLLER_JUNIT_H
#define CONTROLLER_JUNIT_H

#include <stdio.h>

#include "view.h"

void junit_write(FILE *, const struct view *, int code);

#endif
