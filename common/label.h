/* label.h - what the trusted comment of a release's signature says of it, so that a good signature holds for one
 * program, one architecture and one place in the order of releases only. Pure.
 *
 *   app:NAME[,NAME...] version:TEXT sequence:N arch:ARCH sha256:HEX
 *
 * Fields between blanks or tabs, in any order, each of these five once. NAME: a service, as agents call it; more than
 * one where one executable is installed for several. TEXT: a label for people. N: 1 to 2^63-1 without leading zeros,
 * higher with each release. ARCH: as `uname -m` says it (exe.def), or "any" for a script. HEX: 64 lower-case digits.
 * Fields of other names are let through: they are signed too. */
#ifndef COMMON_LABEL_H
#define COMMON_LABEL_H

#include <stdint.h>

#include "common/err.h"

#define LABEL_TEXT_MAX 128 /* bytes of version and app */

struct label {
    char app[LABEL_TEXT_MAX + 1], version[LABEL_TEXT_MAX + 1], arch[17], sha256[65];
    uint64_t sequence;
};

bool label_read(const char *comment, struct label *label, struct err *err);
/* Is it a release for this service? */
bool label_is_for(const struct label *label, const char *app);

#endif
