/* judge.h - is an answer good? One rule a step; pure. The table (node.def) says where a verdict leads. */
#ifndef CONTROLLER_JUDGE_H
#define CONTROLLER_JUDGE_H

#include "node.h"

enum verdict_kind {
    VERDICT_AGAIN, /* not yet: ask once more after the step's pause */
    VERDICT_GOOD,
    VERDICT_BAD,
    VERDICT_GOTO /* neither: `to` says where */
};

struct verdict {
    enum verdict_kind kind;
    enum why why; /* BAD: the reason; GOTO: WHY_NONE unless it is a failure */
    enum step to; /* GOTO */
};

/* Judge the answer to the question of the node's step. Takes facts over into the node (what runs, which peers,
 * streaks); never its step. */
struct verdict judge(struct node *, const struct plan *, const struct answer *);

/* The reason when the step's limit is over. */
enum why judge_limit_why(enum step);

#endif
