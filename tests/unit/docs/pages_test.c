/* docs/hosts.md and docs/architecture.md say what the parser and the tables say: examples are read, lists are made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/fleet.h"
#include "controller/node.h"
#include "controller/pattern.h"
#include "page.h"

#define HOSTS_PAGE        "docs/hosts.md"
#define ARCHITECTURE_PAGE "docs/architecture.md"
#define TEXT_MAX          65536

/* ---- lists that are made */

/* What stands between "<!-- made: NAME, ... -->" and "<!-- end: NAME -->" is `text`; GOLDEN=write makes it so. */
static void check_made(const char *path, const char *name, const char *text)
{
    char *page = page_of(path), begin[64], end[64];
    const char *mode = getenv("GOLDEN"), *from, *to;

    (void)snprintf(begin, sizeof begin, "<!-- made: %s,", name);
    (void)snprintf(end, sizeof end, "<!-- end: %s -->", name);
    from = strstr(page, begin);
    from = from != NULL ? strchr(from, '\n') : NULL;
    to = from != NULL ? strstr(from, end) : NULL;
    if (from == NULL || to == NULL) {
        fail_msg("%s: there is no place for the list \"%s\"", path, name);
        return;
    }
    from++;
    if ((size_t)(to - from) == strlen(text) && strncmp(from, text, strlen(text)) == 0)
        return;
    if (mode == NULL || strcmp(mode, "write") != 0)
        fail_msg("%s: the list \"%s\" should be\n%s", path, name, text);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    (void)fprintf(f, "%.*s%s%s", (int)(from - page), page, text, to);
    assert_int_equal(fclose(f), 0);
}

/* As a table's cell takes it. */
static void put_cell(FILE *f, const char *text, bool code)
{
    (void)fputs(code ? " `" : " ", f);
    for (; *text != '\0'; text++)
        (void)fprintf(f, *text == '|' ? "\\|" : "%c", *text);
    (void)fputs(code ? "` |" : " |", f);
}

static void the_keys_of_the_hosts_file_are_those_of_the_options_table(void **state)
{
    static const char *const whose[] = {
        [SCOPE_NOT_HOSTS] = "", [SCOPE_OF_HOST] = "host", [SCOPE_OF_NODES] = "nodes", [SCOPE_OF_ALL] = "all"};
    static char text[TEXT_MAX];
    FILE *f = fmemopen(text, sizeof text, "w");

    (void)state;
    assert_non_null(f);
    (void)fputs("| key | takes | default | whose | meaning |\n| --- | --- | --- | --- | --- |\n", f);
    for (int with_flag = 0; with_flag < 2; with_flag++) /* those that are explained nowhere else first */
        for (int i = 0; i < OPT_COUNT; i++) {
            const struct option_row *row = &option_rows[i];
            if (row->key == NULL || (row->flag != NULL) != with_flag)
                continue;
            (void)fputs("|", f);
            put_cell(f, row->key, true);
            put_cell(f, row->argument, true);
            put_cell(f, row->fallback != NULL ? row->fallback : "", row->fallback != NULL);
            put_cell(f, whose[row->scope], false);
            put_cell(f, row->help, false);
            (void)fputs("\n", f);
        }
    assert_int_equal(fclose(f), 0);
    check_made(HOSTS_PAGE, "keys", text);
}

static void the_steps_on_the_architecture_page_are_those_of_node_def(void **state)
{
    static char text[TEXT_MAX];
    FILE *f = fmemopen(text, sizeof text, "w");

    (void)state;
    assert_non_null(f);
    (void)fputs(
        "| step | waits for | good | bad | limit | stop | resume |\n| --- | --- | --- | --- | --- | --- | --- |\n", f);
    for (int i = 0; i < STEP_COUNT; i++) {
        const struct step_row *row = step_row((enum step)i);
        if (row->ask == ASK_NONE)
            continue;
        (void)fprintf(f, "| `%s`%s | %s | %s | %s | %s | %s | %s |\n", row->name, row->effect ? " !" : "",
                      row->waits_for, step_row(row->on_good)->name, step_row(row->on_bad)->name,
                      step_row(row->on_limit)->name, step_row(row->on_stop)->name, step_row(row->on_resume)->name);
    }
    assert_int_equal(fclose(f), 0);
    check_made(ARCHITECTURE_PAGE, "steps", text);
}

static int step_of(const char *name)
{
    for (int i = 0; i < STEP_COUNT; i++)
        if (strcmp(step_row((enum step)i)->name, name) == 0)
            return i;
    fail_msg(ARCHITECTURE_PAGE ": %s is no step", name);
    return 0;
}

