/* prom.h - Prometheus' text format (version 0.0.4) as a strict reader takes it: what is wrong with a text, and the
 * value of one sample. Header only, for unit tests and cases. */
#ifndef STAGE_PROM_H
#define STAGE_PROM_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROM_NAME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:"

/* {label="value",...} from *at on. */
static inline bool prom_labels(const char **at)
{
    const char *c = *at;

    if (*c != '{')
        return true;
    do {
        size_t name = strspn(++c, PROM_NAME);
        c += name;
        if (name == 0 || c[0] != '=' || c[1] != '"')
            return false;
        for (c += 2; *c != '"'; c++)
            if (*c == '\0' || *c == '\n' || (*c == '\\' && (*++c == '\0' || strchr("\\\"n", *c) == NULL)))
                return false;
        c++;
    } while (*c == ',');
    *at = c + 1;
    return *c == '}';
}

/* NULL: all is well; else the line that is not. Each sample's family must have had its TYPE before, and only once. */
static inline const char *prom_bad_line(const char *text)
{
    static char line[512];
    char types[8192] = "\n", family[256], wanted[300];

    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        const char *at = line;
        char *end;
        (void)snprintf(line, sizeof line, "%.*s", (int)length, text);
        if (text[length] != '\n' || length >= sizeof line)
            return line;
        text += length + 1;
        if (strncmp(line, "# HELP ", 7) == 0)
            continue;
        if (sscanf(line, "# TYPE %255s", family) == 1) {
            (void)snprintf(wanted, sizeof wanted, "\n%s\n", family);
            if (strstr(types, wanted) != NULL || strlen(types) + strlen(family) + 2 > sizeof types ||
                (strstr(line, " gauge") == NULL && strstr(line, " counter") == NULL))
                return line;
            (void)strcat(strcat(types, family), "\n");
            continue;
        }
        (void)snprintf(wanted, sizeof wanted, "\n%.*s\n", (int)strspn(at, PROM_NAME), at);
        at += strspn(at, PROM_NAME);
        if (at == line || strstr(types, wanted) == NULL || !prom_labels(&at) || *at++ != ' ')
            return line;
        (void)strtod(at, &end);
        if (end == at || *end != '\0')
            return line;
    }
    return NULL;
}

/* Of the sample that is written so: `name{label="value"}`. -1: there is none. */
static inline long long prom_value(const char *text, const char *sample)
{
    size_t length = strlen(sample);

    for (const char *at = text; (at = strstr(at, sample)) != NULL; at += length)
        if ((at == text || at[-1] == '\n') && at[length] == ' ')
            return (long long)strtod(at + length, NULL);
    return -1;
}

#endif
