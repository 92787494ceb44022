/* handover_init.h - a server that was started as pid 1, as in a container.
 *
 * The kernel ends a pid namespace with its pid 1, so that one must not be a server that leaves for its successor. It
 * becomes a reaper instead: it starts the server as its child, passes signals on to the process that serves, collects
 * every orphan, and exits when the last server has, with the code of the one that served last. A successor counts as a
 * server from its start: should the one before it be killed meanwhile, it is waited for. Where other orphans are left,
 * the end takes half a second longer: one of them might be a successor just forked. */
#ifndef DEMO_SERVER_HANDOVER_INIT_H
#define DEMO_SERVER_HANDOVER_INIT_H

#include <stdbool.h>

/* First thing in main. Returns at once where this is not pid 1; otherwise only the child returns. */
void handover_init_begin(void);

/* Whether this process is that child. A successor has it from its environment (handover_env.h). */
bool handover_init_is_ours(void);

/* What pid 1 is told, where it is ours: real-time signals, which queue. A release of before takes SIGRTMIN alone to
 * mean something; to the others a pid 1 is deaf. */
void handover_init_tell(void);             /* SIGRTMIN: I serve; also one that goes on, its successor being dead */
void handover_init_tell_coming(void);      /* SIGRTMIN+1: I am to become a server. Safe between fork and execve */
void handover_init_tell_ended(int status); /* SIGRTMIN+2: my successor has ended so (as waitpid gives it) */

#endif
