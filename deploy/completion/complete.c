/* complete.c - makes the shells' completion of `rollout`: `complete bash|zsh|fish` writes it to stdout, from the table
 * of commands and options, so that none can be forgotten.
 *
 * Behind --limit it offers the hosts (`rollout hosts`) and groups of the hosts file that the line, or ROLLOUT_HOSTS,
 * names; behind --log-format and the like the words of the table; behind an option of a file, files. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "controller/option.h"

struct option_of {
    const char *flag, *argument, *help;
    enum option_type type;
    unsigned commands;
};

static const struct option_of OPTIONS[] = {
#define NOT_HOSTS 0
#define OPTION(field, flag, env, key, type, argument, fallback, low, high, scope, commands, help)                      \
    {flag, argument, help, OPTION_##type, commands},
#include "controller/options.def"
};
#define N_OPTIONS (sizeof OPTIONS / sizeof *OPTIONS)

static const struct {
    const char *word, *help;
} COMMANDS[] = {
#define COMMAND(id, word, argument, help) {word, help},
#include "controller/options.def"
};
#define N_COMMANDS (sizeof COMMANDS / sizeof *COMMANDS)

/* A text in single quotes of any of the shells. */
static void quoted(const char *text, const char *also)
{
    putchar('\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else if (strchr(also, *text) != NULL)
            printf("\\%c", *text);
        else
            putchar(*text);
    }
    putchar('\'');
}

/* The words of a WORD, those of later versions left out. */
static void words(const char *argument)
{
    const char *sep = "";

    while (*argument != '\0') {
        size_t n = strcspn(argument, "|");

        if (*argument != '-') {
            printf("%s%.*s", sep, (int)n, argument);
            sep = " ";
        }
        argument += n + (argument[n] == '|');
    }
}

/* The hosts file of a line, its hosts and groups: the same lines of POSIX sh for all three. Of groups only plain names:
 * bash expands what it completes with, and $(...) in a hosts file is not to be run. */
static const char names[] =
    "    rollout hosts --hosts \"$file\" 2>/dev/null\n"
    "    sed -n 's/^[[:space:]]*\\[\\([[:alnum:]_.-]*\\)[]:].*/\\1/p' \"$file\" 2>/dev/null | sort -u\n";

/* ---- bash */

static void bash_values(void)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option_of *o = &OPTIONS[i];

        if (o->flag == NULL || o->type == OPTION_FLAG)
            continue;
        printf("    --%s) ", o->flag);
        if (strcmp(o->flag, "limit") == 0)
            fputs("mapfile -t COMPREPLY < <(compgen -W \"$(_rollout_names)\" -- \"$cur\")", stdout);
        else if (o->type == OPTION_PATH)
            fputs("mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); compopt -o filenames", stdout);
        else if (o->type == OPTION_WORD) {
            fputs("mapfile -t COMPREPLY < <(compgen -W '", stdout);
            words(o->argument);
            fputs("' -- \"$cur\")", stdout);
        } else
            fputs(":", stdout);
        puts("; return ;;");
    }
}

/* What `rollout help` may be asked about. */
static void help_words(void)
{
    for (size_t c = 0; c < N_COMMANDS; c++)
        printf(" %s", COMMANDS[c].word);
    fputs(" options", stdout);
}

static void bash_flags(void)
{
    for (size_t c = 0; c < N_COMMANDS; c++) {
        printf("    %s) flags='--help", COMMANDS[c].word);
        for (size_t i = 0; i < N_OPTIONS; i++)
            if (OPTIONS[i].flag != NULL && (OPTIONS[i].commands >> c & 1) != 0)
                printf(" --%s", OPTIONS[i].flag);
        if (strcmp(COMMANDS[c].word, "help") == 0)
            help_words();
        puts("' ;;");
    }
}

