#include "lease_headers.h"

#include <string.h>

static const struct header_row {
    bool (*read)(struct lease_ask *ask, const char *text, size_t size_bytes);
    bool needed;
    ngx_str_t name;
    const char *takes;
} rows[] = {
#define HEADER(field, reader, needed, name, takes) {reader, needed, ngx_string(name), takes},
#include "lease_headers.def"
#undef HEADER
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static enum lease_headers_result complain(ngx_http_request_t *r, ngx_str_t *text, const struct header_row *row,
                                          const char *what)
{
    size_t size_bytes = row->name.len + strlen(what) + strlen(row->takes) + 32;

    text->data = ngx_pnalloc(r->pool, size_bytes);
    if (text->data == NULL) {
        ngx_str_set(text, "invalid lease headers");
        return LEASE_HEADERS_BAD;
    }
    text->len =
        (size_t)(ngx_snprintf(text->data, size_bytes, "%V %s: it takes %s", &row->name, what, row->takes) - text->data);
    return LEASE_HEADERS_BAD;
}

enum lease_headers_result lease_headers_read(ngx_http_request_t *r, struct lease_ask *ask, ngx_str_t *text)
{
    bool seen[ROWS] = {false};
    bool any = false;

    *ask = (struct lease_ask){0};
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        ngx_table_elt_t *header = part->elts;

        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            for (size_t k = 0; k < ROWS; k++) {
                if (header[i].key.len != rows[k].name.len ||
                    ngx_strncasecmp(header[i].key.data, rows[k].name.data, rows[k].name.len) != 0) {
                    continue;
                }
                if (seen[k]) {
                    return complain(r, text, &rows[k], "is there twice");
                }
                seen[k] = any = true;
                if (!rows[k].read(ask, (const char *)header[i].value.data, header[i].value.len)) {
                    return complain(r, text, &rows[k], "is invalid");
                }
            }
        }
    }
    for (size_t k = 0; any && k < ROWS; k++) {
        if (rows[k].needed && !seen[k]) {
            return complain(r, text, &rows[k], "is missing");
        }
    }
    return any ? LEASE_HEADERS_GOOD : LEASE_HEADERS_NONE;
}
