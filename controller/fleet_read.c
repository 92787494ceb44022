/* fleet_read.c - the lines of the hosts file into the store of fleet_store.h. The rules stand in fleet.h. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ini.h"
#include "fleet_store.h"
#include "range.h"
#include "words.h"

enum kind { KIND_HOSTS, KIND_VARS, KIND_CHILDREN };

struct reader {
    struct fleet *fleet;
    struct fleet_store *store;
    uint32_t group; /* of the section that is open */
    enum kind kind;
    unsigned line;
    int folder_size; /* of the path up to its last slash, 0 = relative paths stay as they are */
    size_t n_values; /* of the host line being read */
    struct fleet_value values[VALUE_COUNT];
    char text[INI_LINE_MAX + 1]; /* the line, to be cut up */
};

static bool list_set(struct reader *r, struct fleet_value **list, const struct fleet_value *value, const char *owner,
                     struct err *err)
{
    assert(value->text);
    for (const struct fleet_value *v = *list; v; v = v->next)
        if (v->id == value->id && strcmp(v->text, value->text) != 0)
            return err_set(err, "%s of %.100s is \"%.60s\" here and \"%.60s\" in line %u; which one holds?",
                           v->id < OPT_COUNT        ? option_rows[v->id].key
                           : v->id == VALUE_ADDRESS ? "ansible_host"
                                                    : "ansible_group_priority",
                           owner, value->text, v->text, v->line);
        else if (v->id == value->id)
            return true;
    struct fleet_value *kept = pool_take(&r->store->pool, sizeof *kept);
    *kept = *value;
    kept->next = *list;
    *list = kept;
    return true;
}

static const char *path_keep(struct reader *r, const char *text)
{
    if (*text == '/' || !r->folder_size)
        return pool_keep(&r->store->pool, text);
    size_t room = (size_t)r->folder_size + strlen(text) + 1;
    char *kept = pool_take(&r->store->pool, room);
    snprintf(kept, room, "%.*s%s", r->folder_size, r->fleet->path, text);
    return kept;
}

static bool ours_read(struct reader *r, const char *key, const char *text, struct fleet_value *value, struct err *err)
{
    union option_value unused;
    const struct option_row *row = option_by_key(key);
    if (!row) {
        const char *near = option_nearest_key(key);
        return near ? err_set(err, "there is no key %.64s; did you mean %s?", key, near)
                    : err_set(err, "there is no key %.64s; `rollout help options` and `man rollout-hosts` name them",
                              key);
    }
    if (strstr(text, "{{"))
        return err_set(err, "%s: Ansible's templates are not filled in here, write the value out", key);
    if (!option_read(row, text, &unused, err))
        return err_context(err, "%s", key);
    value->id = row->id;
    value->text = row->type == OPTION_PATH ? path_keep(r, text) : pool_keep(&r->store->pool, text);
    return true;
}

static bool is_number(const char *text)
{
    size_t sign = *text == '-' || *text == '+', digits = strspn(text + sign, "0123456789");
    return digits && digits <= 9 && !text[sign + digits];
}

/* Keys whose values we look at. */
static bool ours(const char *key)
{
    return !strncmp(key, "rollout_", 8) || !strncmp(key, "rollout-", 8) || !strcmp(key, "ansible_host") ||
           !strcmp(key, "ansible_group_priority");
}

/* *wanted: whether the key says something to us. */
static bool value_read(struct reader *r, const char *key, const char *text, struct fleet_value *value, bool *wanted,
                       struct err *err)
{
    *value = (struct fleet_value){.line = r->line};
    *wanted = true;
    if (!strncmp(key, "rollout_", 8) || !strncmp(key, "rollout-", 8))
        return ours_read(r, key, text, value, err);
    if (!strcmp(key, "ansible_host") && *text) {
        if (!fleet_host_name_ok(text))
            return err_set(err, "ansible_host: \"%.100s\" is no host name or address%s", text,
                           strstr(text, "{{") ? "; Ansible's templates are not filled in here" : "");
        value->id = VALUE_ADDRESS;
    } else if (!strcmp(key, "ansible_group_priority") && r->kind == KIND_VARS) {
        if (!is_number(text))
            return err_set(err, "ansible_group_priority: \"%.64s\" is no whole number", text);
        value->id = VALUE_PRIORITY;
    } else {
        *wanted = false;
        return true;
    }
    value->text = pool_keep(&r->store->pool, text);
    return true;
}

