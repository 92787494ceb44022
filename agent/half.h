/* half.h - the life of each half, from its start to its orderly end. */
#ifndef AGENT_HALF_H
#define AGENT_HALF_H

#include <sys/types.h>

#include "agent.h"

/* Until a signal, or until the other half is gone where `fd` >= 0 joins them. False with the reason; without one where
 * `helper` ended and has said why itself. `helper`: the process at the other end, -1 where there is none of ours. */
bool half_run_network(struct agent *agent, int fd, pid_t helper, struct err *err);
bool half_run_helper(struct agent *agent, int fd, struct err *err);

/* Both in one start: the helper half becomes a child, which the kernel ends when this process ends. */
bool half_run_both(struct agent *agent, struct err *err);

/* SIGTERM and SIGINT stop the loop, SIGHUP calls `reload`; a deaf half listens to neither: its parent tells it. */
struct half_signals {
    struct agent *agent;
    struct loop_slot slot;
    bool deaf, came;
    loop_fn *reload;
    void *reload_ctx;
};
bool half_watch_signals(struct half_signals *signals, struct agent *agent, bool deaf, struct err *err);
void half_forget_signals(struct half_signals *signals);

#endif
