/* docs/operating.md has a section for each exit code and a row for each reason, and no other; what all pages name is
 * there: files, headings, flags, keys. */
#include <ctype.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/wire.h"
#include "controller/complaints.h"
#include "controller/gate.h"
#include "controller/node.h"
#include "controller/option.h"
#include "controller/session.h"
#include "page.h"

#define PAGE     "docs/operating.md"
#define COUNT(a) (sizeof(a) / sizeof *(a))
#define CODE_MAX 256

/* ---- exit codes */

/* Numbers of a text such as "129, 130, 143: interrupted", up to the colon. */
static void take_numbers(const char *text, bool codes[CODE_MAX])
{
    for (; *text != '\0' && *text != ':'; text++)
        if (isdigit((unsigned char)*text)) {
            unsigned long n = strtoul(text, (char **)(uintptr_t)&text, 10);
            codes[n < CODE_MAX ? n : 0] = true;
            text--;
        }
}

/* What `return N;` says between a function's name and its end. */
static void take_returns(const char *file, const char *function, bool codes[CODE_MAX])
{
    char *text = page_of(file), *from = strstr(text, function), *end = from != NULL ? strstr(from, "\n}\n") : NULL;
    unsigned n = 0;

    if (end == NULL)
        fail_msg("%s has no %s any more: where do exit codes come from?", file, function);
    *end = '\0';
    while ((from = strstr(from, "return ")) != NULL) {
        from += strlen("return ");
        if (isdigit((unsigned char)*from)) {
            unsigned long code = strtoul(from, NULL, 10);
            codes[code == 128 ? 130 : code] = true; /* 128 + a signal: signals.h */
            n++;
        }
    }
    assert_true(n > 5);
}

static void codes_of_the_program(bool codes[CODE_MAX])
{
    codes[EXIT_UNREACHABLE] = codes[EXIT_REFUSED] = codes[EXIT_HELD] = codes[EXIT_USAGE] = codes[EXIT_CONFIG] = true;
    codes[2] = true;                /* plan --detailed-exitcode */
    codes[129] = codes[143] = true; /* SIGHUP, SIGTERM */
    take_returns("controller/run.c", "int run_exit_code(", codes);
}

static void compare(const bool told[CODE_MAX], const bool real[CODE_MAX], const char *where)
{
    for (int i = 0; i < CODE_MAX; i++)
        if (told[i] != real[i])
            fail_msg("%s: exit code %d %s", where, i, real[i] ? "is not there" : "is none of the program's");
}

static void each_exit_code_has_its_section(void **state)
{
    bool told[CODE_MAX] = {false}, real[CODE_MAX] = {false};
    const char *at = page_of(PAGE);
    char *line;

    (void)state;
    codes_of_the_program(real);
    while (page_line(&at, &line))
        if (strncmp(line, "## Exit ", 8) == 0)
            take_numbers(line + 8, told);
    compare(told, real, PAGE);
}

static void the_manual_has_the_same_exit_codes(void **state)
{
    bool told[CODE_MAX] = {false}, real[CODE_MAX] = {false};
    const char *at = page_section(page_of("deploy/man/rollout.1.in"), ".Sh EXIT STATUS");
    char *line;

    (void)state;
    codes_of_the_program(real);
    at = at != NULL ? at : strstr(page_of("deploy/man/rollout.1.in"), ".Sh EXIT STATUS");
    assert_non_null(at);
    while (page_line(&at, &line) && strcmp(line, ".El") != 0)
        if (strncmp(line, ".It ", 4) == 0)
            take_numbers(line + 4, told);
    compare(told, real, "deploy/man/rollout.1.in");
}

/* ---- reasons */

static bool is_step(const char *word)
{
    for (int i = 0; i < STEP_COUNT; i++)
        if (strcmp(step_row((enum step)i)->name, word) == 0)
            return true;
    return strcmp(word, "any") == 0;
}

