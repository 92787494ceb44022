/* patch.h - PATCH of one server: its lease headers, its body, the change, the answer.
 *
 * The body is one flat object of what stands in params.def, all of it optional; all is done or nothing. What NGINX Plus
 * knows and cannot change is taken when it is what the server has already, since clients send it along; empty, with
 * lease headers, it only takes, renews or returns the lease. */
#ifndef API_PATCH_H
#define API_PATCH_H

#include "handler.h"

#define PATCH_BODY_MAX_BYTES (64 * 1024)

/* Returns what a content handler returns: the answer is sent here, or once the body has been read. */
ngx_int_t patch_start(ngx_http_request_t *r, const struct handler_target *target);

#endif
