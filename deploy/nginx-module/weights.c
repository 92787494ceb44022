#include "weights.h"

#include <stdio.h>
#include <string.h>

struct hash_conf {
    ngx_http_complex_value_t key;
    void *points; /* set where the upstream is balanced by `hash ... consistent` */
};

struct random_range {
    ngx_http_upstream_rr_peer_t *peer;
    ngx_uint_t range; /* the sum of the weights in front of it */
};

struct view_random {
    ngx_uint_t two;
    struct random_range *ranges; /* a server each; set where the upstream is balanced by `random`, once it was used */
};

/* The upstream's configuration of the module ngx_BLOCK_upstream_NAME_module. NULL = this nginx does not have it. */
static void *conf_of(const ngx_cycle_t *cycle, const char *block, const char *name, void **srv_conf)
{
    char want[64];

    (void)snprintf(want, sizeof(want), "ngx_%s_upstream_%s_module", block, name);
    for (ngx_uint_t i = 0; cycle->modules[i] != NULL; i++) {
        if (strcmp(cycle->modules[i]->name, want) == 0) {
            return srv_conf[cycle->modules[i]->ctx_index];
        }
    }
    return NULL;
}

void weights_look(struct view_source *source, const ngx_cycle_t *cycle, const char *block, void **srv_conf)
{
    const struct hash_conf *hash = conf_of(cycle, block, "hash", srv_conf);

    source->weight_is_fixed = hash != NULL && hash->points != NULL;
    source->random = conf_of(cycle, block, "random", srv_conf);
}

void weights_renew(const struct view_source *source)
{
    ngx_uint_t sum = 0;

    if (source->random == NULL || source->random->ranges == NULL) {
        return;
    }
    for (ngx_uint_t i = 0; i < source->groups->number; i++) {
        source->random->ranges[i].range = sum;
        sum += (ngx_uint_t)source->random->ranges[i].peer->weight;
    }
}
