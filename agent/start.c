#include "start.h"

#include <stdlib.h>

#include "agent.h"
#include "service.h"
#include "words.h"

#define PATH_ENV "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* The words, with one in front of them. */
static char **with_first(char *first, const struct words *words)
{
    char **list = calloc(words->count + 2, sizeof *list);

    if (list == NULL)
        abort();
    list[0] = first;
    for (size_t i = 0; i < words->count; i++)
        list[i + 1] = words->list[i];
    return list;
}

struct child *start_executable(struct service *service, child_fn *fn, void *ctx, struct err *err)
{
    const struct service_config *config = service->config;
    char path_env[] = PATH_ENV, executable[PATH_MAX];
    struct words args = {0}, env = {0};
    struct child *child = NULL;

    (void)snprintf(executable, sizeof executable, "%s", config->executable);
    if (words_split(config->exec_args, &args, err) && words_split(config->exec_env, &env, err)) {
        char **argv = with_first(executable, &args), **envp = with_first(path_env, &env);
        const struct child_spawn spawn = {.path = executable,
                                          .argv = argv,
                                          .env = envp,
                                          .dir = config->exec_dir,
                                          .log = config->exec_log,
                                          .fn = fn,
                                          .ctx = ctx};
        child = child_start(service->agent->loop, &spawn, err);
        free(argv);
        free(envp);
    }
    words_free(&args);
    words_free(&env);
    return child;
}

struct child *start_systemctl(struct service *service, child_fn *fn, void *ctx, struct err *err)
{
    char path_env[] = PATH_ENV, name[] = "systemctl", verb[] = "restart", quiet[] = "--no-ask-password";
    char unit[CONFIG_UNIT_MAX + 1];
    char *const argv[] = {name, quiet, verb, unit, NULL}, *const env[] = {path_env, NULL};
    const struct child_spawn spawn = {.path = service->agent->config.systemctl,
                                      .argv = argv,
                                      .env = env,
                                      .dir = "/",
                                      .log = "/dev/null",
                                      .fn = fn,
                                      .ctx = ctx};

    (void)snprintf(unit, sizeof unit, "%s", service->config->unit);
    return child_start(service->agent->loop, &spawn, err);
}
