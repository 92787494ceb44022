/* main.c - rollout: upgrades a fleet behind nginx node by node. Reads the command line, then hands over to a command.
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "command.h"
#include "explain.h"
#include "say.h"
#include "signals.h"
#include "wall.h"

#define LARGE_BYTES (128 * 1024)

static int help(const struct options *o)
{
    char *text = options_help(o->help_on);

    (void)fputs(text, stdout);
    free(text);
    return 0;
}

/* Hundreds of calls at once, a connection each: as many descriptors as we may have. */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* What was large once goes back to the system: without a threshold of our own, malloc raises its with the first such
 * block, and a plan's or a list's megabytes stay among what is kept. */
static void give_memory_back(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
}

/* A descriptor that the caller closed would be given to the journal or a connection, and lines written into it. */
static void keep_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            abort();
}

/* Others read and change nothing: a signal may just end them. */
static bool acts(const struct options *o)
{
    return o->command == COMMAND_ROLL || o->command == COMMAND_RESUME || o->command == COMMAND_REPAIR ||
           o->command == COMMAND_ROLLBACK;
}

/* What was done is done, whether or not it could be told; a plan that nobody can read is none. */
static int close_output(const struct options *o, int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    (void)fputs("rollout: the standard output took not all of what there was to say\n", stderr);
    return code == 0 && !acts(o) ? 1 : code;
}

static int explain(void)
{
    if (say_is_text())
        explain_steps(stdout);
    else
        say_document(explain_json());
    return 0;
}

static int version(void)
{
    if (say_is_text())
        (void)puts("rollout " ROLLOUT_VERSION);
    else
        say_document(json_pack("{s:s}", "version", ROLLOUT_VERSION));
    return 0;
}

static int dispatch(struct options *o)
{
    if (o->explain)
        return explain();
    switch (o->command) {
    case COMMAND_ROLL:
        return command_roll(o);
    case COMMAND_PLAN:
        return command_plan(o);
    case COMMAND_RESUME:
        return command_resume(o);
    case COMMAND_REPAIR:
        return command_repair(o);
    case COMMAND_ROLLBACK:
        return command_rollback(o);
    case COMMAND_STATUS:
        return command_status(o);
    case COMMAND_HISTORY:
        return command_history(o);
    case COMMAND_SHOW:
        return command_show(o);
    case COMMAND_AGENTS:
        return command_agents(o);
    case COMMAND_DOCTOR:
        return command_doctor(o);
    case COMMAND_INIT:
        return command_init(o);
    case COMMAND_HOSTS:
        return command_hosts(o);
    case COMMAND_PAUSE:
    case COMMAND_ABORT:
    case COMMAND_PROMOTE:
        return command_wish(o);
    case COMMAND_VERSION:
        return version();
    case COMMAND_HELP:
    case COMMAND_COUNT:
        break;
    }
    return help(o);
}

static void warn_of_environment(const struct options *o)
{
    bool sets = o->command != COMMAND_HELP && o->command != COMMAND_VERSION && !o->explain;
    char *unknown = sets ? options_env_unknown(environ) : NULL;

    if (unknown != NULL)
        say_warning("the environment has unknown settings, passed over: %s", unknown);
    free(unknown);
}

int main(int argc, char **argv)
{
    struct options options;
    struct err err = {.text = ""};
    bool good;
    int code;

    wall_begin();
    keep_standard_descriptors();
    raise_descriptors();
    give_memory_back();
    good = options_parse(argc, argv, environ, &options, &err);
    say_open(&options);
    warn_of_environment(&options);
    if (good && acts(&options))
        signals_attach(NULL);
    code = good ? dispatch(&options) : command_bad(EXIT_USAGE, &err);
    say_close(code);
    code = close_output(&options, code);
    options_free(&options);
    return code;
}
