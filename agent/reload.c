#include "reload.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "service.h"

#define BUSY_LOOK_MS 200

static bool stays(const char *key, bool same, struct err *err)
{
    return same || err_set(err, "%s has changed: that needs a restart of the agent", key);
}

bool reload_fits(const struct config *now, const struct config *next, struct err *err)
{
    bool fits = stays("node", strcmp(now->node, next->node) == 0, err) &&
                stays("listen", strcmp(now->listen.text, next->listen.text) == 0, err) &&
                stays("metrics-listen", strcmp(now->metrics_listen.text, next->metrics_listen.text) == 0, err) &&
                stays("helper-socket", strcmp(now->helper_socket, next->helper_socket) == 0, err) &&
                stays("network-user", strcmp(now->network_user, next->network_user) == 0, err) &&
                stays("state", strcmp(now->state, next->state) == 0, err) &&
                stays("whether there is TLS", config_uses_tls(now) == config_uses_tls(next), err) &&
                stays("whether programs are started (restart, exec-args)", /* the sandbox has been decided by it */
                      config_starts_programs(now) == config_starts_programs(next), err) &&
                stays("the number of services", now->service_count == next->service_count, err);

    for (unsigned i = 0; fits && i < now->service_count; i++)
        fits = stays("the name or the order of the services",
                     strcmp(now->services[i].name, next->services[i].name) == 0, err);
    return fits;
}

bool reload_read(const struct agent *agent, unsigned halves, struct config *next, struct err *err)
{
    if (config_read(agent->config_path, next, err) && config_check_world(next, halves, err) &&
        reload_fits(&agent->config, next, err))
        return true;
    config_free(next);
    return false;
}

void reload_log(const struct err *err)
{
    struct log_quoted text;

    if (err == NULL)
        log_event("reloaded", "pid=%d", (int)getpid());
    else
        log_event("reload_refused", "text=%s", log_quote(&text, err->text));
}

static bool is_busy(const struct agent *agent)
{
    for (unsigned i = 0; i < agent->config.service_count; i++) {
        if (service_is_busy(&agent->services[i]))
            return true;
    }
    return false;
}

/* In place: services, and requests that wait, point into it. */
static void take(struct agent *agent, struct config *next)
{
    struct service_config *services = agent->config.services;

    memcpy(services, next->services, next->service_count * sizeof *services);
    free(next->services);
    agent->config = *next;
    agent->config.services = services;
}

static void try_now(void *ctx)
{
    struct agent *agent = ctx;
    struct config next;
    struct err err = {""};

    if (is_busy(agent)) { /* a job ends by what it began with */
        loop_timer_start(agent->loop, &agent->reload_timer, BUSY_LOOK_MS, try_now, agent);
        return;
    }
    if (!reload_read(agent, HALF_HELPER, &next, &err)) {
        reload_log(&err);
        return;
    }
    take(agent, &next);
    for (unsigned i = 0; i < agent->config.service_count; i++)
        service_check(&agent->services[i]);
    reload_log(NULL);
}

void reload_helper(struct agent *agent)
{
    if (is_busy(agent))
        log_event("reload_waits", "text=\"a job is at work\"");
    try_now(agent);
}
