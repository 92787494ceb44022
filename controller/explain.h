/* explain.h - the step table as text: `rollout --explain`. */
#ifndef CONTROLLER_EXPLAIN_H
#define CONTROLLER_EXPLAIN_H

#include <stdio.h>

void explain_steps(FILE *);

#endif
