/* min_up.h - how many servers of an upstream a PATCH must leave serving, at least: primary ones that are neither down
 * nor draining nor unavailable.
 *
 * Said by the operator (`api write=on min_up=1;`) and by a client (`PATCH .../servers/0?min_up=2`); the higher number
 * holds. view_change decides, under the lock of the change. */
#ifndef API_MIN_UP_H
#define API_MIN_UP_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <stdbool.h>

#define MIN_UP_MAX 65535

/* Digits alone, 0 to MIN_UP_MAX. */
bool min_up_parse(const ngx_str_t *text, uint32_t *min_up);

/* What holds for a request. False = its argument is not a number in the bounds. */
bool min_up_read(ngx_http_request_t *r, uint32_t *min_up);

#endif
