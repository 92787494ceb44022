/* pool.h - many small pieces of memory that live and die together. No piece is freed alone.
 *
 * Out of memory is the end of the process: pools are filled before anything in the world is changed. */
#ifndef CONTROLLER_POOL_H
#define CONTROLLER_POOL_H

#include <stddef.h>

struct pool { /* all zero = empty */
    struct pool_chunk *chunks;
    char *next;
    size_t left;
};

void *pool_take(struct pool *, size_t size_bytes); /* zeroed, aligned for pointers */
char *pool_text(struct pool *, const char *text, size_t length);
char *pool_keep(struct pool *, const char *text); /* the whole of it */
void pool_free(struct pool *);

#endif
