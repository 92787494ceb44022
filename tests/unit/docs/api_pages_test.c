/* docs/api-agent.md and docs/api-module.md have each row of the tables that they tell of, as it is, and no other. That
 * their examples are true is tests/cases/docs_case.c's to show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/claim.h"
#include "agent/conn.h"
#include "agent/health.h"
#include "agent/http.h"
#include "agent/job.h"
#include "agent/wire.h"
#include "page.h"

#define AGENT_PAGE  "docs/api-agent.md"
#define MODULE_PAGE "docs/api-module.md"
#define COUNT(a)    (sizeof(a) / sizeof *(a))

/* A table of the code: the first cell of a row is found by its word, and each row once. */
struct code_row {
    const char *word, *second; /* second: what another cell must be; NULL: anything */
    unsigned seen;
};
static struct code_row *row_of(struct code_row *rows, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].word, word) == 0)
            return &rows[i];
    return NULL;
}

static void check_rows(const char *path, const char *head, size_t word_cell, size_t second_cell, struct code_row *rows,
                       size_t n)
{
    struct page_rows page = {.at = page_of(path), .head = head};
    struct page_row row;

    while (page_row(&page, &row)) {
        struct code_row *known = row_of(rows, n, row.cells[word_cell]);
        if (known == NULL)
            fail_msg("%s: \"%s\" stands below \"%s\", and is not in the code", path, row.cells[word_cell], head);
        if (known->second != NULL && strcmp(row.cells[second_cell], known->second) != 0)
            fail_msg("%s: %s is \"%s\" there, and \"%s\" in the code", path, known->word, row.cells[second_cell],
                     known->second);
        known->seen++;
    }
    for (size_t i = 0; i < n; i++)
        if (rows[i].seen != 1)
            fail_msg("%s: %s stands %u times below \"%s\"", path, rows[i].word, rows[i].seen, head);
}

/* ---- the agent's */

struct agent_route {
    const char *method, *pattern;
};
static const struct agent_route AGENT_ROUTES[] = {
#define ROUTE(method, pattern, body, handler) {method, pattern},
#include "agent/routes.def"
#undef ROUTE
};

/* What is sent in an example, "GET /v1/services/app?x=1", is of this route: {app} is app, {hex} and {id} what is there.
 */
static bool is_of(const char *line, const struct agent_route *r)
{
    size_t n = strlen(r->method);
    const char *p = r->pattern;

    if (strncmp(line, r->method, n) != 0 || line[n] != ' ')
        return false;
    for (line += n + 1; *p != '\0';)
        if (strncmp(p, "{app}", 5) == 0 && strncmp(line, "app", 3) == 0) {
            p += 5;
            line += 3;
        } else if (*p == '{') {
            return *line != '\0';
        } else if (*p++ != *line++) {
            return false;
        }
    return *line == '\0' || *line == '?';
}

static void each_route_of_the_agent_has_its_section_and_an_example(void **state)
{
    char *page = page_of(AGENT_PAGE), *line;

    (void)state;
    for (size_t i = 0; i < COUNT(AGENT_ROUTES); i++) {
        const struct agent_route *r = &AGENT_ROUTES[i];
        bool shown = false;
        char heading[128], *section;

        (void)snprintf(heading, sizeof heading, "### `%s %s`", r->method, r->pattern);
        section = page_section(page, heading);
        if (section == NULL) {
            fail_msg(AGENT_PAGE ": there is no section \"%s\"", heading);
            return;
        }
        for (const char *at = section, *in = page_block(&at, "http"); in != NULL && page_line(&in, &line);)
            shown = shown || is_of(line, r);
        if (!shown)
            fail_msg(AGENT_PAGE ": \"%s\" has no example of it", heading);
    }
}

static void the_agents_page_names_no_route_that_it_has_not(void **state)
{
    const char *at = page_of(AGENT_PAGE);
    unsigned found = 0;
    char *line;

    (void)state;
    for (; page_line(&at, &line); found++) {
        bool known = false;
        if (strncmp(line, "### `", 5) != 0)
            continue;
        for (size_t i = 0; i < COUNT(AGENT_ROUTES); i++) {
            size_t n = strlen(AGENT_ROUTES[i].method);
            known = known || (strncmp(line + 5, AGENT_ROUTES[i].method, n) == 0 &&
                              strncmp(line + 6 + n, AGENT_ROUTES[i].pattern, strlen(AGENT_ROUTES[i].pattern)) == 0 &&
                              strcmp(line + 6 + n + strlen(AGENT_ROUTES[i].pattern), "`") == 0);
        }
        if (!known)
            fail_msg(AGENT_PAGE ": \"%s\" is no route", line);
    }
    assert_true(found > 0);
}

