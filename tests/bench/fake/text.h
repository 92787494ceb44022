/* text.h - the little JSON that the fake fleet reads: flat objects, their values as they stand. */
#ifndef BENCH_TEXT_H
#define BENCH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice { /* not terminated; n 0 = not there */
    const char *at;
    size_t n;
};

/* The value of a member of the object `text`, braces, quotes and all. */
struct slice text_member(struct slice text, const char *key);
bool text_is(struct slice, const char *word);
/* Of a number; 0 where it is none. */
uint64_t text_number(struct slice);
/* A string without its quotes, cut to `size`. */
void text_copy(struct slice, char *to, size_t size);

#endif