/* "good: a > b": each is where a row leads to; of the good way, where it leads when all is well. */
static void the_ways_on_the_architecture_page_are_those_of_node_def(void **state)
{
    const char *at = page_of(ARCHITECTURE_PAGE), *in = page_block(&at, "steps");
    unsigned ways = 0;
    char *line;

    (void)state;
    for (; in != NULL && page_line(&in, &line); ways++) {
        char *rest = strstr(line, ": "), *word = strtok_r(rest, ":> ", &rest);
        int from = step_of(word);
        while ((word = strtok_r(NULL, "> ", &rest)) != NULL) {
            const struct step_row *row = step_row((enum step)from);
            int to = step_of(word);
            bool leads = strncmp(line, "good:", 5) == 0
                             ? to == (int)row->on_good
                             : to == (int)row->on_good || to == (int)row->on_bad || to == (int)row->on_limit;
            if (!leads)
                fail_msg(ARCHITECTURE_PAGE ": %s does not lead to %s", row->name, word);
            from = to;
        }
    }
    assert_in_range(ways, 5, 20);
}

/* ---- examples of the hosts file */

static struct fleet *read_fleet(const char *text, struct err *err)
{
    struct fleet *fleet = NULL;

    (void)fleet_parse("fleet.ini", text, strlen(text), &fleet, err);
    return fleet;
}

static void check_names(const struct fleet *fleet, const char *block, const char *want)
{
    char names[TEXT_MAX] = "";
    size_t used = 0;

    for (uint32_t i = 0; i < fleet->n_hosts; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? " " : "", fleet->hosts[i].name);
    if (strcmp(names, want) != 0)
        fail_msg(HOSTS_PAGE ": the hosts are \"%s\", not \"%s\", in\n%s", names, want, block);
}

static const char *value_of(const struct fleet *fleet, uint32_t host, const char *key, size_t n)
{
    const struct fleet_host *h = &fleet->hosts[host];

    if (n == 3 && strncmp(key, "api", 3) == 0)
        return h->api_url;
    if (n == 5 && strncmp(key, "agent", 5) == 0)
        return h->agent_url;
    if (n == 7 && strncmp(key, "address", 7) == 0)
        return h->address;
    if (n == 4 && strncmp(key, "peer", 4) == 0)
        return h->peer;
    for (int i = 0; i < OPT_COUNT; i++)
        if (option_rows[i].key != NULL && strlen(option_rows[i].key) == n && strncmp(option_rows[i].key, key, n) == 0)
            return fleet_text(fleet, host, (enum option_id)i);
    fail_msg(HOSTS_PAGE ": %.*s is no key", (int)n, key);
    return NULL;
}

/* The start of the next "key=" behind a blank: a value may have blanks. */
static const char *next_key(const char *at)
{
    for (; *at != '\0'; at++)
        if (*at == ' ') {
            size_t n = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz_");
            if (n > 0 && at[1 + n] == '=')
                return at;
        }
    return at;
}

/* "web1: rollout_zone=a api=https://..." */
static void check_values(const struct fleet *fleet, const char *line)
{
    size_t size = (size_t)(strstr(line, ": ") - line);
    char name[FLEET_NAME_MAX + 1];
    int64_t host;

    (void)snprintf(name, sizeof name, "%.*s", (int)size, line);
    host = fleet_find_host(fleet, name);
    if (host < 0)
        fail_msg(HOSTS_PAGE ": %s is no host", name);
    for (const char *at = line + size + 2, *end; *at != '\0'; at = end + (*end == ' ')) {
        size_t n = strcspn(at, "=");
        const char *value = value_of(fleet, (uint32_t)host, at, n);
        end = next_key(at + n);
        if (value == NULL || strlen(value) != (size_t)(end - at) - n - 1 ||
            strncmp(value, at + n + 1, strlen(value)) != 0)
            fail_msg(HOSTS_PAGE ": %s: \"%.*s\", but it is \"%s\"", name, (int)(end - at), at,
                     value != NULL ? value : "nothing");
    }
}

