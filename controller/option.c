#include "option.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cells.h"
#include "common/duration.h"
#include "common/mem.h"
#include "common/nearest.h"
#include "hook.h"

#define WORDS_MAX 8 /* of a WORD */

const struct option_row option_rows[OPT_COUNT] = {
#define OPTION(field, flag, env, hosts_key, type, argument, fallback, low, high, scope, commands, help)                \
    {OPT_##field, flag, env, hosts_key, OPTION_##type, argument, fallback, low, high, SCOPE_##scope, commands, help},
#include "options.def"
};

const char *const command_words[COMMAND_COUNT] = {
#define COMMAND(id, word, ...) word,
#include "options.def"
};

const char *const command_arguments[COMMAND_COUNT] = {
#define COMMAND(id, word, argument, ...) argument,
#include "options.def"
};

uint32_t share_of(struct share share, uint32_t total)
{
    uint64_t n = share.percent ? (uint64_t)total * share.value / 100 : share.value;
    if (n < 1)
        n = 1;
    return n < total ? (uint32_t)n : total;
}

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            return false;
    return true;
}

/* A path is bytes; all else is text. */
static bool read_bytes(const char *text, struct err *err)
{
    if (!*text)
        return err_set(err, "the value is empty; leave the setting out instead");
    if (strlen(text) > OPTION_TEXT_MAX)
        return err_set(err, "the value has more than %d bytes", OPTION_TEXT_MAX);
    if (!is_plain(text))
        return err_set(err, "the value holds control characters");
    return true;
}

static bool read_text(const char *text, struct err *err)
{
    return read_bytes(text, err) && (cells_are_utf8(text) || err_set(err, "the value is no UTF-8"));
}

static bool read_label(const char *text, struct err *err)
{
    if (!read_bytes(text, err))
        return false;
    for (const char *p = text; *p; p++)
        if ((*p & 0x80) != 0)
            return err_set(err, "\"%.64s\" is not printable ASCII, which is all that agents take here", text);
    return strlen(text) <= OPTION_LABEL_MAX ||
           err_set(err, "\"%.64s...\" is longer than %d bytes", text, OPTION_LABEL_MAX);
}

static bool read_name(const char *text, struct err *err)
{
    if (!read_text(text, err))
        return false;
    size_t good = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    if (text[good] || !isalnum((unsigned char)text[0]))
        return err_set(err, "\"%.64s\" is no name: letters, digits, . _ - and first a letter or digit", text);
    if (good > OPTION_NAME_MAX)
        return err_set(err, "\"%.64s...\" is longer than %d bytes", text, OPTION_NAME_MAX);
    return true;
}

bool option_name_at(const char *names, uint32_t i, char *name)
{
    size_t size;

    for (; i > 0 && names; i--)
        if ((names = strchr(names, ',')))
            names++;
    if (!names)
        return false;
    size = strcspn(names, ",");
    snprintf(name, OPTION_NAME_MAX + 1, "%.*s", (int)(size < OPTION_NAME_MAX ? size : OPTION_NAME_MAX), names);
    return true;
}

uint32_t option_names_count(const char *names)
{
    uint32_t n = 1;
    for (; *names; names++)
        n += *names == ',';
    return n;
}

static bool read_names(const char *text, struct err *err)
{
    for (const char *p = text;; p++) {
        char name[OPTION_NAME_MAX + 2], other[OPTION_NAME_MAX + 1];
        size_t size = strcspn(p, ",");
        if (!size && *text)
            return err_set(err, "\"%.100s\" has a comma without a name beside it", text);
        snprintf(name, sizeof name, "%.*s", (int)(size <= OPTION_NAME_MAX ? size : OPTION_NAME_MAX + 1), p);
        if (!read_name(name, err))
            return false;
        p += size;
        for (uint32_t i = 0; *p && option_name_at(p + 1, i, other); i++)
            if (!strcmp(name, other))
                return err_set(err, "\"%s\" is named twice", name);
        if (!*p)
            return true;
    }
}

static bool read_path(const char *text, struct err *err)
{
    if (*text == '~')
        return err_set(err, "\"%.64s\": a path that begins with ~ is not expanded; write it out", text);
    return read_bytes(text, err);
}

