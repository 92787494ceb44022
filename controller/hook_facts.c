#include "hook_facts.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/sha256.h"
#include "event_json.h"
#include "status.h"

#define PREFIX    "ROLLOUT_"
#define VALUE_MAX 30000 /* bytes of a variable: the kernel takes no more than 128 kB */

static const struct {
    const char *name, *variable;
} facts[HOOK_FACT_COUNT] = {
#define X(name_, variable_, what) {#name_, PREFIX #variable_},
    HOOK_FACTS(X)
#undef X
};

static void put(json_t *o, enum hook_fact fact, json_t *value)
{
    if (json_object_set_new(o, facts[fact].name, value) != 0)
        abort(); /* out of memory */
}

static json_t *sha256(const uint8_t bytes[32])
{
    char hex[SHA256_DIGITS + 1];

    sha256_hex(bytes, hex);
    return json_string(hex);
}

static void put_rollout(json_t *o, const struct view *v, enum hook_point point)
{
    const struct plan *p = v->plan;
    struct view_counts c = view_count(v);

    put(o, HOOK_FACT_v, json_integer(1));
    put(o, HOOK_FACT_point, json_string(hook_point_words[point]));
    put(o, HOOK_FACT_id, json_text(p->rollout));
    put(o, HOOK_FACT_kind, json_string(plan_kind_word(p->kind)));
    put(o, HOOK_FACT_holder, json_text(p->holder));
    put(o, HOOK_FACT_fence, json_integer((json_int_t)p->fence));
    put(o, HOOK_FACT_service, json_text(p->service));
    put(o, HOOK_FACT_version, json_text_or_null(p->version));
    put(o, HOOK_FACT_release, event_release_json(p));
    put(o, HOOK_FACT_total, json_integer(p->n_nodes));
    put(o, HOOK_FACT_done, json_integer(c.done));
    put(o, HOOK_FACT_failed, json_integer(c.failed));
    put(o, HOOK_FACT_out, json_integer(c.out));
}

static void add_once(json_t *list, const char *text)
{
    json_t *member = json_text(text);

    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), member)) {
            json_decref(member);
            return;
        }
    json_append(list, member);
}

static void put_peers(json_t *o, const struct plan *p, uint16_t node)
{
    json_t *upstreams = mem_must(json_array()), *lbs = mem_must(json_array()), *peers = mem_must(json_array());

    for (uint32_t i = p->nodes[node].first_peer; i < p->nodes[node].first_peer + p->nodes[node].n_peers; i++) {
        const char *upstream = p->upstreams[p->peers[i].upstream].name, *lb = p->lbs[plan_peer_lb(p, i)].name;
        char *peer = mem_format("%s of %s at %s", p->peers[i].server, upstream, lb);

        add_once(upstreams, upstream);
        add_once(lbs, lb);
        json_append(peers, json_text(peer));
        free(peer);
    }
    put(o, HOOK_FACT_upstreams, upstreams);
    put(o, HOOK_FACT_lbs, lbs);
    put(o, HOOK_FACT_peers, peers);
}

json_t *hook_facts_of_node(const struct view *v, uint16_t node)
{
    const struct plan *p = v->plan;
    const struct plan_node *pn = &p->nodes[node];
    const struct node *n = &v->nodes[node].state;
    json_t *o = mem_must(json_object());

    put_rollout(o, v, node_hook_point((enum step)n->step));
    put(o, HOOK_FACT_service, json_text(plan_node_service(p, node)));
    put(o, HOOK_FACT_node, json_text(pn->name));
    put(o, HOOK_FACT_host, json_text(plan_node_host(p, node)));
    put(o, HOOK_FACT_address, json_text(pn->address));
    put(o, HOOK_FACT_zone, json_text_or_null(pn->zone));
    put(o, HOOK_FACT_step, json_string(step_row((enum step)n->step)->name));
    put(o, HOOK_FACT_from, sha256(n->before.sha256));
    put(o, HOOK_FACT_to, sha256(node_target(n, p)));
    put(o, HOOK_FACT_pid, json_integer(n->now.pid != 0 ? n->now.pid : n->before.pid));
    put_peers(o, p, node);
    put(o, HOOK_FACT_in_place, json_boolean(pn->in_place));
    put(o, HOOK_FACT_reverse, json_boolean(n->reverse));
    put(o, HOOK_FACT_resumed, json_boolean(pn->resumed));
    put(o, HOOK_FACT_node_failed, json_boolean(n->failed));
    put(o, HOOK_FACT_why, json_text_or_null(why_phrase((enum why)n->why)));
    return o;
}

