#include "doctor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "peer_book.h"

#define EXIT_OUT       3
#define DAY_S          86400
#define CERT_SOON_DAYS 14
#define CLOCK_MAX_S    5

/* One check at work. */
struct look {
    struct doctor *d;
    const struct doctor_facts *f;
    const struct survey *s;
    const char *what;
    bool bad; /* it has found something */
};

static void add(struct look *l, enum doctor_result result, int code, char *detail, const char *mend)
{
    struct doctor *d = l->d;

    d->rows = mem_grow(d->rows, d->n + 1, sizeof *d->rows);
    d->rows[d->n] = (struct doctor_finding){.result = result, .code = code, .what = l->what};
    d->rows[d->n].detail = detail;
    d->rows[d->n++].mend = mend != NULL ? mem_text(mend) : NULL;
    l->bad = l->bad || result != DOCTOR_OK;
}

static char *vtext(const char *format, va_list args)
{
    char *text = NULL;

    if (vasprintf(&text, format, args) < 0)
        abort();
    return text;
}

static void ok(struct look *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void warn(struct look *l, const char *mend, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void fail(struct look *l, int code, const char *mend, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void ok(struct look *l, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(l, DOCTOR_OK, 0, vtext(format, args), NULL);
    va_end(args);
}

static void warn(struct look *l, const char *mend, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(l, DOCTOR_WARN, 0, vtext(format, args), mend);
    va_end(args);
}

static void fail(struct look *l, int code, const char *mend, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(l, DOCTOR_FAIL, code, vtext(format, args), mend);
    va_end(args);
}

static const char *lb_name(const struct look *l, uint32_t i)
{
    return l->f->fleet->hosts[l->s->lbs[i].host].name;
}

static const char *node_name(const struct look *l, const struct survey_node *n)
{
    return survey_node_name(l->f->fleet, n);
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/* ---- load balancers */

static void check_lbs(struct look *l)
{
    unsigned lowest = UINT8_MAX;

    for (uint32_t i = 0; i < l->s->n_lbs; i++) {
        const struct survey_lb *lb = &l->s->lbs[i];

        if (lb->good || lb->read_only)
            lowest = lb->api_version < lowest ? lb->api_version : lowest;
        else if (lb->call == CALL_FINE)
            fail(l, EXIT_REFUSED, "make rollout_api the URL of a location with `api`, of API version 4 to 9", "%s: %s",
                 lb_name(l, i), lb->text);
        else
            fail(l, EXIT_UNREACHABLE, "see that nginx runs there and lets this machine in, and correct rollout_api",
                 "%s: %s", lb_name(l, i), lb->text);
    }
    if (!l->bad)
        ok(l, "%u answer%s, API version %u", l->s->n_lbs, l->s->n_lbs == 1 ? "s" : "", lowest);
}

static void check_writable(struct look *l)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < l->s->n_lbs; i++) {
        n += l->s->lbs[i].good && l->s->lbs[i].n_upstreams > 0 ? 1 : 0;
        if (l->s->lbs[i].read_only)
            fail(l, EXIT_REFUSED, "say `api write=on;` in that location, and let this machine's certificate or user in",
                 "%s: %s", lb_name(l, i), l->s->lbs[i].text);
    }
    if (!l->bad && n > 0)
        ok(l, "%u take%s changes", n, n == 1 ? "s" : "");
    else if (!l->bad)
        ok(l, "no load balancer could be asked");
}

/* All upstreams of an nginx have the one file. */
static void check_state(struct look *l)
{
    size_t before = l->d->n;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < l->s->n_lbs; i++) {
        const struct survey_lb *lb = &l->s->lbs[i];
        const struct lb_lease *first = lb->n_upstreams > 0 ? &lb->upstreams[0].lease : NULL;

        if (first == NULL)
            continue;
        if (!first->known)
            ok(l, "%s does not say (NGINX Plus): see that each upstream has `state FILE;`", lb_name(l, i));
        else if (!first->state_told)
            warn(l, "upgrade its module", "%s: its module is older, and does not say", lb_name(l, i));
        else if (!first->state_kept)
            warn(l, "say `api_state FILE;` in its http block, FILE in a folder of the workers' user",
                 "%s: what is drained is forgotten when nginx is restarted", lb_name(l, i));
        else
            kept++;
    }
    if (kept > 0)
        ok(l, "%u keep%s what is drained over a restart", kept, kept == 1 ? "s" : "");
    else if (l->d->n == before)
        ok(l, "no load balancer has told");
}

/* ---- peers */

typedef void peer_fn(struct look *, void *ctx, uint32_t lb, const struct survey_upstream *, const struct survey_peer *,
                     int32_t node);

static void each_peer(struct look *l, peer_fn *fn, void *ctx)
{
    struct peer_book *book = peer_book_new(l->f->fleet, l->s);

    for (uint32_t i = 0; i < l->s->n_lbs; i++)
        for (uint32_t u = 0; u < l->s->lbs[i].n_upstreams; u++) {
            const struct survey_upstream *up = &l->s->lbs[i].upstreams[u];

            for (uint32_t k = 0; k < up->n_peers; k++) {
                uint16_t twice;

                fn(l, ctx, i, up, &up->peers[k],
                   peer_book_owner(book, i, up->peers[k].server, up->peers[k].name, &twice));
            }
        }
    peer_book_free(&book);
}

/* What is no process has no address, and is no peer for that. */
static bool is_known(const struct survey_node *n)
{
    return n->good && n->status.ident.pid != 0;
}

static bool all_known(const struct look *l)
{
    for (uint32_t i = 0; i < l->s->n_nodes; i++)
        if (!is_known(&l->s->nodes[i]))
            return false;
    return true;
}

static bool all_lbs(const struct look *l)
{
    for (uint32_t i = 0; i < l->s->n_lbs; i++)
        if (!l->s->lbs[i].good && !l->s->lbs[i].read_only)
            return false;
    return true;
}

static void count_peer(struct look *l, void *ctx, uint32_t lb, const struct survey_upstream *u,
                       const struct survey_peer *peer, int32_t node)
{
    uint32_t *counts = ctx;

    (void)l;
    (void)lb;
    (void)u;
    (void)peer;
    if (node >= 0)
        counts[node]++;
}

static void check_peers(struct look *l)
{
    uint32_t *counts = mem_zero(l->s->n_nodes + 1, sizeof *counts), total = 0;

    for (uint32_t i = 0; i < l->s->n_lbs; i++)
        if ((l->s->lbs[i].good || l->s->lbs[i].read_only) && l->s->lbs[i].n_upstreams == 0)
            warn(l, "give each upstream that is to be drained a `zone`", "%s: it lists no upstream", lb_name(l, i));
    each_peer(l, count_peer, counts);
    for (uint32_t i = 0; i < l->s->n_nodes; i++) {
        total += counts[i];
        if (counts[i] == 0 && is_known(&l->s->nodes[i]) && all_lbs(l))
            fail(l, EXIT_REFUSED,
                 "give the upstream a `zone`; or name the peer by rollout_peer=HOST:PORT; or take the host out with "
                 "--limit",
                 "%s: no load balancer has a peer at an address that its service listens on",
                 node_name(l, &l->s->nodes[i]));
    }
    if (!l->bad)
        ok(l, "%u peer%s of %u node%s", total, plural(total), l->s->n_nodes, plural(l->s->n_nodes));
    free(counts);
}

/* Foreign ones are told where the same upstream has one of ours. */
static void look_for_foreign(struct look *l, struct peer_book *book, uint32_t lb, const struct survey_upstream *u)
{
    const char *first = NULL;
    uint32_t foreign = 0;

    for (uint32_t k = 0; k < u->n_peers; k++) {
        uint16_t twice;

        if (peer_book_owner(book, lb, u->peers[k].server, u->peers[k].name, &twice) < 0 && foreign++ == 0)
            first = u->peers[k].server;
    }
    if (foreign > 0 && foreign < u->n_peers)
        warn(l, "name their hosts in the hosts file, with an agent there; or take them out of the upstream",
             "upstream %s at %s has %u peer%s of no node of the hosts file, which no rollout reaches: %s%s", u->name,
             lb_name(l, lb), foreign, plural(foreign), first, foreign > 1 ? " and others" : "");
}

static void check_foreign(struct look *l)
{
    struct peer_book *book;

    if (l->f->options->limit != NULL || !all_known(l)) {
        ok(l, "not looked at: %s",
           l->f->options->limit != NULL ? "--limit leaves hosts out" : "not every node has told where it listens");
        return;
    }
    book = peer_book_new(l->f->fleet, l->s);
    for (uint32_t i = 0; i < l->s->n_lbs; i++)
        for (uint32_t u = 0; u < l->s->lbs[i].n_upstreams; u++)
            look_for_foreign(l, book, i, &l->s->lbs[i].upstreams[u]);
    peer_book_free(&book);
    if (!l->bad)
        ok(l, "every peer beside ours is a node's");
}

/* ---- what is out */

static void check_claims(struct look *l)
{
    for (uint32_t i = 0; i < l->s->n_nodes; i++) {
        const struct survey_node *n = &l->s->nodes[i];
        const struct agent_claim *c = &n->status.claim;

        if (!n->good || !c->there || c->n_took_out == 0)
            continue;
        if (c->left_s == 0)
            fail(l, EXIT_OUT, l->f->repair, "%s: left out by rollout %s (%s), which is dead", node_name(l, n),
                 c->rollout, c->holder);
        else
            warn(l, "wait for its end; where it is dead, its claim runs out by itself",
                 "%s: claimed by rollout %s (%s), %u s left", node_name(l, n), c->rollout, c->holder, c->left_s);
    }
    if (!l->bad)
        ok(l, "no rollout has left a node out");
}

static void tell_out(struct look *l, void *ctx, uint32_t lb, const struct survey_upstream *u,
                     const struct survey_peer *peer, int32_t node)
{
    const struct survey_node *n = node >= 0 ? &l->s->nodes[node] : NULL;

    (void)ctx;
    if (n == NULL || n->status.claim.there)
        return;
    if (peer->state == PEER_UNAVAIL)
        warn(l, "see what the service answers there: nginx has given up on it for fail_timeout",
             "%s: %s of upstream %s at %s is unavail", node_name(l, n), peer->server, u->name, lb_name(l, lb));
    else if (peer->state == PEER_DOWN || peer->state == PEER_DRAINING)
        warn(l, "if it is to serve, PATCH {\"down\":false} there, or correct nginx's configuration",
             "%s: %s of upstream %s at %s is %s, and no claim says that a rollout did it", node_name(l, n),
             peer->server, u->name, lb_name(l, lb), peer->state == PEER_DOWN ? "down" : "draining");
}

static void check_rotation(struct look *l)
{
    each_peer(l, tell_out, NULL);
    if (!l->bad)
        ok(l, "every peer of ours that no rollout has claimed is up");
}

/* ---- agents */

static bool is_first_of_host(const struct look *l, uint32_t i)
{
    return i == 0 || l->s->nodes[i - 1].host != l->s->nodes[i].host; /* a host's services stand side by side */
}

static const char *mend_agent(const struct survey_node *n)
{
    if (n->call != CALL_FINE)
        return "see that rollout-agent runs there and is reached from here, and that the certificates on both sides "
               "are "
               "good: rollout-agent --check";
    if (strncmp(n->text, "unavailable:", 12) == 0) /* WIRE_UNAVAILABLE */
        return "on the node `systemctl status 'rollout-agent-helper@*.service'` says why the half that works has ended";
    return "mend what it says in the agent's configuration or the hosts file";
}

static void check_agents(struct look *l)
{
    for (uint32_t i = 0; i < l->s->n_nodes; i++) {
        const struct survey_node *n = &l->s->nodes[i];

        if (!n->good)
            fail(l, n->call == CALL_FINE ? EXIT_REFUSED : EXIT_UNREACHABLE, mend_agent(n), "%s: %s", node_name(l, n),
                 n->text);
        else if (strcmp(n->root.node, l->f->fleet->hosts[n->host].name) != 0)
            fail(l, EXIT_REFUSED, "correct the hosts file or its `node =`", "%s: the agent there calls itself %s",
                 l->f->fleet->hosts[n->host].name, n->root.node);
    }
    for (uint32_t i = 0; i < l->s->n_others; i++)
        if (!l->s->others[i].good)
            warn(l, "bring its agent back, or take the host out of the hosts file everywhere",
                 "%s has a vote (a load balancer is NGINX Plus): %s", node_name(l, &l->s->others[i]),
                 l->s->others[i].text);
    if (!l->bad)
        ok(l, "%u of %u answer", l->s->n_nodes, l->s->n_nodes);
}

static void check_versions(struct look *l)
{
    const struct survey_node *first = NULL;

    for (uint32_t i = 0; i < l->s->n_nodes; i++) {
        const struct survey_node *n = &l->s->nodes[i];

        if (!n->good || !is_first_of_host(l, i))
            continue;
        if (first == NULL)
            first = n;
        if (n->root.version != WIRE_VERSION)
            fail(l, EXIT_REFUSED, "upgrade the older of the two",
                 "%s: its agent speaks version %u of the contract, this rollout %d", node_name(l, n), n->root.version,
                 WIRE_VERSION);
        else if (strcmp(n->root.agent, first->root.agent) != 0)
            warn(l, "upgrade the older agent",
                 "%s has %s with %u features, %s has %s with %u: what not all can do is not done", node_name(l, first),
                 first->root.agent, first->root.n_features, node_name(l, n), n->root.agent, n->root.n_features);
    }
    if (!l->bad && first != NULL)
        ok(l, "%s everywhere", first->root.agent);
    else if (!l->bad)
        ok(l, "no agent has told");
}

static void check_end(struct look *l, const char *name, int64_t ends_s, int64_t *soonest_s, const char **whose)
{
    int64_t left_s = ends_s - l->f->now_s;

    if (ends_s <= 0)
        return;
    if (left_s < CERT_SOON_DAYS * DAY_S)
        warn(l, "rollout-pki renew, put it there, then systemctl reload (of the agents, or nginx)",
             "%s: its certificate ends in %" PRId64 " day%s", name, left_s / DAY_S, plural((uint64_t)(left_s / DAY_S)));
    if (*whose == NULL || ends_s < *soonest_s) {
        *soonest_s = ends_s;
        *whose = name;
    }
}

static void check_certificates(struct look *l)
{
    const char *whose = NULL;
    int64_t soonest_s = 0;

    for (uint32_t i = 0; i < l->s->n_lbs; i++)
        check_end(l, lb_name(l, i), l->s->lbs[i].cert_ends_s, &soonest_s, &whose);
    for (uint32_t i = 0; i < l->s->n_nodes; i++)
        check_end(l, l->f->fleet->hosts[l->s->nodes[i].host].name, l->s->nodes[i].cert_ends_s, &soonest_s, &whose);
    if (!l->bad && whose == NULL)
        ok(l, "none was shown");
    else if (!l->bad)
        ok(l, "the first ends in %" PRId64 " days (%s)", (soonest_s - l->f->now_s) / DAY_S, whose);
}

static void check_clocks(struct look *l)
{
    bool told = false;

    for (uint32_t i = 0; i < l->s->n_nodes; i++) {
        const struct survey_node *n = &l->s->nodes[i];

        told = told || n->has_clock;
        if (n->has_clock && is_first_of_host(l, i) && (n->ahead_s > CLOCK_MAX_S || n->ahead_s < -CLOCK_MAX_S))
            warn(l, "let both keep time: timedatectl set-ntp true", "%s: its clock is %" PRId64 " s %s ours",
                 l->f->fleet->hosts[n->host].name, n->ahead_s < 0 ? -n->ahead_s : n->ahead_s,
                 n->ahead_s < 0 ? "behind" : "ahead of");
    }
    if (!l->bad && told)
        ok(l, "within %d s of ours", CLOCK_MAX_S);
    else if (!l->bad)
        ok(l, "no agent has told");
}

static void check_units(struct look *l)
{
    for (uint32_t i = 0; i < l->s->n_nodes; i++)
        for (uint32_t k = 0; l->s->nodes[i].good && k < l->s->nodes[i].status.n_warnings; k++)
            warn(l,
                 "do what it says, or what rollout-agent --check, there, prints; systemctl daemon-reload; reload the "
                 "agent",
                 "%s: %s", node_name(l, &l->s->nodes[i]), l->s->nodes[i].status.warnings[k]);
    if (!l->bad)
        ok(l, "no agent knows of one that a handover would kill");
}

/* Whether this release may be taken is plan_make's. */
static void check_signatures(struct look *l)
{
    const struct survey_node *first = NULL;
    uint32_t n = 0;

    for (uint32_t i = 0; i < l->s->n_nodes; i++)
        if (l->s->nodes[i].good && l->s->nodes[i].status.signing_required && n++ == 0)
            first = &l->s->nodes[i];
    if (first == NULL)
        ok(l, "no agent wants one");
    else if (l->f->request->has_release && l->f->request->signature.there)
        ok(l, "%u agent%s want%s one, and %s.minisig is there", n, plural(n), n == 1 ? "s" : "",
           l->f->options->release);
    else if (!l->f->request->has_release)
        ok(l, "%s%s take%s signed releases only: a --release FILE needs FILE.minisig beside it", node_name(l, first),
           n > 1 ? " and others" : "", n == 1 ? "s" : "");
}

/* ---- the plan */

/* What a FAIL says already is not said again. */
static bool is_told(const struct doctor *d, const char *line)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->rows[i].result == DOCTOR_FAIL && strstr(line, d->rows[i].detail) != NULL)
            return true;
    return false;
}

