#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_api.h"
#include "agent_read.h"
#include "common/mem.h"
#include "health.h"
#include "release_signature.h"
#include "world_work.h"

static void call_at(struct world_net *w, struct part *part, const char *host, const char *address, const char *method,
                    char *url, char *body, uint32_t limit_ms)
{
    struct call_request q = {.method = method,
                             .peer = host,
                             .url = url,
                             .connect_to = address,
                             .body = body,
                             .body_bytes = body != NULL ? strlen(body) : 0,
                             .limit_ms = limit_ms,
                             .cap_bytes = WIRE_BODY_MAX,
                             .last = part->work->action.ask == ASK_UNCLAIM};

    part_call(w, part, &q);
    free(url);
    free(body);
}

static void call_agent(struct world_net *w, struct part *part, const char *method, char *url, char *body,
                       uint32_t limit_ms)
{
    uint16_t node = part->work->action.node;

    call_at(w, part, plan_node_host(w->plan, node), w->plan->nodes[node].address, method, url, body, limit_ms);
}

/* `whole`: with the bytes; else the release is there, and only its signature goes, which may be a new one. */
static void upload(struct world_net *w, struct part *part, bool whole)
{
    const struct plan_node *n = &w->plan->nodes[part->work->action.node];
    char *url, *header, text[ANSWER_TEXT_MAX];
    struct err err = {""};

    if (whole && access(w->plan->release_file, R_OK) != 0) { /* asking again brings no file back */
        (void)snprintf(text, sizeof text, "cannot read the release: %.200s: %s", w->plan->release_file,
                       strerror(errno));
        part_end(w, part, ANS_REFUSED, text);
        return;
    }
    header = release_signature_header(w->plan->release_file, &err);
    if (err.text[0] != '\0' || (header == NULL && !whole)) {
        part_end(w, part, err.text[0] != '\0' ? ANS_REFUSED : ANS_OK, err.text);
        return;
    }
    url = agent_api_url_release(w->plan, part->work->action.node);
    struct call_request q = {.method = "PUT",
                             .peer = plan_node_host(w->plan, part->work->action.node),
                             .url = url,
                             .connect_to = n->address,
                             .headers = (const char *const *)&header,
                             .n_headers = header != NULL,
                             .body_file = whole ? w->plan->release_file : NULL,
                             .limit_ms = w->plan->wait_ms[WAIT_STAGE],
                             .cap_bytes = WIRE_BODY_MAX};

    part_call(w, part, &q);
    free(url);
    free(header);
}

/* A long poll: answers when the job ends, at the latest after this. */
static uint32_t poll_ms(const struct plan *p)
{
    return p->wait_ms[WAIT_JOB] < WIRE_WAIT_MAX_MS ? p->wait_ms[WAIT_JOB] : WIRE_WAIT_MAX_MS;
}

static enum ask ask_of(const struct action *a)
{
    return a->kind == ACT_RENEW ? ASK_CLAIM : a->kind == ACT_STANDS ? ASK_STATUS : a->ask;
}

static void stage_start(struct world_net *w, struct work *work)
{
    const struct action *a = &work->action;

    if (!w->plan->has_release && !a->reverse)
        part_end(w, work_part(work, PART_AGENT, 0), ANS_OK, "");
    else
        call_agent(w, work_part(work, PART_STAGED, 0), "GET",
                   agent_api_url_status(w->plan->nodes[a->node].agent, plan_node_service(w->plan, a->node)), NULL, 0);
}

static void lock_start(struct world_net *w, struct part *part)
{
    const struct action *a = &part->work->action;
    const struct plan_voter *v = &w->plan->voters[a->voter];
    bool take = a->ttl_ms > 0;

    call_at(w, part, v->host, v->address, take ? "PUT" : "DELETE", agent_api_url_lock(w->plan, a->voter, !take),
            take ? agent_api_body_lock(w->plan) : NULL, 0);
}

static void wish_start(struct world_net *w, struct part *part)
{
    const struct action *a = &part->work->action;

    if (a->expect == 0)
        call_agent(w, part, "GET", agent_api_url_wish(w->plan, a->node), NULL, 0);
    else
        call_agent(w, part, "POST", agent_api_url_wish_taken(w->plan, a->node), agent_api_body_wish_taken(w->plan, a),
                   0);
}

/* ---- health from here: the agent says who runs, we ask, the agent says it again */

static void ask_who(struct world_net *w, struct work *work, enum part_kind kind)
{
    const struct plan_node *n = &w->plan->nodes[work->action.node];

    call_agent(w, work_part(work, kind, 0), "GET",
               agent_api_url_status(n->agent, plan_node_service(w->plan, work->action.node)), NULL, 0);
}

/* The node's own name is known to the inventory alone. */
static const char *connect_to(const struct plan *p, uint16_t node)
{
    const struct plan_node *n = &p->nodes[node];
    const char *host = strstr(n->health, "://");
    size_t size = strlen(plan_node_host(p, node));

    return host != NULL && strncmp(host + 3, plan_node_host(p, node), size) == 0 && strchr(":/", host[3 + size]) != NULL
               ? n->address
               : NULL;
}

static void check_from_here(struct world_net *w, struct work *work)
{
    const struct plan_node *n = &w->plan->nodes[work->action.node];
    struct call_request q = {.method = "GET",
                             .peer = plan_node_host(w->plan, work->action.node),
                             .url = n->health,
                             .connect_to = connect_to(w->plan, work->action.node),
                             .fresh = true,
                             .cap_bytes = HEALTH_BODY_MAX};

    part_call(w, work_part(work, PART_CHECK, 0), &q);
}