static void bash(void)
{
    puts("# bash completion of rollout, made from its table of options\n"
         "_rollout_names() {\n    local file=${ROLLOUT_HOSTS:-} i\n"
         "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "        [ \"${COMP_WORDS[i]}\" = --hosts ] && file=${COMP_WORDS[i + 1]}\n"
         "        [ \"${COMP_WORDS[i]} ${COMP_WORDS[i + 1]:-}\" = '--hosts =' ] && file=${COMP_WORDS[i + 2]:-}\n"
         "    done\n    [ -n \"$file\" ] || return");
    printf("%s}\n_rollout() {\n", names);
    puts("    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=roll flags i\n"
         "    COMPREPLY=()\n"
         "    if [ \"$cur\" = '=' ]; then cur=; elif [ \"$prev\" = '=' ]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi\n"
         "    case $prev in");
    bash_values();
    fputs("    esac\n    for ((i = 1; i < COMP_CWORD; i++)); do\n        case ${COMP_WORDS[i]} in ", stdout);
    for (size_t c = 0; c < N_COMMANDS; c++)
        printf("%s%s", c == 0 ? "" : " | ", COMMANDS[c].word);
    puts(") command=${COMP_WORDS[i]} ;; esac\n    done\n    case $command in");
    bash_flags();
    fputs("    esac\n    if [[ $cur != -* && $COMP_CWORD -eq 1 ]]; then flags='", stdout);
    for (size_t c = 0; c < N_COMMANDS; c++)
        printf("%s%s", c == 0 ? "" : " ", COMMANDS[c].word);
    puts("'; fi\n    mapfile -t COMPREPLY < <(compgen -W \"$flags\" -- \"$cur\")\n}\n"
         "complete -F _rollout rollout");
}

/* ---- zsh */

static void zsh(void)
{
    puts("#compdef rollout\n# zsh completion of rollout, made from its table of options\n"
         "_rollout_names() {\n    local file=${opt_args[--hosts]:-${ROLLOUT_HOSTS:-}}\n"
         "    [[ -n $file ]] || return 1\n    local -a all\n    all=(${(f)\"$(");
    printf("%s    )\"})\n    compadd -a all\n}\n", names);
    puts("_rollout() {\n    local -a commands=(");
    for (size_t c = 0; c < N_COMMANDS; c++) {
        char text[256];

        (void)snprintf(text, sizeof text, "%s:%s", COMMANDS[c].word, COMMANDS[c].help);
        fputs("        ", stdout);
        quoted(text, "");
        putchar('\n');
    }
    puts("    )\n    _arguments \\\n        '--help[the options of a command]' \\");
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option_of *o = &OPTIONS[i];
        char text[256];

        if (o->flag == NULL)
            continue;
        fputs("        ", stdout);
        (void)snprintf(text, sizeof text, "--%s%s", o->flag, o->type == OPTION_FLAG ? "" : "=");
        printf("'%s[", text);
        for (const char *h = o->help; *h != '\0'; h++)
            fputs(*h == '\''               ? "'\\''"
                  : *h == '[' || *h == ']' ? (char[]){'\\', *h, '\0'}
                                           : (char[]){*h, '\0'},
                  stdout);
        putchar(']');
        if (strcmp(o->flag, "limit") == 0)
            fputs(":pattern:_rollout_names", stdout);
        else if (o->type == OPTION_PATH)
            fputs(":file:_files", stdout);
        else if (o->type == OPTION_WORD) {
            fputs(":word:(", stdout);
            words(o->argument);
            putchar(')');
        } else if (o->type != OPTION_FLAG)
            fputs(":value: ", stdout);
        puts("' \\");
    }
    puts("        '1:command:{_describe command commands}' '2:rollout: '\n}\n_rollout \"$@\"");
}

/* ---- fish */

static void fish(void)
{
    puts("# fish completion of rollout, made from its table of options\n"
         "function __rollout_names\n"
         "    set -l words (commandline -opc)\n    set -l file $ROLLOUT_HOSTS\n"
         "    if set -l i (contains -i -- --hosts $words)\n        set file $words[(math $i + 1)]\n    end\n"
         "    test -n \"$file\"; or return\n"
         "    rollout hosts --hosts $file 2>/dev/null\n"
         "    sed -n 's/^[[:space:]]*\\[\\([[:alnum:]_.-]*\\)[]:].*/\\1/p' $file 2>/dev/null | sort -u\nend\n"
         "complete -c rollout -f");
    for (size_t c = 0; c < N_COMMANDS; c++) {
        printf("complete -c rollout -n __fish_use_subcommand -a %s -d ", COMMANDS[c].word);
        quoted(COMMANDS[c].help, "\\");
        putchar('\n');
    }
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option_of *o = &OPTIONS[i];

        if (o->flag == NULL)
            continue;
        printf("complete -c rollout -l %s", o->flag);
        if (strcmp(o->flag, "limit") == 0)
            fputs(" -x -a '(__rollout_names)'", stdout);
        else if (o->type == OPTION_PATH)
            fputs(" -r -F", stdout);
        else if (o->type == OPTION_WORD) {
            fputs(" -x -a '", stdout);
            words(o->argument);
            putchar('\'');
        } else if (o->type != OPTION_FLAG)
            fputs(" -x", stdout);
        fputs(" -d ", stdout);
        quoted(o->help, "\\");
        putchar('\n');
    }
}

int main(int argc, char **argv)
{
    const char *shell = argc == 2 ? argv[1] : "";

    if (strcmp(shell, "bash") == 0)
        bash();
    else if (strcmp(shell, "zsh") == 0)
        zsh();
    else if (strcmp(shell, "fish") == 0)
        fish();
    else {
        fputs("usage: complete bash|zsh|fish\n", stderr);
        return 64;
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
