/* handover_init.h - a server that was started as pid 1, as in a container.
 *
 * The kernel ends a pid namespace with its pid 1, so that one must not be a server that leaves for its successor. It
 * becomes a reaper instead: it starts the server as its child, passes signals on to the process that serves, collects
 * every orphan, and exits when the last server has, with the code of the one that served last. */
#ifndef DEMO_SERVER_HANDOVER_INIT_H
#define DEMO_SERVER_HANDOVER_INIT_H

/* First thing in main. Returns at once where this is not pid 1; otherwise only the child returns. */
void handover_init_begin(void);

/* Called by a process that serves now and whose HANDOVER_INIT was 1. */
void handover_init_tell(void);

#endif
