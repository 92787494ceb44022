#include "audit.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/sha256.h"
#include "status.h"

static void put(FILE *f, const char *key, const char *value)
{
    json_t *json = mem_must(json_text(value));
    char *text = mem_must(json_dumps(json, JSON_ENCODE_ANY | JSON_ENSURE_ASCII));

    (void)fprintf(f, " %s=%s", key, text);
    free(text);
    json_decref(json);
}

static void put_if(FILE *f, const char *key, const char *value)
{
    if (value[0] != '\0')
        put(f, key, value);
}

static void put_who(FILE *f, const struct plan *p, int64_t wall_ms, const struct ci *ci)
{
    char at[STATUS_TIME];

    (void)fprintf(f, "time=%s", status_time(wall_ms, at));
    put(f, "rollout", p->rollout);
    put(f, "by", p->holder);
    put_if(f, "actor", ci->actor);
    put_if(f, "commit", ci->commit);
    put_if(f, "job", ci->job_url);
}

static void put_sha256(FILE *f, const char *key, const uint8_t sha256[32])
{
    char hex[SHA256_DIGITS + 1];

    sha256_hex(sha256, hex);
    put(f, key, hex);
}

static void put_peers(FILE *f, const struct plan *p, const struct node *n)
{
    char *text;
    size_t size;
    FILE *peers = mem_must(open_memstream(&text, &size));
    const char *before = "";

    for (uint32_t i = 0; i < p->nodes[n->id].n_peers; i++) {
        uint32_t peer = p->nodes[n->id].first_peer + i;

        if ((n->peers_mask >> i & 1) == 0)
            continue;
        (void)fprintf(peers, "%s%s of %s at %s", before, p->peers[peer].server,
                      p->upstreams[p->peers[peer].upstream].name, p->lbs[plan_peer_lb(p, peer)].name);
        before = ", ";
    }
    mem_close(peers, &text);
    put(f, "peers", text);
    free(text);
}

/* What the effect of a step changes. */
static void put_change(FILE *f, const struct plan *p, const struct node *n, enum step step)
{
    switch (step_row(step)->ask) {
    case ASK_DRAIN:
        put_peers(f, p, n);
        (void)fputs(" before=\"up\" after=\"drain\"", f);
        break;
    case ASK_DOWN:
        put_peers(f, p, n);
        (void)fputs(" before=\"drain\" after=\"down\"", f);
        break;
    case ASK_BACK:
        put_peers(f, p, n);
        (void)fputs(" before=\"down\" after=\"as it was\"", f);
        break;
    case ASK_JOB:
        put_sha256(f, "before", n->before.sha256);
        put_sha256(f, "after", node_target(n, p));
        break;
    case ASK_UNDO:
        put_sha256(f, "before", node_target(n, p));
        put_sha256(f, "after", n->before.sha256);
        break;
    case ASK_STAGE:
        put_sha256(f, "after", node_target(n, p));
        break;
    default:
        break;
    }
}

static bool is_effect(const struct plan *p, enum step step, const struct node *n)
{
    return step < STEP_COUNT && step_row(step)->effect &&
           (step_row(step)->ask != ASK_STAGE || p->has_release || n->reverse);
}

/* A hook that did not end well says how; where a node goes from there, others decide, too. */
static bool is_done(const struct event *e)
{
    if (step_row((enum step)e->from)->ask == ASK_HOOK)
        return e->text[0] == '\0';
    return node_went_well((enum step)e->from, (enum step)e->state.step);
}

static void put_line(FILE *f, const struct view *v, const struct event *e, enum step step, const char *state,
                     const struct ci *ci)
{
    const struct plan *p = v->plan;

    put_who(f, p, e->wall_ms, ci);
    put(f, "node", p->nodes[e->node].name);
    put(f, "service", plan_node_service(p, e->node));
    (void)fprintf(f, " effect=%s state=%s", step_row(step)->name, state);
    put_change(f, p, &e->state, step);
    if (strcmp(state, "asked") == 0)
        put_if(f, "command", view_hook(p, &e->state));
    put_if(f, "text", e->text);
    (void)fputc('\n', f);
}

static void about_lease(FILE *f, const struct view *v, const struct event *e, const struct ci *ci)
{
    const struct plan *p = v->plan;

    put_who(f, p, e->wall_ms, ci);
    if (e->kind == EVENT_LEASED) {
        put(f, "lb", p->lbs[p->upstreams[e->upstream].lb].name);
        put(f, "upstream", p->upstreams[e->upstream].name);
    }
    (void)fprintf(f, " effect=%s state=done\n", e->kind == EVENT_LEASED ? "lease" : "release");
}

static void about_end(FILE *f, const struct view *v, const struct event *e, const struct ci *ci)
{
    put_who(f, v->plan, e->wall_ms, ci);
    (void)fprintf(f, " effect=at-end state=%s", e->kind == EVENT_HOOK ? "asked" : e->code == 0 ? "done" : "failed");
    put_if(f, e->kind == EVENT_HOOK ? "command" : "text", e->text);
    (void)fputc('\n', f);
}

void audit_event(FILE *f, const struct view *v, const struct event *e, const struct ci *ci)
{
    enum step from = (enum step)e->from, to = (enum step)e->state.step;

    if (e->kind == EVENT_LEASED || e->kind == EVENT_RELEASED)
        about_lease(f, v, e, ci);
    if (e->kind == EVENT_HOOK || e->kind == EVENT_HOOKED)
        about_end(f, v, e, ci);
    if (e->kind != EVENT_STEP)
        return;
    if (is_effect(v->plan, from, &e->state))
        put_line(f, v, e, from, is_done(e) ? "done" : "failed", ci);
    if (is_effect(v->plan, to, &e->state))
        put_line(f, v, e, to, "asked", ci);
}
