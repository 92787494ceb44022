/* rollout-agent - may install the executables of its configured services, and restart them. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "half.h"
#include "rights.h"
#include "tls.h"

#define EXIT_USAGE  64
#define EXIT_CONFIG 78
#define CONFIG_PATH "/etc/rollout-agent.conf"

static void print_help(FILE *to)
{
    (void)fprintf(to, "usage: rollout-agent [--config FILE] [--helper] [--check]\n"
                      "\n"
                      "  --config FILE  what to read (default " CONFIG_PATH ")\n"
                      "  --helper       be the half behind helper-socket, which works on the services\n"
                      "  --check        read and check everything, the units of the services too, print a\n"
                      "                 summary, touch nothing; what mends a unit goes to stdout\n"
                      "  --version      print the version\n"
                      "  --help         print this\n"
                      "\n"
                      "Keys of the file:\n");
    config_print_help(to);
}

struct options {
    const char *config_path;
    bool check, helper;
};

/* Exits on --help, --version and misuse. */
static struct options read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'k'},
        {"helper", no_argument, NULL, 'r'},       {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0},
    };
    struct options options = {.config_path = CONFIG_PATH};
    int c;

    while ((c = getopt_long(argc, argv, "h", names, NULL)) != -1) {
        if (c == 'c') {
            options.config_path = optarg;
        } else if (c == 'k') {
            options.check = true;
        } else if (c == 'r') {
            options.helper = true;
        } else if (c == 'h') {
            print_help(stdout);
            exit(0);
        } else if (c == 'v') {
            (void)printf("rollout-agent " ROLLOUT_VERSION "\n");
            exit(0);
        } else {
            (void)fprintf(stderr, "rollout-agent: see --help\n");
            exit(EXIT_USAGE);
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "rollout-agent: \"%s\" is too much; see --help\n", argv[optind]);
        exit(EXIT_USAGE);
    }
    return options;
}

static bool check_world(const struct config *config, unsigned halves, struct err *err)
{
    bool tls_meant = config_uses_tls(config) && (halves & HALF_NETWORK) != 0;
    struct tls *tls = NULL;
    bool ok;

    if (halves == HALF_HELPER && config->helper_socket[0] == '\0')
        return err_set(err, "--helper needs helper-socket in [agent], where the network half comes in");
    ok = config_check_world(config, halves, err) && (!tls_meant || (tls = tls_load(config, err)) != NULL);
    tls_unref(&tls);
    return ok;
}

static unsigned halves_meant(const struct options *options, const struct config *config)
{
    if (options->helper)
        return HALF_HELPER;
    return config->helper_socket[0] != '\0' ? HALF_NETWORK : HALF_NETWORK | HALF_HELPER;
}

static bool run(struct agent *agent, unsigned halves, struct err *err)
{
    if (halves == HALF_HELPER)
        return half_run_helper(agent, -1, err);
    return halves == HALF_NETWORK ? half_run_network(agent, -1, -1, err) : half_run_both(agent, err);
}

int main(int argc, char **argv)
{
    struct options options = read_options(argc, argv);
    struct agent agent = {.state_lock_fd = -1, .config_path = options.config_path};
    struct err err = {""};
    unsigned halves;
    int rc = 0;

    if (!config_read(options.config_path, &agent.config, &err) ||
        !check_world(&agent.config, halves = halves_meant(&options, &agent.config), &err)) {
        rc = EXIT_CONFIG;
    } else if (options.check && (halves & HALF_HELPER) != 0 && !check_units(&agent.config, stdout, &err)) {
        rc = EXIT_CONFIG;
    } else if (options.check) {
        config_print_summary(&agent.config, stdout);
        if ((halves & HALF_HELPER) != 0)
            rights_warn(&agent.config, stderr);
    } else if (!run(&agent, halves, &err)) {
        rc = 1;
    }
    if (err.text[0] != '\0')
        (void)fprintf(stderr, "rollout-agent: %s\n", err.text);
    config_free(&agent.config);
    return rc;
}
