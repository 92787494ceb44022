/* mem.h - memory that is always there: out of memory ends the program (abort), so no caller has a path for it. */
#ifndef COMMON_MEM_H
#define COMMON_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void *mem_must(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

/* n elements of `size` bytes, all zero. n may be 0. */
static inline void *mem_zero(size_t n, size_t size)
{
    return mem_must(calloc(n != 0 ? n : 1, size));
}

static inline void *mem_grow(void *p, size_t n, size_t size)
{
    return mem_must(reallocarray(p, n != 0 ? n : 1, size));
}

/* A copy; NULL stays NULL. */
static inline char *mem_text(const char *text)
{
    return text == NULL ? NULL : mem_must(strdup(text));
}

__attribute__((format(printf, 1, 0))) static inline char *mem_vformat(const char *format, va_list args)
{
    char *text = NULL;

    if (vasprintf(&text, format, args) < 0)
        abort();
    return text;
}

__attribute__((format(printf, 1, 2))) static inline char *mem_format(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = mem_vformat(format, args);
    va_end(args);
    return text;
}

/* The end of a stream of open_memstream: its text is whole and the caller's. glibc's fclose cuts the text to its length
 * and says 0 also where there is no memory for that, and then no text. */
static inline void mem_close(FILE *f, char *const *text)
{
    if (fclose(f) != 0 || *text == NULL)
        abort();
}

#endif
