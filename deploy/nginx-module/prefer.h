/* prefer.h - the preference `wait` in a Prefer header (RFC 7240). Pure. */
#ifndef API_PREFER_H
#define API_PREFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PREFER_WAIT_MAX_S 60

/* The first `wait` of one header's value, at most PREFER_WAIT_MAX_S. False = there is none, or its value is no number
 * of seconds: a preference that is not understood is ignored, says the RFC. */
bool prefer_wait(const char *text, size_t size_bytes, uint32_t *wait_s);

#endif
