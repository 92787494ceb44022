/* command.h - what `rollout` does: one function a command, each returns the exit code of DESIGN 4.4. They say
 * (say.h) results and reasons for not doing it; a rollout that runs is told by show.h. */
#ifndef CONTROLLER_COMMAND_H
#define CONTROLLER_COMMAND_H

#include "options.h"
#include "session.h"

int command_roll(struct options *);
int command_plan(struct options *);
int command_resume(struct options *);
int command_repair(struct options *);
int command_rollback(struct options *);
int command_status(struct options *);
int command_history(struct options *);
int command_show(struct options *);
int command_agents(struct options *);
int command_doctor(struct options *);
int command_init(struct options *);
int command_hosts(struct options *);
int command_wish(struct options *); /* pause, abort, promote */

/* What they share: read hosts file, options and fleet, let `act` do the rest, close all; or say why not. */
int command_on_fleet(struct options *, int (*act)(struct session *, struct complaints *));
/* The same with what an earlier run was given, see session_open, and with where it was seen last; each may be NULL. */
int command_on_journal(struct options *, const struct plan *journal, const struct view *was,
                       int (*act)(struct session *, struct complaints *));

/* Upgrade or restart, from the beginning or from where an earlier run of the same id left it. */
int command_roll_on(struct session *, struct complaints *);
/* The same, unless what an earlier run of the id had in its hands is out, and not asked about now. */
int command_roll_again(struct session *, struct complaints *);

/* For these: print the reason and return the code. */
int command_bad(int exit_code, const struct err *);
/* All complaints, then the exit code of the worst. */
int command_complain(const struct complaints *);
/* Behind the reasons (NULL: none of a plan): nothing was changed, and what to do before it is run again. */
void command_unchanged(int exit_code, const struct complaints *);
/* The complaints of a rollout that does not begin; 3 where an earlier run of it left a node out, which is named. */
int command_refused(const struct session *, const struct complaints *);
/* A signal came before anything was changed: that is said. The exit code. */
int command_interrupted(void);
/* Wait until nothing is held by a rollout that a resume or a repair takes over from (vigil.h), and survey anew. 0, or
 * the exit code: it is alive, or a signal came. */
int command_await_dead(struct session *, bool repair, struct complaints *);
/* Carry a plan out: journal, loop, lines, report. otherwise: the exit code where the run's own is 0. */
int command_run(struct session *, const struct plan *, int otherwise);

#endif
