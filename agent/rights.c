#include "rights.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

#define STATUS_TEXT 8192

/* Behind "KEY:" at the beginning of a line. */
static const char *line_of(const char *status, const char *key)
{
    const char *at = strstr(status, key);

    return at != NULL && (at == status || at[-1] == '\n') ? at + strlen(key) : NULL;
}

bool rights_read(const char *status, struct rights_who *who, struct err *err)
{
    const char *user = line_of(status, "Uid:"), *group = line_of(status, "Gid:"), *groups = line_of(status, "Groups:"),
               *caps = line_of(status, "CapEff:");
    unsigned fs_user, fs_group;
    uint64_t effective;

    *who = (struct rights_who){0};
    if (user == NULL || group == NULL || groups == NULL || caps == NULL ||
        sscanf(user, "%*u %*u %*u %u", &fs_user) != 1 || sscanf(group, "%*u %*u %*u %u", &fs_group) != 1 ||
        sscanf(caps, "%" SCNx64, &effective) != 1)
        return err_set(err, "the status of this process cannot be read");
    who->user = fs_user;
    who->may_give = (effective >> CAP_CHOWN & 1) != 0;
    groups += strspn(groups, " \t");
    (void)snprintf(who->groups, sizeof who->groups, " %u %.*s ", fs_group, (int)strcspn(groups, "\n"), groups);
    return true;
}

bool rights_to_give(const struct rights_who *who, uid_t owner, gid_t group)
{
    char wanted[16];

    (void)snprintf(wanted, sizeof wanted, " %u ", group);
    return who->may_give || (owner == who->user && strstr(who->groups, wanted) != NULL);
}

static bool check_folder(const char *folder, const struct rights_who *who, struct err *err)
{
    if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0)
        return true;
    if (errno == EROFS)
        return err_set(
            err, "it takes no release, only restarts: %s is read-only for the agent: give its unit ReadWritePaths=%s",
            folder, folder);
    return err_set(
        err, "it takes no release, only restarts: user %u, who the agent is, cannot write in %s (%s): chown %u %s",
        who->user, folder, strerror(errno), who->user, folder);
}

static bool check_file(const char *path, const struct rights_who *who, struct err *err)
{
    struct stat st;

    if (stat(path, &st) != 0 || rights_to_give(who, st.st_uid, st.st_gid))
        return true;
    return err_set(
        err,
        "it takes no release, only restarts: %s belongs to user %u and group %u, and user %u, who the agent "
        "is, cannot give a new file to them: chown %u: %s, or give the agent's unit CAP_CHOWN and CAP_FOWNER",
        path, st.st_uid, st.st_gid, who->user, who->user, path);
}

static bool takes_releases(const struct service_config *service)
{
    return !service->require_signature || service->sign_keys.count > 0;
}

bool rights_check(const struct service_config *service, struct err *err)
{
    char path[PATH_MAX], folder[PATH_MAX], status[STATUS_TEXT];
    struct rights_who who;
    char *slash;

    if (!takes_releases(service) || realpath(service->executable, path) == NULL ||
        !file_read_small("/proc/self/status", status, sizeof status, NULL) || !rights_read(status, &who, NULL))
        return true; /* what is not there is said elsewhere */
    (void)snprintf(folder, sizeof folder, "%s", path);
    slash = strrchr(folder, '/');
    slash[slash == folder ? 1 : 0] = '\0';
    return check_folder(folder, &who, err) && check_file(path, &who, err);
}

void rights_warn(const struct config *config, FILE *to)
{
    struct err err;

    for (unsigned i = 0; i < config->service_count; i++)
        if (!rights_check(&config->services[i], &err))
            (void)fprintf(to, "rollout-agent: warning: [service %s]: %s\n", config->services[i].name, err.text);
}
