#include "agents.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/sha256.h"
#include "status.h"

enum { EXIT_OUT = 3, EXIT_NOT_ASKED = 4 };

#define COLUMNS    9
#define CELL       96
#define DAY_S      86400
#define HASH_SHOWN 8 /* digits */

bool agents_is_out(const struct agent_status *s)
{
    return s->claim.there && s->claim.n_took_out > 0;
}

int agents_exit_code(const struct agents *a)
{
    int code = 0;

    for (size_t i = 0; i < a->n; i++) {
        if (!a->rows[i].good)
            code = code == 0 ? EXIT_NOT_ASKED : code;
        for (uint32_t k = 0; k < a->rows[i].n_services; k++)
            if (agents_is_out(&a->rows[i].services[k]))
                code = EXIT_OUT;
    }
    return code;
}

void agents_clear(struct agents *a)
{
    for (size_t i = 0; i < a->n; i++) {
        for (uint32_t k = 0; k < a->rows[i].n_services; k++)
            agent_status_clear(&a->rows[i].services[k]);
        free(a->rows[i].services);
        agent_root_clear(&a->rows[i].root);
    }
    free(a->rows);
    *a = (struct agents){0};
}

/* ---- text */

static const char *const headings[COLUMNS] = {"NODE", "SERVICE", "VERSION", "RUNNING", "INSTALLED",
                                              "PID",  "CLAIM",   "JOB",     "AGENT"};

struct table {
    char (*cells)[COLUMNS][CELL];
    const struct agents_row **of; /* the row's agent */
    size_t n;
};