static void each_reason_of_a_node_has_its_row(void **state)
{
    struct page_rows rows = {.at = page_of(PAGE), .head = "| reason | steps | what it means, and what to do |"};
    unsigned seen[WHY_COUNT] = {0};
    struct page_row row;

    (void)state;
    while (page_row(&rows, &row)) {
        bool known = false;
        char *rest = NULL;
        for (int why = 0; why < WHY_COUNT; why++)
            if (strcmp(why_phrase((enum why)why), row.cells[0]) == 0) {
                known = true;
                seen[why]++;
            }
        if (!known)
            fail_msg(PAGE ": \"%s\" is no reason of the program's", row.cells[0]);
        for (char *step = strtok_r(row.cells[1], ", ", &rest); step != NULL; step = strtok_r(NULL, ", ", &rest))
            if (!is_step(step))
                fail_msg(PAGE ": \"%s\" is no step, in the row of \"%s\"", step, row.cells[0]);
    }
    for (int why = WHY_NONE + 1; why < WHY_COUNT; why++)
        if (seen[why] != 1)
            fail_msg(PAGE ": \"%s\" has %u rows", why_phrase((enum why)why), seen[why]);
}

/* Each text of view_outcome() in view.c has a row, and each row is one of them. */
static void each_outcome_of_a_node_has_its_row(void **state)
{
    char *source = strstr(page_of("controller/view.c"), "const char *view_outcome("), *section;
    struct page_rows rows = {.at = page_of(PAGE), .head = "| outcome | what it means |"};
    struct page_row row;
    unsigned n = 0, texts = 0;

    (void)state;
    if (source == NULL) {
        fail_msg("controller/view.c has no view_outcome any more: where do outcomes come from?");
        return;
    }
    section = page_keep(source, (size_t)(strstr(source, "\n}\n") - source));
    while (page_row(&rows, &row)) {
        char *bold = row.cells[0], quoted[128];
        if (strncmp(bold, "**", 2) == 0)
            bold = page_keep(bold + 2, strlen(bold) - 4);
        (void)snprintf(quoted, sizeof quoted, "\"%s\"", bold);
        if (strstr(section, quoted) == NULL)
            fail_msg(PAGE ": \"%s\" is no outcome", bold);
        n++;
    }
    for (const char *at = section; (at = strchr(at, '"')) != NULL; texts++)
        at = strchr(at + 1, '"') + 1;
    if (n != texts)
        fail_msg(PAGE ": %u outcomes, and %u in controller/view.c", n, texts);
}

static void each_verdict_of_a_bake_has_its_row(void **state)
{
    struct page_rows rows = {.at = page_of(PAGE), .head = "| it says | because |"};
    unsigned seen[GATE_COUNT] = {0};
    struct page_row row;

    (void)state;
    while (page_row(&rows, &row)) {
        bool known = false;
        for (int i = 0; i < GATE_COUNT; i++)
            if (strcmp(gate_phrase((enum gate)i), row.cells[0]) == 0) {
                known = true;
                seen[i]++;
            }
        if (!known)
            fail_msg(PAGE ": \"%s\" is said of no bake", row.cells[0]);
    }
    for (int i = 0; i < GATE_COUNT; i++)
        if (*gate_phrase((enum gate)i) != '\0' && seen[i] != 1)
            fail_msg(PAGE ": \"%s\" has %u rows", gate_phrase((enum gate)i), seen[i]);
}

static void each_end_of_a_job_has_its_row(void **state)
{
    static const struct {
        const char *word;
        int http_status;
    } codes[] = {
#define X(name, http_status, text) {text, http_status},
        WIRE_CODES(X)
#undef X
    };
    struct page_rows rows = {.at = page_of(PAGE), .head = "| code | what to do |"};
    unsigned seen[COUNT(codes)] = {0};
    struct page_row row;

    (void)state;
    while (page_row(&rows, &row)) {
        bool known = false;
        for (size_t i = 0; i < COUNT(codes); i++)
            if (codes[i].http_status == 0 && strcmp(codes[i].word, row.cells[0]) == 0) {
                known = true;
                seen[i]++;
            }
        if (!known)
            fail_msg(PAGE ": %s is no end of a job", row.cells[0]);
    }
    for (size_t i = 0; i < COUNT(codes); i++)
        if (codes[i].http_status == 0 && strcmp(codes[i].word, "ok") != 0 && seen[i] != 1)
            fail_msg(PAGE ": %s has %u rows", codes[i].word, seen[i]);
}

