/* judge.h - how a restart ended, from what is seen of the old and the new process. Pure: no clock, no /proc. */
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
    bool new_alive;   /* the pid file names another live process than before */
    bool new_wanted;  /* it runs the wanted executable */
    bool new_listens; /* on all addresses that the old one listened on */
    uint64_t new_ms;  /* since this very process was first seen */
    uint64_t gone_ms; /* since neither was there */
    bool says_no;     /* it wrote that no process takes over (common/upgrade_note.h), after it was signalled */
    uint64_t no_ms;   /* since this very note was first seen */
    bool late;        /* the limit is over */
};

/* JUDGE_WAIT, JOB_OK, JOB_NO_SUCCESSOR, JOB_DIED, JOB_WRONG_EXECUTABLE or JOB_TWO_SERVERS. */
enum code judge_restart(const struct judge_facts *facts);

#endif
