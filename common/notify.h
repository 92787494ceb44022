/* notify.h - lines for the service manager, as sd_notify(3) of systemd sends them, without its library. */
#ifndef COMMON_NOTIFY_H
#define COMMON_NOTIFY_H

#include <stdbool.h>

/* "READY=1", several parted by \n, to $NOTIFY_SOCKET: a path, or with @ a name in the kernel's own space. Nothing where
 * that is not set or neither. waits: where the manager has no room just now, for at most a second; else the lines are
 * lost. Whether they were heard is the manager's business. */
void notify_send(const char *lines, bool waits);

#endif
