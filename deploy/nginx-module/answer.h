/* answer.h - what goes back to the client: JSON, and the error body of NGINX Plus. */
#ifndef API_ANSWER_H
#define API_ANSWER_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "json_out.h"

enum api_error {
#define ERROR(name, status, code) ERROR_##name,
#include "error.def"
#undef ERROR
};

/* Both discard the request's body where it has not been read, and return what a content handler returns. */
ngx_int_t answer_json(ngx_http_request_t *r, ngx_uint_t status, const struct json_out *out);

/* {"error":{"status","text","code"},"request_id","href"}. The text is formatted as nginx does (%V, %uL, ...). */
ngx_int_t answer_error(ngx_http_request_t *r, enum api_error error, const char *format, ...);

#endif
