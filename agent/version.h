/* version.h - the version that a service answers at its version URL. Asked at most once a second, never while a job
 * runs (two processes may then be answering), and believed only when the same process was there before and after. */
#ifndef AGENT_VERSION_H
#define AGENT_VERSION_H

#include "ident.h"
#include "loop.h"
#include "probe.h"

#define VERSION_TEXT_MAX 128
#define VERSION_WAIT_MS  300 /* since it was asked for: who wants it waits no longer */

struct service;

struct version {
    struct ident ident;              /* whose it is; pid 0: never asked */
    char text[VERSION_TEXT_MAX + 1]; /* "" = unknown */
    uint64_t asked_ms;
    struct probe *probe; /* in flight */
    struct waiter *waiters;
};

/* True: `w` is woken once the version is known, or known not to be had; the caller limits its wait. False: there is
 * nothing to wait for, or it has been waited for long enough. */
bool version_want(struct service *service, const struct ident *ident, struct waiter *w);
/* "" when it is not known for this very process. */
const char *version_of(const struct service *service, const struct ident *ident);
void version_close(struct version *version);

/* The version in an answer's body: the first line, or member "version" of a JSON object; printable ASCII. Pure. */
void version_parse(const char *body, char text[VERSION_TEXT_MAX + 1]);

#endif
