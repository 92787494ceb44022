/* agent_api.h - the agent's contract (agent/wire.h) from the controller's side: URLs and bodies out, answers in. No
 * I/O, no clock. */
#ifndef CONTROLLER_AGENT_API_H
#define CONTROLLER_AGENT_API_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/wire.h"
#include "ask.h"
#include "call.h"
#include "common/err.h"
#include "plan.h"

/* ---- requests; every returned text is the caller's to free */
char *agent_api_url_root(const char *agent);                        /* /v1 */
char *agent_api_url_status(const char *agent, const char *service); /* /v1/services/APP */
char *agent_api_url_health(const char *agent, const char *service);
char *agent_api_url_claim(const struct plan *, uint16_t node);
char *agent_api_url_unclaim(const struct plan *, uint16_t node, uint64_t fence);
char *agent_api_url_release(const struct plan *, uint16_t node);
char *agent_api_url_jobs(const struct plan *, uint16_t node);
/* job: ASK_JOB or ASK_UNDO. With wait_ms > 0 a long poll. */
char *agent_api_url_job(const struct plan *, uint16_t node, enum ask job, unsigned attempt, uint32_t wait_ms);

/* CLAIM and RENEW: took_out from mask, their priors from prior_mask, before, target, expect. */
char *agent_api_body_claim(const struct plan *, const struct action *);
/* JOB (restart or upgrade) and UNDO (rollback to before.sha256). */
char *agent_api_body_job(const struct plan *, const struct action *);

/* ---- answers */
struct agent_took_out {
    const char *lb, *upstream, *server;
    bool was_down, was_draining;
};

struct agent_claim {
    bool there;
    const char *rollout, *holder;
    uint64_t fence;
    uint32_t ttl_s, left_s; /* left 0 = run out */
    bool has_target;
    uint8_t target[32];         /* sha256 */
    const char *target_version; /* NULL = none */
    struct ident before;
    uint32_t n_took_out;
    struct agent_took_out *took_out;
};

struct agent_job {
    const char *id, *rollout, *code, *text; /* id NULL = there is none */
    enum job_state state;
    bool touched, restored;
    struct ident before, after;
};

struct agent_status {
    const char *service, *node, *version; /* version NULL = unknown */
    bool running;
    struct ident ident; /* of what runs; zero = nothing */
    bool has_installed;
    uint8_t installed[32];
    uint32_t connections;
    uint64_t fence; /* highest seen */
    uint32_t n_listening, n_releases;
    const char **listening;  /* ADDR:PORT */
    uint8_t (*releases)[32]; /* sha256 of what is staged there */
    struct agent_claim claim;
    struct agent_job job;
    json_t *owner; /* of the texts above */
};
bool agent_api_read_status(const char *body, size_t size, struct agent_status *, struct err *);
void agent_status_clear(struct agent_status *);

struct agent_root {
    uint32_t version; /* of the contract */
    const char *agent, *node;
    uint32_t n_features;
    const char **features;
    json_t *owner;
};
bool agent_api_read_root(const char *body, size_t size, struct agent_root *, struct err *);
void agent_root_clear(struct agent_root *);

/* `release` is among those staged there. */
bool agent_status_has_release(const struct agent_status *, const uint8_t release[32]);

/* What became of `ask`, from a call's result (any failure, any status): STATUS, CLAIM, STAGE (the PUT), JOB, UNDO,
 * JOB_END, HEALTH, UNCLAIM. A claim to be renewed is ASK_CLAIM.
 *
 *   2xx with a body that makes sense    OK
 *   412, claim_held, claim_changed, no_claim   FENCED
 *   other 4xx                           REFUSED, text "code: sentence"
 *   5xx, or nothing whole after it left LOST for an effect; TIMEOUT (too late) or LOST else
 *   never left                          TIMEOUT */
void agent_api_answer(enum ask, const struct plan *, const struct call_result *, struct answer *);

/* The same for the failures alone; also for load balancers. */
enum answer_kind agent_api_failure(enum call_failure, bool effect);

#endif
