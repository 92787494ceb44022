/* session.h - what every command that reads the fleet needs, in the order in which it may fail before anything is
 * contacted: hosts file, options, release, certificates; then the survey. */
#ifndef CONTROLLER_SESSION_H
#define CONTROLLER_SESSION_H

#include "call.h"
#include "fleet.h"
#include "options.h"
#include "plan_make.h"
#include "survey.h"
#include "view.h"

enum {
    EXIT_USAGE = 64,
    EXIT_CONFIG = 78,
};

struct session {
    int64_t began_ms;           /* clock_ms() then */
    struct options *options;    /* borrowed */
    const struct plan *journal; /* borrowed: of an earlier run; NULL = none */
    const struct view *was;     /* borrowed: where the journal saw that run last; NULL = it tells of none */
    struct fleet *fleet;
    bool by_journal; /* it is the journal's hosts */
    uint32_t *nodes; /* indexes into fleet->hosts: --limit's, in file order */
    size_t n_nodes;
    struct calls *calls;
    struct survey *survey;
    struct plan_request request;
    char *hosts, *given; /* given.h */
    char rollout[OPTION_NAME_MAX + 1], holder[WIRE_HOLDER_MAX + 1];
};

/* All but the survey; contacts nobody. journal: the plan of an earlier run, whose options hold where none are given
 * now, and whose hosts where no hosts file is; NULL = there is none. False: the reason, for exit 78. session_close in
 * either case. */
bool session_open(struct session *, struct options *, const struct plan *journal, struct err *);

/* For a command that asks the agents alone: no load balancer, service or release is needed. */
bool session_open_agents(struct session *, struct options *, struct err *);

/* Read the world, or read it anew. False: a signal came, and what was read before stays. */
bool session_survey(struct session *);

void session_close(struct session *);

#endif
