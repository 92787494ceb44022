/* node.h - one node's state and the pure function that moves it. No clock, socket or file: time comes in as elapsed
 * milliseconds, answers as inputs; what is to be done goes out as an action. The path itself is the table node.def. */
#ifndef CONTROLLER_NODE_H
#define CONTROLLER_NODE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "ask.h"
#include "plan.h"

enum step {
#define STEP(name, ...) STEP_##name,
#include "node.def"
#undef STEP
    STEP_COUNT
};

struct step_row {
    const char *name, *waits_for;
    enum ask ask;
    bool effect;
    enum plan_wait every, limit;
    enum step on_good, on_bad, on_limit, on_stop, on_resume;
};
extern const struct step_row step_rows[STEP_COUNT];
static inline const struct step_row *step_row(enum step step)
{
    assert(step < STEP_COUNT);
    return &step_rows[step];
}

/* What came of a node. */
enum outcome {
    OUTCOME_NONE,     /* not begun or still under way */
    OUTCOME_UPGRADED, /* runs the release (or was restarted), in rotation */
    OUTCOME_ALREADY,  /* ran it before; not touched */
    OUTCOME_MENDED,   /* repair put it back */
    OUTCOME_FAILED,   /* failed; in rotation as before */
    OUTCOME_STOPPED,  /* the rollout was stopped before it had a job; in rotation as before */
    OUTCOME_LEFT,     /* another run has taken it over, with a higher fence: it answers for it */
    OUTCOME_BACK      /* taken back to what ran before, in rotation */
};

/* Why a node left the good path. WHY(NAME, "phrase for people") */
#define WHYS(X)                                                                                                        \
    X(NONE, "")                                                                                                        \
    X(AGENT, "its agent did not answer")                                                                               \
    X(CHANGED, "what runs there changed since the plan was made")                                                      \
    X(BUSY, "its agent is busy with another job")                                                                      \
    X(PEERS, "the load balancers do not show its peers as the plan has them")                                          \
    X(CLAIM, "its agent refused our claim")                                                                            \
    X(STAGE, "its agent did not take the release")                                                                     \
    X(FLOOR, "too few other peers were up")                                                                            \
    X(DRAIN, "a load balancer could not be changed")                                                                   \
    X(QUIET, "requests to it did not end within the drain timeout")                                                    \
    X(SILENT, "a load balancer did not keep it down")                                                                  \
    X(JOB, "its agent refused the job")                                                                                \
    X(HANDOVER, "the handover failed")                                                                                 \
    X(IDENTITY, "the process that runs is not the one that the job reported")                                          \
    X(HEALTH, "it did not get healthy")                                                                                \
    X(BACK, "a load balancer could not be changed back")                                                               \
    X(UNDO, "the release before could not be brought back")                                                            \
    X(BAKE, "it fell ill after it was back")                                                                           \
    X(TRAFFIC, "it served worse than the others after it was back")                                                    \
    X(GONE, "its process is gone")                                                                                     \
    X(HOOK, "its hook failed")                                                                                         \
    X(LEFT, "it had failed before the rollout was broken off")                                                         \
    X(STOP, "the rollout was stopped")
enum why {
#define X(name, text) WHY_##name,
    WHYS(X)
#undef X
        WHY_COUNT
};
const char *why_phrase(enum why);

#define HOOKED_ANY     1 /* a before-drain went well: what it did is to be taken back by after-readd */
#define HOOKED_ALL     2 /* all of them did: they are not run again where the node goes that way once more */
#define HOOKED_READDED 4 /* after-readd had its turn */

