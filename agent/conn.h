/* conn.h - one connection: who is at its other end, and until when it has to get on with what it does. */
#ifndef AGENT_CONN_H
#define AGENT_CONN_H

#include "config.h"
#include "server_internal.h"

#define CONN_HEAD_MS   10000 /* from accept to the end of the first head, the TLS handshake included */
#define CONN_BODY_MS   30000 /* from the head to the end of a JSON body; from the answer's start to its end */
#define CONN_IDLE_MS   75000 /* from one answer to the end of the next head */
#define CONN_UPLOAD_MS 60000 /* a release: so long, and a second more for each MiB */

struct conn {
    struct server *server;
    int fd;
    uint64_t deadline_ms; /* UINT64_MAX: none, a long poll of ours is running */
    bool judged, allowed; /* TLS: the peer has been looked at */
    char name[CONFIG_ALLOW_TEXT];
    struct conn *next;
};

void conn_on_notify(void *ctx, struct MHD_Connection *connection, void **slot,
                    enum MHD_ConnectionNotificationCode what);
struct conn *conn_of(struct MHD_Connection *connection);
void conn_allow_ms(struct conn *conn, uint64_t in_ms); /* a new deadline; UINT64_MAX: none */
bool conn_is_allowed(struct conn *conn, struct MHD_Connection *connection, struct err *err);
void conn_sweep_start(struct server *server);

#endif