/* A terminal is not to obey what a service calls its version. */
static void put(char cell[CELL], const char *text)
{
    (void)snprintf(cell, CELL, "%s", text != NULL && text[0] != '\0' ? text : "-");
    for (char *c = cell; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
}

static void put_hash(char cell[CELL], bool there, const uint8_t sha256[32])
{
    char hex[SHA256_DIGITS + 1];

    sha256_hex(sha256, hex);
    (void)snprintf(cell, CELL, "%.*s", HASH_SHOWN, there ? hex : "-");
}

static void put_claim(char cell[CELL], const struct agent_status *s)
{
    char text[CELL];

    (void)snprintf(text, sizeof text, "%s%.60s%s", agents_is_out(s) ? "OUT, " : "",
                   s->claim.there ? s->claim.rollout : "", s->claim.there && s->claim.left_s == 0 ? ", run out" : "");
    put(cell, text);
}

static void put_job(char cell[CELL], const struct agent_job *j)
{
    char text[CELL] = "";

    if (j->id != NULL)
        (void)snprintf(text, sizeof text, "%.20s %.40s", j->action != NULL ? j->action : "job",
                       j->state == JOB_RUNNING ? "running"
                       : j->code != NULL       ? j->code
                       : j->state == JOB_DONE  ? "done"
                                               : "failed");
    put(cell, text);
}

static void add(struct table *t, const struct agents_row *row, const struct agent_status *s)
{
    char(*cells)[CELL] = t->cells[t->n];

    t->of[t->n++] = row;
    put(cells[0], row->node);
    if (s == NULL)
        return;
    put(cells[1], s->service);
    put(cells[2], s->version);
    put_hash(cells[3], s->running, s->ident.sha256);
    put_hash(cells[4], s->has_installed, s->installed);
    (void)snprintf(cells[5], CELL, s->running ? "%u" : "-", s->ident.pid);
    put_claim(cells[6], s);
    put_job(cells[7], &s->job);
    put(cells[8], row->root.agent);
}

static struct table tabled(const struct agents *a)
{
    struct table t = {0};
    size_t most = 0;

    for (size_t i = 0; i < a->n; i++)
        most += a->rows[i].n_services > 0 ? a->rows[i].n_services : 1;
    t.cells = mem_zero(most, sizeof *t.cells);
    t.of = mem_zero(most, sizeof *t.of);
    for (size_t i = 0; i < a->n; i++) {
        const struct agents_row *row = &a->rows[i];
        if (!row->good || row->n_services == 0)
            add(&t, row, NULL);
        for (uint32_t k = 0; row->good && k < row->n_services; k++)
            add(&t, row, &row->services[k]);
    }
    return t;
}

static void measure(const struct table *t, int widths[COLUMNS])
{
    for (size_t c = 0; c < COLUMNS; c++)
        widths[c] = (int)strlen(headings[c]);
    for (size_t i = 0; i < t->n; i++)
        for (size_t c = 0; c < COLUMNS; c++)
            if ((int)strlen(t->cells[i][c]) > widths[c])
                widths[c] = (int)strlen(t->cells[i][c]);
}

static void print_ends(FILE *to, int64_t ends_s, int64_t now_s)
{
    if (ends_s <= 0)
        (void)fputs("-\n", to);
    else if (ends_s <= now_s)
        (void)fputs("RUN OUT\n", to);
    else
        (void)fprintf(to, "%lldd left\n", (long long)((ends_s - now_s) / DAY_S));
}

void agents_print(FILE *to, const struct agents *a, int64_t now_s)
{
    struct table t = tabled(a);
    int widths[COLUMNS];

    measure(&t, widths);
    for (size_t c = 0; c < COLUMNS; c++)
        (void)fprintf(to, "%-*s  ", widths[c], headings[c]);
    (void)fputs("CERTIFICATE\n", to);
    for (size_t i = 0; i < t.n; i++) {
        const struct agents_row *row = t.of[i];
        (void)fprintf(to, "%-*s  ", widths[0], t.cells[i][0]);
        if (!row->good || row->n_services == 0) {
            char why[ANSWER_TEXT_MAX];
            (void)snprintf(why, sizeof why, "%s", row->good ? "has no such service" : row->text);
            for (char *c = why; *c != '\0'; c++)
                if ((unsigned char)*c < ' ' || *c == 0x7f)
                    *c = '?';
            (void)fprintf(to, "%s\n", why);
            continue;
        }
        for (size_t c = 1; c < COLUMNS; c++)
            (void)fprintf(to, "%-*s  ", widths[c], t.cells[i][c]);
        print_ends(to, row->cert_ends_s, now_s);
    }
    free(t.cells);
    free((void *)t.of);
}

/* ---- JSON */

static json_t *text_or_null(const char *text)
{
    return text != NULL ? json_text(text) : json_null();
}

static json_t *hash_or_null(bool there, const uint8_t sha256[32])
{
    char hex[SHA256_DIGITS + 1];

    sha256_hex(sha256, hex);
    return there ? json_string(hex) : json_null();
}

static json_t *claim_json(const struct agent_claim *c)
{
    if (!c->there)
        return json_null();
    return json_pack("{s:o,s:o,s:I,s:I}", "rollout", json_text(c->rollout), "holder", json_text(c->holder), "fence",
                     (json_int_t)c->fence, "left", (json_int_t)c->left_s);
}

static json_t *job_json(const struct agent_job *j)
{
    if (j->id == NULL)
        return json_null();
    return json_pack("{s:o,s:o,s:s,s:o}", "id", json_text(j->id), "action", text_or_null(j->action), "state",
                     j->state == JOB_RUNNING ? "running"
                     : j->state == JOB_DONE  ? "done"
                                             : "failed",
                     "code", text_or_null(j->code));
}

static json_t *service_json(const struct agent_status *s)
{
    return json_pack("{s:o,s:o,s:b,s:o,s:o,s:o,s:b,s:o,s:o}", "service", json_text(s->service), "version",
                     text_or_null(s->version), "running", s->running, "pid",
                     s->running ? json_integer((json_int_t)s->ident.pid) : json_null(), "running_sha256",
                     hash_or_null(s->running, s->ident.sha256), "installed_sha256",
                     hash_or_null(s->has_installed, s->installed), "out", agents_is_out(s), "claim",
                     claim_json(&s->claim), "job", job_json(&s->job));
}

json_t *agents_json(const struct agents *a)
{
    json_t *list = mem_must(json_array());

    for (size_t i = 0; i < a->n; i++) {
        const struct agents_row *row = &a->rows[i];
        json_t *services = mem_must(json_array());
        char ends[STATUS_TIME];

        for (uint32_t k = 0; k < row->n_services; k++)
            json_append(services, service_json(&row->services[k]));
        json_append(list, json_pack("{s:o,s:b,s:o,s:o,s:o,s:o}", "node", json_text(row->node), "reachable", row->good,
                                    "why", row->good ? json_null() : json_text(row->text), "agent",
                                    text_or_null(row->root.agent), "certificate_ends",
                                    row->cert_ends_s > 0 ? json_string(status_time(row->cert_ends_s * 1000, ends))
                                                         : json_null(),
                                    "services", services));
    }
    return mem_must(json_pack("{s:o}", "agents", list));
}
