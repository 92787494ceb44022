#include "lb_known.h"

#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/mem.h"

/* By the address's hash: most plans have thousands, and all but a few are never looked for. */
struct row {
    uint64_t hash;
    const char *address; /* the plan's, up to a comma */
    uint16_t node;
};

struct lb_known {
    const struct plan *plan;
    struct row *rows; /* sorted */
    uint32_t n, room;
};

static uint64_t hash_of(const char *key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *key != '\0'; key++)
        hash = (hash ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
    return hash;
}

static bool key_of(const char *address, char key[ADDR_KEY_SIZE])
{
    char one[ADDR_KEY_SIZE];
    size_t size = strcspn(address, ",");

    if (size >= sizeof one)
        return false;
    memcpy(one, address, size);
    one[size] = '\0';
    return addr_key(one, key);
}

static int by_hash(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (int)x->node - (int)y->node;
}

static void learn(struct lb_known *k, uint16_t node)
{
    char key[ADDR_KEY_SIZE];

    for (const char *at = k->plan->nodes[node].listens; at != NULL && *at != '\0'; at += *at == ',' ? 1 : 0) {
        if (key_of(at, key)) {
            if (k->n == k->room) {
                k->room = k->room * 2 + 16;
                k->rows = mem_grow(k->rows, k->room, sizeof *k->rows);
            }
            k->rows[k->n++] = (struct row){.hash = hash_of(key), .address = at, .node = node};
        }
        at += strcspn(at, ",");
    }
}

struct lb_known *lb_known_new(const struct plan *plan)
{
    struct lb_known *k = mem_zero(1, sizeof *k);

    k->plan = plan;
    for (uint32_t i = 0; i < plan->n_nodes; i++)
        learn(k, (uint16_t)i);
    if (k->n > 0)
        qsort(k->rows, k->n, sizeof *k->rows, by_hash);
    return k;
}

void lb_known_free(struct lb_known **known)
{
    free((*known)->rows);
    free(*known);
    *known = NULL;
}

static uint32_t find(const struct lb_known *k, uint64_t hash)
{
    uint32_t low = 0, high = k->n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (k->rows[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* As addr_key spells them: an IPv4 address is a mapped one. */
static bool is_loopback_key(const char *key)
{
    return strncmp(key, "[::1]:", 6) == 0 || strncmp(key, "[::ffff:127.", 12) == 0;
}

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 || strncmp(host, "127.", 4) == 0;
}

static bool same_machine(const struct plan *p, uint16_t lb, uint16_t node)
{
    const char *a = p->lbs[lb].address, *b = p->nodes[node].address;

    return strcmp(a, b) == 0 || (is_loopback(a) && is_loopback(b));
}

int32_t lb_known_next(const struct lb_known *k, uint16_t lb, const char *server, uint32_t *next)
{
    char key[ADDR_KEY_SIZE], other[ADDR_KEY_SIZE];
    uint64_t hash;

    if (k->n == 0 || !addr_key(server, key))
        return -1;
    hash = hash_of(key);
    for (uint32_t i = *next > 0 ? *next : find(k, hash); i < k->n && k->rows[i].hash == hash; i++) {
        const struct row *row = &k->rows[i];

        if (!key_of(row->address, other) || strcmp(key, other) != 0 ||
            (is_loopback_key(key) && !same_machine(k->plan, lb, row->node)))
            continue;
        *next = i + 1;
        return row->node;
    }
    return -1;
}
