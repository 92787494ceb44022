#include "agent_api.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent_read.h"
#include "answer.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/sha256.h"
#include "node.h"
#include "url.h"

/* ---- URLs */
char *agent_api_url_root(const char *agent)
{
    return mem_format("%s/v1", agent);
}

static char *below_service(const char *agent, const char *service, const char *rest)
{
    char *name = url_encode(service, "");
    char *url = mem_format("%s/v1/services/%s%s", agent, name, rest);

    free(name);
    return url;
}

char *agent_api_url_status(const char *agent, const char *service)
{
    return below_service(agent, service, "");
}

char *agent_api_url_health(const struct plan *plan, uint16_t node)
{
    const struct plan_health *h = &plan->health;
    char range[STATUS_RANGE_TEXT], *body = url_encode(h->body, "");
    bool status_said = h->status.low != 200 || h->status.high != 299, body_said = body[0] != '\0';
    char *rest = mem_format("/health%s%s%s%s", status_said ? "?status=" : "",
                            status_said ? status_range_format(&h->status, range) : "",
                            !body_said    ? ""
                            : status_said ? "&body="
                                          : "?body=",
                            body);
    char *url = below_service(plan->nodes[node].agent, plan_node_service(plan, node), rest);

    free(body);
    free(rest);
    return url;
}

char *agent_api_url_claim(const struct plan *plan, uint16_t node)
{
    return below_service(plan->nodes[node].agent, plan_node_service(plan, node), "/claim");
}

/* With the holder: two runs of one rollout may have found the same fence. */
static char *owner_query(const char *what, const struct plan *plan, uint64_t fence)
{
    char *id = url_encode(plan->rollout, ""), *holder = url_encode(plan->holder, "");
    char *rest = mem_format("%s?rollout=%s&fence=%llu&holder=%s", what, id, (unsigned long long)fence, holder);

    free(id);
    free(holder);
    return rest;
}

char *agent_api_url_unclaim(const struct plan *plan, uint16_t node, uint64_t fence)
{
    char *rest = owner_query("/claim", plan, fence);
    char *url = below_service(plan->nodes[node].agent, plan_node_service(plan, node), rest);

    free(rest);
    return url;
}

char *agent_api_url_release(const struct plan *plan, uint16_t node)
{
    char hex[SHA256_DIGITS + 1];

    sha256_hex(plan->release_sha256, hex);
    char *rest = mem_format("/releases/%s", hex);
    char *url = below_service(plan->nodes[node].agent, plan_node_service(plan, node), rest);
    free(rest);
    return url;
}

char *agent_api_url_jobs(const struct plan *plan, uint16_t node)
{
    return below_service(plan->nodes[node].agent, plan_node_service(plan, node), "/jobs");
}

static char *job_id(const struct plan *plan, uint16_t node, enum ask job, unsigned attempt)
{
    assert(job == ASK_JOB || job == ASK_UNDO);
    return mem_format("%s/%s/%s/%u", plan->rollout, plan->nodes[node].name, node_job_name(job), attempt);
}

char *agent_api_url_job(const struct plan *plan, uint16_t node, enum ask job, unsigned attempt, uint32_t wait_ms)
{
    char *plain = job_id(plan, node, job, attempt), *id = url_encode(plain, "/");
    char *rest = wait_ms > 0 ? mem_format("/jobs/%s?wait=%ums", id, wait_ms) : mem_format("/jobs/%s", id);
    char *url = below_service(plan->nodes[node].agent, plan_node_service(plan, node), rest);

    free(plain);
    free(id);
    free(rest);
    return url;
}

/* ---- bodies */
static json_t *hex_or_null(bool there, const uint8_t sha256[32])
{
    char hex[SHA256_DIGITS + 1];

    if (!there)
        return json_null();
    sha256_hex(sha256, hex);
    return json_string(hex);
}