static void the_agents_codes_are_on_its_page_with_their_status(void **state)
{
    static struct code_row refusals[64], ends[64];
    static char status[64][8];
    size_t n_refusals = 0, n_ends = 0;

    (void)state;
#define X(name, http_status, text)                                                                                     \
    if ((http_status) == 0) {                                                                                          \
        ends[n_ends++] = (struct code_row){text, NULL, 0};                                                             \
    } else {                                                                                                           \
        (void)snprintf(status[n_refusals], sizeof *status, "%d", http_status);                                         \
        refusals[n_refusals] = (struct code_row){text, status[n_refusals], 0};                                         \
        n_refusals++;                                                                                                  \
    }
    WIRE_CODES(X)
#undef X
    check_rows(AGENT_PAGE, "| status | code | what, and what to do |", 1, 0, refusals, n_refusals);
    check_rows(AGENT_PAGE, "| code | what |", 0, 0, ends, n_ends);
}

static void the_agents_limits_are_those_of_its_headers(void **state)
{
    static const struct {
        const char *name;
        unsigned long long value;
    } limits[] = {
#define LIMIT(name) {#name, (unsigned long long)(name)}
        LIMIT(WIRE_BODY_MAX),     LIMIT(WIRE_WAIT_MAX_MS),   LIMIT(WIRE_ID_MAX),     LIMIT(WIRE_NODE_MAX),
        LIMIT(WIRE_JOB_MAX),      LIMIT(WIRE_HOLDER_MAX),    LIMIT(WIRE_WISH_KEPT),  LIMIT(WIRE_WISH_MAX_S),
        LIMIT(WIRE_WISH_FIRST_S), LIMIT(WIRE_WISH_HEARD_S),  LIMIT(HTTP_HEAD_MAX),   LIMIT(CONN_SHAKE_MS),
        LIMIT(CONN_HEAD_MS),      LIMIT(CONN_BODY_MS),       LIMIT(CONN_UPLOAD_MS),  LIMIT(CONN_IDLE_MS),
        LIMIT(CONN_AGE_MS),       LIMIT(CONN_UNKNOWN_MAX),   LIMIT(CLAIM_TTL_MAX_S), LIMIT(JOBS_KEPT),
        LIMIT(HEALTH_BODY_MAX),   LIMIT(CLAIM_TOOK_OUT_MAX),
#undef LIMIT
    };
    struct page_rows rows = {.at = page_of(AGENT_PAGE), .head = "| what | limit | in the code |"};
    unsigned seen[COUNT(limits)] = {0};
    struct page_row row;

    (void)state;
    while (page_row(&rows, &row)) {
        bool known = false;
        for (size_t i = 0; i < COUNT(limits); i++) {
            if (strcmp(limits[i].name, row.cells[2]) != 0)
                continue;
            known = true;
            seen[i]++;
            if (strtoull(row.cells[1], NULL, 10) != limits[i].value)
                fail_msg(AGENT_PAGE ": %s is %s there, and %llu in the code", limits[i].name, row.cells[1],
                         limits[i].value);
        }
        if (!known)
            fail_msg(AGENT_PAGE ": %s is no limit that this test knows", row.cells[2]);
    }
    for (size_t i = 0; i < COUNT(limits); i++)
        if (seen[i] != 1)
            fail_msg(AGENT_PAGE ": %s stands there %u times", limits[i].name, seen[i]);
}

/* ---- the module's */

static struct module_route {
    const char *path;
    unsigned since;
    bool fields, patch;
    unsigned seen;
} module_routes[] = {
#define NONE                                                false
#define OBJECT                                              true
#define MAP                                                 true
#define ROUTE(name, path, since, about, fields, get, patch) {path, since, fields, sizeof #patch != sizeof "NULL", 0},
#include "deploy/nginx-module/route.def"
#undef ROUTE
#undef NONE
#undef OBJECT
#undef MAP
};

static void check_module_route(const char *path, const struct page_row *row)
{
    for (size_t i = 0; i < COUNT(module_routes); i++) {
        struct module_route *r = &module_routes[i];
        if (strcmp(r->path, strcmp(path, "/") == 0 ? "" : path) != 0)
            continue;
        if (strtoul(row->cells[1], NULL, 10) != r->since || (strcmp(row->cells[2], "yes") == 0) != r->fields ||
            (strstr(row->cells[3], "**PATCH**") != NULL) != r->patch)
            fail_msg(MODULE_PAGE ": %s: version, fields or PATCH are not the code's", path);
        r->seen++;
        return;
    }
    fail_msg(MODULE_PAGE ": %s is no route", path);
}

