/* request.h - one request from its head to its answer. A handler either answers at once, or suspends it and answers
 * from a callback of the loop. The server owns the struct; it lives until MHD has sent the answer or lost the
 * connection. */
#ifndef AGENT_REQUEST_H
#define AGENT_REQUEST_H

#include <jansson.h>
#include <microhttpd.h>

#include "agent.h"
#include "code.h"
#include "common/err.h"
#include "release.h"
#include "routes.h"
#include "service.h"

struct request {
    struct agent *agent;
    struct MHD_Connection *connection;
    struct conn *conn; /* server.c's */
    const struct route *route;
    struct service *service;   /* of {app}, else NULL */
    char id[WIRE_JOB_MAX + 1]; /* of {id} or {hex}, else "" */

    char *body; /* JSON routes: the whole body, NUL-terminated; owned */
    size_t body_size, body_capacity;
    struct release_upload *upload; /* the release route, while it is written */
    bool body_done;

    unsigned status; /* 0: not answered yet */
    json_t *answer;  /* owned */
    bool close;      /* the connection cannot be used again */

    /* While suspended. */
    bool suspended;
    struct request *next_suspended;
    void (*cancel)(struct request *); /* take back whatever the wait has registered */
    void *wait;                       /* the wait's own; freed by cancel or before the answer */
};

/* `answer` is taken over. Resumes a suspended request. */
void request_answer(struct request *rq, unsigned status, json_t *answer);
void request_refuse(struct request *rq, enum code code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void request_suspend(struct request *rq, void (*cancel)(struct request *), void *wait);

/* rollout=ID and fence=N. False: refused already. */
bool request_owner(struct request *rq, const char **rollout, uint64_t *fence);
/* The `wait` of a long poll in ms, 0 where there is none, cut to WIRE_WAIT_MAX_MS. False: refused already. */
bool request_wait_ms(struct request *rq, uint32_t *wait_ms);
/* A query argument, or NULL. */
const char *request_query(const struct request *rq, const char *key);
/* The body as JSON (a new reference), or NULL: refused already. */
json_t *request_json(struct request *rq);

#endif
