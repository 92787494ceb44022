/* world_work.h - the inside of the real world, shared by world_net.c, world_lb.c and world_agent.c only.
 *
 * An action becomes a `work`; each of its calls is a `part` of it. When the last part has ended the work's input is
 * ready. A part may wait for a load balancer's list before its call can begin. */
#ifndef CONTROLLER_WORLD_WORK_H
#define CONTROLLER_WORLD_WORK_H

#include "call.h"
#include "lb_view.h"
#include "plan.h"
#include "view.h"
#include "world.h"

enum part_kind {
    PART_NGINX,  /* GET /nginx */
    PART_LIST,   /* GET the upstreams */
    PART_PATCH,  /* of one peer */
    PART_AMEND,  /* the PATCH before it hit another server: that one as it was */
    PART_LEASE,  /* PATCH of any server of an upstream */
    PART_LOOK,   /* GET of one peer */
    PART_AGENT,  /* from here on the agent's: the ask itself */
    PART_STAGED, /* STAGE: is the release there already? */
    PART_BEFORE, /* HEALTH from here: what runs before the check, */
    PART_CHECK,  /* the check itself, */
    PART_AFTER,  /* and what runs behind it */
    PART_HOOK    /* a command here, no call */
};

struct part {
    struct work *work;
    enum part_kind kind;
    uint32_t peer;     /* PATCH, AMEND, LOOK: index into the plan's peers */
    uint64_t id;       /* PATCH, AMEND, LOOK: nginx's, as used */
    struct part *next; /* of those that wait for the same list */
    char hit[120];     /* AMEND: the server that was hit */
};

struct work {
    struct work *next, **back; /* of all works */
    struct work *ready_next;
    struct action action;
    struct input input;
    struct seen_peer *looked; /* LOOK: by the node's peers; else NULL */
    int64_t until_ms;         /* PATCH: of `within_ms`; INT64_MAX = at any time */
    struct ident checked;     /* HEALTH from here: what ran before the check */
    bool silent;              /* a list read for ids only: nobody gets its input */
    uint32_t n_open;          /* parts that have not ended */
    uint32_t n_parts;
    struct part parts[];
};

struct lb_state {
    struct part *waiting; /* for the next list */
    uint32_t n_reading;   /* lists under way */
    int64_t read_ms;      /* when the request of the latest good list left; meaningful when `good` */
    bool good;
    bool no_single; /* it shows no single server with what a list says of it */
};

struct world_net {
    struct world base;
    const struct plan *plan;
    struct calls *calls;
    struct lb_view *view;
    struct lb_state *lbs;
    struct work *works;
    struct work *ready, **ready_end;
    struct work *handed; /* whose inputs are with the caller until the next collect */
    uint32_t request_ms; /* limit of an ordinary request */
    int64_t collected_ms;
    const struct view *told; /* what hooks are told of; borrowed */
    struct runner *runner;   /* NULL: no hook was run so far */
};

struct work *work_new(struct world_net *, const struct action *, uint32_t max_parts);
struct part *work_part(struct work *, enum part_kind, uint32_t peer); /* counts as open */

/* The part has ended like this; the worst of a work's parts is what its answer says. The part must not be used after
 * it, nor its work. */
void part_end(struct world_net *, struct part *, enum answer_kind, const char *text);

/* An input that is no answer: it is ready at once. */
void work_tell(struct world_net *, const struct input *, const char *text);

/* Begin the call of a part. `q` lacks only the tag; a limit_ms of 0 becomes request_ms. */
void part_call(struct world_net *, struct part *, struct call_request *q);

/* world_lb.c: DRAIN, DOWN, BACK, READ_LB, LEASE, LOOK */
void world_lb_start(struct world_net *, const struct action *);
void world_lb_result(struct world_net *, struct part *, const struct call_result *);

/* world_agent.c: all other asks, RENEW, WISH, LOCK */
void world_agent_start(struct world_net *, const struct action *);
void world_agent_result(struct world_net *, struct part *, const struct call_result *);

/* world_hook.c: HOOK, END, CUT */
void world_hook_start(struct world_net *, const struct action *);

#endif
