/* explain.h - the step table as text: `rollout --explain`. */
#ifndef CONTROLLER_EXPLAIN_H
#define CONTROLLER_EXPLAIN_H

#include <jansson.h>
#include <stdio.h>

void explain_steps(FILE *);

/* {"steps":[{"step","effect":BOOL,"waits_for","asks","again_after","at_most","good","bad","limit","stop","resume"}]},
 * as the text has them. A new reference. */
json_t *explain_json(void);

#endif
