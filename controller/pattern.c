#include "pattern.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/nearest.h"
#include "pattern_regex.h"

#define PATTERN_MAX 4096 /* bytes */

struct matcher {
    const struct fleet *fleet;
    bool *groups, *part, *result; /* of the part at hand: groups, hosts; of all parts: hosts */
    bool started;                 /* result holds something, be it nothing */
};

struct positions {
    long from, to; /* to -1 = up to the last */
    bool given, single;
};

/* Whether one name fits the part: a word, a wildcard or a compiled expression. */
static bool name_fits(const char *name, const char *word, const regex_t *regex)
{
    regmatch_t at;
    if (regex)
        return !regexec(regex, name, 1, &at, 0) && at.rm_so == 0;
    return !fnmatch(word, name, FNM_NOESCAPE);
}

static const char *known_name(const void *ctx, size_t i)
{
    const struct fleet *fleet = ctx;
    return i < fleet->n_hosts ? fleet->hosts[i].name : fleet->groups[i - fleet->n_hosts].name;
}

static bool part_unknown(const struct fleet *fleet, const char *word, struct err *err)
{
    const char *near = nearest_name(word, (size_t)fleet->n_hosts + fleet->n_groups, known_name, fleet);
    return err_set(err, "no host and no group is called \"%.100s\"%s%s%s", word, near ? "; did you mean " : "",
                   near ? near : "", near ? "?" : "");
}

/* Wildcards that Ansible reads otherwise than fnmatch. */
static bool wildcard_ok(const char *word, struct err *err)
{
    const char *open = strrchr(word, '[');
    if (word[0] == '~')
        return true;
    if (strstr(word, "[^") || strstr(word, "[["))
        return err_set(err, "\"%.100s\": brackets are [abc] or [!abc], without [^ and [[", word);
    if (open && open > word) {
        size_t from = strspn(open + 1, "0123456789"), to = from ? strspn(open + from + 2, "0123456789") : 0;
        if (from && open[1 + from] == '-' && !strcmp(open + from + 2 + to, "]"))
            return err_set(
                err, "\"%.100s\" would be positions for Ansible; write [%.*s:%.*s] for those, %.*s%s* for a wildcard",
                word, (int)from, open + 1, (int)to, open + from + 2, (int)(open - word), word, open);
    }
    return true;
}

/* Mark in m->part who fits: members of the groups that fit, and hosts where no group does or the part is not plain. */
static bool part_mark(struct matcher *m, const char *word, struct err *err)
{
    const struct fleet *fleet = m->fleet;
    bool any = false, plain = word[0] != '~' && !strpbrk(word, ".?*[");
    regex_t regex = {0}, *compiled = word[0] == '~' ? &regex : NULL;
    if (!wildcard_ok(word, err) || (compiled && !pattern_regex(compiled, word + 1, err)))
        return false;
    for (uint32_t i = 0; i < fleet->n_groups; i++)
        any |= m->groups[i] = name_fits(fleet->groups[i].name, word, compiled);
    if (any)
        fleet_mark_members(fleet, m->groups, m->part);
    for (uint32_t i = 0; (!any || !plain) && i < fleet->n_hosts; i++)
        if (name_fits(fleet->hosts[i].name, word, compiled)) {
            m->part[i] = true;
            any = true;
        }
    if (compiled)
        regfree(compiled);
    return any || part_unknown(fleet, word, err);
}

static bool read_long(const char **at, long *number)
{
    char *end;
    *number = strtol(*at, &end, 10);
    bool any = end != *at && **at != '+' && **at != ' ' && *number >= -1000000 && *number <= 1000000;
    *at = end;
    return any;
}

/* Cut a [2], [-1], [0:2] or [3:] from the end of the word; anything else in brackets is a wildcard's. */
static struct positions positions_cut(char *word)
{
    struct positions p = {0};
    char *open = strrchr(word, '[');
    const char *at = open ? open + 1 : "";
    if (word[0] == '~' || !open || open == word || !read_long(&at, &p.from))
        return p;
    p.single = *at == ']';
    if (*at == ':' && p.from >= 0) {
        at++;
        p.to = -1;
        if (*at != ']' && (!read_long(&at, &p.to) || p.to < 0))
            return p;
    }
    p.given = at[0] == ']' && !at[1];
    if (p.given)
        *open = '\0';
    return p;
}

static bool part_pick(struct matcher *m, const char *word, struct positions p, struct err *err)
{
    long count = 0, at = 0;
    for (uint32_t i = 0; i < m->fleet->n_hosts; i++)
        count += m->part[i];
    if (!p.given)
        return true;
    long from = p.from < 0 ? count + p.from : p.from, to = p.single ? from : p.to < 0 ? count - 1 : p.to;
    if (from < 0 || from >= count || to < from)
        return err_set(err, "%.100s has %ld nodes, at 0 to %ld: no such position", word, count, count - 1);
    for (uint32_t i = 0; i < m->fleet->n_hosts; i++)
        if (m->part[i]) {
            m->part[i] = at >= from && at <= to;
            at++;
        }
    return true;
}