/* ---- complaints: why a plan cannot be */

#define COMPLAINTS_MAX 128

/* One complain() of the sources: all texts in it put together, and which exit codes it may have. */
struct complaint {
    char *text, *place;
    bool refused, held, unreachable;
};

/* "%s: claimed by %s (%.12s)" as the page has it: "...: claimed by ... (...)". */
static char *with_dots(const char *text)
{
    char *dotted = page_keep(NULL, 3 * strlen(text));
    size_t n = 0;

    while (*text != '\0')
        if (*text == '%') {
            text += 1 + strspn(text + 1, ".0123456789");
            text += *text != '\0';
            n = n >= 3 && strncmp(dotted + n - 3, "...", 3) == 0 ? n - 3 : n;
            memcpy(dotted + n, "...", 3);
            n += 3;
        } else {
            dotted[n++] = *text++;
        }
    return dotted;
}

/* From behind "complain(" to its end. */
static struct complaint complaint_read(const char *file, const char *at)
{
    struct complaint c = {.place = page_keep(file, strlen(file))};
    const char *from = at;
    char text[4096] = "";
    size_t used = 0;
    bool within = false;

    for (int depth = 1; *at != '\0' && depth > 0; at++) {
        if (*at == '"')
            within = !within;
        else if (within && used + 1 < sizeof text)
            text[used++] = *at == '\\' ? *++at : *at;
        else if (!within)
            depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
    }
    c.text = with_dots(page_keep(text, used));
    from = page_keep(from, (size_t)(at - from));
    c.refused = strstr(from, "EXIT_REFUSED") != NULL;
    c.held = strstr(from, "EXIT_HELD") != NULL;
    c.unreachable = strstr(from, "EXIT_UNREACHABLE") != NULL;
    return c;
}

