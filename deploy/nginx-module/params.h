/* params.h - from the members of a PATCH body to the change they ask for, by the table params.def. */
#ifndef API_PARAMS_H
#define API_PARAMS_H

#include "body.h"
#include "view.h"

enum params_result {
    PARAMS_GOOD,
    PARAMS_UNKNOWN,       /* no such parameter */
    PARAMS_INVALID,       /* not of its type */
    PARAMS_BAD_WEIGHT,    /* of its type, and out of its bounds */
    PARAMS_BAD_MAX_CONNS, /* the same */
    PARAMS_BAD_MAX_FAILS,
    PARAMS_BAD_TIME,        /* a text, and no time, or out of its bounds */
    PARAMS_IMMUTABLE,       /* another value than the server has, and this one cannot change */
    PARAMS_IMMUTABLE_WEIGHT /* the same, because of the balancer; see weights.h */
};

/* Seconds, 68 years: leaves room for what is added to it and for milliseconds. The file may say more. */
#define PARAMS_FAIL_TIMEOUT_MAX_S INT32_MAX

/* *bad: on any other result, the member that is wrong. */
enum params_result params_read(const struct body_member *members, size_t count, const struct view_upstream *upstream,
                               ngx_uint_t server_id, struct view_change *change, const struct body_member **bad);

/* What a parameter takes, in words. */
const char *params_takes(const struct body_text *name);

#endif
