/* page.c - makes a man page, `page NAME <TEMPLATE`: copies it to stdout and puts tables where it says so.
 *
 * A line that is one of these words becomes mdoc list items, so that a page cannot forget an option. A page that does
 * not have its table, a table that is not there, and a row without its text fail the build:
 *   @ROLLOUT_COMMANDS@ @ROLLOUT_OPTIONS@ @ROLLOUT_KEYS@ @ROLLOUT_STEPS@   controller/'s .def files
 *   @ROLLOUT_HOOKS@ @ROLLOUT_HOOK_FACTS@                      controller/hook.h, hook_facts.h
 *   @AGENT_KEYS@ @AGENT_SERVICE_KEYS@                         agent/settings.def
 *   @DEMO_SERVER_OPTIONS@                                     demo-server/options.def */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/hook_facts.h"
#include "controller/option.h"

static bool ended_well = true;

/* A text as roff takes it: no request at the start of a line, no escapes. */
static void say(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text != '\0'; text++)
        fputs(*text == '\\' ? "\\e" : (char[]){*text, '\0'}, stdout);
}

static void expect_text(const char *name, const char *text)
{
    if (*text != '\0')
        return;
    fprintf(stderr, "page: %s has no text; write one into its row\n", name);
    ended_well = false;
}

/* A whole sentence out of a help text, which has no full stop. A URL at its begin stays as it is. */
static void say_sentence(const char *name, const char *help)
{
    expect_text(name, help);
    if (*help >= 'a' && *help <= 'z' && strncmp(help, "http", 4) != 0) {
        putchar(*help - 'a' + 'A');
        help++;
    }
    say(help);
    puts(".");
}

/* ---- rollout */

/* What may stand behind the flag, without the words that begin with a dash: those are for later versions. */
static void say_argument(const char *argument, bool is_word)
{
    const char *sep = " Ar ";

    while (argument != NULL && *argument != '\0') {
        size_t length = is_word ? strcspn(argument, "|") : strlen(argument);
        if (!is_word || *argument != '-') {
            printf("%s%.*s", sep, (int)length, argument);
            sep = " | ";
        }
        argument += length + (argument[length] == '|');
    }
    putchar('\n');
}

static void say_places(const char *env, const char *key, const char *fallback)
{
    if (fallback != NULL)
        printf("The default is\n.Li %s .\n", fallback);
    if (env != NULL)
        printf("Environment:\n.Ev %s .\n", env);
    if (key != NULL)
        printf("Hosts file:\n.Li %s .\n", key);
}

static const struct {
    const char *flag, *env, *key, *argument, *fallback, *help;
    enum option_type type;
} OPTIONS[] = {
#define OPTION(field, flag, env, key, type, argument, fallback, low, high, scope, commands, help)                      \
    {flag, env, key, argument, fallback, help, OPTION_##type},
#include "controller/options.def"
};

#define N_OPTIONS (sizeof OPTIONS / sizeof OPTIONS[0])

static void rollout_commands(void)
{
    static const struct {
        const char *word, *argument, *help;
    } rows[] = {
#define COMMAND(id, word, argument, help) {word, argument, help},
#include "controller/options.def"
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *argument = rows[i].argument;
        bool optional = argument[0] == '[';

        printf(".It Cm %s", rows[i].word);
        if (argument[0] != '\0')
            printf("%s Ar %.*s", optional ? " Op" : "", (int)strcspn(argument + optional, "]"), argument + optional);
        putchar('\n');
        say_sentence(rows[i].word, rows[i].help);
    }
}

static void rollout_options(void)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (OPTIONS[i].flag == NULL)
            continue;
        printf(".It Fl -%s", OPTIONS[i].flag);
        say_argument(OPTIONS[i].argument, OPTIONS[i].type == OPTION_WORD);
        say_sentence(OPTIONS[i].flag, OPTIONS[i].help);
        say_places(OPTIONS[i].env, OPTIONS[i].key, OPTIONS[i].fallback);
    }
}

/* Those without an option first: nowhere else are they explained. */
static void rollout_keys(void)
{
    for (int with_flag = 0; with_flag < 2; with_flag++)
        for (size_t i = 0; i < N_OPTIONS; i++) {
            if (OPTIONS[i].key == NULL || (OPTIONS[i].flag != NULL) != with_flag)
                continue;
            printf(".It Li %s= Ns", OPTIONS[i].key);
            say_argument(OPTIONS[i].argument, OPTIONS[i].type == OPTION_WORD);
            say_sentence(OPTIONS[i].key, OPTIONS[i].help);
            say_places(NULL, NULL, OPTIONS[i].fallback);
        }
}

