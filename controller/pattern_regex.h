/* pattern_regex.h - a regular expression as Ansible's users write it (Python's), as a POSIX extended one.
 *
 * Both read most alike. \d \D, and \d \w \s within brackets, are put in POSIX's words. What Python reads otherwise, or
 * POSIX lacks, is refused: (?...), other escapes of letters, \] \- \^ and [: within brackets, a repetition of nothing
 * or of a repetition (a lazy one, a*? or a+?, is taken: whether a name fits does not depend on it). */
#ifndef CONTROLLER_PATTERN_REGEX_H
#define CONTROLLER_PATTERN_REGEX_H

#include <regex.h>

#include "common/err.h"

/* For the caller to regfree, where it is true. */
bool pattern_regex(regex_t *regex, const char *text, struct err *err);

#endif
