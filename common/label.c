#include "common/label.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS      " \t"
#define HEX_DIGITS  "0123456789abcdef"
#define NAME_CHARS  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define COUNT(list) (sizeof(list) / sizeof *(list))

struct part {
    const char *at;
    size_t size;
};

static bool copy(struct part value, char *to, size_t room)
{
    if (value.size == 0 || value.size >= room)
        return false;
    memcpy(to, value.at, value.size);
    to[value.size] = '\0';
    return true;
}

static bool take_app(struct label *label, struct part value)
{
    return copy(value, label->app, sizeof label->app) && strspn(label->app, NAME_CHARS ",") == value.size &&
           label->app[0] != ',' && label->app[value.size - 1] != ',' && strstr(label->app, ",,") == NULL;
}

static bool take_version(struct label *label, struct part value)
{
    return copy(value, label->version, sizeof label->version);
}

static bool take_sequence(struct label *label, struct part value)
{
    char text[20];

    if (!copy(value, text, sizeof text) || strspn(text, "0123456789") != value.size || text[0] == '0')
        return false;
    label->sequence = strtoull(text, NULL, 10); /* 19 digits fit */
    return label->sequence <= INT64_MAX;
}

static bool take_arch(struct label *label, struct part value)
{
    return copy(value, label->arch, sizeof label->arch) && strspn(label->arch, NAME_CHARS) == value.size;
}

static bool take_sha256(struct label *label, struct part value)
{
    return value.size == 64 && copy(value, label->sha256, sizeof label->sha256) &&
           strspn(label->sha256, HEX_DIGITS) == 64;
}

static const struct field {
    const char *name, *form;
    bool (*take)(struct label *, struct part);
} fields[] = {
    {"app", "services' names between commas", take_app},
    {"version", "a text without blanks", take_version},
    {"sequence", "a number from 1 without leading zeros", take_sequence},
    {"arch", "as uname -m says it, or any", take_arch},
    {"sha256", "64 lower-case hex digits", take_sha256},
};

static bool take_field(struct label *label, struct part field, unsigned *seen, struct err *err)
{
    const char *colon = memchr(field.at, ':', field.size);

    for (size_t i = 0; colon != NULL && i < COUNT(fields); i++) {
        size_t size = (size_t)(colon - field.at);
        if (strlen(fields[i].name) != size || memcmp(fields[i].name, field.at, size) != 0)
            continue;
        if ((*seen & 1U << i) != 0)
            return err_set(err, "the trusted comment has %s: twice", fields[i].name);
        *seen |= 1U << i;
        if (!fields[i].take(label, (struct part){colon + 1, field.size - size - 1}))
            return err_set(err, "%s: in the trusted comment is not %s", fields[i].name, fields[i].form);
    }
    return true;
}

bool label_read(const char *comment, struct label *label, struct err *err)
{
    unsigned seen = 0;

    *label = (struct label){0};
    for (comment += strspn(comment, BLANKS); *comment != '\0'; comment += strspn(comment, BLANKS)) {
        struct part field = {comment, strcspn(comment, BLANKS)};
        if (!take_field(label, field, &seen, err))
            return false;
        comment += field.size;
    }
    for (size_t i = 0; i < COUNT(fields); i++)
        if ((seen & 1U << i) == 0)
            return err_set(err, "the trusted comment has no %s:", fields[i].name);
    return true;
}

bool label_is_for(const struct label *label, const char *app)
{
    size_t size = strlen(app);

    for (const char *at = label->app; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, app, size) == 0 && (at[size] == ',' || at[size] == '\0'))
            return true;
    }
    return false;
}