static bool read_template(const char *text, struct err *err)
{
    if (!read_text(text, err))
        return false;
    if (strpbrk(text, " \t"))
        return err_set(err, "\"%.80s\" has a blank in it", text);
    for (const char *p = text; (p = strpbrk(p, "{}")); p = strchr(p, '}') + 1)
        if (strncmp(p, "{host}", 6) != 0 && strncmp(p, "{address}", 9) != 0)
            return err_set(err, "\"%.80s\": only {host} and {address} are filled in", text);
    return true;
}

static bool read_digits(const char *text, size_t size, uint32_t *number)
{
    uint64_t n = 0;
    if (!size)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        n = n * 10 + (uint64_t)(text[i] - '0');
        if (n > UINT32_MAX)
            return false;
    }
    *number = (uint32_t)n;
    return true;
}

static bool read_share(const struct option_row *row, const char *text, size_t size, struct share *share,
                       struct err *err)
{
    share->percent = size && text[size - 1] == '%';
    uint32_t high = share->percent ? 100 : row->high;
    if (!read_digits(text, share->percent ? size - 1 : size, &share->value) || share->value < row->low ||
        share->value > high)
        return err_set(err, "\"%.*s\" is neither a number from %u to %u nor a percentage from 1%% to 100%%",
                       (int)(size < 64 ? size : 64), text, row->low, row->high);
    return true;
}

static bool read_shares(const struct option_row *row, const char *text, struct share_list *list, struct err *err)
{
    list->count = 0;
    for (const char *p = text;; p++) {
        size_t size = strcspn(p, ",");
        if (list->count == SHARES_MAX)
            return err_set(err, "\"%.64s\" has more than %d parts", text, SHARES_MAX);
        if (!read_share(row, p, size, &list->items[list->count++], err))
            return false;
        p += size;
        if (!*p)
            return true;
    }
}

static bool read_duration(const struct option_row *row, const char *text, uint32_t *ms, struct err *err)
{
    char low[32], high[32];
    if (!duration_parse_ms(text, ms, err))
        return false;
    if (*ms < row->low || *ms > row->high)
        return err_set(err, "\"%.40s\" is not from %s to %s", text, duration_format_ms(row->low, low, sizeof low),
                       duration_format_ms(row->high, high, sizeof high));
    return true;
}

static bool read_number(const struct option_row *row, const char *text, uint32_t *number, struct err *err)
{
    if (!read_digits(text, strlen(text), number) || *number < row->low || *number > row->high)
        return err_set(err, "\"%.64s\" is no number from %u to %u", text, row->low, row->high);
    return true;
}

/* At most two digits behind the point. */
static bool read_percent(const struct option_row *row, const char *text, uint32_t *bp, struct err *err)
{
    size_t size = strlen(text), whole = strcspn(text, ".%"), part = 0;
    uint32_t n = 0, rest = 0;
    bool good = size && text[size - 1] == '%' && read_digits(text, whole, &n) && n <= row->high / 100;
    if (good && text[whole] == '.') {
        part = size - whole - 2;
        good = part >= 1 && part <= 2 && read_digits(text + whole + 1, part, &rest);
    }
    *bp = n * 100 + (part == 1 ? rest * 10 : rest);
    if (!good || whole + (part ? part + 1 : 0) + 1 != size || *bp < row->low || *bp > row->high)
        return err_set(err, "\"%.64s\" is no percentage from %u%% to %u%%", text, row->low / 100, row->high / 100);
    return true;
}

