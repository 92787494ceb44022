/* out.h - a node that is out of rotation because a claim says so is told of: every out-interval in the log, and in the
 * metrics, for as long as it is out and whether or not the claim still lives. */
#ifndef AGENT_OUT_H
#define AGENT_OUT_H

#include <stdint.h>

struct claim;
struct service;

/* The service's claim is another one, or has just been read back: `before` is when what it had taken out went out (0:
 * nothing was). Sets out_since_ms: by CLOCK_BOOTTIME, which nobody sets; negative where that was before this boot. */
void out_since(struct claim *claim, int64_t before_ms);
/* Since so many seconds; 0: it is not out. */
uint64_t out_seconds(const struct claim *claim);
/* Begins, goes on or ends telling of it. */
void out_watch(struct service *service);

#endif
