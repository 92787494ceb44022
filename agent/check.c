#include "check.h"

#include "file.h"
#include "unit.h"

#define CGROUP_TEXT 8192

static bool tell(const struct unit_fault *fault, const char *unit, FILE *mend, struct err *err)
{
    *err = fault->err;
    if (mend != NULL && fault->drop_in[0] != '\0')
        (void)fprintf(mend, "# this mends it: systemctl edit %s\n%s", unit, fault->drop_in);
    return false;
}

static bool is_started(const struct service_config *service)
{
    return service->restart == RESTART_EXEC || service->exec_args[0] != '\0';
}

static bool check_service_unit(const struct service_config *service, FILE *mend, struct err *err)
{
    struct unit_fault fault;
    struct unit unit;

    if (service->unit[0] == '\0')
        return true;
    return unit_read("", service->unit, service->unit_file, &unit, err) &&
           (unit_check(&unit, service, &fault) || tell(&fault, service->unit, mend, err));
}

/* Only where the check runs in the agent's unit, as its ExecStartPre does. */
static bool check_own_unit(FILE *mend, struct err *err)
{
    char text[CGROUP_TEXT], name[CONFIG_UNIT_MAX + 1];
    struct unit_fault fault;
    struct unit unit;

    if (!file_read_small("/proc/self/cgroup", text, sizeof text, NULL) || !unit_of_cgroup(text, name) ||
        !unit_read("", name, "", &unit, NULL))
        return true;
    return unit_check_own(&unit, &fault) || tell(&fault, name, mend, err);
}

bool check_service(const struct service_config *service, FILE *mend, struct err *err)
{
    return check_service_unit(service, mend, err) && (!is_started(service) || check_own_unit(mend, err));
}

bool check_units(const struct config *config, FILE *mend, struct err *err)
{
    bool starts = false;

    for (unsigned i = 0; i < config->service_count; i++) {
        const struct service_config *service = &config->services[i];
        if (!check_service_unit(service, mend, err))
            return err_context(err, "[service %s]", service->name);
        starts |= is_started(service);
    }
    return !starts || check_own_unit(mend, err);
}
