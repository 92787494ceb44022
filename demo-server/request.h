/* request.h - what a request gets: the seed's /sleep/, and the three small routes beside it. */
#ifndef DEMO_SERVER_REQUEST_H
#define DEMO_SERVER_REQUEST_H

#include "conn.h"

#define REQUEST_BODY_MAX    (1024 * 1024)      /* bytes; a longer body is read to its end, and answered with 413 */
#define REQUEST_BODY_GIVEUP (16 * 1024 * 1024) /* bytes; then the connection is closed */
#define REQUEST_LIMIT_MS    60000              /* from its first line to its last byte */

/* The first line of a request has come in. */
void request_begin(struct conn *);

/* libmicrohttpd's access handler: called with the head, with pieces of the body, at the end of the body, and again
 * after a sleep. */
enum MHD_Result request_feed(struct conn *, const char *url, const char *method, const char *version,
                             const char *upload, size_t *size);

/* It is over. `complete`: its answer was sent whole. */
void request_end(struct conn *, bool complete);

/* Its time has come (it is out of the heap already). */
void request_wake(struct conn *);
struct conn *request_conn_of(struct sleeper *);

int64_t request_now_ns(void);

#endif
