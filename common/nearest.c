#include "nearest.h"

#include <stdbool.h>
#include <string.h>

#define NEAREST_MAX 64 /* bytes of a name that are compared */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters to insert, drop, change, or swap with their neighbour to make a into b. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][NEAREST_MAX + 1], *before = rows[0], *last = rows[1], *now = rows[2];
    size_t a_size = strnlen(a, NEAREST_MAX), b_size = strnlen(b, NEAREST_MAX);

    for (size_t j = 0; j <= b_size; j++) {
        last[j] = j;
        before[j] = 0;
    }
    for (size_t i = 1; i <= a_size; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        size_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[b_size];
}

const char *nearest_name(const char *typed, size_t count, const char *(*name)(const void *ctx, size_t i),
                         const void *ctx)
{
    size_t length = strnlen(typed, NEAREST_MAX);
    size_t best_far = length < 5 ? 2 : length < 6 ? 3 : length / 3 + 1; /* this far is no longer near */
    const char *best = NULL;

    for (size_t i = 0; i < count; i++) {
        const char *known = name(ctx, i);
        if (!known)
            continue;
        size_t known_length = strnlen(known, NEAREST_MAX);
        bool begins = length >= 3 && !strncmp(typed, known, length);
        if (!begins && (known_length >= length + best_far || length >= known_length + best_far))
            continue;
        size_t far = begins ? 1 : distance(typed, known);
        if (far < best_far) {
            best_far = far;
            best = known;
        }
    }
    return best;
}
