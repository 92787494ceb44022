/* manual_case.c - man pages and completion are made from the tables: each row is in them, and a row without its text,
 * or a page without its table, does not build. */
#include <string.h>

#include "controller/option.h"
#include "tests/stage/proc.h"
#include "tests/stage/test.h"

#define LIMIT_MS 60000

static const struct option_of {
    const char *flag, *key, *argument;
    enum option_type type;
    unsigned commands;
} OPTIONS[] = {
#define OPTION(field, flag, env, key, type, argument, fallback, low, high, scope, commands, help)                      \
    {flag, key, argument, OPTION_##type, commands},
#include "controller/options.def"
};
#define N_OPTIONS (sizeof OPTIONS / sizeof *OPTIONS)

static const char *const COMMANDS[] = {
#define COMMAND(id, word, ...) word,
#include "controller/options.def"
};
#define N_COMMANDS (sizeof COMMANDS / sizeof *COMMANDS)

static const char *const STEPS[] = {
#define STEP(id, ask, effect, every, limit, good, bad, over, stop, resume, name, waits_for) name,
#include "controller/node.def"
#undef STEP
};

static const char *const AGENT_KEYS[] = {
#define SETTING(section, key, ...) key,
#include "agent/settings.def"
#undef SETTING
};

static const char *const DEMO_OPTIONS[] = {
#define OPTION(name, ...) name,
#include "demo-server/options.def"
#undef OPTION
};

static const char *made(struct stage *s, const char *file)
{
    return stage_read(s, stage_text(s, "%s/%s", s->build, file));
}

/* An item of a list, and below it a line of text. */
static void expect_item(struct stage *s, const char *page, const char *item)
{
    const char *text = made(s, stage_text(s, "man/%s", page)), *at = strstr(text, stage_text(s, "\n.It %s", item));

    for (; at != NULL; at = strstr(at + 1, stage_text(s, "\n.It %s", item)))
        if (strchr(" \n", at[5 + strlen(item)]) != NULL)
            break;
    if (at == NULL)
        stage_fail(s, "%s has no item %s", page, item);
    at = strchr(at + 1, '\n') + 1;
    if (*at == '.' || *at == '\n')
        stage_fail(s, "%s has no text below %s", page, item);
}

static void every_row_has_its_item_in_its_page(struct stage *s)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        expect_item(s, "rollout.1", stage_text(s, "Cm %s", COMMANDS[i]));
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (OPTIONS[i].flag != NULL)
            expect_item(s, "rollout.1", stage_text(s, "Fl -%s", OPTIONS[i].flag));
        if (OPTIONS[i].key != NULL)
            expect_item(s, "rollout-hosts.5", stage_text(s, "Li %s=", OPTIONS[i].key));
    }
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++)
        expect_item(s, "rollout.1", STEPS[i]);
    for (size_t i = 0; i < sizeof AGENT_KEYS / sizeof *AGENT_KEYS; i++)
        expect_item(s, "rollout-agent.8", stage_text(s, "Li %s", AGENT_KEYS[i]));
    for (size_t i = 0; i < sizeof DEMO_OPTIONS / sizeof *DEMO_OPTIONS; i++)
        expect_item(s, "demo-server.1", stage_text(s, "Fl %s", DEMO_OPTIONS[i]));
}

/* page.c made with another table, and run for its page. */
static struct stage_run page_with(struct stage *s, const char *table, const char *from, const char *to,
                                  const char *page)
{
    const char *text = stage_read(s, stage_text(s, "%s/%s", s->root, table)), *at = strstr(text, from);

    if (at == NULL)
        stage_fail(s, "%s has no %s any more", table, from);
    (void)stage_run(s, LIMIT_MS, (const char *const[]){"/bin/rm", "-rf", stage_text(s, "%s/tree", s->dir), NULL});
    (void)stage_mkdir(s, "tree");
    (void)stage_mkdir(s, stage_text(s, "tree/%.*s", (int)strcspn(table, "/"), table));
    (void)stage_write(s, stage_text(s, "tree/%s", table),
                      stage_text(s, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)));
    return stage_run(
        s, LIMIT_MS,
        (const char *const[]){"/bin/sh", "-c",
                              stage_text(s,
                                         "cc -D_GNU_SOURCE -I%s/tree -I%s -o %s/page %s/deploy/man/page.c && "
                                         "%s/page %s <%s/deploy/man/%s.in",
                                         s->dir, s->root, s->dir, s->root, s->dir, page, s->root, page),
                              NULL});
}