/* One block: what its last comments say holds. Returns how many said something. */
static unsigned check_block(const char *block)
{
    struct err err = {""};
    struct fleet *fleet = read_fleet(block, &err);
    const char *at = block, *refused = strstr(block, "# refused: ");
    unsigned said = refused != NULL;
    char *line;

    if (refused != NULL) {
        refused = page_keep(refused + 11, strcspn(refused + 11, "\n"));
        if (fleet != NULL || strcmp(err.text, refused) != 0)
            fail_msg(HOSTS_PAGE ": should be refused with \"%s\" but is%s with \"%s\":\n%s", refused,
                     fleet != NULL ? " taken" : "", err.text, block);
        return said;
    }
    if (fleet == NULL)
        fail_msg(HOSTS_PAGE ": %s in\n%s", err.text, block);
    while (page_line(&at, &line)) {
        if (strncmp(line, "# hosts: ", 9) == 0)
            check_names(fleet, block, line + 9);
        else if (strncmp(line, "# ", 2) == 0 && strstr(line, ": ") != NULL)
            check_values(fleet, line + 2);
        else
            continue;
        said++;
    }
    fleet_free(&fleet);
    return said;
}

static void each_example_of_the_hosts_page_means_what_it_says(void **state)
{
    const char *at = page_of(HOSTS_PAGE);
    unsigned blocks = 0;

    (void)state;
    for (char *block; (block = page_block(&at, "ini")) != NULL; blocks++)
        if (check_block(block) == 0)
            fail_msg(HOSTS_PAGE ": this example says nothing of what it means:\n%s", block);
    assert_true(blocks >= 15);
}

static void each_line_that_the_hosts_page_calls_refused_is_refused_so(void **state)
{
    struct page_rows rows = {.at = page_of(HOSTS_PAGE), .head = "| line | why |"};
    const char *vars = strstr(rows.at, "Below `[web:vars]`");
    struct page_row row;
    unsigned n = 0;

    (void)state;
    if (vars == NULL)
        fail_msg(HOSTS_PAGE " has no lines of [web:vars] that are refused");
    for (; page_row(&rows, &row); n++) {
        bool of_group = rows.at > vars;
        struct err err = {""};
        char text[1024];
        (void)snprintf(text, sizeof text, of_group ? "[web]\nweb1\n[web:vars]\n%s\n" : "[web]\n%s\n", row.cells[0]);
        struct fleet *fleet = read_fleet(text, &err);
        const char *said = strstr(err.text, of_group ? "fleet.ini:4: " : "fleet.ini:2: ");
        if (fleet != NULL || said != err.text || strcmp(said + strlen("fleet.ini:2: "), row.cells[1]) != 0)
            fail_msg(HOSTS_PAGE ": \"%s\" is%s with \"%s\", not \"%s\"", row.cells[0],
                     fleet != NULL ? " taken" : " refused", err.text, row.cells[1]);
    }
    assert_true(n >= 20);
}

static void each_pattern_of_the_hosts_page_means_the_nodes_that_it_says(void **state)
{
    struct page_rows rows = {.at = page_of(HOSTS_PAGE), .head = "| pattern | nodes |"};
    const char *at = rows.at;
    struct err err = {""};
    struct page_row row;
    char *block = NULL;
    unsigned n = 0;

    (void)state;
    while ((block = page_block(&at, "ini")) != NULL && strstr(block, "# patterns") == NULL)
        ;
    assert_non_null(block);
    struct fleet *fleet = read_fleet(block, &err);
    assert_non_null(fleet);
    for (; page_row(&rows, &row); n++) {
        char names[TEXT_MAX] = "";
        size_t n_nodes, used = 0;
        uint32_t *nodes;
        if (!pattern_match(fleet, row.cells[0], &nodes, &n_nodes, &err))
            fail_msg(HOSTS_PAGE ": %s: %s", row.cells[0], err.text);
        for (size_t i = 0; i < n_nodes; i++)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? " " : "",
                                     fleet->hosts[nodes[i]].name);
        if (strcmp(names, row.cells[1]) != 0)
            fail_msg(HOSTS_PAGE ": %s is \"%s\", not \"%s\"", row.cells[0], names, row.cells[1]);
        free(nodes);
    }
    fleet_free(&fleet);
    assert_true(n >= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_keys_of_the_hosts_file_are_those_of_the_options_table),
        cmocka_unit_test(the_steps_on_the_architecture_page_are_those_of_node_def),
        cmocka_unit_test(the_ways_on_the_architecture_page_are_those_of_node_def),
        cmocka_unit_test(each_example_of_the_hosts_page_means_what_it_says),
        cmocka_unit_test(each_line_that_the_hosts_page_calls_refused_is_refused_so),
        cmocka_unit_test(each_pattern_of_the_hosts_page_means_the_nodes_that_it_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
