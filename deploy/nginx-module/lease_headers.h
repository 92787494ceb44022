/* lease_headers.h - the Rollout-* headers of a request, by the table lease_headers.def. */
#ifndef API_LEASE_HEADERS_H
#define API_LEASE_HEADERS_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "lease.h"

enum lease_headers_result {
    LEASE_HEADERS_NONE, /* a client that knows of no lease */
    LEASE_HEADERS_GOOD,
    LEASE_HEADERS_BAD,
};

/* On BAD *text says what is wrong and what to send; borrowed, of static storage or the pool. */
enum lease_headers_result lease_headers_read(ngx_http_request_t *r, struct lease_ask *ask, ngx_str_t *text);

#endif
