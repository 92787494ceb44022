#include "hook.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/nearest.h"

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

bool hook_can_run(const char *command, struct err *err)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+/";
    char path[512];
    size_t size;

    command += strspn(command, " ");
    size = strspn(command, plain);
    if ((command[size] != '\0' && command[size] != ' ') || size >= sizeof path)
        return true;
    (void)snprintf(path, sizeof path, "%.*s", (int)size, command);
    return strchr(path, '/') == NULL || access(path, X_OK) == 0 || err_set(err, "%s: %s", path, strerror(errno));
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
