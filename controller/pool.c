#include "pool.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)256 * 1024)

struct pool_chunk {
    struct pool_chunk *before;
    max_align_t bytes[];
};

void *pool_take(struct pool *pool, size_t size_bytes)
{
    size_bytes = (size_bytes + 7) & ~(size_t)7;
    if (size_bytes > pool->left) {
        size_t room = size_bytes > CHUNK_BYTES ? size_bytes : CHUNK_BYTES;
        struct pool_chunk *chunk = calloc(1, sizeof *chunk + room);
        if (!chunk)
            abort();
        chunk->before = pool->chunks;
        pool->chunks = chunk;
        pool->next = (char *)chunk->bytes;
        pool->left = room;
    }
    void *piece = pool->next;
    pool->next += size_bytes;
    pool->left -= size_bytes;
    return piece;
}

char *pool_text(struct pool *pool, const char *text, size_t length)
{
    char *copy = pool_take(pool, length + 1);
    memcpy(copy, text, length);
    return copy;
}

void pool_free(struct pool *pool)
{
    while (pool->chunks) {
        struct pool_chunk *before = pool->chunks->before;
        free(pool->chunks);
        pool->chunks = before;
    }
    memset(pool, 0, sizeof *pool);
}
