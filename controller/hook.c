#include "hook.h"

#include <string.h>

#include "nearest.h"

const char *const hook_point_words[HOOK_POINT_COUNT] = {
#define X(name, word, when) word,
    HOOK_POINTS(X)
#undef X
};

int hook_split(const char *text, const char **command)
{
    size_t size = strcspn(text, "=");

    *command = text + size + (text[size] == '=' ? 1 : 0);
    for (int i = 0; i < HOOK_POINT_COUNT; i++)
        if (strlen(hook_point_words[i]) == size && memcmp(hook_point_words[i], text, size) == 0)
            return i;
    return -1;
}

static const char *point_word(const void *ctx, size_t i)
{
    (void)ctx;
    return hook_point_words[i];
}

const char *hook_nearest_point(const char *typed)
{
    return nearest_name(typed, HOOK_POINT_COUNT, point_word, NULL);
}
