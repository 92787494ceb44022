/* unit.h - a systemd unit's file and its drop-ins, as far as a handover depends on them, read as systemd.unit(5) says:
 * the first file of that name in systemd's folders, and the *.conf in NAME.d of all of them in the order of their
 * names, where a folder that comes first hides a file of the same name. A key given again counts as it was given last.
 */
#ifndef AGENT_UNIT_H
#define AGENT_UNIT_H

#include <limits.h>

#include "common/err.h"
#include "config.h"

#define UNIT_VALUE_MAX 256

/* "" = not given. */
struct unit {
    char path[PATH_MAX]; /* of the unit's own file */
    char type[UNIT_VALUE_MAX], pid_file[UNIT_VALUE_MAX], notify_access[UNIT_VALUE_MAX], kill_mode[UNIT_VALUE_MAX],
        restart[UNIT_VALUE_MAX], bus_name[UNIT_VALUE_MAX];
};

/* file: where the unit's own file is; "" = in systemd's folders, which are looked for below `root` ("" in life). False:
 * there is none, it is masked, or it cannot be read. */
bool unit_read(const char *root, const char *name, const char *file, struct unit *unit, struct err *err);

/* One file's text more. Pure. */
bool unit_parse(const char *name, const char *text, size_t size, struct unit *unit, struct err *err);

/* What is wrong with it for this service: the sentence, and the lines of the drop-in that mends it ("": none can).
 * Pure.
 */
struct unit_fault {
    struct err err;
    char drop_in[PATH_MAX + 256];
};
/* False: there is a fault. */
bool unit_check(const struct unit *unit, const struct service_config *service, struct unit_fault *fault);

/* The agent's own unit, where it starts services: they must outlive it. */
bool unit_check_own(const struct unit *unit, struct unit_fault *fault);
/* The name of the unit that a text of /proc/PID/cgroup is of; false: of none. Pure. */
bool unit_of_cgroup(const char *text, char name[CONFIG_UNIT_MAX + 1]);

#endif
