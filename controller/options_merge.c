/* options_merge.c - what the hosts file says, below flags and environment. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "fleet.h"
#include "options.h"
#include "options_health.h"

/* "web1 has "2"", "web1 has none" */
static const char *says(char *buf, size_t size, const struct fleet_host *host, const char *text)
{
    snprintf(buf, size, text ? "%.100s (line %u) has \"%.60s\"" : "%.100s (line %u) has none", host->name, host->line,
             text);
    return buf;
}

static bool merge_one(struct options *o, const struct option_row *row, const struct fleet *fleet, const bool *counts,
                      struct err *err)
{
    int64_t first = -1;
    const char *text = NULL;
    for (uint32_t i = 0; i < fleet->n_hosts; i++) {
        const struct fleet_host *host = &fleet->hosts[i];
        bool lb_counts = host->api_url && host->line && row->scope == SCOPE_OF_ALL; /* one of --lb has no values */
        if (!counts[i] && !lb_counts)
            continue;
        const char *its = fleet_text(fleet, i, row->id);
        if (first < 0) {
            first = i;
            text = its;
        } else if (its != text && (!its || !text || strcmp(its, text) != 0)) {
            char a[256], b[256];
            return err_set(err, "%s: %s must be the same for all: %s, %s; set it below [all:vars]%s%s", fleet->path,
                           row->key, says(a, sizeof a, &fleet->hosts[first], text), says(b, sizeof b, host, its),
                           row->scope == SCOPE_OF_NODES ? ", or take those that agree: --limit GROUP, or give --" : "",
                           row->scope == SCOPE_OF_NODES ? row->flag : "");
        }
    }
    if (text && !options_store(o, row, text, SOURCE_HOSTS, err))
        return err_context(err, "%s: %s", fleet->path, row->key);
    return true;
}

/* What each is for itself may make no sense together. */
static bool options_fit(const struct options *o, struct err *err)
{
    bool upgrades = (IN_UPGRADES >> o->command & 1) != 0;
    bool told = o->command == COMMAND_RESUME; /* what it does is told by the journal or the fleet */
    bool back = o->failure_action == FAILURE_ACTION_ROLLBACK;

    if (o->version && !o->release && upgrades)
        return err_set(err, "--version labels a release, and there is no --release FILE");
    if (o->pause_after == MARK_WORD && o->canary == 0)
        return err_set(err, "--pause-after canary, and --canary 0 says that there is none");
    if (back && !o->release && upgrades && !told)
        return err_set(err, "--failure-action rollback: a restart without --release FILE changes no release, so there "
                            "is nothing to roll back; leave it out, or say stop or continue");
    if (back && o->command == COMMAND_ROLLBACK && o->source[OPT_failure_action] == SOURCE_FLAG)
        return err_set(err, "--failure-action rollback: a rollback is not taken back; leave it out, or say stop or "
                            "continue");
    return true;
}

bool options_merge_fleet(struct options *o, const struct fleet *fleet, const uint32_t *nodes, size_t n_nodes,
                         struct err *err)
{
    bool *counts = calloc(fleet->n_hosts + 1, sizeof *counts), ok = true;
    if (!counts)
        return err_set(err, "no memory");
    for (size_t i = 0; i < n_nodes; i++)
        counts[nodes[i]] = true;
    for (size_t i = 0; ok && i < OPT_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        if ((row->scope == SCOPE_OF_NODES || row->scope == SCOPE_OF_ALL) && o->source[i] == SOURCE_DEFAULT)
            ok = merge_one(o, row, fleet, counts, err);
    }
    free(counts);
    if (!ok)
        return false;
    if (!o->service)
        return err_set(err, "%s: which service? Set rollout_service below [all:vars], or give --service NAME",
                       fleet->path);
    return options_fit(o, err) && options_health_fits(o, fleet, nodes, n_nodes, err);
}

bool options_merge_common(struct options *o, const struct fleet *fleet, struct err *err)
{
    bool *counts = mem_zero(fleet->n_hosts + 1, sizeof *counts), ok = true;

    for (uint32_t i = 0; i < fleet->n_hosts; i++)
        counts[i] = true;
    for (size_t i = 0; ok && i < OPT_COUNT; i++)
        if (option_rows[i].scope == SCOPE_OF_ALL && o->source[i] == SOURCE_DEFAULT)
            ok = merge_one(o, &option_rows[i], fleet, counts, err);
    free(counts);
    return ok;
}

#define GET_TEXT(field)     return o->field
#define GET_LABEL(field)    return o->field
#define GET_NAME(field)     return o->field
#define GET_NAMES(field)    return o->field
#define GET_PATH(field)     return o->field
#define GET_TEMPLATE(field) return o->field
#define GET_URLS(field)     break
#define GET_HOOKS(field)    break
#define GET_DURATION(field) break
#define GET_NUMBER(field)   break
#define GET_PERCENT(field)  break
#define GET_STATUSES(field) break
#define GET_SHARE(field)    break
#define GET_SHARES(field)   break
#define GET_WORD(field)     break
#define GET_MARK(field)     break
#define GET_FLAG(field)     break

static const char *options_text(const struct options *o, enum option_id id)
{
    switch (id) {
#define OPTION(field, flag, env, hosts_key, type, ...)                                                                 \
    case OPT_##field:                                                                                                  \
        GET_##type(field);
#include "options.def"
    default:
        break;
    }
    assert(!"not an option whose value is a text");
    return NULL;
}

const char *options_host_text(const struct options *o, const struct fleet *fleet, uint32_t host, enum option_id id)
{
    const char *text = o->source[id] < SOURCE_ENV ? fleet_text(fleet, host, id) : NULL;
    return text ? text : options_text(o, id);
}
