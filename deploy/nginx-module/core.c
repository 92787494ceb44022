#include "core.h"

#include "module.h"

static struct view *core_view(ngx_cycle_t *cycle, enum shared_kind kind)
{
    struct api_main_conf *main = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_upstream_api_module);

    return main != NULL && main->zone != NULL ? &main->views[kind] : NULL;
}

const struct api_core ngx_http_upstream_api_core = {
    .abi = API_CORE_ABI,
    .view = core_view,
    .view_build = view_build,
    .weights_look = weights_look,
    .balance_begin = balance_begin,
    .balance_wrap = balance_wrap,
};
