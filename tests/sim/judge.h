/* judge.h - holds every effect and every end against the invariants of DESIGN section 5, from the truth alone. It
 * shares nothing with the controller: what it knows of a rollout are the rules that its caller was given, what was
 * sent, what was told, and what truly happened. It remembers the first breach.
 *
 * What others did within the last second (JUDGE_SNAPSHOT_MS) before a turn of the controller it may not know yet in
 * that turn, and what its requests do is judged by that: nobody can help being stopped between a decision and its
 * request.
 *
 * A seat is one controller process, dead or alive. */
#ifndef SIM_JUDGE_H
#define SIM_JUDGE_H

#include "truth.h"

#define JUDGE_SNAPSHOT_MS 1000
#define JUDGE_FILE_MS     5000 /* so long it may not know of what a file has more: two seconds, and what a list takes */
#define JUDGE_SEATS       8
#define JUDGE_ROLLOUTS    8

enum judge_fact {
#define FACT(name, words) FACT_##name,
#include "facts.def"
#undef FACT
    JUDGE_FACTS
};

struct judge_rules {
    uint32_t max_unavailable;
    bool max_unavailable_percent;
    bool proceed;  /* cut requests off when the drain takes too long */
    bool in_place; /* who is alone in an upstream is handed over there without being taken out */
    uint32_t threshold, min_healthy_ms;
    uint32_t ttl_ms; /* of votes */
    uint8_t target;  /* executable; 0 = restart only */
};

struct judge_peer {
    struct sim_who owner;    /* the last rollout that answers for its being closed; fence 0 = none does */
    int64_t foreign_ms;      /* when somebody else last moved its gate */
    int64_t foreign_open_ms; /* ... opened it */
    int64_t lost_ms;         /* when it last stopped being up ... */
    uint64_t lost_by;        /* ... and the fence by whose hand; 0 = by no rollout's */
    int64_t asked_ms;        /* when a rollout that had claimed its node first sent a drain of it */
    uint64_t draining;       /* fence whose drain is on its way; 0 = none */
    uint64_t had_fence;      /* who took it out last under this claim, whatever has become of it since; 0 = nobody */
    int64_t had_ms;          /* since then */
    uint8_t lost_was;        /* what it was before that, where its nginx has forgotten it since */
    bool grown;              /* a file has it since the story began: */
    int64_t added_ms;        /* since then */
    bool lost, lost_mixed;
    uint8_t was;          /* gate before it was taken out */
    bool mixed;           /* an operator moved it while it was a rollout's: whose it is, nobody can say */
    bool forgotten;       /* the claim that named it was lost with an agent's disk */
    uint64_t first_fence; /* ... and then another rollout came, who takes it for an operator's: who took it out in
                             truth; 0 = nobody. He may still be there and put his claim again, */
    uint8_t first_was;    /* which says what it was before him */
};

struct judge_node {
    struct sim_ident before; /* what ran when it was taken out, or last before that */
    int64_t changed_ms;      /* when its process last changed without a job */
    int64_t claimed_ms;      /* when it was last claimed anew with none of its peers out */
    int64_t came_ms;         /* likewise, but for who only puts a claim again that its agent had lost */
    struct sim_who claimer;  /* who did */
    int64_t job_ms;          /* when a job last began to change it, and whose (seat) */
    uint8_t job_seat;
    uint8_t heir;                 /* seat + 1 that took its claim over since; 0 = nobody did */
    int64_t forgot_ms;            /* when its agent last lost its disk */
    uint8_t origin;               /* executable in the beginning */
    bool touched;                 /* a job did something since it was taken out */
    bool job_forgotten;           /* ... and its agent has lost its disk since: only who sent it can know */
    uint8_t done[JUDGE_ROLLOUTS]; /* jobs of that rollout to the target that were done and stand */
    uint64_t done_fence; /* of the last of these, and whose it was: of two runs that were given one fence, since */
    uint8_t done_holder; /* all who knew of it had lost their memory, each answers for its own */
    bool ever_done[JUDGE_ROLLOUTS];
};

struct judge_seat_node {
    struct sim_ident checked;
    int64_t first_good_ms, told_ms;
    uint32_t good;           /* checks in a row */
    bool unclaimed;          /* its claim was dropped, and the controller knows it */
    bool confirmed;          /* told since the drain that `before` still runs */
    bool begun;              /* it has sent a drain of it, or its job where it is handed over in place */
    bool asked;              /* it has asked something of its agent */
    bool left;               /* it has said that the node is left out */
    bool resumed;            /* it has taken over the claim of an earlier run of its rollout */
    struct sim_ident proved; /* what last had enough good checks */
};

/* --order zone: where a controller is. */
struct judge_zones {
    uint8_t now;  /* zone of the nodes that it has begun of late; 0 = none yet */
    uint8_t past; /* bits: zones that it has left behind */
    bool back;    /* it takes nodes back: all once more */
};