static bool read_word(const struct option_row *row, const char *text, uint32_t *index, struct err *err)
{
    char known[128] = "";
    size_t length = strlen(text), used = 0;
    *index = 0;
    for (const char *p = row->argument; *p; p += *p == '|') {
        size_t size = strcspn(p, "|");
        bool later = *p == '-';
        if (later ? size - 1 == length && !memcmp(p + 1, text, length) : size == length && !memcmp(p, text, length))
            return later ? err_set(err, "\"%s\" is not in this version yet", text) : true;
        if (!later && used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%.*s", used ? ", " : "", (int)size, p);
        *index += !later;
        p += size;
    }
    char *near = option_nearest_word(row, text);
    err_set(err, "\"%.64s\" is not one of: %s%s%s%s", text, known, near ? "; did you mean " : "", near ? near : "",
            near ? "?" : "");
    free(near);
    return false;
}

static const char *listed(const void *ctx, size_t i)
{
    return ((char *const *)ctx)[i];
}

char *option_nearest_word(const struct option_row *row, const char *typed)
{
    char *words[WORDS_MAX] = {NULL};
    size_t n = 0;

    for (const char *p = row->argument; *p != '\0'; p += *p == '|') {
        size_t size = strcspn(p, "|");

        if (*p != '-' && n < WORDS_MAX)
            words[n++] = mem_format("%.*s", (int)size, p);
        p += size;
    }
    char *near = mem_text(nearest_name(typed, n, listed, words));
    while (n > 0)
        free(words[--n]);
    return near;
}

static bool read_mark(const struct option_row *row, const char *text, uint32_t *mark, struct err *err)
{
    int size = (int)strcspn(row->argument, "|");
    if (strlen(text) == (size_t)size && memcmp(text, row->argument, (size_t)size) == 0) {
        *mark = MARK_WORD;
        return true;
    }
    return read_number(row, text, mark, NULL) ||
           err_set(err, "\"%.64s\" is neither \"%.*s\" nor a number from %u to %u", text, size, row->argument, row->low,
                   row->high);
}

char *option_word(const struct option_row *row, uint32_t index)
{
    const char *p = row->argument;

    for (; *p != '\0' && (*p == '-' || index-- > 0); p += *p == '|')
        p += strcspn(p, "|");
    return mem_format("%.*s", (int)strcspn(p, "|"), p);
}

static bool read_flag(const char *text, bool *flag, struct err *err)
{
    static const char *const words[] = {"0", "1", "false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(text, words[i])) {
            *flag = i % 2;
            return true;
        }
    return err_set(err, "\"%.64s\" is neither true nor false", text);
}

static bool read_urls(const char *text, struct err *err)
{
    char url[OPTION_TEXT_MAX + 1];
    size_t count = 0;
    for (const char *p = text; *(p += strspn(p, ", ")); count++) {
        size_t size = strcspn(p, ", ");
        if (size > OPTION_TEXT_MAX)
            return err_set(err, "an URL has more than %d bytes", OPTION_TEXT_MAX);
        memcpy(url, p, size);
        url[size] = '\0';
        if (!option_url(url, NULL, err))
            return false;
        p += size;
    }
    return count ? true : err_set(err, "there is no URL in it");
}

static bool read_hook(const char *text, struct err *err)
{
    const char *command, *near;
    int point = hook_split(text, &command), size = (int)strcspn(text, "=");
    char typed[32];

    if (point < 0) {
        snprintf(typed, sizeof typed, "%.*s", size < 31 ? size : 31, text);
        near = hook_nearest_point(typed);
        return near ? err_set(err, "there is no hook \"%s\"; did you mean %s?", typed, near)
                    : err_set(err,
                              "there is no hook \"%s\", only before-drain, after-handover, after-readd and at-end, "
                              "each with =COMMAND",
                              typed);
    }
    if (command[strspn(command, " ")] == '\0')
        return err_set(err, "%s has no command behind it: %s=COMMAND", hook_point_words[point],
                       hook_point_words[point]);
    return read_text(text, err);
}

static bool read_hooks(const char *text, struct err *err)
{
    size_t count = 0;

    for (const char *p = text; *p; p += *p == '\n') {
        size_t size = strcspn(p, "\n");
        char line[OPTION_TEXT_MAX + 2];

        snprintf(line, sizeof line, "%.*s", (int)(size <= OPTION_TEXT_MAX ? size : OPTION_TEXT_MAX + 1), p);
        p += size;
        if (size && !read_hook(line, err))
            return false;
        count += size > 0;
    }
    return count ? true : err_set(err, "the value is empty; leave the setting out instead");
}

bool option_read(const struct option_row *row, const char *text, union option_value *value, struct err *err)
{
    memset(value, 0, sizeof *value);
    switch (row->type) {
    case OPTION_DURATION:
        return read_duration(row, text, &value->number, err);
    case OPTION_NUMBER:
        return read_number(row, text, &value->number, err);
    case OPTION_PERCENT:
        return read_percent(row, text, &value->number, err);
    case OPTION_STATUSES:
        return status_range_parse(text, &value->statuses, err);
    case OPTION_SHARE:
        return read_share(row, text, strlen(text), &value->share, err);
    case OPTION_SHARES:
        return read_shares(row, text, &value->shares, err);
    case OPTION_WORD:
        return read_word(row, text, &value->number, err);
    case OPTION_MARK:
        return read_mark(row, text, &value->number, err);
    case OPTION_FLAG:
        return read_flag(text, &value->flag, err);
    default:
        break;
    }
    value->text = text;
    switch (row->type) {
    case OPTION_NAME:
        return read_name(text, err);
    case OPTION_NAMES:
        return read_names(text, err);
    case OPTION_PATH:
        return read_path(text, err);
    case OPTION_LABEL:
        return read_label(text, err);
    case OPTION_TEMPLATE:
        return read_template(text, err);
    case OPTION_URLS:
        return read_urls(text, err);
    case OPTION_HOOKS:
        return read_hooks(text, err);
    default:
        return read_text(text, err);
    }
}

static bool url_host(const char *at, size_t size, char host[256])
{
    bool v6 = size > 2 && at[0] == '[' && at[size - 1] == ']';
    struct in6_addr unused;
    if (v6) {
        at++;
        size -= 2;
    }
    if (!size || size > 253)
        return false;
    memcpy(host, at, size);
    host[size] = '\0';
    if (v6)
        return inet_pton(AF_INET6, host, &unused) == 1;
    return host[0] != '-' && host[0] != '.' &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == size;
}

bool option_url(const char *url, char *host, struct err *err)
{
    char own[256], *name = host ? host : own;
    uint32_t port = 1;
    const char *at = !strncmp(url, "https://", 8) ? url + 8 : !strncmp(url, "http://", 7) ? url + 7 : NULL;
    if (!at)
        return err_set(err, "\"%.100s\" is no URL that begins with https:// or http://", url);
    size_t size = strcspn(at, "/?#");
    if (memchr(at, '@', size)) /* not repeated: it may hold a password */
        return err_set(err, "an URL must not hold a user or a password; see --lb-auth-file");
    if (strlen(url) > OPTION_TEXT_MAX || !is_plain(url) || strpbrk(url, " \"\\<>{}?#"))
        return err_set(err, "\"%.100s\" is no plain URL: no blanks, quotes, braces, ? or #", url);
    const char *colon = memrchr(at, ':', size);
    if (colon && memchr(colon, ']', (size_t)(at + size - colon)))
        colon = NULL;
    if (colon && (!read_digits(colon + 1, (size_t)(at + size - colon - 1), &port) || !port || port > 65535))
        return err_set(err, "\"%.100s\" has no port from 1 to 65535 behind the colon", url);
    if (!url_host(at, colon ? (size_t)(colon - at) : size, name))
        return err_set(err, "\"%.100s\" has no valid host: a name, an address, or an IPv6 address as [ADDR]", url);
    return true;
}

const struct option_row *option_by_key(const char *key)
{
    for (size_t i = 0; i < OPT_COUNT; i++)
        if (option_rows[i].key && !strcmp(option_rows[i].key, key))
            return &option_rows[i];
    return NULL;
}

static const char *flag_name(const void *ctx, size_t i)
{
    (void)ctx;
    return option_rows[i].flag;
}

const char *option_nearest_flag(const char *typed)
{
    return nearest_name(typed, OPT_COUNT, flag_name, NULL);
}

static const char *key_name(const void *ctx, size_t i)
{
    (void)ctx;
    return option_rows[i].key ? option_rows[i].key + strlen("rollout_") : NULL;
}

const char *option_nearest_key(const char *typed)
{
    /* Compared without what all of them begin with, else every key is near to every other. */
    size_t front = strlen("rollout_");
    const char *found = nearest_name(strlen(typed) > front ? typed + front : typed, OPT_COUNT, key_name, NULL);
    return found ? found - front : NULL;
}