json_t *hook_facts_of_end(const struct view *v, int exit_code)
{
    json_t *o = mem_must(json_object()), *failed = mem_must(json_array()), *out = mem_must(json_array());

    put_rollout(o, v, HOOK_AT_END);
    put(o, HOOK_FACT_exit_code, json_integer(exit_code));
    put(o, HOOK_FACT_outcome, json_string(status_of_code(exit_code)));
    for (uint32_t i = 0; i < v->plan->n_nodes; i++) {
        const struct node *n = &v->nodes[i].state;

        if (n->step == STEP_DONE && n->outcome == OUTCOME_FAILED)
            json_append(failed, json_text(v->plan->nodes[i].name));
        else if (n->step != STEP_DONE && n->step != STEP_WAIT)
            json_append(out, json_text(v->plan->nodes[i].name));
    }
    put(o, HOOK_FACT_failed_nodes, failed);
    put(o, HOOK_FACT_out_nodes, out);
    put(o, HOOK_FACT_nodes, event_nodes_json(v));
    return o;
}

/* ---- as an environment */

/* False: it is none. */
static bool put_value(FILE *f, const json_t *value)
{
    if (json_is_string(value))
        (void)fputs(json_string_value(value), f);
    else if (json_is_integer(value))
        (void)fprintf(f, "%lld", (long long)json_integer_value(value));
    else if (json_is_boolean(value))
        (void)fputs(json_is_true(value) ? "1" : "0", f);
    else if (!json_is_null(value))
        return false;
    return true;
}

static bool put_list(FILE *f, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        (void)fputs(i > 0 ? "," : "", f);
        if (!put_value(f, json_array_get(list, i)))
            return false;
    }
    return true;
}

/* "ROLLOUT_NODE=web1"; NULL: it is not for the environment. */
static char *variable_of(const char *variable, const json_t *value)
{
    char *text;
    size_t size;
    FILE *f = mem_must(open_memstream(&text, &size));
    bool good;

    (void)fprintf(f, "%s=", variable);
    good = json_is_array(value) ? put_list(f, value) : put_value(f, value);
    mem_close(f, &text);
    if (size > VALUE_MAX)
        text[VALUE_MAX] = '\0';
    if (good)
        return text;
    free(text);
    return NULL;
}

struct env {
    char **all;
    size_t n, bytes;
};

static void add(struct env *e, char *text)
{
    e->all = mem_grow(e->all, e->n + 2, sizeof *e->all);
    e->all[e->n++] = text;
    e->all[e->n] = NULL;
    e->bytes += strlen(text) + 1;
}

/* Pointers and texts together. */
static char **as_one_block(const struct env *e)
{
    char **block = mem_must(malloc((e->n + 1) * sizeof *block + e->bytes)), *at = (char *)(block + e->n + 1);

    for (size_t i = 0; i < e->n; i++) {
        size_t size = strlen(e->all[i]) + 1;

        block[i] = memcpy(at, e->all[i], size);
        at += size;
    }
    block[e->n] = NULL;
    return block;
}

char **hook_env(const json_t *document, char *const *base)
{
    struct env e = {0};
    size_t borrowed;
    char **block;

    for (; base != NULL && *base != NULL; base++)
        if (strncmp(*base, PREFIX, strlen(PREFIX)) != 0)
            add(&e, *base);
    borrowed = e.n;
    for (int i = 0; i < HOOK_FACT_COUNT; i++) {
        const json_t *value = json_object_get(document, facts[i].name);
        char *text = value != NULL ? variable_of(facts[i].variable, value) : NULL;

        if (text != NULL)
            add(&e, text);
    }
    block = as_one_block(&e);
    for (size_t i = borrowed; i < e.n; i++)
        free(e.all[i]);
    free(e.all);
    return block;
}

bool hook_tells(char *const *env, const char *name)
{
    static const char mark[] = PREFIX "POINT=";
    bool within = false, fact = false;

    for (int i = 0; i < HOOK_FACT_COUNT; i++)
        fact = fact || strcmp(facts[i].variable, name) == 0;
    for (; fact && !within && env != NULL && *env != NULL; env++)
        within = strncmp(*env, mark, sizeof mark - 1) == 0;
    return within;
}