/* One part without its sign, into m->part: nodes only. */
static bool part_match(struct matcher *m, char *word, char sign, struct err *err)
{
    const struct fleet *fleet = m->fleet;
    int64_t host = fleet_find_host(fleet, word);
    memset(m->part, 0, fleet->n_hosts);
    memset(m->groups, 0, fleet->n_groups);
    struct positions p = {0};
    if (host >= 0 && sign && fleet_find_group(fleet, word) >= 0)
        return err_set(err, "%.100s is a host and a group; behind %c, Ansible means the group: rename one", word, sign);
    if (host >= 0)
        m->part[host] = true;
    else {
        p = positions_cut(word);
        if (!part_mark(m, word, err))
            return false;
    }
    for (uint32_t i = 0; i < fleet->n_hosts; i++)
        m->part[i] = m->part[i] && !fleet->hosts[i].api_url;
    return part_pick(m, word, p, err);
}

static bool part_apply(struct matcher *m, char *word, char sign, struct err *err)
{
    if (!*word || *word == ' ' || *word == '\t')
        return err_set(err, "there is nothing behind a %c", sign);
    if (strpbrk(word, " \t"))
        return err_set(err, "\"%.100s\" has a blank in it; parts are joined by a comma", word);
    if (!part_match(m, word, sign, err))
        return false;
    for (uint32_t i = 0; i < m->fleet->n_hosts; i++)
        if (sign == '&')
            m->result[i] = m->result[i] && m->part[i];
        else if (sign == '!')
            m->result[i] = m->result[i] && !m->part[i];
        else
            m->result[i] = m->result[i] || m->part[i];
    return true;
}

/* The next part, cut out of *at; NULL at the end. Brackets hold colons together. */
static char *part_next(char **at, bool commas)
{
    *at += strspn(*at, commas ? ", \t" : ": \t");
    if (!**at)
        return NULL;
    char *part = *at, *end = part;
    bool bracket = false;
    while (*end && (*end != (commas ? ',' : ':') || (!commas && bracket))) {
        bracket = *end == '[' || (bracket && *end != ']');
        end++;
    }
    *at = *end ? end + 1 : end;
    while (end > part && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    return part;
}

/* An IPv6 address, or wildcards that begin like one: its colons join nothing. */
static bool is_ipv6(const char *pattern)
{
    const char *colons = strstr(pattern, "::");
    return colons && pattern + strspn(pattern, "0123456789abcdefABCDEF:") >= colons + 2;
}

/* One kind of part after the other: unions, then &, then !. */
static bool matcher_run(struct matcher *m, const char *pattern, char sign, struct err *err)
{
    char copy[PATTERN_MAX + 1], *at = copy, *part;
    bool commas = strchr(pattern, ',') != NULL;
    bool whole = fleet_find_host(m->fleet, pattern) >= 0 || (!commas && is_ipv6(pattern));
    memcpy(copy, pattern, strlen(pattern) + 1);
    while ((part = whole ? at : part_next(&at, commas))) {
        bool signed_part = *part == '&' || *part == '!';
        if (signed_part ? *part == sign : !sign) {
            m->started = true;
            if (!part_apply(m, part + signed_part, sign, err))
                return false;
        }
        if (whole)
            break;
    }
    if (!sign && !m->started) /* only & and !: from all */
        memset(m->result, true, m->fleet->n_hosts);
    return true;
}

static bool matcher_nodes(const struct matcher *m, uint32_t **nodes, size_t *n_nodes, struct err *err)
{
    *n_nodes = 0;
    *nodes = calloc(m->fleet->n_hosts, sizeof **nodes);
    for (uint32_t i = 0; *nodes && i < m->fleet->n_hosts; i++)
        if (m->result[i] && !m->fleet->hosts[i].api_url)
            (*nodes)[(*n_nodes)++] = i;
    if (*n_nodes)
        return true;
    free(*nodes);
    *nodes = NULL;
    return err_set(err, "there is no node%s", m->started ? " left" : ", only load balancers");
}

bool pattern_match(const struct fleet *fleet, const char *pattern, uint32_t **nodes, size_t *n_nodes, struct err *err)
{
    struct matcher m = {.fleet = fleet};
    *nodes = NULL;
    *n_nodes = 0;
    if (pattern && strlen(pattern) > PATTERN_MAX)
        return err_set(err, "--limit is longer than %d bytes", PATTERN_MAX);
    m.groups = calloc(fleet->n_groups + 1u, 1);
    m.part = calloc(fleet->n_hosts + 1u, 1);
    m.result = calloc(fleet->n_hosts + 1u, 1);
    bool ok = m.groups && m.part && m.result;
    if (!ok)
        err_set(err, "no memory");
    else if (!pattern)
        memset(m.result, true, fleet->n_hosts);
    else if (!pattern[strspn(pattern, ",: \t")])
        ok = err_set(err, "the pattern is empty");
    else
        ok = matcher_run(&m, pattern, 0, err) && matcher_run(&m, pattern, '&', err) &&
             matcher_run(&m, pattern, '!', err);
    ok = ok && matcher_nodes(&m, nodes, n_nodes, err);
    free(m.groups);
    free(m.part);
    free(m.result);
    if (ok)
        return true;
    return pattern ? err_context(err, "--limit \"%.100s\"", pattern) : err_context(err, "%s", fleet->path);
}