static size_t complaints_of_the_sources(struct complaint list[COMPLAINTS_MAX])
{
    glob_t found;
    size_t n = 0;

    assert_int_equal(glob("controller/*.c", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *at = page_of(found.gl_pathv[i]);
        while ((at = strstr(at, "complain(")) != NULL) {
            bool call = at[-1] == ' ';
            at += strlen("complain(");
            struct complaint c = complaint_read(found.gl_pathv[i], at);
            if (call && (c.refused || c.held || c.unreachable) && n < COMPLAINTS_MAX)
                list[n++] = c;
        }
    }
    globfree(&found);
    assert_in_range(n, 40, COMPLAINTS_MAX - 1);
    return n;
}

/* All of it where the row ends with dots; else its beginning: what else a call may say stands behind it. */
static bool says(const char *cell, const char *text)
{
    size_t n = strlen(cell);

    return n > 3 && strcmp(cell + n - 3, "...") == 0 ? strcmp(cell, text) == 0 : strncmp(cell, text, n) == 0;
}

static bool may_end_with(const struct complaint *c, int exit_code)
{
    return exit_code == EXIT_REFUSED ? c->refused : exit_code == EXIT_HELD ? c->held : c->unreachable;
}

/* The section has a row for each of that code, and no other. */
static void check_complaints(const struct complaint *list, size_t n, const char *heading, int exit_code)
{
    char *section = page_section(page_of(PAGE), heading);
    struct page_rows rows = {.at = section, .head = "| it says | do |"};
    bool seen[COMPLAINTS_MAX] = {false};
    struct page_row row;

    if (section == NULL) {
        fail_msg(PAGE ": there is no section \"%s\"", heading);
        return;
    }
    while (page_row(&rows, &row)) {
        bool known = false;
        for (size_t i = 0; i < n; i++)
            if (may_end_with(&list[i], exit_code) && says(row.cells[0], list[i].text))
                known = seen[i] = true;
        if (!known)
            fail_msg(PAGE ": below \"%s\": nothing says \"%s\"", heading, row.cells[0]);
    }
    for (size_t i = 0; i < n; i++)
        if (may_end_with(&list[i], exit_code) && !seen[i])
            fail_msg(PAGE ": no row below \"%s\" says what %s says: \"%s\"", heading, list[i].place, list[i].text);
}

static void each_reason_for_which_nothing_begins_has_its_row(void **state)
{
    static struct complaint list[COMPLAINTS_MAX];
    size_t n = complaints_of_the_sources(list);

    (void)state;
    check_complaints(list, n, "## Exit 4: somebody could not be reached, nothing was changed", EXIT_UNREACHABLE);
    check_complaints(list, n, "## Exit 5: refused, nothing was changed", EXIT_REFUSED);
    check_complaints(list, n, "## Exit 6: another rollout", EXIT_HELD);
}

/* ---- what pages name is there */

/* As forges make it: small letters, blanks are dashes, other signs are left out. */
static bool is_anchor_of(const char *heading, const char *anchor)
{
    char slug[256];
    size_t n = 0;

    for (heading += strspn(heading, "# "); *heading != '\0' && n + 1 < sizeof slug; heading++)
        if (isalnum((unsigned char)*heading) || *heading == '-' || *heading == '_')
            slug[n++] = (char)tolower((unsigned char)*heading);
        else if (*heading == ' ')
            slug[n++] = '-';
    slug[n] = '\0';
    return strcmp(slug, anchor) == 0;
}

static bool has_anchor(const char *path, const char *anchor)
{
    const char *at = page_read(path);
    bool code = false;
    char *line;

    while (at != NULL && page_line(&at, &line)) {
        code = code != (strncmp(line, "```", 3) == 0);
        if (!code && *line == '#' && is_anchor_of(line, anchor))
            return true;
    }
    return false;
}

/* "hosts.md#keys" as a page at `path` has it. */
static void check_link(const char *path, const char *target)
{
    const char *slash = strrchr(path, '/'), *hash = strchr(target, '#');
    char file[512];

    if (strstr(target, "://") != NULL)
        return;
    if (hash == target)
        (void)snprintf(file, sizeof file, "%s", path);
    else
        (void)snprintf(file, sizeof file, "%.*s%.*s", slash != NULL ? (int)(slash + 1 - path) : 0, path,
                       (int)(hash != NULL ? (size_t)(hash - target) : strlen(target)), target);
    if (access(file, F_OK) != 0)
        fail_msg("%s: the link %s leads nowhere", path, target);
    if (hash != NULL && !has_anchor(file, hash + 1))
        fail_msg("%s: the link %s leads to no heading", path, target);
}

static void check_links(const char *path)
{
    const char *at = page_of(path);
    bool code = false;
    char *line;

    while (page_line(&at, &line)) {
        code = code != (strncmp(line, "```", 3) == 0);
        for (char *p = code ? NULL : strstr(line, "]("); p != NULL; p = strstr(p + 1, "](")) {
            char *target = page_keep(p + 2, strcspn(p + 2, ") "));
            check_link(path, target);
        }
    }
}

/* Of a rule's line, in front of the colon. */
static bool is_target(const char *word)
{
    const char *at = page_of("Makefile");
    char *line, *rest;

    while (page_line(&at, &line)) {
        char *colon = strchr(line, ':');
        if (*line == '\t' || *line == '#' || colon == NULL || colon[1] == '=')
            continue;
        *colon = '\0';
        for (char *name = strtok_r(line, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest))
            if (strcmp(name, word) == 0)
                return true;
    }
    return false;
}

/* `make sim`, and lines of blocks that begin so; build/release/... is a file. */
static void check_targets(const char *path)
{
    const char *page = page_of(path);

    for (const char *at = page; (at = strstr(at, "make ")) != NULL; at += strlen("make ")) {
        const char *word = at + strlen("make ");
        size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz-");
        if (at == page || (at[-1] != '`' && at[-1] != '\n') || n == 0 || strchr("` \n", word[n]) == NULL)
            continue;
        if (at[-1] == '\n' && strchr(" \n", word[n]) != NULL && (at < page + 5 || strncmp(at - 4, "```\n", 4) != 0))
            continue; /* a sentence */
        if (!is_target(page_keep(word, n)))
            fail_msg("%s: there is no `make %.*s`", path, (int)n, word);
    }
}

static void every_link_and_make_target_of_a_page_is_there(void **state)
{
    static const char *const places[] = {"*.md", "docs/*.md", "*/README.md", "*/*/README.md"};
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(places); i++) {
        glob_t found;
        if (glob(places[i], 0, NULL, &found) != 0)
            continue;
        for (size_t k = 0; k < found.gl_pathc; k++, n++)
            if (strncmp(found.gl_pathv[k], "build/", 6) != 0) {
                check_links(found.gl_pathv[k]);
                check_targets(found.gl_pathv[k]);
            }
        globfree(&found);
    }
    assert_true(n > 10);
}

