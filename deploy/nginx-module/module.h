/* module.h - the module itself, and what it keeps for the http block and for each `api` location. */
#ifndef API_MODULE_H
#define API_MODULE_H

#include "view.h"

extern ngx_module_t ngx_http_upstream_api_module;

struct api_main_conf {
    ngx_shm_zone_t *zone;            /* NULL: no `api` directive, and the module does nothing at all */
    struct view views[SHARED_KINDS]; /* stream's is empty where the stream module is not loaded */
    ngx_str_t state_path;            /* empty: no state file */
    ngx_int_t request_id;            /* index of the variable $request_id */
};

struct api_location_conf {
    unsigned enabled : 1;
    unsigned write : 1;
    uint32_t min_up; /* 0 = none; see min_up.h */
};

#endif
