/* call_profile.h - certificates, trust and password for each peer, by inventory name. A corner of call.c. */
#ifndef CONTROLLER_CALL_PROFILE_H
#define CONTROLLER_CALL_PROFILE_H

#include "call.h"

/* Owned texts; auth is what the password file holds. All NULL = plain. */
struct profile {
    char *peer; /* NULL: the default */
    char *cert_file, *key_file, *ca_file, *auth;
};

struct profiles {
    struct profile fallback;
    struct profile *rows; /* sorted by peer */
    size_t n, last;       /* last: the row that was set last */
};

bool profiles_set(struct profiles *, const char *peer, const struct call_profile *, struct err *err);
/* The profile of `peer` (NULL: the default's); borrowed until the next set. */
const struct profile *profiles_find(const struct profiles *, const char *peer);
void profiles_clear(struct profiles *);

#endif
