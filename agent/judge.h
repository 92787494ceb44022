/* judge.h - how a restart ended, from what is seen of the old and the new process. Pure: no clock, no /proc.
 *
 * Success: a new process runs the wanted executable, owns every socket that the old one listened on, answers at its
 * health URL (whatever: what is healthy, the rollout says), and the old one is gone or accepts no more. */
#ifndef AGENT_JUDGE_H
#define AGENT_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "code.h"

#define JUDGE_WAIT CODE_COUNT /* not decided yet */

/* A service may write its pid file before it runs the new executable, and after the old process is gone: so long are
 * these two sights not yet believed. And a note that says no may be about a restart that somebody else asked for, just
 * before it takes up ours: it must stand for a while. */
#define JUDGE_WRONG_MS 1000
#define JUDGE_GONE_MS  2000
#define JUDGE_NO_MS    200

struct judge_facts {
    bool old_alive;
    bool old_listens; /* still accepts connections; a draining process does not */
    bool new_alive;   /* another live process than before is the service */
    bool new_wanted;  /* it runs the wanted executable */
    bool new_listens; /* on all addresses that the old one listened on */
    bool new_answers; /* at its health URL, since it took over */
    bool took_over;   /* this one, or one that is gone by now, had taken over */
    bool coming;      /* somebody is starting it: that nobody is there yet is no news */
    uint64_t new_ms;  /* since this very process was first seen */
    uint64_t gone_ms; /* since nobody is there: no new one, and no old one that accepts (took_over) or lives (else) */
    bool says_no;     /* it wrote that no process takes over (common/upgrade_note.h), after it was signalled */
    uint64_t no_ms;   /* since this very note was first seen */
    bool late;        /* the limit is over */
};

bool judge_took_over(const struct judge_facts *facts); /* as seen now, answer or not */

/* JUDGE_WAIT, JOB_OK, or one of JOB_NO_SUCCESSOR, DIED, DIED_LATER, WRONG_EXECUTABLE, TWO_SERVERS, OLD_STAYS,
 * NOT_HEALTHY. */
enum code judge_restart(const struct judge_facts *facts);

#endif