static json_t *ident_json(const struct ident *i)
{
    const uint8_t *b = i->boot;
    char boot[40];

    if (i->pid == 0)
        return json_null();
    (void)snprintf(boot, sizeof boot, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return json_pack("{s:I,s:I,s:s,s:o}", "pid", (json_int_t)i->pid, "start_ticks", (json_int_t)i->start_ticks,
                     "boot_id", boot, "sha256", hex_or_null(true, i->sha256));
}

static json_t *took_out_json(const struct plan *plan, const struct action *a)
{
    const struct plan_node *n = &plan->nodes[a->node];
    json_t *list = mem_must(json_array());

    for (uint32_t i = 0; i < n->n_peers; i++) {
        const struct plan_peer *p = &plan->peers[n->first_peer + i];
        const struct plan_upstream *u = &plan->upstreams[p->upstream];
        if ((a->mask >> i & 1) == 0)
            continue;
        json_t *row =
            mem_must(json_pack("{s:s,s:s,s:s,s:{s:b,s:b}}", "lb", plan->lbs[u->lb].name, "upstream", u->name, "server",
                               p->server, "prior", "down", 0, "drain", (int)(a->prior_mask >> i & 1)));
        json_append(list, row);
    }
    return list;
}

static char *text_of(json_t *o)
{
    char *text = mem_must(json_dumps(mem_must(o), JSON_COMPACT));

    json_decref(o);
    return text;
}

/* A repair leaves the dead rollout's target in the claim: whoever repairs after it may need it. */
static json_t *target_sha256(const struct plan *plan, const struct action *a)
{
    const struct plan_node *n = &plan->nodes[a->node];

    if (a->reverse)
        return hex_or_null(true, a->goal);
    return plan->kind == PLAN_REPAIR ? hex_or_null(n->has_target, n->target_sha256)
                                     : hex_or_null(plan->has_release, plan->release_sha256);
}

static json_int_t ttl_s(const struct plan *plan)
{
    return plan->lease_ttl_ms / 1000 + (plan->lease_ttl_ms % 1000 != 0);
}

char *agent_api_body_claim(const struct plan *plan, const struct action *a)
{
    json_t *version = plan->version[0] != '\0' && !a->reverse ? json_string(plan->version) : json_null();

    return text_of(json_pack("{s:s,s:I,s:I,s:s,s:{s:o,s:o},s:o,s:o,s:I}", "rollout", plan->rollout, "fence",
                             (json_int_t)plan->fence, "ttl", ttl_s(plan), "holder", plan->holder, "target", "sha256",
                             target_sha256(plan, a), "version", version, "before", ident_json(&a->before), "took_out",
                             took_out_json(plan, a), "expect", (json_int_t)a->expect));
}

char *agent_api_body_job(const struct plan *plan, const struct action *a)
{
    bool undo = a->ask == ASK_UNDO;
    const char *word = undo || a->reverse ? "rollback" : plan->has_release ? "upgrade" : "restart";
    json_t *release = undo         ? hex_or_null(true, a->before.sha256)
                      : a->reverse ? hex_or_null(true, a->goal)
                                   : hex_or_null(plan->has_release, plan->release_sha256);
    char *id = job_id(plan, a->node, a->ask, a->attempt);
    char *text = text_of(json_pack("{s:s,s:s,s:I,s:s,s:o}", "id", id, "rollout", plan->rollout, "fence",
                                   (json_int_t)plan->fence, "action", word, "release", release));

    free(id);
    return text;
}

/* ---- votes */
char *agent_api_url_lock(const struct plan *plan, uint32_t voter, bool drop)
{
    const struct plan_voter *v = &plan->voters[voter];
    char *rest = drop ? owner_query("/lock", plan, plan->fence) : mem_text("/lock");
    char *url = below_service(v->agent, v->service, rest);

    free(rest);
    return url;
}

char *agent_api_body_lock(const struct plan *plan)
{
    return text_of(json_pack("{s:s,s:I,s:I,s:s}", "rollout", plan->rollout, "fence", (json_int_t)plan->fence, "ttl",
                             ttl_s(plan), "holder", plan->holder));
}

/* ---- wishes */
const char *agent_api_wish_word(enum wish wish)
{
    static const char *const words[] = {[WISH_NONE] = "",
#define X(name, word, caution) [WISH_##name] = word,
                                        WIRE_WISHES(X)
#undef X
    };

    return words[wish];
}

char *agent_api_url_wish_of(const char *agent, const char *service, const char *rollout)
{
    char *id = rollout != NULL ? url_encode(rollout, "") : NULL;
    char *rest = id != NULL ? mem_format("/wish?rollout=%s", id) : mem_text("/wish");
    char *url = below_service(agent, service, rest);

    free(id);
    free(rest);
    return url;
}

char *agent_api_url_wish(const struct plan *plan, uint16_t node)
{
    return agent_api_url_wish_of(plan->nodes[node].agent, plan_node_service(plan, node), plan->rollout);
}

char *agent_api_url_wish_taken(const struct plan *plan, uint16_t node)
{
    return below_service(plan->nodes[node].agent, plan_node_service(plan, node), "/wish/taken");
}

char *agent_api_body_wish_taken(const struct plan *plan, const struct action *a)
{
    return text_of(json_pack("{s:s,s:I,s:s,s:b}", "rollout", plan->rollout, "id", (json_int_t)a->expect, "holder",
                             plan->holder, "effect", (int)a->effect));
}

char *agent_api_body_wish(const char *rollout, uint64_t id, enum wish wish, const char *holder)
{
    return text_of(json_pack("{s:s,s:I,s:s,s:s}", "rollout", rollout, "id", (json_int_t)id, "wish",
                             agent_api_wish_word(wish), "holder", holder));
}

/* ---- what became of an ask */
static void say(struct answer *a, const char *code, const char *text)
{
    if (code != NULL && text != NULL)
        (void)snprintf(a->text, sizeof a->text, "%s: %s", code, text);
    else
        (void)snprintf(a->text, sizeof a->text, "%s", text != NULL ? text : "");
}

static bool is_fence_code(const char *code)
{
    return strcmp(code, "claim_held") == 0 || strcmp(code, "claim_changed") == 0 || strcmp(code, "no_claim") == 0;
}

/* {"error":{"code":C,"text":T}} */
static void refused(const struct call_result *r, struct answer *a)
{
    json_t *o = json_read(r->body, r->body_bytes, NULL);
    json_t *e = json_is_object(o) ? json_opt_object(o, "error") : NULL;
    const char *code = e != NULL ? json_opt_string(e, "code") : NULL;
    const char *text = e != NULL ? json_opt_string(e, "text") : NULL;

    a->kind = answer_of_status(r->status);
    if (code != NULL && a->kind == ANS_REFUSED && is_fence_code(code))
        a->kind = ANS_FENCED;
    a->claim_gone = code != NULL && strcmp(code, "no_claim") == 0;
    if (code != NULL && strcmp(code, "no_space") == 0)
        a->kind = ANS_REFUSED; /* asking again fills no disk less */
    if (code != NULL && text != NULL)
        say(a, code, text);
    else
        (void)snprintf(a->text, sizeof a->text, "HTTP status %d", r->status);
    json_decref(o);
}

/* The last part of a job's id. */
static uint8_t attempt_of(const char *id)
{
    const char *slash = strrchr(id, '/');
    unsigned long n = slash != NULL ? strtoul(slash + 1, NULL, 10) : 0;

    return n < UINT8_MAX ? (uint8_t)n : UINT8_MAX;
}

enum ask agent_api_job_of(const struct agent_job *job, const char *rollout)
{
    const char *undo = node_job_name(ASK_UNDO), *id = job->id, *slash = id == NULL ? NULL : strrchr(id, '/');
    size_t size = strlen(undo);

    if (id == NULL || job->rollout == NULL || strcmp(job->rollout, rollout) != 0)
        return ASK_NONE;
    return slash != NULL && slash - id > (ptrdiff_t)size && slash[-(ptrdiff_t)size - 1] == '/' &&
                   strncmp(slash - size, undo, size) == 0
               ? ASK_UNDO
               : ASK_JOB;
}

bool agent_api_took_back(const struct agent_job *job, const char *rollout)
{
    return job->action != NULL && strcmp(job->action, "rollback") == 0 && agent_api_job_of(job, rollout) == ASK_JOB;
}

static void take_own_job(const struct plan *plan, const struct agent_job *job, struct answer *a)
{
    a->job_of = agent_api_job_of(job, plan->rollout);
    if (a->job_of == ASK_NONE)
        return;
    a->attempt = attempt_of(job->id);
    a->job_before = job->before;
    a->job_after = job->after;
}

static bool take_status(const struct plan *plan, const struct call_result *r, struct answer *a, struct err *err)
{
    struct agent_status s;

    if (!agent_read_status(r->body, r->body_bytes, &s, err))
        return false;
    a->ident = s.ident;
    a->connections = s.connections;
    a->job = s.job.state;
    take_own_job(plan, &s.job, a);
    a->fence = s.fence;
    a->claim_fence = s.claim.there ? s.claim.fence : 0;
    a->claim_ours = s.claim.there && strcmp(s.claim.rollout, plan->rollout) == 0;
    a->claim_live = s.claim.there && s.claim.left_s > 0;
    agent_status_clear(&s);
    return true;
}

static bool take_job(const struct call_result *r, struct answer *a, struct err *err)
{
    json_t *o = json_read(r->body, r->body_bytes, err);
    struct agent_job job;
    bool good = o != NULL && agent_read_job(o, &job, err);

    if (good) {
        a->ident = job.after;
        a->job = job.state;
        a->touched = job.touched;
        if (job.state == JOB_FAILED)
            say(a, job.code, job.text);
    }
    json_decref(o);
    return good;
}

static bool take_health(const struct call_result *r, struct answer *a, struct err *err)
{
    json_t *o = json_read(r->body, r->body_bytes, err);
    bool good =
        o != NULL && json_get_bool(o, "healthy", &a->healthy, err) && agent_read_ident(o, "ident", &a->ident, err);

    if (good && !a->healthy)
        say(a, NULL, json_opt_string(o, "text"));
    json_decref(o);
    return good;
}

static bool is_effect(enum ask ask)
{
    return ask == ASK_CLAIM || ask == ASK_STAGE || ask == ASK_JOB || ask == ASK_UNDO || ask == ASK_UNCLAIM;
}

int agent_api_wish_caution(enum wish wish)
{
    static const int cautions[] = {[WISH_NONE] = 0,
#define X(name, word, caution) [WISH_##name] = caution,
                                   WIRE_WISHES(X)
#undef X
    };

    return cautions[wish];
}

static enum wish wish_of(const char *word)
{
#define X(name, text, caution)                                                                                         \
    if (strcmp(word, text) == 0)                                                                                       \
        return WISH_##name;
    WIRE_WISHES(X)
#undef X
    return WISH_NONE;
}

/* The member "wish" of a body, where it is of our rollout. One that makes no sense, say of a later version, is none. */
static void take_wish(const struct plan *plan, const struct call_result *r, struct answer *a)
{
    json_t *o = json_read(r->body, r->body_bytes, NULL), *w = json_is_object(o) ? json_opt_object(o, "wish") : NULL;
    const char *word, *rollout, *holder;
    uint64_t age_ms = 0;

    if (w != NULL && json_get_string(w, "rollout", &rollout, NULL) && strcmp(rollout, plan->rollout) == 0 &&
        json_get_string(w, "wish", &word, NULL) && json_get_string(w, "holder", &holder, NULL) &&
        json_get_uint(w, "id", &a->wish_id, NULL) && json_get_uint(w, "age_ms", &age_ms, NULL)) {
        a->wish = (uint8_t)wish_of(word);
        a->wish_taken = json_opt_object(w, "taken") != NULL;
        a->wish_age_ms = age_ms < UINT32_MAX ? (uint32_t)age_ms : UINT32_MAX;
        (void)snprintf(a->text, sizeof a->text, "%s", holder);
    }
    json_decref(o);
}

void agent_api_lock(const struct call_result *r, struct answer *a)
{
    agent_api_answer(ASK_CLAIM, NULL, r, a); /* refused as a claim would be; what else it says is not needed */
}

void agent_api_wish(const struct plan *plan, const struct call_result *r, struct answer *a)
{
    *a = (struct answer){.kind = answer_of_failure(r->failure, false)};
    if (r->failure != CALL_FINE)
        (void)snprintf(a->text, sizeof a->text, "%s", r->text);
    else if (r->status < 200 || r->status > 299)
        refused(r, a); /* an older agent knows no wishes */
    else
        take_wish(plan, r, a);
}

static void copy_holder(const json_t *from, char holder[WIRE_HOLDER_MAX + 1])
{
    const char *who = json_opt_string(from, "holder");

    (void)snprintf(holder, WIRE_HOLDER_MAX + 1, "%s", who != NULL ? who : "");
}

bool agent_api_read_wish(const struct call_result *r, struct agent_wish *wish)
{
    json_t *o = r->failure == CALL_FINE ? json_read(r->body, r->body_bytes, NULL) : NULL;
    const json_t *w = json_is_object(o) ? json_opt_object(o, "wish") : NULL, *taken;
    const char *word = w != NULL ? json_opt_string(w, "wish") : NULL;
    bool is = word != NULL;

    *wish = (struct agent_wish){.wish = WISH_NONE};
    if (is) {
        wish->id = json_opt_uint(w, "id", 0);
        wish->wish = wish_of(word);
        copy_holder(w, wish->holder);
        taken = json_opt_object(w, "taken");
        wish->taken = taken != NULL;
        wish->effect = taken != NULL && json_opt_bool(taken, "effect", false);
        if (taken != NULL)
            copy_holder(taken, wish->taker);
    }
    json_decref(o);
    return is;
}

void agent_api_answer(enum ask ask, const struct plan *plan, const struct call_result *r, struct answer *a)
{
    struct err err = {""};
    bool good = true;

    *a = (struct answer){.kind = answer_of_failure(r->failure, is_effect(ask))};
    if (r->failure != CALL_FINE) {
        (void)snprintf(a->text, sizeof a->text, "%s", r->text);
        return;
    }
    if (r->status < 200 || r->status > 299) {
        refused(r, a);
        return;
    }
    if (ask == ASK_STATUS)
        good = take_status(plan, r, a, &err);
    else if (ask == ASK_JOB || ask == ASK_UNDO || ask == ASK_JOB_END)
        good = take_job(r, a, &err);
    else if (ask == ASK_HEALTH)
        good = take_health(r, a, &err);
    if (!good) {
        *a = (struct answer){.kind = ANS_BAD};
        (void)snprintf(a->text, sizeof a->text, "the agent's answer makes no sense: %.250s", err.text);
    }
}