/* A complaint is "what is wrong; what mends it", or the former alone. */
static void take_complaint(struct look *l, const char *line, int code, const char *other)
{
    char *end_it =
        mem_format("wait for its end, or end it: rollout abort %s --hosts FILE", other != NULL ? other : "ID");
    const char *semicolon = strstr(line, "; ");
    int length = semicolon != NULL ? (int)(semicolon - line) : (int)strlen(line);
    const char *mend = semicolon != NULL          ? semicolon + 2
                       : code == EXIT_UNREACHABLE ? "see that it runs there, and is reached from here"
                       : code == EXIT_HELD        ? end_it
                                                  : "rollout plan tells all that it refuses";

    if (code == EXIT_HELD)
        warn(l, mend, "%.*s", length, line);
    else
        fail(l, code, mend, "%.*s", length, line);
    free(end_it);
}

static void check_plan(struct look *l)
{
    const struct complaints *c = l->f->complaints;
    size_t before = l->d->n;
    uint32_t n = 0;

    if (l->f->plan != NULL) {
        for (uint32_t i = 0; i < l->f->plan->n_nodes; i++)
            n += l->f->plan->nodes[i].at_target ? 0 : 1;
        ok(l, "%u of %u node%s to %s, no upstream below its floor", n, l->f->plan->n_nodes, plural(l->f->plan->n_nodes),
           l->f->plan->has_release ? "upgrade" : "restart");
        return;
    }
    for (size_t i = 0; i < c->n; i++)
        if (!is_told(l->d, c->lines[i]))
            take_complaint(l, c->lines[i], c->codes[i], c->others[i]);
    if (l->d->n == before)
        warn(l, "mend what is above", "whether capacity is enough is not known yet");
}

