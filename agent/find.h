/* find.h - which process is the service, by the one way that its config gives, looked up afresh each time:
 *
 *   pidfile     the live process that the file names
 *   listen-on   who holds the socket that listens there, by its inode in /proc/PID/fd; in the agent's network alone
 *   unit        who is in the unit's control group, by /proc/PID/cgroup
 *
 * In each case it must run the configured executable, or one that stood at that path before. A stale pid file, or a pid
 * that somebody else has by now, is "not running", with the reason.
 *
 * The last two ways may meet a whole family: a master with its workers, or two generations in the middle of a handover.
 * Of those in a unit only who listens counts, if anybody does. Then it is the one whose parent is none of them; that is
 * the master, and in a handover the process before, until it stops listening. Several such are nobody: with a reason.
 *
 * The last two ways look through /proc: some 12 us for each process of the machine. */
#ifndef AGENT_FIND_H
#define AGENT_FIND_H

#include "config.h"
#include "ident.h"

#define FIND_MAX 256

/* Processes that could be it, by pid and start time. */
struct find_list {
    size_t count;
    struct find_row {
        uint32_t pid, parent;
        uint64_t start_ticks;
    } rows[FIND_MAX];
};

/* All that could be it now; at most one by a pid file. False: it cannot be known, with the reason. */
bool find_all(const struct service_config *config, struct find_list *list, struct err *err);

/* The process that is it; `but`: these are not (NULL: nobody). False, and pid 0: there is none, with the reason. */
bool find_main(const struct service_config *config, const struct find_list *but, struct hash_cache *hashes,
               struct ident *ident, struct err *err);

/* The one whose parent is none of the list; NULL where there is none, or more than one. Pure. */
const struct find_row *find_top(const struct find_list *list);
/* Take those of `but` out. Pure. */
void find_without(struct find_list *list, const struct find_list *but);

#endif
