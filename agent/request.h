/* request.h - one request in the helper half, from its head to its answer. A handler either answers at once, or
 * suspends it and answers from a callback of the loop; it does not know how the request came. helper.c owns the struct;
 * after the answer it lives until the loop's next turn at least. */
#ifndef AGENT_REQUEST_H
#define AGENT_REQUEST_H

#include <jansson.h>

#include "agent.h"
#include "code.h"
#include "common/err.h"
#include "frame.h"
#include "http_status.h"
#include "routes.h"
#include "service.h"
#include "upload.h"

struct request {
    struct agent *agent;
    const struct route *route;
    struct service *service;   /* of {app}, else NULL */
    char id[WIRE_JOB_MAX + 1]; /* of {id} or {hex}, else "" */
    struct frame_head head; /* as the network half tells it, peer's name and signature too; nothing of it is proven */

    char *body; /* JSON routes: the whole body, NUL-terminated; owned */
    size_t body_size, body_capacity;
    struct upload *upload; /* the release route, while it is written */

    bool answered;

    /* While suspended. */
    bool suspended;
    void (*cancel)(struct request *); /* take back whatever the wait has registered */
    void *wait;                       /* the wait's own; freed by cancel or before the answer */

    /* helper.c's */
    struct helper_link *link;
    uint32_t frame_id;
    uint8_t *head_bytes; /* what `head` points into; owned */
    bool ended;          /* nothing more of it comes */
    struct request *next;
};

/* `answer` is taken over. */
void request_answer(struct request *rq, unsigned status, json_t *answer);
/* A text that is no JSON, to be freed: /metrics. */
void request_answer_text(struct request *rq, unsigned status, char *text);
void request_refuse(struct request *rq, enum code code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void request_suspend(struct request *rq, void (*cancel)(struct request *), void *wait);

/* Whose certificate asks, as the network half says and for the log: quoted; "" without TLS. */
struct log_quoted;
const char *request_by(const struct request *rq, struct log_quoted *to);
/* rollout=ID and fence=N, and holder=TEXT where the caller says it. False: refused already. */
bool request_owner(struct request *rq, struct owner *);
/* The `wait` of a long poll in ms, 0 where there is none, cut to WIRE_WAIT_MAX_MS. False: refused already. */
bool request_wait_ms(struct request *rq, uint32_t *wait_ms);
/* A query argument, or NULL. */
const char *request_query(const struct request *rq, const char *key);
/* The body as JSON (a new reference), or NULL: refused already. */
json_t *request_json(struct request *rq);

/* ---- helper.c's side: a request as it comes in. Each may answer it, and nothing is done behind an answer. */

/* Finds route and service, begins an upload. */
void request_begin(struct request *rq);
void request_take(struct request *rq, const void *bytes, size_t size);
void request_run(struct request *rq);   /* the body has come */
void request_clear(struct request *rq); /* takes back what waits or is half written; frees all but the struct */

/* helper.c: sends it, and lets go of the request. */
void helper_answer(struct request *rq, const struct frame_answer *answer);

#endif
