/* call.h - HTTP requests to load balancers and agents: started without waiting, collected with a limit. It and its
 * corner call_setup.c are the only ones that know libcurl.
 *
 * HTTP/1.1 over http:// or https:// (TLS 1.2 or later, certificate and name always verified), connections kept alive
 * and used again. No proxies, no redirects, no netrc, no cookies. Every call has a total limit and a cap on its answer.
 *
 * At most CALLS_ACTIVE_MAX are on the wire, the others wait their turn; a limit begins when its call leaves. */
#ifndef CONTROLLER_CALL_H
#define CONTROLLER_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define CALLS_ACTIVE_MAX 512

struct calls;

/* How we show ourselves to a peer and whom we trust there. Paths; NULL = none (ca_file: the system's). They are read
 * when a connection is made. */
struct call_profile {
    const char *cert_file, *key_file; /* PEM; key_file NULL: the key is in cert_file */
    const char *ca_file;              /* PEM */
    const char *auth_file;            /* USER:PASSWORD for HTTP basic auth, one line */
};

struct call_request {
    const char *method;     /* "GET", "PUT", "POST", "PATCH", "DELETE" */
    const char *peer;       /* inventory name: whose profile holds; also for people. NULL: the default profile */
    const char *url;        /* http:// or https:// */
    const char *connect_to; /* host or address to connect to instead of the URL's; its port and TLS name stay. NULL */
    const char *const *headers; /* "Name: value" lines */
    size_t n_headers;
    const char *body; /* copied; NULL = none. Sent as application/json */
    size_t body_bytes;
    const char *body_file; /* instead: the bytes of this file, streamed as application/octet-stream */
    bool show_peer;        /* tell when the certificate of a new connection ends, and by how much its clock is off */
    bool fresh;            /* over a connection of its own, closed behind it */
    uint32_t limit_ms;     /* for the whole call, never 0 */
    size_t cap_bytes;      /* of the answer's body, never 0 */
    void *tag;             /* comes back with the result */
    bool last;             /* nothing more will be asked there soon: the connection need not be kept */
};

enum call_failure {
    CALL_FINE,     /* a whole answer came, whatever its status */
    CALL_NOT_SENT, /* for certain not a byte of the request left: not resolved, refused, TLS failed, file unreadable */
    CALL_LOST,     /* it left, at least partly; no whole answer came, or one longer than the cap */
    CALL_TIMEOUT   /* it left; no whole answer came in time */
};

struct call_result {
    void *tag;
    enum call_failure failure;
    bool lasting;        /* not CALL_FINE: the next try would fail in the same way: certificates, no TLS there, a file
                            that cannot be read, an answer beyond the cap */
    int status;          /* HTTP status; 0 = no answer */
    char *body;          /* terminated behind body_bytes, never NULL; call_result_free */
    size_t body_bytes;   /* whole only when CALL_FINE */
    int64_t cert_ends_s; /* UNIX seconds: the end of the certificate that the peer showed on a new connection; <= 0:
                            none, not known */
    bool has_clock;      /* asked for (show_peer), and its answer has a date */
    int64_t ahead_s;     /* then: its clock less ours, a second more or less */
    uint32_t took_ms;    /* from leaving the queue to the end */
    uint32_t age_ms;     /* collected so long after leaving the queue: what the answer says is at most so old */
    char text[320];      /* not CALL_FINE: "GET lb1 (127.0.0.1:8080): what went wrong", for people; else "" */
};

/* connect_limit_ms: for name, connection and TLS of each call together, within its limit. */
struct calls *calls_open(uint32_t connect_limit_ms, struct err *err);

/* Whose requests go with which profile; peer NULL: all others'. Texts are copied; a later one for a peer replaces the
 * one before. Checks that the files can be read and used, so that a typing error is found before anything starts. */
bool calls_set_profile(struct calls *, const char *peer, const struct call_profile *, struct err *err);

/* Begin a call; copies all it needs. Every call ends in exactly one result, failures too. */
void calls_start(struct calls *, const struct call_request *);

/* Wait at most wait_ms until at least one call has ended or calls_wake was called; then take what has ended, at most
 * `capacity`. Returns how many; *woken (may be NULL) says whether calls_wake was called since the last time. */
size_t calls_collect(struct calls *, uint32_t wait_ms, struct call_result *results, size_t capacity, bool *woken);
void call_result_free(struct call_result *);

/* End a wait early. Safe in a signal handler, and from another thread. */
void calls_wake(struct calls *);

/* Whatever happens at this descriptor, too, ends a wait early, with nothing to take; -1 = none any more. False: it
 * cannot be watched. Repeating it is fine. */
bool calls_watch(struct calls *, int fd);

size_t calls_under_way(const struct calls *);

/* Break off everything under way; their results never come. */
void calls_drop(struct calls *);
void calls_close(struct calls **); /* drops first */

#endif
