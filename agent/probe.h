/* probe.h - one HTTP/1.1 GET to a local service, over a fresh connection, without ever holding up the loop. */
#ifndef AGENT_PROBE_H
#define AGENT_PROBE_H

#include "config.h"
#include "loop.h"

#define PROBE_BODY_MAX 4096 /* bytes; what comes behind is not read */

struct probe_result {
    unsigned status;               /* HTTP status; 0: no answer, text says why */
    char text[256];                /* a sentence */
    char body[PROBE_BODY_MAX + 1]; /* NUL-terminated; chunks joined */
};

/* Called once, never from within probe_start. The probe is freed when it returns. */
typedef void probe_fn(void *ctx, const struct probe_result *result);

struct probe;
struct probe *probe_start(struct loop *loop, const struct url *url, uint32_t limit_ms, probe_fn *fn, void *ctx);
void probe_cancel(struct probe **probe); /* fn is not called */

/* A whole answer, or what has come of it: its status (0: none), and its body joined. Pure. Returns whether nothing
 * more needs to be waited for; `ended`: the peer has closed. */
bool probe_parse_answer(const char *bytes, size_t size, bool ended, struct probe_result *result);

#endif
