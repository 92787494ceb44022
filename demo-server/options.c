#include "options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/duration.h"
#include "common/nearest.h"
#include "handover_socket.h"

enum kind { KIND_ADDR, KIND_TEXT, KIND_DURATION };

struct option_row {
    const char *name, *fallback, *placeholder, *help;
    enum kind kind;
    size_t offset; /* of its member in struct options */
};

static const struct option_row rows[] = {
#define OPTION(name, member, kind, fallback, placeholder, help)                                                        \
    {name, fallback, placeholder, help, KIND_##kind, offsetof(struct options, member)},
#include "options.def"
#undef OPTION
};
enum { ROWS = sizeof rows / sizeof rows[0], HELP = ROWS, VERSION, ALL };

static bool value_read(const struct option_row *row, const char *text, struct options *o, struct err *err)
{
    void *member = (char *)o + row->offset;

    switch (row->kind) {
    case KIND_ADDR:
        return handover_addr_parse(text, member, err) || err_context(err, "-%s", row->name);
    case KIND_DURATION:
        return duration_parse_ms(text, member, err) || err_context(err, "-%s", row->name);
    case KIND_TEXT:
        *(const char **)member = text;
        break;
    }
    return true;
}

static const char *name_of(const void *ctx, size_t i)
{
    (void)ctx;
    return rows[i].name;
}

static bool unknown(const char *typed, struct err *err)
{
    char name[65];
    const char *near;

    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(typed, "="), typed);
    near = nearest_name(name + strspn(name, "-"), ROWS, name_of, NULL);
    return near != NULL ? err_set(err, "unknown option %s; did you mean -%s?", name, near)
                        : err_set(err, "unknown option %s; see demo-server --help", name);
}

bool options_read(int argc, char **argv, struct options *o, enum options_wish *wish, struct err *err)
{
    struct option list[ALL + 1] = {0};
    int which;

    *wish = OPTIONS_RUN;
    for (int i = 0; i < ROWS; i++) {
        list[i] = (struct option){rows[i].name, required_argument, NULL, i};
        if (!value_read(&rows[i], rows[i].fallback, o, err))
            return false;
    }
    list[HELP] = (struct option){"help", no_argument, NULL, HELP};
    list[VERSION] = (struct option){"version", no_argument, NULL, VERSION};
    opterr = 0;
    optind = 0; /* from the start, whoever parsed before; "+": argv stays in its order, a successor gets the same */
    while ((which = getopt_long_only(argc, argv, "+:", list, NULL)) != -1) {
        if (which == HELP || which == VERSION) {
            *wish = which == HELP ? OPTIONS_HELP : OPTIONS_VERSION;
            return true;
        }
        if (which == ':')
            return err_set(err, "%.100s needs a value; see demo-server --help", argv[optind - 1]);
        if (which < 0 || which >= ROWS)
            return unknown(argv[optind - 1], err);
        if (!value_read(&rows[which], optarg, o, err))
            return false;
    }
    if (optind < argc)
        return err_set(err, "%.100s is no option; see demo-server --help", argv[optind]);
    return true;
}

void options_help(void)
{
    printf(
        "usage: demo-server [options]\n\n"
        "Serves /sleep/?duration=D, /healthz, /version and /stats on three addresses. SIGUSR2 hands the sockets over\n"
        "to a new process of the same executable path; SIGTERM drains and ends.\n\n");
    for (int i = 0; i < ROWS; i++)
        printf("  -%-16s %-10s %s%s%s%s\n", rows[i].name, rows[i].placeholder, rows[i].help,
               rows[i].fallback[0] != '\0' ? " (" : "", rows[i].fallback, rows[i].fallback[0] != '\0' ? ")" : "");
    printf("  -%-16s %-10s %s\n  -%-16s %-10s %s\n", "help", "", "print this", "version", "", "print the version");
}
