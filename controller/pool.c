#include "pool.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN ((size_t)8 * 1024) /* each is twice as long as the one before, up to */
#define CHUNK_MAX ((size_t)256 * 1024)

struct pool_chunk {
    struct pool_chunk *before;
    size_t room;
    max_align_t bytes[];
};

void *pool_take(struct pool *pool, size_t size_bytes)
{
    size_bytes = (size_bytes + 7) & ~(size_t)7;
    if (size_bytes > pool->left) {
        size_t room = pool->chunks == NULL ? CHUNK_MIN : pool->chunks->room * 2;

        room = room < CHUNK_MAX ? room : CHUNK_MAX;
        room = room > size_bytes ? room : size_bytes;
        struct pool_chunk *chunk = calloc(1, sizeof *chunk + room);
        if (!chunk)
            abort();
        chunk->before = pool->chunks;
        chunk->room = room;
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

char *pool_keep(struct pool *pool, const char *text)
{
    return pool_text(pool, text, strlen(text));
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