static void every_page_is_in_the_index(void **state)
{
    const char *index = page_of("docs/README.md");
    glob_t found;

    (void)state;
    assert_int_equal(glob("docs/*.md", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char link[256];
        (void)snprintf(link, sizeof link, "](%s)", strrchr(found.gl_pathv[i], '/') + 1);
        if (strcmp(link, "](README.md)") != 0 && strstr(index, link) == NULL)
            fail_msg("docs/README.md leads to all pages but %s", found.gl_pathv[i]);
    }
    globfree(&found);
}

/* The pages that speak of nothing but these programs. */
static const char *const OURS[] = {"docs/operating.md",    "docs/hosts.md",     "docs/security.md",
                                   "docs/architecture.md", "docs/api-agent.md", "docs/api-module.md",
                                   "docs/events.md",       "docs/output.md",    "docs/README.md"};

static bool is_flag(const char *word)
{
    /* of the agent, of rollout-pki, and of curl and systemctl in commands to copy */
    static const char *const others[] = {"check", "helper", "config", "now"};

    for (int i = 0; i < OPT_COUNT; i++)
        if (option_rows[i].flag != NULL && strcmp(option_rows[i].flag, word) == 0)
            return true;
    for (size_t i = 0; i < COUNT(others); i++)
        if (strcmp(others[i], word) == 0)
            return true;
    return strcmp(word, "help") == 0;
}

static bool is_key(const char *word)
{
    /* test programs, the one that the hosts page shows as wrong, and metrics */
    size_t n = strlen(word);

    return option_by_key(word) != NULL || strcmp(word + n - 5, "_case") == 0 || strcmp(word, "rollout_zonne") == 0 ||
           strcmp(word, "rollout_node_out_seconds") == 0 || strncmp(word, "rollout_agent_", 14) == 0;
}

/* Each word of `letters` behind `before` in the page is one that `known` knows. */
static void check_words(const char *path, const char *before, size_t keep, const char *letters,
                        bool (*known)(const char *))
{
    const char *page = page_of(path);

    for (const char *at = page; (at = strstr(at, before)) != NULL;) {
        bool begins = at == page || !(isalnum((unsigned char)at[-1]) || strchr("-_", at[-1]) != NULL);
        const char *from = at + keep;
        size_t n = strspn(from, letters);
        char *word = page_keep(from, n);
        at += strlen(before);
        if (begins && n > keep && strncmp(from + n, "...", 3) != 0 && word[n - 1] != '-' && word[n - 1] != '_' &&
            !known(word))
            fail_msg("%s: there is no %.*s%s", path, (int)(keep == 0 ? 0 : strlen(before)), before, word);
    }
}

static void every_flag_and_key_that_a_page_names_is_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(OURS); i++) {
        check_words(OURS[i], "--", 2, "abcdefghijklmnopqrstuvwxyz0123456789-", is_flag);
        check_words(OURS[i], "rollout_", 0, "abcdefghijklmnopqrstuvwxyz0123456789_", is_key);
    }
}