static void a_row_without_its_text_does_not_build(struct stage *s)
{
    static const struct {
        const char *table, *text, *page, *name;
    } rows[] = {
        {"controller/options.def", "\"between two health checks\"", "rollout.1", "health-interval"},
        {"controller/options.def", "\"where the node stands, for --order zone\"", "rollout-hosts.5", "rollout_zone"},
        {"controller/options.def", "\"put back what a dead rollout took out\"", "rollout.1", "repair"},
        {"controller/node.def", "\"its turn\"", "rollout.1", "waiting"},
        {"agent/settings.def", "\"limit of one health check\"", "rollout-agent.8", "health-timeout"},
        {"demo-server/options.def", "\"where First listens\"", "demo-server.1", "a1"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage_run r = page_with(s, rows[i].table, rows[i].text, rows[i].text, rows[i].page);

        if (r.exit_code != 0)
            stage_fail(s, "the page does not build as it is: %s", r.err);
        r = page_with(s, rows[i].table, rows[i].text, "\"\"", rows[i].page);
        if (r.exit_code == 0 || strstr(r.err, stage_text(s, "page: %s has no text", rows[i].name)) == NULL)
            stage_fail(s, "without %s of %s it ends with %d: %s", rows[i].text, rows[i].table, r.exit_code, r.err);
    }
}

static void a_page_without_its_table_does_not_build(struct stage *s)
{
    static const char *const pages[] = {"rollout.1", "rollout-hosts.5", "rollout-agent.8", "demo-server.1"};

    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct stage_run r =
            stage_run(s, LIMIT_MS,
                      (const char *const[]){"/bin/sh", "-c",
                                            stage_text(s, "grep -v '^@' %s/deploy/man/%s.in | %s/man/page %s", s->root,
                                                       pages[i], s->build, pages[i]),
                                            NULL});

        assert_int_not_equal(r.exit_code, 0);
        assert_non_null(strstr(r.err, "does not have the line @"));
    }
}

/* What bash offers behind these words. */
static const char *offered(struct stage *s, const char *words)
{
    return stage_run(s, LIMIT_MS,
                     (const char *const[]){"/bin/bash", "-c",
                                           stage_text(s,
                                                      ". %s/completion/rollout.bash; COMP_WORDS=(rollout %s); "
                                                      "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); compopt() { :; }; "
                                                      "_rollout; printf '\\n%%s\\n' \"${COMPREPLY[@]}\"",
                                                      s->build, words),
                                           NULL})
        .out;
}

static void expect_offer(struct stage *s, const char *offer, const char *words, const char *word)
{
    if (strstr(offer, stage_text(s, "\n%s\n", word)) == NULL)
        stage_fail(s, "behind rollout %s bash does not offer %s", words, word);
}

static void expect_part(struct stage *s, const char *file, const char *part)
{
    if (strstr(made(s, file), part) == NULL)
        stage_fail(s, "%s does not have %s", file, part);
}

static void every_row_completes_in_every_shell(struct stage *s)
{
    const char *commands = offered(s, "''"), *topics = offered(s, "help ''");

    for (size_t c = 0; c < N_COMMANDS; c++) {
        const char *words = stage_text(s, "%s --", COMMANDS[c]), *flags = offered(s, words);

        expect_offer(s, commands, "", COMMANDS[c]);
        expect_offer(s, topics, "help", COMMANDS[c]);
        expect_part(s, "completion/rollout.zsh", stage_text(s, "'%s:", COMMANDS[c]));
        expect_part(s, "completion/rollout.fish", stage_text(s, " -a %s ", COMMANDS[c]));
        for (size_t i = 0; i < N_OPTIONS; i++)
            if (OPTIONS[i].flag != NULL && (OPTIONS[i].commands >> c & 1) != 0)
                expect_offer(s, flags, words, stage_text(s, "--%s", OPTIONS[i].flag));
    }
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option_of *o = &OPTIONS[i];

        if (o->flag == NULL)
            continue;
        expect_part(s, "completion/rollout.zsh", stage_text(s, "'--%s%s[", o->flag, o->type == OPTION_FLAG ? "" : "="));
        expect_part(s, "completion/rollout.fish", stage_text(s, " -l %s ", o->flag));
        for (const char *word = o->argument; o->type == OPTION_WORD && *word != '\0'; word += *word == '|') {
            const char *words = stage_text(s, "--%s ''", o->flag);
            int size = (int)strcspn(word, "|");

            if (*word != '-')
                expect_offer(s, offered(s, words), words, stage_text(s, "%.*s", size, word));
            word += size;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(every_row_has_its_item_in_its_page),
        stage_test(a_row_without_its_text_does_not_build),
        stage_test(a_page_without_its_table_does_not_build),
        stage_test(every_row_completes_in_every_shell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
