/* handover_notify.h - the service manager's ear: sd_notify(3) without its library. */
#ifndef DEMO_SERVER_HANDOVER_NOTIFY_H
#define DEMO_SERVER_HANDOVER_NOTIFY_H

#include <stdbool.h>

/* Send lines such as "READY=1\nMAINPID=4711" to $NOTIFY_SOCKET (a path, or @ and an abstract name). Nobody listening,
 * or a full socket, is no error: the manager's limits decide what silence means. */
void handover_notify(const char *lines);

/* READY=1, and MAINPID= of this process. A manager that does not hear this ends a server that serves: where its queue
 * is full, there is a second for it to make room. */
void handover_notify_ready(bool main_pid);
void handover_notify_reloading(void); /* RELOADING=1 with the time that systemd 253 wants beside it */

#endif
