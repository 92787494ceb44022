#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admit.h"
#include "agent.h"
#include "beneath.h"
#include "check.h"
#include "claim_store.h"
#include "file.h"
#include "find.h"
#include "log.h"
#include "out.h"
#include "release.h"
#include "rights.h"

bool service_ident(struct service *service, struct ident *ident, struct err *err)
{
    return find_main(service->config, NULL, &service->hashes, ident, err);
}

bool service_installed(struct service *service, uint8_t sha256[SHA256_BYTES], struct err *err)
{
    return hash_cached(&service->hashes, service->config->executable, sha256, err);
}

bool service_is_busy(const struct service *service)
{
    return service->run.job != NULL;
}

void service_check(struct service *service)
{
    service->warning = (struct err){""};
    (void)(check_service(service->config, NULL, &service->warning) && rights_check(service->config, &service->warning));
}

static void log_claim(const struct service *service, const char *event)
{
    const struct claim *claim = &service->claim.claim;
    struct log_quoted holder, server;
    const json_t *entry;
    size_t i;

    json_array_foreach(claim->took_out, i, entry)
    {
        log_event(event, "service=%s rollout=%s fence=%llu left_s=%llu holder=%s out=%s", service->config->name,
                  claim->rollout, (unsigned long long)claim->fence,
                  (unsigned long long)claim_left_ms(claim, claim_store_now_ms()) / 1000,
                  log_quote(&holder, claim->holder),
                  log_quote(&server, json_string_value(json_object_get(entry, "server"))));
    }
}

static void on_claim_due(void *ctx)
{
    struct service *service = ctx;
    uint64_t left_ms = claim_left_ms(&service->claim.claim, claim_store_now_ms());

    if (left_ms > 0) /* the loop's clock and the claim's differ while the machine sleeps */
        loop_timer_start(service->agent->loop, &service->claim_timer, left_ms, on_claim_due, service);
    else
        log_claim(service, "claim_ran_out");
}

static void watch_claim(struct service *service)
{
    uint64_t left_ms = claim_left_ms(&service->claim.claim, claim_store_now_ms());

    out_watch(service);
    loop_timer_stop(service->agent->loop, &service->claim_timer);
    if (left_ms > 0)
        loop_timer_start(service->agent->loop, &service->claim_timer, left_ms, on_claim_due, service);
}

bool service_set_claim(struct service *service, struct claim_state *next, struct err *err)
{
    out_since(&next->claim, service->claim.claim.out_since_ms);
    if (!claim_store_save(service->claim_path, service->agent->boot_id, next, err)) {
        claim_state_clear(next);
        return false;
    }
    claim_state_clear(&service->claim);
    service->claim = *next;
    *next = (struct claim_state){0};
    watch_claim(service);
    return true;
}

/* Links in the state folder's own path are the administrator's; below it there are none. */
static bool open_store(struct service *service, const char *state, struct err *err)
{
    int root = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC), folder;

    if (root < 0)
        return err_set(err, "cannot open the folder %s: %s", state, strerror(errno));
    folder = beneath_folder(root, service->config->name, err);
    service->store = folder >= 0 ? beneath_folder(folder, "releases", err) : -1;
    (void)close(root);
    if (folder >= 0)
        (void)close(folder);
    return service->store >= 0 || err_context(err, "%s", state);
}

static bool make_paths(struct service *service, struct err *err)
{
    const char *state = service->agent->config.state, *name = service->config->name;
    char folder[PATH_MAX];

    if (strlen(state) > PATH_MAX - 256) /* what is hung on below is shorter */
        return err_set(err, "the path of the state folder is too long");
    (void)snprintf(folder, sizeof folder, "%.3800s/%s", state, name);
    (void)snprintf(service->claim_path, sizeof service->claim_path, "%.3900s/claim.json", folder);
    (void)snprintf(service->jobs_path, sizeof service->jobs_path, "%.3900s/jobs.json", folder);
    (void)snprintf(service->sequences_path, sizeof service->sequences_path, "%.3900s/sequences.json", folder);
    return open_store(service, state, err);
}

bool service_open(struct service *service, struct agent *agent, const struct service_config *config, struct err *err)
{
    service->config = config;
    service->agent = agent;
    service->store = -1;
    if (!make_paths(service, err) || !claim_store_load(service->claim_path, agent->boot_id, &service->claim, err) ||
        !jobs_load(service->jobs_path, &service->jobs, err) ||
        !sequences_load(service->sequences_path, &service->sequences, err))
        return err_context(err, "service %s", config->name);
    out_since(&service->claim.claim, service->claim.claim.out_since_ms);
    release_sweep(service->store);
    if (!job_run_recover(service, err))
        return err_context(err, "service %s", config->name);
    admit_prune(service);
    watch_claim(service);
    log_claim(service,
              claim_left_ms(&service->claim.claim, claim_store_now_ms()) > 0 ? "node_is_out" : "claim_ran_out");
    return true;
}

void service_close(struct service *service)
{
    if (service->agent == NULL)
        return; /* never opened */
    loop_timer_stop(service->agent->loop, &service->claim_timer);
    loop_timer_stop(service->agent->loop, &service->out_timer);
    job_run_close(service);
    version_close(&service->version);
    if (service->store >= 0)
        (void)close(service->store);
    claim_state_clear(&service->claim);
}
