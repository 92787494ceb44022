/* server.h - the agent's HTTP(S) side.
 *
 * Before a request goes to the helper half (link.h): the peer's certificate is allowed (tls.h), its head is plain
 * (http.h), the route exists. The body goes there piece by piece within its limit. Every state of a connection has
 * an absolute deadline (conn.h); peers that are not known have CONN_UNKNOWN_MAX places between them, and one that
 * comes later takes the oldest one's; a controller has peer-connections, and peer-requests a second. */
#ifndef AGENT_SERVER_H
#define AGENT_SERVER_H

#include "agent.h"

struct link;

/* NULL with the reason. Logs the address that it listens on. */
struct server *server_start(struct agent *agent, struct link *link, struct err *err);
/* SIGHUP: reads config and certificates again (reload.h), and has the helper half of the same start do so.
 * Connections over TLS end behind their next answer, so that their peers are judged anew; those of a controller that is
 * not allowed any more behind the one at hand. */
void server_reload(struct server *server);
/* Requests that wait are cancelled and answered (500, the agent stops); then all ends. */
void server_stop(struct server **server);

#endif