static bool host_add(void *ctx, const char *name, struct err *err)
{
    struct reader *r = ctx;
    if (!fleet_host_name_ok(name))
        return err_set(err, "\"%.100s\" is no host name: letters, digits, . _ - or an IPv6 address%s", name,
                       name[0] == '{' || name[strlen(name) - 1] == ':' || strcmp(name, "---") == 0
                           ? "; an inventory in INI form is needed, not YAML"
                           : "");
    uint32_t host = fleet_host_new(r->fleet, name, r->line);
    if (r->fleet->n_hosts > FLEET_HOSTS_MAX)
        return err_set(err, "the fleet is larger than %d hosts", FLEET_HOSTS_MAX);
    struct store_host *parts = &r->store->host_parts[host];
    for (const struct fleet_link *in = parts->groups; in; in = in->next)
        if (in->group == r->group)
            return err_set(err, "duplicate host: %.100s is in [%.60s] already, since line %u", name,
                           r->fleet->groups[r->group].name, in->line);
    struct fleet_link *in = pool_take(&r->store->pool, sizeof *in);
    *in = (struct fleet_link){.next = parts->groups, .group = r->group, .line = r->line};
    parts->groups = in;
    for (size_t i = 0; i < r->n_values; i++)
        if (!list_set(r, &parts->values, &r->values[i], name, err))
            return false;
    return true;
}

/* Whether Ansible sees a :PORT behind this name. */
static bool port_fits(const char *name)
{
    char before = '.';
    if (strstr(name, "[:"))
        return false;
    for (const char *p = name;; before = *p++) {
        if ((!*p || *p == '.') && strchr(".-_", before))
            return false;
        if (!*p)
            return true;
    }
}

/* Cut the :PORT of a host name: a colon outside of brackets, the only one, with digits behind it. */
static bool port_cut(char *name, struct err *err)
{
    char *colon = NULL;
    for (char *p = name; *p; p++) {
        if (*p == '[') {
            p = strchr(p, ']');
            if (!p)
                return true;
        } else if (*p == ':' && colon)
            return true;
        else if (*p == ':')
            colon = p;
    }
    if (!colon || !colon[1] || colon[1 + strspn(colon + 1, "0123456789")])
        return true;
    *colon = '\0';
    return port_fits(name) ||
           err_set(err, "behind \"%.100s\" Ansible sees no port; leave out the :%.20s", name, colon + 1);
}

static bool line_hosts(struct reader *r, struct err *err)
{
    const char *bad;
    char *at = r->text, *name = words_next(&at, &bad), *word;
    struct fleet_value *seen = NULL;
    r->n_values = 0;
    while (name && (word = words_next(&at, &bad))) {
        char *equal = strchr(word, '=');
        bool wanted;
        struct fleet_value value;
        if (!equal || equal == word)
            return err_set(err, "behind a host come values as KEY=VALUE without blanks around the =, not \"%.64s\"",
                           word);
        *equal = '\0';
        const char *odd;
        const char *text = ours(word) ? words_unquote(equal + 1, &odd) : equal + 1;
        if (!text)
            return err_set(err, "%.64s: %s", word, odd);
        if (!value_read(r, word, text, &value, &wanted, err))
            return false;
        if (wanted && !list_set(r, &seen, &value, name, err))
            return false;
    }
    if (bad || !name)
        return err_set(err, "%s", bad ? bad : "there is no host");
    for (; seen; seen = seen->next)
        r->values[r->n_values++] = *seen;
    return port_cut(name, err) && range_expand(name, FLEET_HOSTS_MAX, host_add, r, err);
}

static bool line_vars(struct reader *r, struct err *err)
{
    const char *bad;
    struct fleet_value value;
    bool wanted;
    char *equal = strchr(r->text, '=');
    if (!equal || equal == r->text)
        return err_set(err, "a section of variables has lines KEY=VALUE, not \"%.64s\"", r->text);
    char *end = equal;
    while (end > r->text && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    if (!ours(r->text))
        return true;
    char *text = words_rest(equal + 1, &bad);
    if (!text)
        return err_set(err, "%.64s: %s", r->text, bad);
    if (!value_read(r, r->text, text, &value, &wanted, err))
        return false;
    return !wanted ||
           list_set(r, &r->store->group_parts[r->group].values, &value, r->fleet->groups[r->group].name, err);
}

static bool name_is_group(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)name[i] <= ' ' || name[i] == 127 || name[i] == ':' || name[i] == ']')
            return false;
    return size > 0 && size <= FLEET_NAME_MAX;
}

