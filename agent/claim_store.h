/* claim_store.h - the claim, the lock and the highest fence of a service, durable in STATE/APP/claim.json.
 *
 * A file that cannot be read back is an error, never "no claim": a fence that falls is worse than an agent that does
 * not start. Over a restart time goes by CLOCK_BOOTTIME; over a reboot the time to live goes on by the wall clock, kept
 * within 0 and ttl. */
#ifndef AGENT_CLAIM_STORE_H
#define AGENT_CLAIM_STORE_H

#include "claim.h"

uint64_t claim_store_now_ms(void); /* CLOCK_BOOTTIME: goes on while the machine sleeps */

/* An empty state where there is no file. */
bool claim_store_load(const char *path, const char *boot_id, struct claim_state *state, struct err *err);
bool claim_store_save(const char *path, const char *boot_id, const struct claim_state *state, struct err *err);

#endif
