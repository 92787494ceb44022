/* options_help.c - the texts of --help, made from options.def. 80 columns: what is longer goes on below. */
#include <stdio.h>
#include <string.h>

#include "options.h"

#define COLUMNS 80
#define LEFT    24 /* columns of an option with its argument */

static const char first_page[] = "rollout upgrades the nodes behind nginx one after another and loses no request.\n\n"
                                 "  rollout init --lb https://lb1:8443/api > fleet.ini  a hosts file to start with\n"
                                 "  rollout doctor --hosts fleet.ini                    is all there and well?\n"
                                 "  rollout plan --hosts fleet.ini --release ./app-2    what would be done\n"
                                 "  rollout --hosts fleet.ini --release ./app-2         upgrade; without: restart\n"
                                 "  rollout resume ID                                   go on after a stop\n"
                                 "  rollout repair --hosts fleet.ini                    put back what was left out\n\n"
                                 "Usage: rollout [COMMAND] [OPTION...]\n\n";

static const char last_lines[] = "\nOptions: rollout COMMAND --help; all of them: rollout help options; man rollout\n"
                                 "Exit: 0 done, 1 failed, 3 a node is out of rotation: act now, 4 unreachable,\n"
                                 "      5 refused, 6 another rollout runs, 7 paused, 8 rolled back, 64 usage,\n"
                                 "      78 bad configuration, 129/130/143 interrupted\n";

static const char places[] = "\nEach option is also an environment variable: --drain-timeout is\n"
                             "ROLLOUT_DRAIN_TIMEOUT; and most are a hosts-file key: rollout_drain_timeout.\n"
                             "A flag beats the environment, that the hosts file, that the default.\n";

/* `left`, and in its column `text`, wrapped between words. */
static void two_columns(FILE *out, const char *left, int width, const char *text)
{
    size_t room = (size_t)(COLUMNS - width - 3);

    fprintf(out, "  %-*s", width, left);
    if (strlen(left) > (size_t)width)
        fprintf(out, "\n  %*s", width, "");
    while (strlen(text) > room) {
        size_t size = room;

        while (size > 0 && text[size] != ' ')
            size--;
        if (size == 0) /* one long word */
            size = strcspn(text, " ");
        fprintf(out, " %.*s\n  %*s", (int)size, text, width, "");
        text += size + strspn(text + size, " ");
    }
    fprintf(out, " %s\n", text);
}

static void help_command(FILE *out, const char *word, const char *argument, const char *help)
{
    char left[64];
    snprintf(left, sizeof left, "%s%s%s", word, *argument ? " " : "", argument);
    two_columns(out, left, 12, help);
}

static void help_commands(FILE *out)
{
    fputs(first_page, out);
#define COMMAND(id, word, argument, help) help_command(out, word, argument, help);
#include "options.def"
    fputs(last_lines, out);
}

static void help_option(FILE *out, const struct option_row *row)
{
    char left[64], text[256];
    snprintf(left, sizeof left, "--%s%s", row->flag, row->argument ? " " : "");
    for (const char *p = row->argument; p && *p;) { /* words that begin with - are not there yet */
        size_t size = strcspn(p, "|"), used = strlen(left);
        if (*p != '-' || row->type != OPTION_WORD)
            snprintf(left + used, sizeof left - used, "%s%.*s", p == row->argument ? "" : "|", (int)size, p);
        p += size + (p[size] == '|');
    }
    snprintf(text, sizeof text, row->fallback ? "%s (%s)" : "%s", row->help, row->fallback);
    two_columns(out, left, LEFT, text);
}

/* Of one command, or (COMMAND_COUNT) all. */
static void help_options(FILE *out, enum command command)
{
    bool all = command == COMMAND_COUNT;

    for (size_t i = 0; i < OPT_COUNT; i++)
        if (option_rows[i].flag && (all || option_rows[i].commands >> command & 1))
            help_option(out, &option_rows[i]);
}

static void help_keys(FILE *out)
{
    char left[80];

    fputs("Only in the hosts file:\n", out);
    for (size_t i = 0; i < OPT_COUNT; i++)
        if (!option_rows[i].flag) {
            snprintf(left, sizeof left, "%s=%s", option_rows[i].key, option_rows[i].argument);
            two_columns(out, left, LEFT, option_rows[i].help);
        }
}

static void help_one(FILE *out, enum command command)
{
    static const char *const helps[] = {
#define COMMAND(id, word, argument, help) help,
#include "options.def"
    };

    fprintf(out, "Usage: rollout %s%s%s%s [OPTION...]\n", command_words[command],
            *command_arguments[command] ? " " : "", command_arguments[command],
            option_rows[OPT_hosts].commands >> command & 1 ? " --hosts FILE" : "");
    fprintf(out, "       %s\n\n", helps[command]);
    help_options(out, command);
}

char *options_help(enum command command)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    if (command == COMMAND_HELP) {
        help_commands(out);
    } else {
        if (command == COMMAND_COUNT)
            help_options(out, command);
        else
            help_one(out, command);
        if (command == COMMAND_COUNT || option_rows[OPT_hosts].commands >> command & 1)
            fputs(places, out);
    }
    if (command == COMMAND_COUNT)
        help_keys(out);
    fclose(out);
    return text;
}