/* `controller/node.def`, `agent/`, `pace.c`: what stands between backticks and looks like a file is one; x_case.c
 * stands for any. */
static bool is_file(const char *word)
{
    static const char *const rooms[] = {
        "", "controller/", "agent/", "deploy/nginx-module/", "demo-server/", "tests/unit/docs/"};
    char path[256];

    for (size_t i = 0; i < COUNT(rooms); i++) {
        glob_t found;
        (void)snprintf(path, sizeof path, "%s%s", rooms[i], word);
        if (glob(path, 0, NULL, &found) == 0) {
            globfree(&found);
            return true;
        }
    }
    return false;
}

static bool looks_like_a_file(const char *word)
{
    size_t n = strlen(word);

    return strpbrk(word, " <>{}()|=:$") == NULL && strncmp(word, "x_", 2) != 0 && strstr(word, "/x_") == NULL &&
           *word != '/' && *word != '.' && *word != '-' &&
           ((n > 2 && (strcmp(word + n - 2, ".c") == 0 || strcmp(word + n - 2, ".h") == 0)) ||
            (n > 4 && strcmp(word + n - 4, ".def") == 0) ||
            (strchr(word, '/') != NULL && islower((unsigned char)*word)));
}

static void every_file_that_the_maps_name_is_there(void **state)
{
    static const char *const maps[] = {"docs/architecture.md", "docs/security.md", "docs/README.md", "CONTRIBUTING.md"};

    (void)state;
    for (size_t i = 0; i < COUNT(maps); i++) {
        const char *at = page_of(maps[i]);
        bool code = false;
        char *line;
        while (page_line(&at, &line)) {
            char *rest = line;
            code = code != (strncmp(line, "```", 3) == 0);
            for (bool within = false; !code && rest != NULL; within = !within) {
                char *word = strsep(&rest, "`");
                if (within && looks_like_a_file(word) && !is_file(word))
                    fail_msg("%s: there is no %s", maps[i], word);
            }
        }
    }
}

/* `cases/agent_attack_case no_field_is_a_path`: that test is in that program. */
static void every_test_that_the_security_page_names_is_there(void **state)
{
    struct page_rows rows = {.at = page_of("docs/security.md"), .head = "| promise | test |"};
    struct page_row row;
    unsigned n = 0;

    (void)state;
    while (page_row(&rows, &row)) {
        char *rest = row.cells[1], *word;
        for (bool within = strchr(row.cells[1], '`') == NULL; (word = strsep(&rest, "`")) != NULL; within = !within) {
            char path[256], test[256], *name = strchr(word, ' ');
            if (!within)
                continue;
            if (name == NULL) {
                fail_msg("docs/security.md: \"%s\" names no program and test", word);
                return;
            }
            (void)snprintf(path, sizeof path, "tests/%.*s.c", (int)(name - word), word);
            (void)snprintf(test, sizeof test, "test(%s)", name + 1);
            if (strstr(page_of(path), test) == NULL)
                fail_msg("docs/security.md: %s has no test %s", path, name + 1);
            n++;
        }
    }
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_exit_code_has_its_section),
        cmocka_unit_test(the_manual_has_the_same_exit_codes),
        cmocka_unit_test(each_reason_of_a_node_has_its_row),
        cmocka_unit_test(each_outcome_of_a_node_has_its_row),
        cmocka_unit_test(each_verdict_of_a_bake_has_its_row),
        cmocka_unit_test(each_end_of_a_job_has_its_row),
        cmocka_unit_test(each_reason_for_which_nothing_begins_has_its_row),
        cmocka_unit_test(every_link_and_make_target_of_a_page_is_there),
        cmocka_unit_test(every_page_is_in_the_index),
        cmocka_unit_test(every_flag_and_key_that_a_page_names_is_there),
        cmocka_unit_test(every_test_that_the_security_page_names_is_there),
        cmocka_unit_test(every_file_that_the_maps_name_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
