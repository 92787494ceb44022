/* wanted.h - what can be asked for a peer through the API, and of which kind of upstream. Free of nginx. */
#ifndef API_WANTED_H
#define API_WANTED_H

/* http and stream have an API and a name space each. */
enum shared_kind {
    SHARED_HTTP,
    SHARED_STREAM,
    SHARED_KINDS,
};

/* What was asked for a peer through the API. */
enum wanted {
    WANTED_AS_CONFIGURED,
    WANTED_UP,
    WANTED_DRAIN,
    WANTED_DOWN,
};

/* Numbers of a peer that a PATCH may set, beside `wanted`. */
enum shared_param {
#define PEER_PARAM(name, field) SHARED_##name,
#include "peer_param.def"
#undef PEER_PARAM
    SHARED_PARAMS
};

#endif