static bool group_refer(struct reader *r, const char *name, size_t size, uint32_t *group, struct err *err)
{
    char own[FLEET_NAME_MAX + 1];
    if (!name_is_group(name, size))
        return err_set(err, "\"%.*s\" is no group name: no blanks, no : and no ]", (int)(size < 64 ? size : 64), name);
    memcpy(own, name, size);
    own[size] = '\0';
    *group = fleet_group_new(r->fleet, own, r->line);
    if (r->fleet->n_groups > FLEET_GROUPS_MAX)
        return err_set(err, "there are more than %d groups", FLEET_GROUPS_MAX);
    return true;
}

static bool line_children(struct reader *r, struct err *err)
{
    size_t size = strcspn(r->text, " \t"); /* a # within a name belongs to it */
    const char *rest = r->text + size + strspn(r->text + size, " \t");
    uint32_t child = 0;
    if (*rest && *rest != '#')
        return err_set(err, "a section of children has one group a line, not \"%.64s\"", r->text);
    if (!group_refer(r, r->text, size, &child, err))
        return false;
    struct store_group *parent = &r->store->group_parts[r->group];
    for (const struct fleet_link *l = parent->children; l; l = l->next)
        if (l->group == child)
            return true;
    struct fleet_link *link = pool_take(&r->store->pool, sizeof *link);
    *link = (struct fleet_link){.next = parent->children, .group = child, .line = r->line};
    parent->children = link;
    return true;
}

static bool section_open(struct reader *r, const char *section, struct err *err)
{
    size_t size = strcspn(section, ":");
    const char *kind = section[size] ? section + size + 1 : "hosts";
    if (!strcmp(kind, "hosts"))
        r->kind = KIND_HOSTS;
    else if (!strcmp(kind, "vars"))
        r->kind = KIND_VARS;
    else if (!strcmp(kind, "children"))
        r->kind = KIND_CHILDREN;
    else
        return err_set(err, "a section is [GROUP], [GROUP:vars] or [GROUP:children], not [%.64s]", section);
    uint32_t known = r->fleet->n_groups;
    if (!group_refer(r, section, size, &r->group, err))
        return false;
    struct store_group *parts = &r->store->group_parts[r->group];
    if (r->kind != KIND_VARS)
        parts->declared = true;
    else if (r->group >= known)
        parts->wanted_vars = true;
    return true;
}

/* Characters at which Ansible begins a new line, and we do not: what stands behind would be lost. */
static bool has_line_end(const char *text)
{
    return strpbrk(text, "\r\v\f\x1c\x1d\x1e") || strstr(text, "\xc2\x85") || strstr(text, "\xe2\x80\xa8") ||
           strstr(text, "\xe2\x80\xa9");
}

static bool line_read(void *ctx, const struct ini_line *line, struct err *err)
{
    struct reader *r = ctx;
    r->line = line->line;
    if (!line->text)
        return section_open(r, line->section, err);
    if (has_line_end(line->text))
        return err_set(err, "a character within ends the line for Ansible: a carriage return, a form feed or the like");
    memcpy(r->text, line->text, strlen(line->text) + 1);
    switch (r->kind) {
    case KIND_VARS:
        return line_vars(r, err);
    case KIND_CHILDREN:
        return line_children(r, err);
    default:
        return line_hosts(r, err);
    }
}

bool fleet_read(struct fleet *fleet, const char *bytes, size_t size_bytes, struct err *err)
{
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, "%s: no memory", fleet->path);
    r->fleet = fleet;
    r->store = fleet->store;
    r->group = GROUP_UNGROUPED;
    const char *slash = strrchr(fleet->path, '/');
    if (slash && strncmp(fleet->path, "/dev/", 5) != 0 && strncmp(fleet->path, "/proc/", 6) != 0) /* not of <(...) */
        r->folder_size = (int)(slash + 1 - fleet->path);
    bool ok =
        bytes ? ini_parse(fleet->path, bytes, size_bytes, line_read, r, err) : ini_read(fleet->path, line_read, r, err);
    free(r);
    return ok;
}
