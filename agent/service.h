/* service.h - one service of the agent: its config, its folder STATE/APP, its claim, its jobs, and the process that
 * runs it now (find.h). */
#ifndef AGENT_SERVICE_H
#define AGENT_SERVICE_H

#include "claim.h"
#include "config.h"
#include "job.h"
#include "job_run.h"
#include "sequence.h"
#include "sockets.h"
#include "version.h"
#include "wish.h"

struct agent;

struct service {
    const struct service_config *config;
    struct agent *agent;
    char claim_path[PATH_MAX], jobs_path[PATH_MAX], sequences_path[PATH_MAX];
    int store; /* STATE/APP/releases, open; release.h */
    struct claim_state claim;
    struct loop_timer claim_timer; /* when the claim runs out */
    struct loop_timer out_timer;   /* when it is told of next, out.h */
    uint64_t job_ends[CODE_COUNT]; /* since the start */
    struct jobs jobs;
    struct job_run run;
    struct child *started; /* the service itself, where this agent has started it; NULL: not, or it has ended */
    struct hash_cache hashes;
    struct version version;
    struct wishes wishes;
    struct sequences sequences;
    struct err warning; /* what --check says of it, as of the start or the latest reload; "": nothing */
};

/* Make the folder, read claim and jobs back, put right what a job left half done, log a claim that says "out". */
bool service_open(struct service *service, struct agent *agent, const struct service_config *config, struct err *err);
void service_close(struct service *service);

/* The process that serves, looked up afresh; pid 0 and the reason where there is none. */
bool service_ident(struct service *service, struct ident *ident, struct err *err);
/* SHA-256 of the file at the configured path. */
bool service_installed(struct service *service, uint8_t sha256[SHA256_BYTES], struct err *err);
void service_check(struct service *service);         /* looks at its units: `warning` */
bool service_is_busy(const struct service *service); /* a job runs */

/* A new state of the claim: durable first, then it holds. `next` is moved. */
bool service_set_claim(struct service *service, struct claim_state *next, struct err *err);

#endif