struct judge {
    struct judge_rules rules;
    struct judge_peer peers[SIM_PEERS];
    struct judge_node nodes[SIM_NODES];
    struct judge_seat_node seats[JUDGE_SEATS][SIM_NODES];
    struct judge_zones zones[JUDGE_SEATS];
    bool wished[JUDGE_SEATS]; /* it knows of a wish that nothing new begins */
    int64_t votes_lost_ms;    /* when an agent last lost its disk, and its vote with it */
    uint16_t in_place;        /* bits: nodes that are handed over in place */
    uint32_t facts[JUDGE_FACTS];
    struct sim_who highest[SIM_UPSTREAMS], highest_at[SIM_NODES]; /* fences that had an effect; of claims */
    int64_t unfenced_ms[SIM_UPSTREAMS];                           /* when its nginx last lost its fences */
    uint64_t owned[(SIM_PEERS + 63) / 64];                        /* bits of the peers with an owner */
    uint8_t n_owned;                                              /* how many these are */
    char invariant[8];
    char breach[240]; /* "" = none */
};

void judge_begin(struct judge *, const struct sim_truth *, const struct judge_rules *);

/* ---- a controller has sent */
void judge_drain_sent(struct judge *, const struct sim_truth *, uint8_t seat, const struct sim_who *, uint8_t node,
                      const uint8_t *peers, uint32_t n, int64_t turn_ms); /* decided then */
void judge_drain_over(struct judge *, uint8_t peer, uint64_t fence); /* its request has had its effect, or will not */
void judge_back_sent(struct judge *, const struct sim_truth *, uint8_t seat, uint8_t node);
/* Whatever it asks of the node's agent. */
void judge_asked(struct judge *, uint8_t seat, uint8_t node);
/* Of these peers, at once. */
void judge_patch_sent(struct judge *, const struct sim_truth *, const struct sim_who *, const uint8_t *peers,
                      uint32_t n);
/* A drain, or the job of a node that is handed over in place. back: on the way back. */
void judge_begins(struct judge *, const struct sim_truth *, const struct sim_who *, uint8_t node, bool back);

/* ---- just before an effect that is about to happen */
void judge_gate(struct judge *, const struct sim_truth *, const struct sim_who *, uint8_t peer, enum sim_gate to,
                bool back, bool stuck, int64_t turn_ms); /* stuck: its sender died long ago */
/* resumed: what was there was an earlier run's of the same rollout. */
void judge_claim(struct judge *, const struct sim_truth *, uint8_t node, const struct sim_claim *, bool anew,
                 bool resumed);
void judge_unclaim(struct judge *, const struct sim_truth *, uint8_t node);
void judge_job(struct judge *, const struct sim_truth *, uint8_t node, const struct sim_job *, int64_t turn_ms);
void judge_job_done(struct judge *, const struct sim_truth *, uint8_t node, const struct sim_job *);

/* ---- a controller was told */
void judge_status_told(struct judge *, uint8_t seat, uint8_t node, const struct sim_ident *, int64_t seen_ms);
void judge_health_told(struct judge *, const struct sim_truth *, uint8_t seat, uint8_t node, const struct sim_ident *,
                       bool healthy, int64_t seen_ms);

void judge_unclaim_told(struct judge *, uint8_t seat, uint8_t node, bool dropped);
/* A person's wish that is meant for it: nothing new is to begin. */
void judge_wish_told(struct judge *, uint8_t seat);

/* ---- a controller has told */
void judge_left_told(struct judge *, uint8_t seat, uint8_t node); /* the node is left out */

/* ---- what others did; told just before it happens */
void judge_foreign_gate(struct judge *, const struct sim_truth *, uint8_t peer, enum sim_gate to);
/* Its nginx is started anew and knows nothing of it. */
void judge_nginx_forgets(struct judge *, const struct sim_truth *, uint8_t peer);
void judge_peer_added(struct judge *, const struct sim_truth *, uint8_t peer); /* just before */
void judge_fences_lost(struct judge *, const struct sim_truth *, uint8_t upstream);
void judge_peer_lost(struct judge *, const struct sim_truth *, uint8_t peer);
void judge_process_changed(struct judge *, const struct sim_truth *, uint8_t node);
void judge_agent_forgot(struct judge *, const struct sim_truth *, uint8_t node);

/* ---- after every event: I4, who is out is named by a claim */
void judge_always(struct judge *, const struct sim_truth *);

/* A controller has ended. names_node(ctx, node): does what it printed name this node as out? whole: it ran to its end
 * through a plan of `plan_nodes` (bits) with that target. */
struct judge_end {
    struct sim_who who;
    int code;
    uint8_t seat;
    uint32_t plan_nodes; /* bits; 0 = it changed nothing */
    uint8_t target;      /* executable; 0 = restart only */
    bool rolls;          /* no repair */
    bool (*names)(void *ctx, uint8_t node);
    void *ctx;
};
void judge_ended(struct judge *, const struct sim_truth *, const struct judge_end *);

/* After the storm: the last repair ended with this code. */
void judge_calm(struct judge *, const struct sim_truth *, int code);

/* What this rollout has taken out of the node is out, as far as can be said. */
bool judge_holds_out(const struct judge *, const struct sim_truth *, uint8_t node, const struct sim_who *);

/* A job of this seat has brought the target, and that is what it has checked. */
bool judge_back_is_release(const struct judge *, uint8_t seat, uint8_t node);

/* May nobody be taken out for lack of peers, whatever is done? */
bool judge_no_room(const struct judge *, const struct sim_truth *);

void judge_breach(struct judge *, const char *invariant, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