static void rollout_steps(void)
{
    static const struct {
        const char *name, *waits_for;
    } rows[] = {
#define STEP(id, ask, effect, every, limit, good, bad, over, stop, resume, name, waits_for) {name, waits_for},
#include "controller/node.def"
#undef STEP
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        printf(".It %s\n", rows[i].name);
        expect_text(rows[i].name, rows[i].waits_for);
        say(rows[i].waits_for);
        putchar('\n');
    }
}

static void rollout_hooks(void)
{
    static const struct {
        const char *word, *when;
    } rows[] = {
#define X(name, word, when) {word, when},
        HOOK_POINTS(X)
#undef X
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        printf(".It Cm %s\n", rows[i].word);
        say_sentence(rows[i].word, rows[i].when);
    }
}

static void rollout_hook_facts(void)
{
    static const struct {
        const char *name, *variable, *what;
    } rows[] = {
#define X(name, variable, what) {#name, "ROLLOUT_" #variable, what},
        HOOK_FACTS(X)
#undef X
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        printf(".It Li %s , Ev %s\n", rows[i].name, rows[i].variable);
        expect_text(rows[i].name, rows[i].what);
        say(rows[i].what);
        putchar('\n');
    }
}

/* ---- rollout-agent and demo-server */

enum section { AGENT, SERVICE };

static void settings(enum section wanted)
{
    static const struct {
        enum section section;
        const char *key, *fallback, *help;
    } rows[] = {
#define SETTING(section, key, type, member, fallback, help) {section, key, fallback, help},
#include "agent/settings.def"
#undef SETTING
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].section != wanted)
            continue;
        printf(".It Li %s\n", rows[i].key);
        say_sentence(rows[i].key, rows[i].help);
        if (rows[i].fallback == NULL)
            puts("It must be given.");
        else if (rows[i].fallback[0] != '\0')
            printf("The default is\n.Li %s .\n", rows[i].fallback);
    }
}

static void agent_keys(void)
{
    settings(AGENT);
}

static void agent_service_keys(void)
{
    settings(SERVICE);
}

static void demo_server_options(void)
{
    static const struct {
        const char *name, *fallback, *argument, *help;
    } rows[] = {
#define OPTION(name, member, kind, fallback, argument, help) {name, fallback, argument, help},
#include "demo-server/options.def"
#undef OPTION
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        printf(".It Fl %s Ar %s\n", rows[i].name, rows[i].argument);
        say_sentence(rows[i].name, rows[i].help);
        if (rows[i].fallback[0] != '\0')
            printf("The default is\n.Li %s .\n", rows[i].fallback);
    }
}

static const struct {
    const char *word, *page;
    void (*put)(void);
} TABLES[] = {
    {"@ROLLOUT_COMMANDS@\n", "rollout.1", rollout_commands},
    {"@ROLLOUT_OPTIONS@\n", "rollout.1", rollout_options},
    {"@ROLLOUT_STEPS@\n", "rollout.1", rollout_steps},
    {"@ROLLOUT_HOOKS@\n", "rollout.1", rollout_hooks},
    {"@ROLLOUT_HOOK_FACTS@\n", "rollout.1", rollout_hook_facts},
    {"@ROLLOUT_KEYS@\n", "rollout-hosts.5", rollout_keys},
    {"@AGENT_KEYS@\n", "rollout-agent.8", agent_keys},
    {"@AGENT_SERVICE_KEYS@\n", "rollout-agent.8", agent_service_keys},
    {"@DEMO_SERVER_OPTIONS@\n", "demo-server.1", demo_server_options},
};
#define N_TABLES (sizeof TABLES / sizeof TABLES[0])

static bool is_there[N_TABLES];

static void put_line(const char *line)
{
    if (line[0] != '@') {
        fputs(line, stdout);
        return;
    }
    for (size_t i = 0; i < N_TABLES; i++)
        if (strcmp(line, TABLES[i].word) == 0) {
            TABLES[i].put();
            is_there[i] = true;
            return;
        }
    fprintf(stderr, "page: there is no table %s", line);
    ended_well = false;
}

static void expect_tables(const char *page)
{
    for (size_t i = 0; i < N_TABLES; i++)
        if (strcmp(TABLES[i].page, page) == 0 && !is_there[i]) {
            fprintf(stderr, "page: %s does not have the line %s", page, TABLES[i].word);
            ended_well = false;
        }
}

int main(int argc, char **argv)
{
    char line[512];

    while (fgets(line, sizeof line, stdin) != NULL)
        put_line(line);
    expect_tables(argc > 1 ? argv[1] : "");
    return ended_well && fflush(stdout) == 0 && !ferror(stdin) ? EXIT_SUCCESS : EXIT_FAILURE;
}
