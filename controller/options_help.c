/* options_help.c - the text of --help, made from options.def. */
#include <stdio.h>
#include <string.h>

#include "options.h"

static void help_command(FILE *out, const char *word, const char *argument, const char *help)
{
    char left[32];
    snprintf(left, sizeof left, "%s%s%s", word, *argument ? " " : "", argument);
    fprintf(out, "  %-12s %s\n", left, help);
}

static void help_commands(FILE *out)
{
    fprintf(out, "rollout upgrades the nodes behind nginx, one after another, without losing a request.\n\n"
                 "Usage: rollout [COMMAND] --hosts FILE [OPTION...]\n\n");
#define COMMAND(id, word, argument, help) help_command(out, word, argument, help);
#include "options.def"
    fprintf(out, "\n");
}

static void help_option(FILE *out, const struct option_row *row)
{
    char left[64];
    snprintf(left, sizeof left, "--%s%s", row->flag, row->argument ? " " : "");
    for (const char *p = row->argument; p && *p;) { /* words that begin with - are not there yet */
        size_t size = strcspn(p, "|"), used = strlen(left);
        if (*p != '-' || row->type != OPTION_WORD)
            snprintf(left + used, sizeof left - used, "%s%.*s", p == row->argument ? "" : "|", (int)size, p);
        p += size + (p[size] == '|');
    }
    fprintf(out, "  %-32s %s", left, row->help);
    if (row->fallback)
        fprintf(out, " (%s)", row->fallback);
    fprintf(out, "\n");
}

char *options_help(enum command command)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    if (command == COMMAND_HELP || command == COMMAND_VERSION)
        help_commands(out);
    else
        fprintf(out, "Usage: rollout %s%s%s%s [OPTION...]\n\n", command_words[command],
                *command_arguments[command] ? " " : "", command_arguments[command],
                option_rows[OPT_hosts].commands >> command & 1 ? " --hosts FILE" : "");
    for (size_t i = 0; i < OPT_COUNT; i++)
        if (option_rows[i].flag && (command >= COMMAND_HELP || option_rows[i].commands >> command & 1))
            help_option(out, &option_rows[i]);
    fprintf(out, "\nEach option is also an environment variable: --drain-timeout is ROLLOUT_DRAIN_TIMEOUT; and most\n"
                 "are a hosts-file variable: rollout_drain_timeout. A flag beats the environment, that the hosts\n"
                 "file, that the default. Only in the hosts file:\n");
    for (size_t i = 0; i < OPT_COUNT; i++)
        if (!option_rows[i].flag)
            fprintf(out, "  %s=%-*s %s\n", option_rows[i].key, (int)(31 - strlen(option_rows[i].key)),
                    option_rows[i].argument, option_rows[i].help);
    if (command == COMMAND_HELP)
        fprintf(out, "\nExit: 0 done, 1 failed, 3 a node is out of rotation: act now, 4 unreachable, 5 refused,\n"
                     "      6 another rollout runs, 7 paused, 8 rolled back, 64 usage, 78 bad configuration,\n"
                     "      129/130/143 interrupted\n");
    fclose(out);
    return text;
}
