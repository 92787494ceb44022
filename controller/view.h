/* view.h - what people may know of a rollout: built from the plan and its events alone, so that lines, a screen and a
 * report show the same. */
#ifndef CONTROLLER_VIEW_H
#define CONTROLLER_VIEW_H

#include <stdint.h>

#include "event.h"
#include "plan.h"

struct live;

struct view_node {
    struct node state; /* as its last event had it */
    int64_t begun_ms;  /* wall time; 0 = not begun */
    int64_t ended_ms;  /* wall time; 0 = under way or not begun */
    int64_t step_ms;   /* wall time when it entered its step */
    char *text;        /* owned: what the world said when it left the good path; "" */
};

struct view {
    const struct plan *plan;        /* borrowed */
    int name_width;                 /* of a column that most names fit in */
    struct view_node *nodes;        /* n_nodes of the plan */
    uint32_t n_moving;              /* of them, as view_count has it: known without a look at all */
    int64_t began_ms, now_ms;       /* wall time of the first and the last event */
    char stopping[ANSWER_TEXT_MAX]; /* why nothing new starts; "" */
    char held[ANSWER_TEXT_MAX];     /* what it waits to be promoted after; "" = it does not wait */
    char hook[ANSWER_TEXT_MAX];     /* of the end, at work; "" = none is */
    char hooked[ANSWER_TEXT_MAX];   /* of the end, the first that failed, and how; "" = none has */
    uint64_t step_ms[STEP_COUNT];   /* how long nodes were in each step, summed over ... */
    uint32_t step_n[STEP_COUNT];    /* ... so many that left it by its good path; for an estimate (eta.h) */
    struct live *live;              /* borrowed: the moment, where somebody watches (live.h); NULL = nobody does */
};

/* Nodes by what people ask first. out: out of rotation, or so as far as is known, and nobody moves it any more. */
struct view_counts {
    uint32_t done, moving, failed, out, waiting;
};
struct view_counts view_count(const struct view *);

struct view *view_new(const struct plan *);
void view_free(struct view **);
void view_feed(struct view *, const struct event *);

/* The command of the hook that the node's step runs; "" where that step runs none. */
const char *view_hook(const struct plan *, const struct node *);

/* "upgraded", "failed", ... for people. */
const char *view_outcome(const struct view *, uint16_t node);

#endif