static void the_modules_routes_are_on_its_page(void **state)
{
    struct page_rows rows = {.at = page_of(MODULE_PAGE), .head = "| path | from version | `?fields=` | what |"};
    struct page_row row;

    (void)state;
    while (page_row(&rows, &row)) {
        char *rest = NULL;
        for (char *path = strtok_r(row.cells[0], "`, ", &rest); path != NULL; path = strtok_r(NULL, "`, ", &rest))
            check_module_route(path, &row);
    }
    for (size_t i = 0; i < COUNT(module_routes); i++)
        if (module_routes[i].seen != 1)
            fail_msg(MODULE_PAGE ": %s stands there %u times", module_routes[i].path, module_routes[i].seen);
}

#define MODULE_CODES "| status | code | Plus | what, and what to do |"

static void the_modules_codes_are_on_its_page_with_their_status(void **state)
{
    static struct code_row by_status[] = {
#define ERROR(name, status, code) {code, #status, 0},
#include "deploy/nginx-module/error.def"
#undef ERROR
    };
    enum {
#define ERROR(name, status, code) AT_##name,
#include "deploy/nginx-module/error.def"
#undef ERROR
    };
    static struct code_row by_owner[COUNT(by_status)];

    (void)state;
    for (size_t i = 0; i < COUNT(by_status); i++)
        by_owner[i] = (struct code_row){by_status[i].word, i < AT_BODY_SIZE ? "yes" : "no", 0};
    check_rows(MODULE_PAGE, MODULE_CODES, 1, 0, by_status, COUNT(by_status));
    check_rows(MODULE_PAGE, MODULE_CODES, 1, 2, by_owner, COUNT(by_owner));
}

static void the_modules_members_are_on_its_page(void **state)
{
    static struct code_row members[] = {
#define PARAM(name, type, take, takes)      {name, "yes", 0},
#define HTTP_PARAM(name, type, take, takes) {name, "no", 0},
#include "deploy/nginx-module/params.def"
#undef PARAM
#undef HTTP_PARAM
    };
    static const char *const takes[] = {
#define PARAM(name, type, take, takes)      takes,
#define HTTP_PARAM(name, type, take, takes) takes,
#include "deploy/nginx-module/params.def"
#undef PARAM
#undef HTTP_PARAM
    };
    struct page_rows rows = {.at = page_of(MODULE_PAGE), .head = "| member | takes | stream |"};
    struct page_row row;

    (void)state;
    check_rows(MODULE_PAGE, rows.head, 0, 2, members, COUNT(members));
    while (page_row(&rows, &row)) {
        const char *text = takes[row_of(members, COUNT(members), row.cells[0]) - members];
        if (strncmp(row.cells[1], text, strlen(text)) != 0)
            fail_msg(MODULE_PAGE ": %s takes \"%s\" there, and \"%s\" in the code", row.cells[0], row.cells[1], text);
    }
}

static void the_leases_headers_are_on_the_modules_page(void **state)
{
    static struct code_row needed[] = {
#define HEADER(field, reader, always, name, takes) {name, (always) ? "yes" : "no", 0},
#include "deploy/nginx-module/lease_headers.def"
#undef HEADER
    };
    static struct code_row take[] = {
#define HEADER(field, reader, always, name, takes) {name, takes, 0},
#include "deploy/nginx-module/lease_headers.def"
#undef HEADER
    };

    (void)state;
    check_rows(MODULE_PAGE, "| header | always | takes |", 0, 1, needed, COUNT(needed));
    check_rows(MODULE_PAGE, "| header | always | takes |", 0, 2, take, COUNT(take));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_route_of_the_agent_has_its_section_and_an_example),
        cmocka_unit_test(the_agents_page_names_no_route_that_it_has_not),
        cmocka_unit_test(the_agents_codes_are_on_its_page_with_their_status),
        cmocka_unit_test(the_agents_limits_are_those_of_its_headers),
        cmocka_unit_test(the_modules_routes_are_on_its_page),
        cmocka_unit_test(the_modules_codes_are_on_its_page_with_their_status),
        cmocka_unit_test(the_modules_members_are_on_its_page),
        cmocka_unit_test(the_leases_headers_are_on_the_modules_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
