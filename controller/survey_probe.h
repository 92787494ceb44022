/* survey_probe.h - the inside of a survey under way, shared by survey.c, survey_probe.c and survey_answer.c only.
 *
 * What is asked is a `probe`; it ends with an answer that is taken in, which may ask the next one. No more nodes are
 * asked at once than there is room for: one that has told all, or is asked again later, gives way to the next. */
#ifndef CONTROLLER_SURVEY_PROBE_H
#define CONTROLLER_SURVEY_PROBE_H

#include "survey.h"

enum probe_kind {
    PROBE_VERSIONS, /* of a load balancer: the versions of its API, */
    PROBE_NGINX,    /* its generation, */
    PROBE_LIST,     /* its upstreams, */
    PROBE_WRITE,    /* and whether it takes changes */
    PROBE_ROOT,     /* of a node: who the agent is, */
    PROBE_STATUS    /* and what runs */
};
#define PROBES_A_LB   4
#define PROBES_A_NODE 2

/* One question, however often it is asked. */
struct probe {
    enum probe_kind kind;
    uint32_t i;       /* of the survey's lbs or voters */
    char *url;        /* owned; NULL where the answer is there */
    int64_t began_ms; /* when it was asked first */
    uint32_t pause_ms;
    struct probe *next; /* while it waits to be asked again, which is at: */
    int64_t due_ms;
    bool gave_way; /* the next node was asked meanwhile */
};

struct surveying {
    struct calls *calls;
    const struct fleet *fleet;
    const struct options *options;
    struct survey *survey;
    struct probe *probes; /* at most PROBES_A_LB a load balancer, PROBES_A_NODE a node */
    uint32_t n_probes;
    uint32_t n_open;               /* calls */
    struct probe *waiting;         /* to be asked again */
    int64_t due_ms;                /* the first of them */
    const struct agent_root *like; /* the latest node's */
    uint32_t next_node;            /* the first that was not asked yet */
    uint32_t end_node;             /* and behind the last that is to be asked */
};

/* Room for what is asked of so many, none of it asked yet; to be cleared. Those before are gone. */
void probes_begin(struct surveying *, size_t n_lbs, size_t n_nodes);
void probes_clear(struct surveying *);

bool probe_is_of_node(const struct probe *);

/* Asks this of the i-th load balancer or voter; the url is taken. Where nodes are concerned, probes_ask_nodes begins:
 * all voters up to `end`, a few at once. */
struct probe *probe_ask(struct surveying *, enum probe_kind, uint32_t i, char *url);
void probes_ask_nodes(struct surveying *, uint32_t end);

/* The next node is asked instead, once for each: there are no more at a time than at the beginning. */
void probe_give_way(struct surveying *, struct probe *);

/* What was answered may be a moment's: it is asked once more, later (SURVEY_PATIENCE_MS says how long). False: it is
 * the answer. */
bool probe_again(struct surveying *, struct probe *, const struct call_result *);
/* Asks those whose time has come; how long until then a collect may wait. */
void probes_ask_due(struct surveying *);
uint32_t probes_wait_ms(const struct surveying *);

/* survey_answer.c: what the answer says goes into the survey, and what follows of it is asked. */
void survey_answer(struct surveying *, struct probe *, const struct call_result *);

#endif
