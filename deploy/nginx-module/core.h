/* core.h - what the stream module (stream/, a file of its own) takes from this one. Two files, since nginx's stream
 * block is a module of its own that is not loaded everywhere; one table of functions, since nginx loads all modules
 * into one name space. Both files are of one build: `abi` says so. */
#ifndef API_CORE_H
#define API_CORE_H

#include "balance.h"
#include "view.h"
#include "weights.h"

#define API_CORE_ABI 3 /* count up with each change of this table or of what its functions take */

struct api_core {
    uint32_t abi;
    /* In init_module. The view to build for a kind; NULL: there is no `api` directive, and nothing is to be done. */
    struct view *(*view)(ngx_cycle_t *cycle, enum shared_kind kind);
    ngx_int_t (*view_build)(struct view *view, const struct view_source *sources, ngx_uint_t sources_n,
                            ngx_cycle_t *cycle);
    void (*weights_look)(struct view_source *source, const ngx_cycle_t *cycle, const char *block, void **srv_conf);
    void (*balance_begin)(const struct balance *balance);
    ngx_int_t (*balance_wrap)(const struct balance *balance, ngx_peer_connection_t *pc, ngx_pool_t *pool, void *ctx);
};

extern const struct api_core ngx_http_upstream_api_core;

#endif
