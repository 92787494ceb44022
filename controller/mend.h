/* mend.h - the command line that puts back what a rollout leaves out: what the last lines tell the operator to run. */
#ifndef CONTROLLER_MEND_H
#define CONTROLLER_MEND_H

#include "options.h"

/* "rollout repair --hosts FILE --service NAME ...", with the flags that say where the fleet is and who we are there,
 * when they came by flag or environment; quoted for a shell. The caller frees it. */
char *mend_command(const struct options *, const char *service);

#endif
