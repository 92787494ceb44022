#include "answer.h"

#include <stdarg.h>

#include "module.h"

#define TEXT_MAX_BYTES 1024
#define HREF           "https://nginx.org/en/docs/http/ngx_http_api_module.html"

static const struct {
    ngx_uint_t status;
    const char *code;
} errors[] = {
#define ERROR(name, status, code) [ERROR_##name] = {status, code},
#include "error.def"
#undef ERROR
};

ngx_int_t answer_json(ngx_http_request_t *r, ngx_uint_t status, const struct json_out *out)
{
    ngx_buf_t *buffer = ngx_calloc_buf(r->pool);
    ngx_chain_t chain = {.buf = buffer};

    if (out->failed || buffer == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    /* An unread body would be taken for the connection's next request. Before the header: it may say 100 Continue. */
    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    buffer->pos = out->bytes;
    buffer->last = out->bytes + out->size_bytes;
    buffer->memory = 1;
    buffer->last_buf = r == r->main;
    buffer->last_in_chain = 1;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.status = status;
    r->disable_not_modified = 1; /* else a PATCH with If-Match is made, answered with 412 and its connection cut */
    r->headers_out.content_length_n = (off_t)out->size_bytes;
    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }
    return ngx_http_output_filter(r, &chain);
}

static void put_request_id(struct json_out *out, ngx_http_request_t *r)
{
    struct api_main_conf *main = ngx_http_get_module_main_conf(r, ngx_http_upstream_api_module);
    ngx_http_variable_value_t *value = ngx_http_get_indexed_variable(r, (ngx_uint_t)main->request_id);

    json_key(out, "request_id");
    if (value != NULL && !value->not_found) {
        json_text(out, value->data, value->len);
    } else {
        json_text(out, (const u_char *)"", 0);
    }
}

ngx_int_t answer_error(ngx_http_request_t *r, enum api_error error, const char *format, ...)
{
    u_char text[TEXT_MAX_BYTES];
    struct json_out out;
    va_list args;

    va_start(args, format);
    u_char *end = ngx_vslprintf(text, text + sizeof(text), format, args);
    va_end(args);
    if (end == text + sizeof(text)) { /* cut: not within a character of several bytes */
        while (end > text && (end[-1] & 0xC0) == 0x80) {
            end--;
        }
        end -= end > text && end[-1] >= 0xC0;
    }

    json_begin(&out, r->pool);
    json_open(&out, '{');
    json_key(&out, "error");
    json_open(&out, '{');
    json_member_uint(&out, "status", errors[error].status);
    json_key(&out, "text");
    json_text(&out, text, (size_t)(end - text));
    json_member_word(&out, "code", errors[error].code);
    json_close(&out, '}');
    put_request_id(&out, r);
    json_member_word(&out, "href", HREF);
    json_close(&out, '}');
    return answer_json(r, errors[error].status, &out);
}
