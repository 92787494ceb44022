/* call_profile.h - certificates, trust and password for each peer, by inventory name. A corner of call.c. */
#ifndef CONTROLLER_CALL_PROFILE_H
#define CONTROLLER_CALL_PROFILE_H

#include "call.h"

/* Owned texts; auth is what the password file holds. All NULL = plain. One for all peers that have the same. */
struct profile {
    struct profile *next;
    char *cert_file, *key_file, *ca_file, *auth_file, *auth;
};

struct profile_row {
    char *peer;
    const struct profile *profile;
};

struct profiles {
    struct profile *all;
    const struct profile *fallback; /* NULL: plain */
    struct profile_row *rows;       /* sorted by peer */
    size_t n, room;
};

/* The files are looked at when a peer is the first to have them. */
bool profiles_set(struct profiles *, const char *peer, const struct call_profile *, struct err *err);
/* The profile of `peer` (NULL: the default's); borrowed until profiles_clear. */
const struct profile *profiles_find(const struct profiles *, const char *peer);
void profiles_clear(struct profiles *);

#endif
