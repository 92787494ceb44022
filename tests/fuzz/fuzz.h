/* fuzz.h - a fuzz target: x_fuzz.c, found by make, with its seeds in the folder x/.
 *
 * It defines LLVMFuzzerTestOneInput, which gets any bytes, gives them to a pure part of the module or the agent and
 * says with fuzz_check what must hold of the outcome. libFuzzer looks for bytes for which it does not (make fuzz);
 * replay.c gives it files. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_check(what)                                                                                               \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what);                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* A copy of exactly that size, so that a sanitizer sees a byte read too far; to be freed. */
static inline char *fuzz_copy(const void *data, size_t size)
{
    char *copy = calloc(size > 0 ? size : 1, 1);

    if (copy == NULL)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

#endif