static void checked(struct world_net *w, struct part *part, const struct call_result *r)
{
    const struct plan_node *n = &w->plan->nodes[part->work->action.node];
    struct answer *a = &part->work->input.answer;
    char why[ANSWER_TEXT_MAX], text[ANSWER_TEXT_MAX] = "";

    a->healthy = health_good(&w->plan->health, r, why, sizeof why);
    if (!a->healthy)
        (void)snprintf(text, sizeof text, "%.100s: %.200s", n->health, why);
    ask_who(w, part->work, PART_AFTER);
    part_end(w, part, ANS_OK, text);
}

static void who_came(struct world_net *w, struct part *part, const struct call_result *r)
{
    struct work *work = part->work;
    struct answer said;
    const char *text = "";

    agent_api_answer(ASK_STATUS, w->plan, r, &said);
    if (said.kind == ANS_OK && part->kind == PART_BEFORE) {
        work->checked = work->input.answer.ident = said.ident;
        if (said.ident.pid != 0)
            check_from_here(w, work);
    } else if (said.kind == ANS_OK) {
        work->input.answer.ident = said.ident;
        if (!ident_same_process(&said.ident, &work->checked)) {
            work->input.answer.healthy = false;
            text = "the process changed while it was checked";
        }
    }
    part_end(w, part, said.kind, said.kind == ANS_OK ? text : said.text);
}

void world_agent_start(struct world_net *w, const struct action *a)
{
    const struct plan *p = w->plan;
    const char *agent = p->nodes[a->node].agent;
    struct work *work = work_new(w, a, 3);
    struct part *part;

    if (ask_of(a) == ASK_STAGE) {
        stage_start(w, work);
        return;
    }
    if (ask_of(a) == ASK_HEALTH && p->nodes[a->node].health[0] != '\0') {
        ask_who(w, work, PART_BEFORE);
        return;
    }
    part = work_part(work, PART_AGENT, 0);
    if (a->kind == ACT_WISH) {
        wish_start(w, part);
        return;
    }
    if (a->kind == ACT_LOCK) {
        lock_start(w, part);
        return;
    }
    switch (ask_of(a)) {
    case ASK_STATUS:
        call_agent(w, part, "GET", agent_api_url_status(agent, plan_node_service(p, a->node)), NULL, 0);
        return;
    case ASK_HEALTH:
        call_agent(w, part, "GET", agent_api_url_health(p, a->node), NULL, 0);
        return;
    case ASK_CLAIM:
        call_agent(w, part, "PUT", agent_api_url_claim(p, a->node), agent_api_body_claim(p, a), 0);
        return;
    case ASK_UNCLAIM:
        call_agent(w, part, "DELETE", agent_api_url_unclaim(p, a->node, p->fence), NULL, 0);
        return;
    case ASK_JOB:
    case ASK_UNDO:
        call_agent(w, part, "POST", agent_api_url_jobs(p, a->node), agent_api_body_job(p, a), 0);
        return;
    case ASK_JOB_END:
        call_agent(w, part, "GET", agent_api_url_job(p, a->node, a->job, a->attempt, poll_ms(p)), NULL,
                   poll_ms(p) + w->request_ms);
        return;
    default:
        break;
    }
    assert(!"not an agent's");
}

/* Is the release there already? Then the node need not be sent it. One to go back to cannot be sent. */
static void staged_came(struct world_net *w, struct part *part, const struct call_result *r)
{
    const struct action *act = &part->work->action;
    struct answer a;
    struct agent_status s;
    bool there = false;

    agent_api_answer(ASK_STATUS, w->plan, r, &a);
    if (a.kind == ANS_OK && agent_read_status(r->body, r->body_bytes, &s, NULL)) {
        there = agent_status_has_release(&s, act->reverse ? act->goal : w->plan->release_sha256);
        agent_status_clear(&s);
    }
    if (a.kind == ANS_OK && !there && act->reverse) {
        a.kind = ANS_REFUSED;
        (void)snprintf(a.text, sizeof a.text, "its agent has not kept the release before");
    } else if (a.kind == ANS_OK && !act->reverse)
        upload(w, work_part(part->work, PART_AGENT, 0), !there);
    part_end(w, part, a.kind, a.text);
}

void world_agent_result(struct world_net *w, struct part *part, const struct call_result *r)
{
    const struct action *act = &part->work->action;
    const char *name = act->kind == ACT_LOCK ? w->plan->voters[act->voter].host : w->plan->nodes[act->node].name;
    struct answer *a = &part->work->input.answer, said;
    char text[ANSWER_TEXT_MAX];

    if (part->kind == PART_STAGED) {
        staged_came(w, part, r);
        return;
    }
    if (part->kind == PART_CHECK) {
        checked(w, part, r);
        return;
    }
    if (part->kind != PART_AGENT) {
        who_came(w, part, r);
        return;
    }
    if (part->work->action.kind == ACT_LOCK)
        agent_api_lock(r, &said);
    else if (part->work->action.kind == ACT_WISH)
        agent_api_wish(w->plan, r, &said);
    else
        agent_api_answer(ask_of(&part->work->action), w->plan, r, &said);
    if (part->work->action.kind == ACT_RENEW && said.kind == ANS_OK)
        agent_api_wish(w->plan, r, &said);
    *a = said;
    a->text[0] = '\0';
    if (r->failure != CALL_FINE || said.text[0] == '\0' || said.wish != WISH_NONE)
        (void)snprintf(text, sizeof text, "%s", said.text);
    else
        (void)snprintf(text, sizeof text, "agent of %.50s: %.240s", name, said.text);
    part_end(w, part, said.kind, text);
}
