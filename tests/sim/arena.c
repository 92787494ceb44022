#include "arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES ((size_t)64 * 1024 * 1024)

/* NOLINTBEGIN(bugprone-reserved-identifier): the names that the linker's --wrap wants */
void *__real_malloc(size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_calloc(size_t n, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_vasprintf(char **text, const char *format, va_list args);
void __wrap_free(void *p);

static struct {
    char *bytes;
    size_t used;
    bool on;
} arena;

/* In front of each piece, for realloc. */
#define HEAD 16

void arena_begin(void)
{
    if (arena.bytes == NULL)
        arena.bytes = __real_malloc(ARENA_BYTES);
    if (arena.bytes == NULL)
        abort();
    arena.used = 0;
    arena.on = true;
}

void arena_end(void)
{
    arena.on = false;
}

static bool ours(const void *p)
{
    return arena.bytes != NULL && (const char *)p >= arena.bytes && (const char *)p < arena.bytes + ARENA_BYTES;
}

static size_t size_of(const void *p)
{
    size_t size;

    memcpy(&size, (const char *)p - HEAD, sizeof size);
    return size;
}

void *__wrap_malloc(size_t size)
{
    char *p;

    if (!arena.on)
        return __real_malloc(size);
    if (size > ARENA_BYTES || arena.used + size + 2 * HEAD > ARENA_BYTES) {
        (void)fprintf(stderr, "the arena of a simulated story is full\n");
        abort();
    }
    p = arena.bytes + arena.used + HEAD;
    memcpy(p - HEAD, &size, sizeof size);
    arena.used += (size + 15) / 16 * 16 + HEAD;
    return p;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return arena.on ? memset(__wrap_malloc(n * size), 0, n * size) : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    void *more;

    if (p == NULL)
        return __wrap_malloc(size);
    if (!ours(p))
        return __real_realloc(p, size);
    if (size <= size_of(p))
        return p;
    more = __wrap_malloc(size);
    return memcpy(more, p, size_of(p));
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
    return __wrap_realloc(p, n * size);
}

char *__wrap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(__wrap_malloc(size), text, size);
}

int __wrap_vasprintf(char **text, const char *format, va_list args)
{
    va_list again;
    int n;

    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    if (n >= 0) {
        *text = __wrap_malloc((size_t)n + 1);
        n = vsnprintf(*text, (size_t)n + 1, format, again);
    }
    va_end(again);
    return n;
}

void __wrap_free(void *p)
{
    if (!ours(p))
        __real_free(p);
}
/* NOLINTEND(bugprone-reserved-identifier) */
