#include "admit.h"

#include <string.h>

#include "agent.h"
#include "log.h"
#include "release.h"
#include "service.h"

static bool ident_is(const struct ident *ident, const uint8_t sha256[SHA256_BYTES])
{
    return ident->pid != 0 && memcmp(ident->sha256, sha256, SHA256_BYTES) == 0;
}

/* As jobs found it, or brought it. */
static bool ran_here(const struct jobs *jobs, const char *hex)
{
    uint8_t sha256[SHA256_BYTES];

    if (!sha256_parse(hex, sha256))
        return false;
    for (size_t i = 0; i < jobs->history.count; i++)
        if (strcmp(jobs->history.hex[i], hex) == 0)
            return true;
    for (size_t i = 0; i < jobs->count; i++)
        if (ident_is(&jobs->list[i].before, sha256))
            return true;
    return false;
}

static enum code in_order(const struct service *service, const char *hex, const struct sign_check *check,
                          struct err *err)
{
    return sequence_may(&service->sequences, sign_key_id(check), sign_label(check)->sequence, hex, err);
}

static enum code signed_and_in_order(struct service *service, const char *hex, const char *text, size_t size,
                                     struct sign_check **check, struct err *err)
{
    enum code code = sign_begin(service->config, hex, text, size, check, err);

    if (code == CODE_JOB_OK)
        code = in_order(service, hex, *check, err);
    if (code != CODE_JOB_OK)
        sign_abandon(check);
    return code;
}

static bool is_wanted(const struct service *service, size_t size)
{
    return service->config->require_signature || (size > 0 && service->config->sign_keys.count > 0);
}

enum code admit_job(struct service *service, const struct job *ask, struct sign_check **check, struct err *err)
{
    struct sign_check *own = NULL;
    char text[MINISIGN_FILE_MAX];
    enum code code = CODE_JOB_OK;
    size_t size;

    if (check != NULL)
        *check = NULL;
    if (ask->action == JOB_RESTART)
        return CODE_JOB_OK;
    if (!release_is_whole(service->store, ask->release, &service->hashes)) {
        err_set(err, "the release %s is not here: PUT it first", ask->release);
        return CODE_NO_RELEASE;
    }
    if (ask->action == JOB_ROLLBACK && ran_here(&service->jobs, ask->release))
        return CODE_JOB_OK;
    size = release_signature(service->store, ask->release, text);
    if (is_wanted(service, size))
        code = signed_and_in_order(service, ask->release, text, size, &own, err);
    if (check != NULL)
        *check = own;
    else
        sign_abandon(&own);
    return code;
}

enum code admit_upload(struct service *service, const char *hex, const char *text, size_t size,
                       struct sign_check **check, struct err *err)
{
    char stored[MINISIGN_FILE_MAX];

    *check = NULL;
    if (size == 0) {
        size = release_signature(service->store, hex, stored);
        text = stored;
    }
    return is_wanted(service, size) ? signed_and_in_order(service, hex, text, size, check, err) : CODE_JOB_OK;
}

void admit_note(struct service *service, const struct job *job)
{
    struct sign_check *check;
    struct log_quoted quoted;
    char text[MINISIGN_FILE_MAX];
    struct err err = {""};
    size_t size;

    if (job->action != JOB_UPGRADE)
        return;
    size = release_signature(service->store, job->release, text);
    if (!is_wanted(service, size) || sign_begin(service->config, job->release, text, size, &check, &err) != CODE_JOB_OK)
        return; /* unsigned, and let in all the same */
    if (!sequence_raise(&service->sequences, sign_key_id(check), sign_label(check)->sequence, job->release))
        (void)err_set(&err, "there have been %d keys here: take sequences.json away when none is of use",
                      SEQUENCES_MAX);
    else
        (void)sequences_save(service->sequences_path, &service->sequences, &err);
    if (err.text[0] != '\0') /* it holds as long as this agent runs */
        log_event("sequence_not_saved", "service=%s job=%s text=%s", service->config->name, job->id,
                  log_quote(&quoted, err.text));
    sign_abandon(&check);
}

#define NEEDED_MAX 16

void admit_prune(struct service *service)
{
    char running[SHA256_DIGITS + 1] = "", installed[SHA256_DIGITS + 1] = "";
    const struct claim *claim = &service->claim.claim;
    const struct job *job = jobs_last(&service->jobs);
    const char *needed[NEEDED_MAX];
    uint8_t sha256[SHA256_BYTES];
    struct ident ident;
    size_t n = 0;

    if (service_ident(service, &ident, NULL))
        sha256_hex(ident.sha256, running);
    if (service_installed(service, sha256, NULL))
        sha256_hex(sha256, installed);
    needed[n++] = running;
    needed[n++] = installed;
    needed[n++] = history_before(&service->jobs.history, running);
    needed[n++] = history_before(&service->jobs.history, installed);
    if (claim->held) {
        needed[n++] = claim->target_sha256;
        needed[n++] = json_string_value(json_object_get(claim->before, "sha256"));
    }
    if (job != NULL) {
        needed[n++] = job->release;
        needed[n++] = job->previous;
    }
    release_prune(service->store, service->config->keep, needed, n);
}
