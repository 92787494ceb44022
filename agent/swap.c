#include "swap.h"

#include <stdio.h>
#include <string.h>

#include "admit.h"
#include "install.h"
#include "log.h"
#include "release.h"
#include "service.h"

enum code swap_keep(struct service *service, struct err *err)
{
    const struct job *job = service->run.job;
    uint8_t installed[SHA256_BYTES];
    char hex[SHA256_DIGITS + 1], from[32];

    if (!service_installed(service, installed, err))
        return CODE_JOB_SWAP_FAILED;
    if (memcmp(installed, job->before.sha256, sizeof installed) == 0 || job->action == JOB_ROLLBACK)
        return CODE_JOB_OK;
    if (job->action == JOB_RESTART) {
        err_set(err, "%s is not the executable that process %u runs; a restart would change the release",
                service->config->executable, job->before.pid);
        return CODE_JOB_WRONG_EXECUTABLE;
    }
    sha256_hex(job->before.sha256, hex);
    (void)snprintf(from, sizeof from, "/proc/%u/exe", job->before.pid);
    if (release_keep(service->store, from, hex, &service->hashes, err))
        return CODE_JOB_OK;
    (void)err_context(err, "the running executable cannot be kept");
    return CODE_JOB_SWAP_FAILED;
}

/* What was asked when the job began is asked again, of the bytes that are installed. */
static bool put(struct service *service, struct err *err)
{
    struct job *job = service->run.job;
    struct sign_check *check;
    struct install what = {.executable = service->config->executable,
                           .store = service->store,
                           .hex = job->release,
                           .before = job->previous,
                           .any_kind = job->action == JOB_ROLLBACK,
                           .kind = service->config->kind,
                           .sign = &check};
    bool swapped = false, ok;

    ok = admit_job(service, job, &check, err) == CODE_JOB_OK;
    if (ok && check == NULL)
        what.sign = NULL;
    ok = ok && install_put(&what, &swapped, err);
    sign_abandon(&check);
    job->touched = swapped;
    if (!swapped)
        job->previous[0] = '\0'; /* nothing to put back */
    return ok;
}

bool swap_in(struct service *service, uint8_t wanted[SHA256_BYTES], struct err *err)
{
    struct job *job = service->run.job;
    uint8_t installed[SHA256_BYTES];
    char hex[SHA256_DIGITS + 1];

    if (!service_installed(service, installed, err))
        return false;
    memcpy(wanted, installed, SHA256_BYTES);
    if (job->action == JOB_RESTART)
        return true;
    (void)sha256_parse(job->release, wanted);
    if (memcmp(wanted, installed, SHA256_BYTES) == 0)
        return true;
    sha256_hex(installed, hex);
    if (!release_keep(service->store, service->config->executable, hex, &service->hashes, err))
        return err_context(err, "the old executable cannot be kept");
    (void)snprintf(job->previous, sizeof job->previous, "%s", hex);
    if (!jobs_save(service->jobs_path, &service->jobs, err)) {
        job->previous[0] = '\0';
        return false;
    }
    return put(service, err);
}

void swap_back(struct service *service, struct job *job)
{
    struct err err = {""};
    struct log_quoted quoted;

    if (job->restored || job->previous[0] == '\0')
        return;
    job->restored = install_back(service->config->executable, service->store, job->previous, &err);
    if (job->restored)
        return;
    log_event("restore_failed", "service=%s job=%s text=%s", service->config->name, job->id,
              log_quote(&quoted, err.text));
    size_t used = strlen(job->text);
    (void)snprintf(job->text + used, sizeof job->text - used, "; THE OLD FILE COULD NOT BE PUT BACK: %s", err.text);
}

static bool runs_what_is_installed(struct service *service)
{
    uint8_t installed[SHA256_BYTES];
    struct ident ident;

    return service_ident(service, &ident, NULL) && service_installed(service, installed, NULL) &&
           memcmp(ident.sha256, installed, sizeof installed) == 0;
}

void swap_sweep(struct service *service)
{
    const struct job *job = jobs_last(&service->jobs);

    if (job == NULL || job->state == JOB_DONE || !job->touched || job->previous[0] == '\0' || job->restored ||
        runs_what_is_installed(service))
        install_sweep(service->config->executable);
}
