/* wait.h - `Prefer: wait=N` on the GET of one server: the answer is held until the server is quiet, or N seconds are
 * over.
 *
 * Quiet: taken out (down or draining), and no request is at it or on its way to it, in any worker of any generation; it
 * is never said while that cannot be known. The answer is the server's object with the extra member
 * "rollout":{"active":N,"quiet":BOOL}, and the header `Preference-Applied: wait=N`. It comes at once where the server
 * is not taken out, and when nginx ends the worker (a reload): ask again.
 *
 * All who wait in a worker share one timer; each look at them is under the shared zone's lock, nothing is between two.
 */
#ifndef API_WAIT_H
#define API_WAIT_H

#include "handler.h"

/* NGX_DECLINED: the client does not ask for it. Else what a content handler returns. */
ngx_int_t wait_start(ngx_http_request_t *r, const struct handler_target *target);

#endif
