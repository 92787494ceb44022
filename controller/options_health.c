#include "options_health.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "names.h"

/* Of the name where "NAME=http" begins, else 0. A path may hold commas, and equals signs too. */
static size_t name_size(const char *at)
{
    size_t size = strcspn(at, "=:/,");

    return strncmp(at + size, "=http", 5) == 0 ? size : 0;
}

static size_t url_size(const char *at)
{
    size_t size = strcspn(at, ",");

    while (at[size] != '\0' && name_size(at + size + 1) == 0)
        size += 1 + strcspn(at + size + 1, ",");
    return size;
}

/* The caller frees it; NULL: the service is not named. */
static char *part_of(const char *text, const char *service)
{
    if (name_size(text) == 0)
        return mem_text(text);
    for (;;) {
        size_t name = name_size(text), url = url_size(text + name + 1);

        if (strlen(service) == name && strncmp(text, service, name) == 0)
            return mem_format("%.*s", (int)url, text + name + 1);
        text += name + 1 + url;
        if (*text == '\0')
            return NULL;
        text++;
    }
}

char *options_health_url(const struct options *o, const struct fleet *fleet, uint32_t host, const char *service)
{
    const char *text =
        o->health_from == HEALTH_FROM_CONTROLLER ? options_host_text(o, fleet, host, OPT_health_url) : NULL;
    char *part = text != NULL ? part_of(text, service != NULL ? service : o->service) : NULL;
    char *url = part != NULL ? fleet_fill(&fleet->hosts[host], part) : NULL;

    free(part);
    return url;
}

/* Whose it is, for people: "web1", or "web1/app" of several services. */
static char *whose(const struct options *o, const struct fleet *fleet, uint32_t host, uint32_t service)
{
    char name[OPTION_NAME_MAX + 1] = "";

    (void)option_name_at(o->service, service, name);
    return option_names_count(o->service) == 1 ? mem_format("%.100s", fleet->hosts[host].name)
                                               : mem_format("%.100s/%.60s", fleet->hosts[host].name, name);
}

static bool can_be_asked(const char *url, struct err *err)
{
    return url != NULL
               ? option_url(url, NULL, err)
               : err_set(err, "there is none; --health-from controller needs --health-url or rollout_health_url");
}

static bool urls_fit(const struct options *o, const struct fleet *fleet, const uint32_t *nodes, size_t n_nodes,
                     struct err *err)
{
    uint32_t n_services = option_names_count(o->service), n = (uint32_t)n_nodes * n_services;
    char **urls = mem_zero(n, sizeof *urls), name[OPTION_NAME_MAX + 1];
    struct names taken = {0};
    bool fit = true;

    for (uint32_t i = 0; fit && i < n; i++) {
        uint32_t owner = i;

        (void)option_name_at(o->service, i % n_services, name);
        urls[i] = options_health_url(o, fleet, nodes[i / n_services], name);
        fit = can_be_asked(urls[i], err);
        if (fit)
            owner = names_add(&taken, urls[i], i);
        if (owner != i) {
            char *other = whose(o, fleet, nodes[owner / n_services], owner % n_services);

            fit = err_set(err, "it is also that of %s; %s", other,
                          owner / n_services == i / n_services ? "name one for each, SERVICE=URL,SERVICE=URL"
                                                               : "write {host} or {address} in it");
            free(other);
        }
        if (!fit) {
            char *own = whose(o, fleet, nodes[i / n_services], i % n_services);

            (void)err_context(err, "%s: the health URL of %s", fleet->path, own);
            free(own);
        }
    }
    names_free(&taken);
    for (uint32_t i = 0; i < n; i++)
        free(urls[i]);
    free(urls);
    return fit;
}

bool options_health_fits(const struct options *o, const struct fleet *fleet, const uint32_t *nodes, size_t n_nodes,
                         struct err *err)
{
    if (o->health_from == HEALTH_FROM_CONTROLLER)
        return urls_fit(o, fleet, nodes, n_nodes, err);
    return o->source[OPT_health_url] < SOURCE_ENV ||
           err_set(err, "--health-url is what the controller asks: it needs --health-from controller");
}
