/* ready.h - the service manager's ear (sd_notify(3), without its library): a unit of Type=notify has started when the
 * half takes what comes, so that whoever has restarted it may use it at once. */
#ifndef AGENT_READY_H
#define AGENT_READY_H

/* READY=1 to $NOTIFY_SOCKET, where that is set; then it is unset. Waits at most a second; whether it was heard is the
 * manager's business: it ends a unit that is not ready in time. */
void ready_tell(void);

#endif