void doctor_examine(struct doctor *d, const struct doctor_facts *f)
{
    static const struct {
        const char *what;
        void (*check)(struct look *);
    } checks[] = {
        {"load balancers", check_lbs},
        {"changes", check_writable},
        {"state kept", check_state},
        {"peers", check_peers},
        {"peers without an agent", check_foreign},
        {"left out", check_claims},
        {"in rotation", check_rotation},
        {"agents", check_agents},
        {"agent versions", check_versions},
        {"certificates", check_certificates},
        {"clocks", check_clocks},
        {"units", check_units},
        {"signatures", check_signatures},
        {"plan", check_plan},
    };

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct look l = {.d = d, .f = f, .s = f->survey, .what = checks[i].what};

        checks[i].check(&l);
    }
}

/* ---- what comes of it */

static int badness(int code)
{
    return code == EXIT_OUT ? 3 : code == EXIT_REFUSED ? 2 : code == EXIT_UNREACHABLE ? 1 : 0;
}

int doctor_exit_code(const struct doctor *d)
{
    int code = 0;

    for (size_t i = 0; i < d->n; i++)
        if (badness(d->rows[i].code) > badness(code))
            code = d->rows[i].code;
    return code;
}

/* What others say is nothing that a terminal obeys. */
static void put_plain(FILE *to, const char *text)
{
    for (; *text != '\0'; text++)
        (void)fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, to);
    (void)fputc('\n', to);
}

