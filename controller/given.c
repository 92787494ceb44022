#include "given.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "words.h"

static char *absolute(const char *path, const char *cwd)
{
    return path[0] == '/' ? mem_text(path) : mem_format("%s/%s", cwd, path);
}

/* ---- the hosts file */

static void put_value(FILE *f, const char *key, const char *text)
{
    (void)fprintf(f, " %s=", key);
    words_quote(f, text);
}

static void put_host(FILE *f, const struct fleet *fleet, uint32_t host, const char *cwd)
{
    const struct fleet_host *h = &fleet->hosts[host];

    (void)fputs(h->name, f);
    if (strcmp(h->address, h->name) != 0)
        put_value(f, "ansible_host", h->address);
    for (int id = 0; id < OPT_COUNT; id++) {
        const struct option_row *row = &option_rows[id];
        const char *text = row->key == NULL ? NULL : fleet_text(fleet, host, row->id);
        char *path = text != NULL && row->type == OPTION_PATH ? absolute(text, cwd) : NULL;

        if (text != NULL)
            put_value(f, row->key, path != NULL ? path : text);
        free(path);
    }
    (void)fputc('\n', f);
}

/* Who was limited out has a vote (run_lock.c). */
static void put_aside(FILE *f, const struct fleet *fleet, const uint32_t *nodes, size_t n_nodes, const char *cwd)
{
    bool *rolled = mem_zero(fleet->n_hosts, sizeof *rolled), any = false;

    for (size_t i = 0; i < n_nodes; i++)
        rolled[nodes[i]] = true;
    for (uint32_t i = 0; i < fleet->n_hosts; i++) {
        if (rolled[i] || fleet->hosts[i].agent_url == NULL)
            continue;
        if (!any)
            (void)fprintf(f, "\n[%s]\n", GIVEN_ASIDE);
        any = true;
        put_host(f, fleet, i, cwd);
    }
    free(rolled);
}

char *given_limit(const struct fleet *fleet, const char *limit)
{
    if (fleet_find_group(fleet, GIVEN_ASIDE) < 0)
        return limit == NULL ? NULL : mem_text(limit);
    if (limit == NULL)
        return mem_text("!" GIVEN_ASIDE);
    return mem_format("%s%s!" GIVEN_ASIDE, limit, strchr(limit, ',') != NULL ? "," : ":");
}

char *given_hosts(const struct fleet *fleet, const uint32_t *nodes, size_t n_nodes, const char *cwd)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = mem_must(open_memstream(&text, &size));

    for (uint32_t i = 0; i < fleet->n_hosts; i++)
        if (fleet->hosts[i].api_url != NULL && fleet->hosts[i].line != 0)
            put_host(f, fleet, i, cwd);
    for (size_t i = 0; i < n_nodes; i++)
        put_host(f, fleet, nodes[i], cwd);
    put_aside(f, fleet, nodes, n_nodes, cwd);
    mem_close(f, &text);
    return text;
}

/* ---- the options */

static char *share_text(const struct share *shares, uint32_t n)
{
    char *text = mem_text("");

    for (uint32_t i = 0; i < n; i++) {
        char *longer = mem_format("%s%s%u%s", text, i == 0 ? "" : ",", shares[i].value, shares[i].percent ? "%" : "");

        free(text);
        text = longer;
    }
    return text;
}

static char *list_text(const struct text_list *list, const char *between)
{
    char *text = mem_text("");

    for (uint32_t i = 0; i < list->count; i++) {
        char *longer = mem_format("%s%s%s", text, i == 0 ? "" : between, list->items[i]);

        free(text);
        text = longer;
    }
    return text;
}

static char *statuses_text(const struct status_range *range)
{
    char text[STATUS_RANGE_TEXT];

    return mem_text(status_range_format(range, text));
}

#define GIVE_TEXT(field)     return mem_text(o->field)
#define GIVE_LABEL(field)    return mem_text(o->field)
#define GIVE_NAME(field)     return mem_text(o->field)
#define GIVE_NAMES(field)    return mem_text(o->field)
#define GIVE_TEMPLATE(field) return mem_text(o->field)
#define GIVE_PATH(field)     return o->field == NULL ? NULL : absolute(o->field, cwd)
#define GIVE_URLS(field)     return list_text(&o->field, ",")
#define GIVE_HOOKS(field)    return list_text(&o->field, "\n")
#define GIVE_DURATION(field) return mem_format("%ums", o->field##_ms)
#define GIVE_PERCENT(field)  return mem_format("%u.%02u%%", o->field##_bp / 100, o->field##_bp % 100)
#define GIVE_NUMBER(field)   return mem_format("%u", o->field)
#define GIVE_STATUSES(field) return statuses_text(&o->field)
#define GIVE_SHARE(field)    return share_text(&o->field, 1)
#define GIVE_SHARES(field)   return share_text(o->field.items, o->field.count)
#define GIVE_WORD(field)     return option_word(&option_rows[OPT_##field], o->field)
#define GIVE_MARK(field)                                                                                               \
    return o->field == MARK_WORD ? option_word(&option_rows[OPT_##field], 0) : mem_format("%u", o->field)
#define GIVE_FLAG(field) return mem_text(o->field ? "true" : "false")

/* As option_read would read it; NULL = not set. */
static char *text_of(const struct options *o, enum option_id id, const char *cwd)
{
    switch (id) {
#define OPTION(field, flag, env, hosts_key, type, ...)                                                                 \
    case OPT_##field:                                                                                                  \
        GIVE_##type(field);
#include "options.def"
    default:
        return NULL;
    }
}

static bool is_of_one_run(enum option_id id)
{
    return id == OPT_rollout_id || id == OPT_state || id == OPT_output || id == OPT_explain ||
           id == OPT_detailed_exitcode || id == OPT_pause_after;
}

char *given_options(const struct options *o, const char *cwd)
{
    json_t *object = mem_must(json_object());
    char *text;

    for (int id = 0; id < OPT_COUNT; id++) {
        text = o->source[id] >= SOURCE_ENV && !is_of_one_run((enum option_id)id) ? text_of(o, (enum option_id)id, cwd)
                                                                                 : NULL;
        if (text != NULL && json_object_set_new(object, option_rows[id].flag, json_text(text)) != 0)
            abort(); /* out of memory; a path that is no UTF-8 is kept readable, but not found again */
        free(text);
    }
    text = mem_must(json_dumps(object, JSON_COMPACT));
    json_decref(object);
    return text;
}

static bool take(struct options *o, enum option_id id, const char *text, struct err *err)
{
    char *kept = mem_text(text);

    free(o->owned[id]);
    o->owned[id] = kept;
    return options_store(o, &option_rows[id], kept, SOURCE_ENV, err) ||
           err_context(err, "the journal's --%s", option_rows[id].flag);
}

bool given_options_again(struct options *o, const char *given, bool hosts, struct err *err)
{
    json_t *object = json_read(given, strlen(given), err);
    bool good = object != NULL;

    for (int id = 0; good && id < OPT_COUNT; id++) {
        const char *text = option_rows[id].flag == NULL ? NULL : json_opt_string(object, option_rows[id].flag);

        if (text != NULL && o->source[id] < SOURCE_ENV && (hosts || id != OPT_limit))
            good = take(o, (enum option_id)id, text, err);
    }
    json_decref(object);
    return good;
}
