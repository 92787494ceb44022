/* http.h - one HTTP request of a test, over a connection of its own, and its JSON answer. */
#ifndef STAGE_HTTP_H
#define STAGE_HTTP_H

#include <jansson.h>

#include "tests/stage/stage.h"

struct stage_tls {
    const char *cert, *key, *ca; /* PEM files; cert and key NULL: no client certificate */
};

struct stage_answer {
    int status;          /* 0: no whole answer; `error` says why */
    const char *error;   /* "" or libcurl's sentence */
    const char *headers; /* the answer's, raw */
    const char *body;
    size_t body_size;
    json_t *json; /* the body, where it is JSON, else NULL */
};

/* headers: lines "Name: value" separated by \n, or NULL. body NULL: none. Limit 30 s. Never fails the stage. */
struct stage_answer *stage_http(struct stage *s, const char *method, const char *url, const char *headers,
                                const char *body);

/* The same over TLS. connect: "127.0.0.1:PORT" to go there whatever host the URL names, or NULL. */
struct stage_answer *stage_https(struct stage *s, const struct stage_tls *tls, const char *connect, const char *method,
                                 const char *url, const char *headers, const void *body, size_t body_size);

/* A member by its path: "peers.0.server", "claim.fence". A missing one, or one of another type, fails the stage. */
json_t *stage_json(struct stage *s, const json_t *json, const char *path);
json_int_t stage_json_int(struct stage *s, const json_t *json, const char *path);
bool stage_json_bool(struct stage *s, const json_t *json, const char *path);
const char *stage_json_string(struct stage *s, const json_t *json, const char *path);
json_t *stage_json_find(const json_t *json, const char *path); /* NULL where there is none */

/* Value of a header of the answer (any case), or NULL. */
const char *stage_header(struct stage *s, const struct stage_answer *answer, const char *name);

#endif
