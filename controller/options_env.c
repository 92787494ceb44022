/* options_env.c - variables that begin as ours do and set nothing: typed wrongly, most likely. Others, as a CI, may
 * have their own, so that is no error. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/nearest.h"
#include "hook_facts.h"
#include "options.h"

#define PREFIX    "ROLLOUT_"
#define TOLD_MAX  8
#define NAME_TOLD 64 /* characters of a name */

static const char *env_name(const void *ctx, size_t i)
{
    (void)ctx;
    return option_rows[i].env ? option_rows[i].env + strlen(PREFIX) : NULL;
}

/* A key of the hosts file that has no variable. */
static const struct option_row *key_of(const char *name)
{
    char key[64];

    snprintf(key, sizeof key, "%s", name);
    for (char *c = key; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return option_by_key(key);
}

static bool is_known(char **env, const char *name)
{
    for (size_t i = 0; i < OPT_COUNT; i++)
        if (option_rows[i].env && strcmp(option_rows[i].env, name) == 0)
            return true;
    return hook_tells(env, name);
}

static void tell(FILE *out, const char *name)
{
    /* Compared without what all of them begin with, else each is near to each. */
    const char *near = nearest_name(name + strlen(PREFIX), OPT_COUNT, env_name, NULL);
    const struct option_row *key = key_of(name);

    (void)fprintf(out, "%.*s", NAME_TOLD, name);
    if (key != NULL)
        (void)fprintf(out, " (only in the hosts file, as %s)", key->key);
    else if (near != NULL)
        (void)fprintf(out, " (did you mean " PREFIX "%s?)", near);
}

char *options_env_unknown(char **env)
{
    char *text = NULL;
    size_t size = 0, n = 0;
    FILE *out = mem_must(open_memstream(&text, &size));

    for (char **at = env; at != NULL && *at != NULL; at++) {
        char *name;

        if (strncmp(*at, PREFIX, strlen(PREFIX)) != 0)
            continue;
        name = mem_format("%.*s", (int)strcspn(*at, "="), *at);
        if (!is_known(env, name) && n++ < TOLD_MAX) {
            (void)fputs(n > 1 ? ", " : "", out);
            tell(out, name);
        }
        free(name);
    }
    if (n > TOLD_MAX)
        (void)fprintf(out, " and %zu more", n - TOLD_MAX);
    mem_close(out, &text);
    if (n > 0)
        return text;
    free(text);
    return NULL;
}
