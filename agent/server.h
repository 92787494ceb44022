/* server.h - the agent's HTTP(S) side: one libmicrohttpd daemon as the guest of our loop.
 *
 * Before a handler sees a request: the peer is allowed (tls.h), the framing is plain (one Content-Length at most, not
 * beside Transfer-Encoding, one Host), the route exists. It then goes to the helper half (link.h), its body piece by
 * piece within its limit. Every step of a connection has an absolute deadline; libmicrohttpd's own counts inactivity
 * only. */
#ifndef AGENT_SERVER_H
#define AGENT_SERVER_H

#include "agent.h"

struct link;

/* NULL with the reason. Logs the address that it listens on. */
struct server *server_start(struct agent *agent, struct link *link, struct err *err);
/* Requests that wait are cancelled and answered (500, the agent stops); then all ends. */
void server_stop(struct server **server);

#endif
