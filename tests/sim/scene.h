/* scene.h - one state of the search (reach.h): the truth, its judge, the controller's run, what is on its way. It can
 * be kept, taken up again, and has a hash.
 *
 * What nothing reads any more before it is written anew is forgotten (scene_settle): a state is what may still make a
 * difference. reach_check.h tries that: each move comes to the same from a state that has forgotten and from one that
 * has not.
 *
 * Time is what makes states differ that do not. So: it stands still while a request is on its way; it goes on, to the
 * next moment at which anything is due, when nothing but long polls is outstanding. All times are told from now; of
 * those that lie back for longer than anybody looks only the order is kept. Turns are numbered anew, since they are
 * compared only. How long requests to a node last and a job takes is not fixed: they end at any moment up to
 * SCENE_HELD_MS and SCENE_JOB_MS. Nobody wishes anything, so nobody is asked for a wish. The journal takes everything
 * at once (a death between a turn and its requests is the death after them, of which none arrives); the loop's own
 * steps are the simulation's to look at. */
#ifndef SIM_SCENE_H
#define SIM_SCENE_H

#include "controller/run.h"
#include "controller/view.h"
#include "controller/vigil.h"
#include "reach.h"
#include "sim.h"

#define SCENE_NOW_MS  10000000 /* what the truth's clock always shows */
#define SCENE_PAST_MS 1000     /* of what is longer ago only the order counts: JUDGE_SNAPSHOT_MS */
#define SCENE_AGE_MS  2500     /* of a list: longer than anything it is asked about */
#define SCENE_HELD_MS 1500     /* requests to a closed server end by then; longer than one look is held */
#define SCENE_JOB_MS  1000     /* a job ends by then */
#define SCENE_CALLS   24
#define SCENE_RUN_MAX 8192

enum scene_phase {
    SCENE_LOOKS, /* a controller reads the world, and may have to wait for a dead one's claims to run out */
    SCENE_PLANS, /* it has its plan */
    SCENE_RUNS,
    SCENE_ENDED,
    SCENE_OVER /* nobody comes any more */
};

/* Where a part of a call is. */
enum scene_where { WHERE_SENT, WHERE_HELD, WHERE_THERE };

struct scene_book {
    uint8_t phase, deaths, faults, reloads; /* so many may still happen */
    uint8_t last;                           /* the seat at work */
    bool repaired;                          /* a repair died or ended: leases of it may be there */
    bool final;                             /* the seat is the repair at the end */
    bool failed;                            /* a fault has happened */
    bool late;                              /* a request of a dead one has arrived since the seat came */
    bool began;                             /* its vigil, */
    bool stepped;                           /* a death here is not one that was tried before; in no hash */
    uint64_t until_ms;                      /* which ends then */
    uint8_t where[SCENE_CALLS][SIM_LBS];
};

struct scene {
    struct sim *sim;
    struct reach *reach;
    struct scene_book book;
    union {
        struct run run;
        uint64_t room[SCENE_RUN_MAX / 8];
    } at;
    struct view view; /* of the seat at work, as far as the judge's wire looks at it */
    struct view_node nodes[SIM_NODES];
    struct turn turn;
};

static inline struct run *scene_run(struct scene *c)
{
    return &c->at.run;
}

static inline struct sim_seat *scene_seat(struct scene *c)
{
    return &c->sim->seats[c->book.last];
}

/* ---- scene.c */
/* Times from now, turns anew, what is over forgotten. Before a hash. */
void scene_settle(struct scene *);
uint64_t scene_hash(const struct scene *);
/* Of the fleet as it was left, and how the last controller ended: not how many came before it, nor who. */
uint64_t scene_end_hash(const struct scene *);
/* Bytes that it takes; at most SCENE_KEPT_MAX. */
#define SCENE_KEPT_MAX 65536
size_t scene_keep(const struct scene *, char *to);
void scene_take_up(struct scene *, const char *from);

/* ---- scene_alone.c */
bool scene_is_change(const struct action *); /* of peers at load balancers */
/* Part of a request whose arrival commutes with all that may happen before it: nothing else is tried beside it. False:
 * there is none. */
bool scene_alone(const struct scene *, uint8_t *call, uint8_t *part);
/* Of a dead controller: it may still have an effect. */
bool scene_may_matter(const struct action *);

/* ---- scene_lists.c */
bool scene_is_list(const struct scene *, uint8_t call); /* of the seat at work */
/* What a list of this load balancer (the truth's) shows may be another in the next state. */
bool scene_shows_change(const struct scene *, uint8_t lb);
/* No list that is on its way need be handed over in this state. */
bool scene_lists_wait(const struct scene *);

/* ---- scene_moves.c */
struct scene_move {
    uint8_t kind; /* enum scene_moves */
    uint8_t a, b; /* what it is about */
};
#define SCENE_MOVES_MAX 128
void scene_begin(struct scene *, struct sim *, struct reach *);
/* What can have no effect any more. */
void scene_drop_fenced(struct scene *);
void scene_drop_shown(struct scene *);
/* All that may happen next. */
uint32_t scene_moves(struct scene *, struct scene_move *);
void scene_move(struct scene *, const struct scene_move *);
struct scene_move scene_answer(uint8_t call); /* is handed over; a list arrives before that, if it has not yet */
void scene_tell(const struct scene *, const struct scene_move *, FILE *); /* in words; before it is done */

#endif
