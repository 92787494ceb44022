#include "status.h"

#include "agent.h"
#include "claim_store.h"
#include "common/json.h"
#include "release.h"

json_t *status_job_to_json(const struct service *service, const struct job *job)
{
    struct job copy;

    if (job == NULL)
        return json_null();
    copy = *job;
    if (job->state == JOB_RUNNING)
        copy.elapsed_ms = job_run_elapsed_ms(service);
    return job_to_json(&copy);
}

static json_t *text_or_null(const char *text)
{
    return text[0] != '\0' ? json_string(text) : json_null();
}

/* The release before the one that runs, as history.h knows it, where it is still in the store; "" else. */
static const char *previous_of(const struct service *service, const struct ident *ident)
{
    char runs[SHA256_DIGITS + 1];
    const char *before;

    if (ident->pid == 0)
        return "";
    sha256_hex(ident->sha256, runs);
    before = history_before(&service->jobs.history, runs);
    return before != NULL && release_exists(service->store, before, NULL) ? before : "";
}

static json_t *warnings_of(const struct service *service)
{
    json_t *list = json_array();

    if (service->warning.text[0] != '\0')
        (void)json_array_append_new(list, json_text(service->warning.text));
    return list;
}

json_t *status_to_json(struct service *service)
{
    char installed[SHA256_DIGITS + 1] = "";
    struct sockets sockets = {0};
    uint8_t sha256[SHA256_BYTES];
    struct ident ident;
    bool running = service_ident(service, &ident, NULL);

    if (service_installed(service, sha256, NULL))
        sha256_hex(sha256, installed);
    /* Connections that could not be counted are not 0: then nothing is said to listen either. */
    if (running && !(sockets_read(ident.pid, &sockets, NULL) && sockets_count(ident.pid, &sockets, NULL)))
        sockets = (struct sockets){0};
    return json_pack(
        "{s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:{s:b, s:I}}",
        "service", service->config->name, "node", service->agent->config.node, "boot_id", service->agent->boot_id,
        "running", running, "ident", ident_to_json(&ident), "installed", text_or_null(installed), "version",
        text_or_null(version_of(service, &ident)), "listening", sockets_to_json(&sockets), "connections",
        (json_int_t)sockets.connections, "releases", release_list(service->store), "previous",
        text_or_null(previous_of(service, &ident)), "claim", claim_to_json(&service->claim.claim, claim_store_now_ms()),
        "lock", lock_to_json(&service->claim.lock, claim_store_now_ms()), "fence", (json_int_t)service->claim.fence,
        "job", status_job_to_json(service, jobs_last(&service->jobs)), "wish",
        wish_to_json(wishes_latest(&service->wishes, claim_store_now_ms()), claim_store_now_ms()), "warnings",
        warnings_of(service), "signing", "required", service->config->require_signature, "sequence",
        (json_int_t)sequence_highest(&service->sequences));
}
