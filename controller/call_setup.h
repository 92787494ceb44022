/* call_setup.h - one call's own part of libcurl: a request becomes a handle. A corner of call.c. */
#ifndef CONTROLLER_CALL_SETUP_H
#define CONTROLLER_CALL_SETUP_H

#include <curl/curl.h>

#include "call.h"
#include "call_profile.h"

/* Handles of calls that have ended, to be used again: to make one costs more than a small request. Each is good for
 * calls with the profile that it was made for. */
#define HANDLES_MAX 256
struct handle {
    CURL *easy;
    const struct profile *profile;
};
struct handles {
    struct handle spare[HANDLES_MAX];
    size_t n;
};
void handles_clear(struct handles *);

/* One call: waiting, on the wire, or ended. */
struct call {
    struct call *next, **back; /* of the list it is in */
    CURL *easy;
    const struct profile *profile;
    struct curl_slist *headers, *connect_to;
    char *body; /* what is sent */
    int file;   /* or this; -1 = none */
    size_t cap_bytes, room_bytes;
    bool over_cap;
    bool show_peer;
    int64_t left_at_ms;
    char who[160]; /* "GET lb1 (127.0.0.1:8080)" */
    char error[CURL_ERROR_SIZE];
    struct call_result result;
};

/* A handle with everything set; `good` is false where the request cannot leave (c->error says why). Copies all of q. */
struct call *call_new(struct handles *, const struct call_request *q, const struct profile *, uint32_t connect_limit_ms,
                      bool *good);
void call_free(struct handles *, struct call *); /* not while it is on the wire */

#endif
