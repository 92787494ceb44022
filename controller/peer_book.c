#include "peer_book.h"

#include <string.h>

#include "common/addr.h"
#include "common/mem.h"

/* One address that a node is known by. */
struct known {
    char key[ADDR_KEY_SIZE];
    uint16_t node;
    bool met;
};

struct peer_book {
    const struct fleet *f;
    const struct survey *s;
    struct known *known; /* sorted by key */
    size_t n;
};

static int by_key(const void *a, const void *b)
{
    const struct known *x = a, *y = b;
    int order = strcmp(x->key, y->key);

    return order != 0 ? order : (int)x->node - (int)y->node;
}

static void learn(struct peer_book *b, const char *address, uint16_t node)
{
    b->known = mem_grow(b->known, b->n + 1, sizeof *b->known);
    b->known[b->n].node = node;
    b->known[b->n].met = false;
    if (addr_key(address, b->known[b->n].key))
        b->n++;
}

static void learn_list(struct peer_book *b, const char *list, uint16_t node)
{
    for (const char *at = list; *at != '\0'; at += *at == ',' ? 1 : 0) {
        char item[ADDR_KEY_SIZE];
        size_t size = strcspn(at, ",");

        (void)snprintf(item, sizeof item, "%.*s", (int)(size < sizeof item ? size : 0), at);
        learn(b, item, node);
        at += size;
    }
}

struct peer_book *peer_book_new(const struct fleet *f, const struct survey *s)
{
    struct peer_book *b = mem_zero(1, sizeof *b);

    b->f = f;
    b->s = s;
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        const char *peer = f->hosts[s->nodes[i].host].peer;

        for (uint32_t k = 0; peer == NULL && k < s->nodes[i].status.n_listening; k++)
            learn(b, s->nodes[i].status.listening[k], (uint16_t)i);
        if (peer != NULL)
            learn_list(b, peer, (uint16_t)i);
    }
    if (b->n > 0)
        qsort(b->known, b->n, sizeof *b->known, by_key);
    return b;
}

void peer_book_free(struct peer_book **b)
{
    free((*b)->known);
    free(*b);
    *b = NULL;
}

/* Keys of addr_key: an IPv4 address is a mapped one. */
static bool is_loopback_key(const char *key)
{
    return strncmp(key, "[::1]:", 6) == 0 || strncmp(key, "[::ffff:127.", 12) == 0;
}

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 || strncmp(host, "127.", 4) == 0;
}

/* May an address of the loopback, as this load balancer has it, mean this node? A named one is taken at its word. */
static bool same_machine(const struct peer_book *b, uint32_t lb, uint16_t node)
{
    const struct fleet_host *l = &b->f->hosts[b->s->lbs[lb].host], *n = &b->f->hosts[b->s->nodes[node].host];

    return n->peer != NULL || strcmp(l->api_address, n->agent_address) == 0 ||
           (is_loopback(l->api_address) && is_loopback(n->agent_address));
}

/* The first entry of that key. */
static size_t find(const struct peer_book *b, const char *key)
{
    size_t low = 0, high = b->n;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strcmp(b->known[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int32_t owner_of(struct peer_book *b, uint32_t lb, const char *address, uint16_t *twice)
{
    char key[ADDR_KEY_SIZE];
    int32_t node = -1;

    if (!addr_key(address, key))
        return -1;
    for (size_t i = find(b, key); i < b->n && strcmp(b->known[i].key, key) == 0; i++) {
        if (is_loopback_key(key) && !same_machine(b, lb, b->known[i].node))
            continue;
        b->known[i].met = true;
        if (node < 0)
            node = b->known[i].node;
        else if (node != b->known[i].node)
            *twice = b->known[i].node;
    }
    return node;
}

int32_t peer_book_owner(struct peer_book *b, uint32_t lb, const char *server, const char *name, uint16_t *twice)
{
    int32_t node;

    *twice = UINT16_MAX;
    node = owner_of(b, lb, server, twice);
    return node >= 0 ? node : owner_of(b, lb, name, twice);
}

char *peer_book_unmet(const struct peer_book *b, uint16_t node)
{
    const char *list = b->f->hosts[b->s->nodes[node].host].peer;

    for (const char *at = list; at != NULL && *at != '\0'; at += *at == ',' ? 1 : 0) {
        size_t size = strcspn(at, ",");
        char *item = mem_format("%.*s", (int)size, at), key[ADDR_KEY_SIZE];
        bool met = !addr_key(item, key);

        for (size_t i = find(b, met ? "" : key); !met && i < b->n && strcmp(b->known[i].key, key) == 0; i++)
            met = b->known[i].node == node && b->known[i].met;
        if (!met)
            return item;
        free(item);
        at += size;
    }
    return NULL;
}
