/* init and hosts - for the first hour: a hosts file from what is there, and who is in one. */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "common/json.h"
#include "common/mem.h"
#include "inventory.h"
#include "pattern.h"
#include "say.h"

/* The load balancers of --lb alone, named lb1, lb2, ... */
static bool make_fleet(struct session *s, const struct options *o, struct err *err)
{
    char *text;
    size_t n;
    FILE *f = mem_must(open_memstream(&text, &n));
    bool good;

    for (uint32_t i = 0; i < o->lb.count; i++)
        (void)fprintf(f, "lb%u rollout_api=%s\n", i + 1, o->lb.items[i]);
    mem_close(f, &text);
    good = fleet_parse("--lb", text, n, &s->fleet, err);
    free(text);
    return good;
}

static bool open_lbs(struct session *s, struct options *o, struct err *err)
{
    memset(s, 0, sizeof *s);
    s->options = o;
    o->service = "-"; /* of no node */
    if (!make_fleet(s, o, err))
        return false;
    s->calls = calls_open(o->connect_timeout_ms, err);
    return s->calls != NULL && survey_set_profiles(s->calls, s->fleet, o, err);
}

/* Where it is, whatever folder somebody is in; as it was given where it is gone meanwhile. To be freed. */
static char *from_anywhere(const char *path)
{
    char *whole = path == NULL ? NULL : realpath(path, NULL);

    return whole != NULL || path == NULL ? whole : mem_text(path);
}

static unsigned write_hosts(const struct session *s)
{
    const struct options *o = s->options;
    char *cert = from_anywhere(o->cert), *key = from_anywhere(o->key), *cacert = from_anywhere(o->cacert),
         *lb_auth = from_anywhere(o->lb_auth_file);
    struct inventory_files files = {.cert = cert, .key = key, .cacert = cacert, .lb_auth = lb_auth};
    unsigned nodes = inventory_write(stdout, s->fleet, s->survey, &files);

    free(cert);
    free(key);
    free(cacert);
    free(lb_auth);
    return nodes;
}

static int write_inventory(const struct session *s)
{
    unsigned nodes = write_hosts(s);
    int code = 0;

    (void)fflush(stdout);
    for (uint32_t i = 0; i < s->survey->n_lbs; i++) {
        const struct survey_lb *lb = &s->survey->lbs[i];

        if (lb->good)
            continue;
        say_why("%s: %s", s->fleet->hosts[lb->host].name, lb->text);
        code = EXIT_UNREACHABLE;
    }
    if (code == 0 && nodes == 0) {
        say_why("no upstream has a peer: each needs a `zone`, or nginx does not show it");
        code = EXIT_REFUSED;
    }
    return code;
}

int command_init(struct options *o)
{
    struct session s;
    struct err err = {.text = ""};
    int code;

    if (o->lb.count == 0) {
        (void)err_set(&err, "init reads load balancers: give --lb https://HOST:PORT/api, once for each");
        return command_bad(EXIT_USAGE, &err);
    }
    if (!open_lbs(&s, o, &err))
        code = command_bad(EXIT_CONFIG, &err);
    else if (!session_survey(&s))
        code = command_interrupted();
    else
        code = write_inventory(&s);
    session_close(&s);
    return code;
}

static json_t *hosts_json(const struct fleet *fleet, const uint32_t *nodes, size_t n)
{
    json_t *list = mem_must(json_array());

    for (size_t i = 0; i < n; i++) {
        const struct fleet_host *h = &fleet->hosts[nodes[i]];

        json_append(list, json_pack("{s:o,s:o,s:o,s:o}", "node", json_text(h->name), "address", json_text(h->address),
                                    "agent", json_text(h->agent_url), "zone", json_text_or_null(h->zone)));
    }
    return json_pack("{s:o}", "nodes", list);
}

int command_hosts(struct options *o)
{
    struct fleet *fleet = NULL;
    struct err err = {.text = ""};
    uint32_t *nodes = NULL;
    size_t n = 0;
    int code = 0;

    if (o->hosts == NULL)
        (void)err_set(&err, "no hosts file: give --hosts FILE or set ROLLOUT_HOSTS");
    if (o->hosts == NULL || !fleet_load(o->hosts, &fleet, &err) || !pattern_match(fleet, o->limit, &nodes, &n, &err))
        code = command_bad(EXIT_CONFIG, &err);
    else if (say_is_text())
        for (size_t i = 0; i < n; i++)
            (void)puts(fleet->hosts[nodes[i]].name);
    else
        say_document(hosts_json(fleet, nodes, n));
    free(nodes);
    if (fleet != NULL)
        fleet_free(&fleet);
    return code;
}
