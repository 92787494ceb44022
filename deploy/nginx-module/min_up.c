#include "min_up.h"

#include "module.h"

bool min_up_parse(const ngx_str_t *text, uint32_t *min_up)
{
    ngx_int_t number = ngx_atoi(text->data, text->len);

    if (number == NGX_ERROR || number > MIN_UP_MAX) {
        return false;
    }
    *min_up = (uint32_t)number;
    return true;
}

/* Takes one argument and the & behind it off the front. */
static ngx_str_t next_argument(ngx_str_t *rest)
{
    ngx_str_t argument = {0, rest->data};

    while (argument.len < rest->len && rest->data[argument.len] != '&') {
        argument.len++;
    }
    size_t taken = argument.len + (argument.len < rest->len ? 1 : 0);
    rest->data += taken;
    rest->len -= taken;
    return argument;
}

bool min_up_read(ngx_http_request_t *r, uint32_t *min_up)
{
    static const ngx_str_t name = ngx_string("min_up");
    struct api_location_conf *location = ngx_http_get_module_loc_conf(r, ngx_http_upstream_api_module);
    ngx_str_t rest = r->args;

    *min_up = location->min_up;
    while (rest.len > 0) {
        ngx_str_t argument = next_argument(&rest);
        uint32_t asked;

        if (argument.len < name.len || ngx_strncmp(argument.data, name.data, name.len) != 0 ||
            (argument.len > name.len && argument.data[name.len] != '=')) {
            continue;
        }
        size_t skip = ngx_min(name.len + 1, argument.len);
        ngx_str_t value = {argument.len - skip, argument.data + skip};
        if (!min_up_parse(&value, &asked)) {
            return false;
        }
        *min_up = ngx_max(*min_up, asked);
    }
    return true;
}
