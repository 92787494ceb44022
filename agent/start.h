/* start.h - start a service as its config says: its executable with exec-args, or its unit by systemctl. */
#ifndef AGENT_START_H
#define AGENT_START_H

#include "child.h"

struct service;

/* fn: as in child.h, when the process ends, whatever it has been by then. */
struct child *start_executable(struct service *service, child_fn *fn, void *ctx, struct err *err);
struct child *start_systemctl(struct service *service, child_fn *fn, void *ctx, struct err *err);

#endif
