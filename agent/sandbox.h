/* sandbox.h - what each half gives up for good once it has started: all that it does not need. Both still open and read
 * files: at SIGHUP the config, the certificate and its key are read again (reload.h). */
#ifndef AGENT_SANDBOX_H
#define AGENT_SANDBOX_H

#include <stdbool.h>

#include "common/err.h"

bool sandbox_network(struct err *err);
bool sandbox_helper(struct err *err);

#endif
