/* agent_read.h - the agent's answers (agent/wire.h) as plain structs. No I/O. Texts belong to the struct's `owner`. */
#ifndef CONTROLLER_AGENT_READ_H
#define CONTROLLER_AGENT_READ_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/wire.h"
#include "ask.h"
#include "common/err.h"
#include "pool.h"

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

/* Its vote. */
struct agent_lock {
    bool there;
    const char *rollout, *holder;
    uint32_t left_s; /* 0 = run out */
};

struct agent_job {
    const char *id, *rollout, *code, *text; /* id NULL = there is none */
    const char *action;                     /* restart, upgrade, rollback; NULL = not told */
    enum job_state state;
    bool touched, restored;
    bool has_release; /* of an upgrade or a rollback */
    uint8_t release[32];
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
    bool signing_required;
    uint64_t sequence; /* the highest of a signed release that was installed there; 0: none, or not told */
    uint32_t n_listening, n_warnings, n_releases;
    const char **listening;  /* ADDR:PORT */
    const char **warnings;   /* of its units: sentences; an older agent tells of none */
    uint8_t (*releases)[32]; /* sha256 of what is staged there */
    bool has_previous;
    uint8_t previous[32]; /* sha256 of the release before the one that runs, kept there */
    struct agent_claim claim;
    struct agent_lock lock;
    struct agent_job job;
    json_t *owner; /* of the texts above; NULL = a pool, which has the arrays, too */
};
bool agent_read_status(const char *body, size_t size, struct agent_status *, struct err *);
/* GET of all services. The array is the caller's to free, after agent_status_clear of each. Both 0 on failure. */
bool agent_read_services(const char *body, size_t size, struct agent_status **, uint32_t *n, struct err *);
/* Move all that it has into a pool: a tenth of a tree's memory. */
void agent_status_settle(struct agent_status *, struct pool *);
void agent_status_clear(struct agent_status *);

struct agent_root {
    uint32_t version; /* of the contract */
    const char *agent, *node;
    uint32_t n_features;
    const char **features;
    json_t *owner;
};
bool agent_read_root(const char *body, size_t size, struct agent_root *, struct err *);
/* As agent_status_settle. `like`: another one of that pool (or NULL), whose features are shared where they are the
 * same.
 */
void agent_root_settle(struct agent_root *, const struct agent_root *like, struct pool *);
void agent_root_clear(struct agent_root *);
bool agent_root_has(const struct agent_root *, const char *feature);

/* `release` is among those staged there. */
bool agent_status_has_release(const struct agent_status *, const uint8_t release[32]);

/* Parts. The ident is all zero where the member is null; a missing one is an error. Texts of the job are `o`'s. */
bool agent_read_ident(const json_t *o, const char *key, struct ident *, struct err *);
bool agent_read_job(const json_t *o, struct agent_job *, struct err *);

#endif
