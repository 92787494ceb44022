/* command.h - what `rollout` does: one function a command, each returns the exit code of DESIGN 4.4. They print: the
 * rollout's lines and results to stdout, reasons for not doing it to stderr. */
#ifndef CONTROLLER_COMMAND_H
#define CONTROLLER_COMMAND_H

#include "options.h"
#include "session.h"

int command_roll(struct options *);
int command_plan(struct options *);
int command_repair(struct options *);
int command_status(struct options *);
int command_history(struct options *);
int command_show(struct options *);

/* What they share: read hosts file, options and fleet, let `act` do the rest, close all; or say why not. */
int command_on_fleet(struct options *, int (*act)(struct session *, struct complaints *));

/* For these: print the reason and return the code. */
int command_bad(int exit_code, const struct err *);
/* All complaints, then the exit code of the worst. */
int command_complain(const struct complaints *);
/* Carry a plan out: journal, loop, lines, report. */
int command_run(struct session *, const struct plan *);

#endif