struct node {
    uint64_t out_mask;         /* of its peers: what WE took out and have not seen back (an intent counts) */
    uint64_t prior_drain_mask; /* of these: were draining before us */
    uint64_t peers_mask;       /* all of its peers that take part: not down before us */
    uint64_t claim_fence;      /* fence of the claim that is at the agent as far as we know; 0 = none */
    struct ident before;       /* what ran when we came */
    struct ident now;          /* what health must come from */
    uint8_t goal[32];          /* reverse: sha256 of what it is taken back to */
    uint32_t left_ms;          /* of this step's limit */
    uint32_t next_ask_ms;      /* until it is asked (again) */
    uint32_t healthy_ms;       /* since the first check of the present streak */
    uint32_t generation;       /* PEERS.generation when the drain began */
    uint16_t id;               /* index in the plan */
    uint8_t step;              /* enum step */
    uint8_t outcome;           /* enum outcome: provisional until the step is DONE */
    uint8_t why;               /* enum why: the first reason it left the good path */
    uint8_t why_step;          /* enum step it was in then */
    uint8_t streak;            /* good answers in a row */
    uint8_t attempt;           /* of jobs; rises only when the previous end is known */
    uint8_t gate;              /* enum gate (gate.h): of its bake, as far as it has come */
    uint8_t hook;              /* of a step that runs hooks: which of them, from 0 */
    uint8_t hooked;            /* HOOKED_*: of this way of it */
    uint8_t job;               /* enum ask: ASK_JOB or ASK_UNDO, the last job asked for; ASK_NONE = none was */
    bool asked;                /* an answer is outstanding */
    bool noted;                /* this step's trouble has been told already */
    bool doubt;                /* an nginx was reloaded since the drain: `active` does not say all */
    bool claimed;              /* our claim may be at the agent */
    bool cut;                  /* a stop has waited long enough for the hook at hand */
    bool claim_stays;          /* its agent did not drop our claim in time: that runs out by itself */
    bool reverse;              /* it is taken back: the same steps, to `goal`, by a rollback job */
    bool failed;               /* left the good path */
    bool stopping;             /* a stop reached it */
    bool anew;                 /* resumed and untouched: it goes back as it was, then begins like any other */
    bool theirs;               /* another run has taken it over */
    bool loose;                /* resumed or repaired, and not down everywhere: nothing may be undone there (I2) */
};

/* What became of an input. */
struct move {
    bool asks;                  /* action is to be started */
    struct action action;       /* valid when asks */
    bool moved;                 /* the step changed: `from` is the one it left; write an event */
    enum step from;             /* else STEP_WAIT */
    char text[ANSWER_TEXT_MAX]; /* what the world said, for the event; "" = nothing worth a line */
    bool note;                  /* text is new although the step did not change */
};

/* Time that has passed on top of `ms`; UINT32_MAX stays what it is. */
static inline uint32_t ms_later(uint32_t ms, uint32_t elapsed_ms)
{
    return ms > UINT32_MAX - elapsed_ms ? UINT32_MAX : ms + elapsed_ms;
}

void node_init(struct node *, uint16_t id, const struct plan *);

/* Pace lets it begin. */
struct move node_begin(struct node *, const struct plan *);
/* It is DONE, and goes the way once more, back to what ran before this rollout came to it. */
struct move node_begin_back(struct node *, const struct plan *);
/* It is DONE, and this rollout left another executable there than it found. */
bool node_was_changed(const struct node *);
/* Time has passed. Told before the answers that came meanwhile: what they begin has its whole time before it. */
void node_elapse(struct node *, uint32_t elapsed_ms);
/* After the answers, so that none that is here loses against a limit: the limit may be over, or a question due. */
struct move node_due(struct node *, const struct plan *);
/* What the load balancers counted while it bakes; errors end the bake, once nothing is outstanding. */
struct move node_gate(struct node *, const struct plan *, uint8_t gate);
/* The answer to the outstanding question. */
struct move node_answer(struct node *, const struct plan *, const struct answer *);
/* Nothing new is to start: it turns round where its step's on_stop says so. */
struct move node_stop(struct node *, const struct plan *);
/* A stop has waited long enough for what it let go on: a node that is not on its way back is left as it is, out; a bake
 * ends. Answers that still come to one that is out are let pass. */
struct move node_grace_over(struct node *, const struct plan *);

/* Its outstanding question, which would begin something, was never sent: it turns round at once. */
struct move node_withhold(struct node *, const struct plan *);

/* What its agent refused for want of a claim is asked again at once: it has one, but not for long where its ttl is
 * short and the way there slow. */
void node_hurry(struct node *);

/* node_due() may have something to do. */
static inline bool node_is_due(const struct node *n)
{
    return n->left_ms == 0 || n->next_ask_ms == 0;
}

/* Begun and neither DONE nor OUT. */
static inline bool node_in_motion(const struct node *n)
{
    return n->step != STEP_WAIT && n->step != STEP_DONE && n->step != STEP_OUT;
}

/* The action that its step asks for. */
struct action node_action(const struct node *, const struct plan *);
/* The executable that the rollout wants there: the release, for a restart what ran before, and `goal` in reverse. */
const uint8_t *node_target(const struct node *, const struct plan *);
/* Somebody else took these peers down: they are not ours to take out or to put back. */
void node_leave_be(struct node *, uint64_t peers);
/* Milliseconds until node_due has something to do; UINT32_MAX = nothing. */
uint32_t node_wait_ms(const struct node *);
/* It left `from` by its good path: to the step behind it, or over those of hooks that there are not. */
bool node_went_well(enum step from, enum step to);
/* The point whose hooks a step runs; only of one that asks for a HOOK. */
enum hook_point node_hook_point(enum step);
/* Which job id's step part: "job" or "undo". */
const char *node_job_name(enum ask job);

#endif
