#include "lb_peer.h"

#include <string.h>

#include "lb_api.h"

#define DEPTH_MAX 16

static void blanks(const char **at, const char *end)
{
    while (*at < end && (**at == ' ' || **at == '\n' || **at == '\r' || **at == '\t'))
        (*at)++;
}

static bool take(const char **at, const char *end, char c)
{
    blanks(at, end);
    if (*at == end || **at != c)
        return false;
    (*at)++;
    return true;
}

/* Between quotes: printable ASCII without escapes. */
static bool string(const char **at, const char *end, const char **text, size_t *n)
{
    if (!take(at, end, '"'))
        return false;
    *text = *at;
    while (*at < end && **at >= ' ' && **at < 127 && **at != '"' && **at != '\\')
        (*at)++;
    *n = (size_t)(*at - *text);
    return take(at, end, '"');
}

static size_t digits(const char **at, const char *end)
{
    const char *from = *at;

    while (*at < end && **at >= '0' && **at <= '9')
        (*at)++;
    return (size_t)(*at - from);
}

static bool skip_number(const char **at, const char *end)
{
    const char *from;

    if (*at < end && **at == '-')
        (*at)++;
    from = *at;
    if (digits(at, end) == 0 || (*from == '0' && *at - from > 1))
        return false;
    if (*at < end && **at == '.' && ((*at)++, digits(at, end) == 0))
        return false;
    if (*at == end || (**at != 'e' && **at != 'E'))
        return true;
    (*at)++;
    if (*at < end && (**at == '-' || **at == '+'))
        (*at)++;
    return digits(at, end) > 0;
}

static bool word(const char **at, const char *end, const char *text)
{
    size_t n = strlen(text);

    if ((size_t)(end - *at) < n || memcmp(*at, text, n) != 0)
        return false;
    *at += n;
    return true;
}

static bool skip(const char **at, const char *end, int depth);

/* Behind the opening bracket. */
static bool skip_inside(const char **at, const char *end, char close, int depth)
{
    const char *text;
    size_t n;

    if (take(at, end, close))
        return true;
    do {
        if (close == '}' && (!string(at, end, &text, &n) || !take(at, end, ':')))
            return false;
        if (!skip(at, end, depth + 1))
            return false;
    } while (take(at, end, ','));
    return take(at, end, close);
}

static bool skip(const char **at, const char *end, int depth)
{
    const char *text;
    size_t n;

    blanks(at, end);
    if (*at == end || depth > DEPTH_MAX)
        return false;
    switch (**at) {
    case '"':
        return string(at, end, &text, &n);
    case '{':
        (*at)++;
        return skip_inside(at, end, '}', depth);
    case '[':
        (*at)++;
        return skip_inside(at, end, ']', depth);
    case 't':
        return word(at, end, "true");
    case 'f':
        return word(at, end, "false");
    case 'n':
        return word(at, end, "null");
    default:
        return skip_number(at, end);
    }
}

static bool number(const char **at, const char *end, uint64_t *value)
{
    const char *from;

    blanks(at, end);
    from = *at;
    *value = 0;
    while (*at < end && **at >= '0' && **at <= '9' && *at - from < 18)
        *value = *value * 10 + (uint64_t)(*(*at)++ - '0');
    return *at > from && (*from != '0' || *at - from == 1) && *at < end && strchr(" \r\n\t,}", **at) != NULL;
}

static bool copied(const char **at, const char *end, char *to, size_t size)
{
    const char *text;
    size_t n;

    if (!string(at, end, &text, &n) || n >= size)
        return false;
    memcpy(to, text, n);
    to[n] = '\0';
    return true;
}

static bool boolean(const char **at, const char *end, bool *value)
{
    blanks(at, end);
    *value = *at < end && **at == 't';
    return word(at, end, *value ? "true" : "false");
}

/* What a peer needs, and what it may have. */
enum member { ID, SERVER, STATE, ACTIVE, NEEDED, NAME = NEEDED, BACKUP, MEMBERS };

static int member_of(const char *key, size_t n)
{
    static const char *const names[] = {
        [ID] = "id", [SERVER] = "server", [STATE] = "state", [ACTIVE] = "active", [NAME] = "name", [BACKUP] = "backup"};

    for (int i = 0; i < MEMBERS; i++)
        if (strlen(names[i]) == n && memcmp(names[i], key, n) == 0)
            return i;
    return MEMBERS;
}

static bool member(const char **at, const char *end, int which, struct lb_peer *p, struct lb_peer_texts *t)
{
    uint64_t value;

    switch (which) {
    case ID:
        return number(at, end, &p->id);
    case SERVER:
        return copied(at, end, t->server, sizeof t->server);
    case STATE:
        return copied(at, end, t->state, sizeof t->state);
    case NAME:
        return copied(at, end, t->name, sizeof t->name);
    case BACKUP:
        return boolean(at, end, &p->backup);
    case ACTIVE:
        if (!number(at, end, &value))
            return false;
        p->active = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
        return true;
    default:
        return skip(at, end, 0);
    }
}

bool lb_peer_read(const char **at, const char *end, struct lb_peer *p, struct lb_peer_texts *t)
{
    const char *now = *at, *key;
    unsigned seen = 0;
    size_t n;

    *p = (struct lb_peer){.server = t->server, .name = t->name};
    if (!take(&now, end, '{'))
        return false;
    do {
        int which;

        if (!string(&now, end, &key, &n) || !take(&now, end, ':'))
            return false;
        which = member_of(key, n);
        if ((which < MEMBERS && (seen >> which & 1) != 0) || !member(&now, end, which, p, t))
            return false;
        seen |= 1u << which;
    } while (take(&now, end, ','));
    if (!take(&now, end, '}') || (seen & ((1u << NEEDED) - 1)) != (1u << NEEDED) - 1)
        return false;
    if ((seen >> NAME & 1) == 0)
        p->name = t->server;
    p->state = lb_api_state(t->state);
    *at = now;
    return true;
}
