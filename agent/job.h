/* job.h - the jobs of a service: what was asked, how far it is, how it ended. Durable in STATE/APP/jobs.json: written
 * before an effect and at the end, so that an id has one effect at most, also after the agent was stopped. */
#ifndef AGENT_JOB_H
#define AGENT_JOB_H

#include <jansson.h>

#include "code.h"
#include "common/err.h"
#include "history.h"
#include "ident.h"

#define JOBS_KEPT 64 /* older ones are forgotten, once their fence is too low to be asked for again */

enum job_action { JOB_RESTART, JOB_UPGRADE, JOB_ROLLBACK };
enum job_state { JOB_RUNNING, JOB_DONE, JOB_FAILED };

struct job {
    char id[WIRE_JOB_MAX + 1], rollout[WIRE_ID_MAX + 1];
    uint64_t fence;
    enum job_action action;
    char release[SHA256_DIGITS + 1]; /* "" = null: a restart */
    enum job_state state;
    enum code code; /* of a job that ended; JOB_OK while it runs */
    char text[512];
    bool touched, restored;
    struct ident before, after;
    double started_unix_s;
    uint64_t elapsed_ms;
    /* What was installed when the swap began, "" = there was none: this has to come back when the job fails. */
    char previous[SHA256_DIGITS + 1];
};

struct jobs {
    struct job list[JOBS_KEPT]; /* oldest first */
    size_t count;
    struct history history; /* what they brought, and those before them that are forgotten */
};

struct job *jobs_find(struct jobs *jobs, const char *id);
struct job *jobs_last(struct jobs *jobs); /* NULL: none yet */
/* Whether a job under this fence, the highest by now, may be added: not while the oldest could be asked for again. */
bool jobs_have_room(const struct jobs *jobs, uint64_t fence);
struct job *jobs_add(struct jobs *jobs, const struct job *job); /* forgets the oldest where the list is full */
bool job_same_ask(const struct job *a, const struct job *b);    /* id, rollout, action and release */

bool jobs_load(const char *path, struct jobs *jobs, struct err *err);
bool jobs_save(const char *path, const struct jobs *jobs, struct err *err);

/* The body of POST: what was asked, all else zero. */
bool job_from_ask(const json_t *body, struct job *job, struct err *err);
json_t *job_to_json(const struct job *job); /* JOB of wire.h; a new reference */
const char *job_action_text(enum job_action action);

#endif
