#include "tell.h"

#include <stdlib.h>
#include <string.h>

#include "controller/fleet.h"
#include "controller/pattern.h"

#define LIMIT_LINE "# --limit "

static void tell_hosts(FILE *out, const struct fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->n_hosts; i++) {
        fprintf(out, "host %s %s\n", fleet->hosts[i].name, fleet->hosts[i].address);
        for (size_t id = 0; id < OPT_COUNT; id++) {
            const char *text = fleet_text(fleet, i, (enum option_id)id);
            if (text)
                fprintf(out, " %s %s\n", option_rows[id].key, text);
        }
    }
}

static int by_name(const void *left, const void *right)
{
    const struct fleet_group *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

static void tell_groups(FILE *out, const struct fleet *fleet)
{
    const struct fleet_group **sorted = calloc(fleet->n_groups, sizeof *sorted);
    bool *groups = calloc(fleet->n_groups, 1), *hosts = calloc(fleet->n_hosts, 1);
    if (!sorted || !groups || !hosts)
        abort();
    for (uint32_t i = 0; i < fleet->n_groups; i++)
        sorted[i] = &fleet->groups[i];
    qsort(sorted, fleet->n_groups, sizeof(*sorted), by_name);
    for (uint32_t i = 0; i < fleet->n_groups; i++) {
        memset(groups, 0, fleet->n_groups);
        memset(hosts, 0, fleet->n_hosts);
        groups[sorted[i] - fleet->groups] = true;
        fleet_mark_members(fleet, groups, hosts);
        fprintf(out, "group %s", sorted[i]->name);
        for (uint32_t k = 0; k < fleet->n_hosts; k++)
            if (hosts[k])
                fprintf(out, " %s", fleet->hosts[k].name);
        fputc('\n', out);
    }
    free(sorted);
    free(groups);
    free(hosts);
}

static void tell_limit(FILE *out, const struct fleet *fleet, const char *pattern)
{
    struct err err = {0};
    uint32_t *nodes;
    size_t n;
    pattern_match(fleet, pattern, &nodes, &n, &err);
    fprintf(out, "limit %s\t", pattern);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%s", i ? " " : "", fleet->hosts[nodes[i]].name);
    fputc('\n', out);
    free(nodes);
}

static void tell_limits(FILE *out, const struct fleet *fleet)
{
    FILE *f = fopen(fleet->path, "re");
    char *line = NULL;
    size_t room = 0;
    while (f && getline(&line, &room, f) > 0)
        if (!strncmp(line, LIMIT_LINE, strlen(LIMIT_LINE))) {
            line[strcspn(line, "\n")] = '\0';
            tell_limit(out, fleet, line + strlen(LIMIT_LINE));
        }
    free(line);
    if (f)
        fclose(f);
}

void tell_inventory(FILE *out, const char *path)
{
    struct err err = {0};
    struct fleet *fleet;
    if (!fleet_load(path, &fleet, &err)) {
        fprintf(out, "refused %s\n", err.text);
        return;
    }
    tell_hosts(out, fleet);
    tell_groups(out, fleet);
    tell_limits(out, fleet);
    fleet_free(&fleet);
}
