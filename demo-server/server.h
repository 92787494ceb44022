/* server.h - three listeners and all their connections on one thread and one epoll, with libmicrohttpd inside. */
#ifndef DEMO_SERVER_SERVER_H
#define DEMO_SERVER_SERVER_H

#include <stdint.h>
#include <time.h>

#include "common/err.h"
#include "handover.h"
#include "routes.h"

struct server;

/* `started` is what the answers of /sleep/ tell; linger_ms: how long an idle connection is kept while draining.
 * `listeners`: how many will be added; each takes its share of the limit on open files, and clients beyond it wait. */
struct server *server_new(const struct timespec *started, uint32_t linger_ms, unsigned listeners, struct err *);

/* handover_options.adopt_ahead */
unsigned server_adopt_ahead(const struct server *);

/* What the handover asks of the HTTP side; ctx is the server. */
extern const struct handover_ops server_handover_ops;

/* Serve on a listening, non-blocking socket that stays the caller's. `name` is borrowed. */
bool server_add(struct server *, int listen_fd, const char *flag, const char *name, struct err *);

/* Until the handover has ended. */
bool server_run(struct server *, struct handover *, struct err *);

const struct counts *server_counts(const struct server *);

/* Ends what is still open. */
void server_free(struct server **);

#endif
