#include "swap.h"

#include <stdio.h>
#include <string.h>

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
    if (release_keep(service->releases, from, hex, &service->hashes, err))
        return CODE_JOB_OK;
    (void)err_context(err, "the running executable cannot be kept");
    return CODE_JOB_SWAP_FAILED;
}

bool swap_in(struct service *service, uint8_t wanted[SHA256_BYTES], struct err *err)
{
    struct job *job = service->run.job;
    uint8_t installed[SHA256_BYTES];
    char hex[SHA256_DIGITS + 1], from[PATH_MAX];
    bool swapped;

    if (!service_installed(service, installed, err))
        return false;
    memcpy(wanted, installed, SHA256_BYTES);
    if (job->action == JOB_RESTART)
        return true;
    (void)sha256_parse(job->release, wanted);
    if (memcmp(wanted, installed, SHA256_BYTES) == 0)
        return true;
    sha256_hex(installed, hex);
    if (!release_keep(service->releases, service->config->executable, hex, &service->hashes, err))
        return err_context(err, "the old executable cannot be kept");
    (void)snprintf(job->previous, sizeof job->previous, "%s", hex);
    if (!jobs_save(service->jobs_path, &service->jobs, err)) {
        job->previous[0] = '\0';
        return false;
    }
    release_path(service->releases, job->release, from);
    if (install_put(service->config->executable, from, wanted, &swapped, err)) {
        job->touched = true;
        return true;
    }
    job->touched = swapped;
    if (!swapped)
        job->previous[0] = '\0'; /* nothing to put back */
    return false;
}

void swap_back(struct service *service, struct job *job)
{
    char from[PATH_MAX];
    uint8_t sha256[SHA256_BYTES];
    struct err err = {""};
    struct log_quoted quoted;
    bool swapped;

    if (job->restored || job->previous[0] == '\0' || !sha256_parse(job->previous, sha256))
        return;
    release_path(service->releases, job->previous, from);
    job->restored = install_put(service->config->executable, from, sha256, &swapped, &err);
    if (job->restored)
        return;
    log_event("restore_failed", "service=%s job=%s text=%s", service->config->name, job->id,
              log_quote(&quoted, err.text));
    size_t used = strlen(job->text);
    (void)snprintf(job->text + used, sizeof job->text - used, "; THE OLD FILE COULD NOT BE PUT BACK: %s", err.text);
}