void doctor_print(FILE *to, const struct doctor *d)
{
    static const char *const words[] = {"ok", "warn", "FAIL"};
    int width = 0;

    for (size_t i = 0; i < d->n; i++)
        width = (int)strlen(d->rows[i].what) > width ? (int)strlen(d->rows[i].what) : width;
    for (size_t i = 0; i < d->n; i++) {
        const struct doctor_finding *row = &d->rows[i];

        (void)fprintf(to, "%-4s  %-*s  ", words[row->result], width, row->what);
        put_plain(to, row->detail);
        if (row->mend == NULL)
            continue;
        (void)fputs("      mend: ", to);
        put_plain(to, row->mend);
    }
}

json_t *doctor_json(const struct doctor *d)
{
    static const char *const words[] = {"ok", "warn", "fail"};
    json_t *list = mem_must(json_array());

    for (size_t i = 0; i < d->n; i++)
        json_append(list, json_pack("{s:s,s:s,s:o,s:o}", "result", words[d->rows[i].result], "what", d->rows[i].what,
                                    "detail", json_text(d->rows[i].detail), "mend",
                                    d->rows[i].mend != NULL ? json_text(d->rows[i].mend) : json_null()));
    return mem_must(json_pack("{s:i,s:o}", "exit_code", doctor_exit_code(d), "findings", list));
}

void doctor_clear(struct doctor *d)
{
    for (size_t i = 0; i < d->n; i++) {
        free(d->rows[i].detail);
        free(d->rows[i].mend);
    }
    free(d->rows);
    *d = (struct doctor){0};
}
