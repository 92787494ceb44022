/* agent_api.h - the agent's contract (agent/wire.h) from the controller's side: URLs and bodies out, answers in. No
 * I/O, no clock. */
#ifndef CONTROLLER_AGENT_API_H
#define CONTROLLER_AGENT_API_H

#include "agent_read.h"
#include "ask.h"
#include "call.h"
#include "plan.h"

/* ---- requests; every returned text is the caller's to free */
char *agent_api_url_root(const char *agent);                        /* /v1 */
char *agent_api_url_status(const char *agent, const char *service); /* /v1/services/APP */
char *agent_api_url_health(const struct plan *, uint16_t node); /* with what is wanted, where that is not the default */
char *agent_api_url_claim(const struct plan *, uint16_t node);
char *agent_api_url_unclaim(const struct plan *, uint16_t node, uint64_t fence);
char *agent_api_url_release(const struct plan *, uint16_t node);
char *agent_api_url_jobs(const struct plan *, uint16_t node);
/* job: ASK_JOB or ASK_UNDO. With wait_ms > 0 a long poll. */
char *agent_api_url_job(const struct plan *, uint16_t node, enum ask job, unsigned attempt, uint32_t wait_ms);

/* CLAIM and RENEW: took_out from mask, their priors from prior_mask, before, target, expect. */
char *agent_api_body_claim(const struct plan *, const struct action *);
/* JOB (restart or upgrade; in reverse rollback to goal) and UNDO (rollback to before.sha256). */
char *agent_api_body_job(const struct plan *, const struct action *);

/* The vote of a voter: PUT there, or (drop) DELETE; the body of the PUT. */
char *agent_api_url_lock(const struct plan *, uint32_t voter, bool drop);
char *agent_api_body_lock(const struct plan *);

/* Wishes: where a rollout's is asked for; where one is marked as taken, and the body of that (expect: its id, effect).
 * Where it is put, by a person who may have no plan; the body of that. */
char *agent_api_url_wish(const struct plan *, uint16_t node);
char *agent_api_url_wish_taken(const struct plan *, uint16_t node);
char *agent_api_body_wish_taken(const struct plan *, const struct action *);
char *agent_api_url_wish_of(const char *agent, const char *service, const char *rollout); /* rollout NULL: to PUT */
char *agent_api_body_wish(const char *rollout, uint64_t id, enum wish, const char *holder);
const char *agent_api_wish_word(enum wish);
int agent_api_wish_caution(enum wish); /* of two at the same moment the higher goes first (agent/wire.h); none: 0 */

/* ---- answers */

/* What became of `ask`, from a call's result (any failure, any status): STATUS, CLAIM, STAGE (the PUT), JOB, UNDO,
 * JOB_END, HEALTH, UNCLAIM. A claim to be renewed is ASK_CLAIM.
 *
 *   2xx with a body that makes sense    OK
 *   412, claim_held, claim_changed, no_claim   FENCED
 *   other 4xx, no_space                 REFUSED, text "code: sentence"
 *   5xx, or nothing whole after it left LOST for an effect; TIMEOUT (too late) or LOST else
 *   never left                          TIMEOUT */
void agent_api_answer(enum ask, const struct plan *, const struct call_result *, struct answer *);

/* The same for a vote, taken or given back. */
void agent_api_lock(const struct call_result *, struct answer *);

/* The same for a wish, asked for or marked as taken: the answer's members wish* and who (text) of our rollout's. The
 * STATUS that answers a claim has it as well. */
void agent_api_wish(const struct plan *, const struct call_result *, struct answer *);

/* The wish that an answer shows, for who has put one. */
struct agent_wish {
    uint64_t id;
    enum wish wish; /* WISH_NONE: none that this version knows */
    char holder[WIRE_HOLDER_MAX + 1], taker[WIRE_HOLDER_MAX + 1];
    bool taken, effect; /* heard by taker, who acts on it */
};
/* False: it shows none. */
bool agent_api_read_wish(const struct call_result *, struct agent_wish *);

/* ASK_JOB or ASK_UNDO where the job is one of this rollout's, by its id; else ASK_NONE. */
enum ask agent_api_job_of(const struct agent_job *, const char *rollout);
/* It is one of this rollout's that took the node to the release before, and not the undoing of a job that failed. */
bool agent_api_took_back(const struct agent_job *, const char *rollout);

#endif
