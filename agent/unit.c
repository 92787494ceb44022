#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/ini.h"

#define DROP_INS_MAX 256
#define NAMES_MAX    16

/* The first wins. */
static const char *const folders[] = {
    "/etc/systemd/system.control",  "/run/systemd/system.control",   "/run/systemd/transient",
    "/run/systemd/generator.early", "/etc/systemd/system",           "/run/systemd/system",
    "/run/systemd/generator",       "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
    "/lib/systemd/system",          "/run/systemd/generator.late",
};

/* ---- one file */

struct reader {
    struct unit *unit;
    bool in_service, continued;
};

static const struct {
    const char *key;
    size_t offset;
} keys[] = {
    {"Type", offsetof(struct unit, type)},
    {"PIDFile", offsetof(struct unit, pid_file)},
    {"NotifyAccess", offsetof(struct unit, notify_access)},
    {"KillMode", offsetof(struct unit, kill_mode)},
    {"Restart", offsetof(struct unit, restart)},
    {"BusName", offsetof(struct unit, bus_name)},
};

static void take_value(struct unit *unit, size_t offset, const char *value)
{
    (void)snprintf((char *)unit + offset, UNIT_VALUE_MAX, "%s", value + strspn(value, " \t"));
}

/* A line that ends with a backslash goes on in the next one, which is then no key. None of our keys is that long. */
static bool take_line(void *ctx, const struct ini_line *line, struct err *err)
{
    struct reader *r = ctx;
    bool continues = line->text != NULL && line->text[0] != '\0' && line->text[strlen(line->text) - 1] == '\\';
    size_t length;

    (void)err;
    if (line->text == NULL)
        r->in_service = strcmp(line->section, "Service") == 0;
    else if (!r->continued && r->in_service) {
        length = strcspn(line->text, " \t=");
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            const char *equals = line->text + length + strspn(line->text + length, " \t");
            if (strlen(keys[i].key) == length && strncmp(line->text, keys[i].key, length) == 0 && *equals == '=')
                take_value(r->unit, keys[i].offset, equals + 1);
        }
    }
    r->continued = continues;
    return true;
}

bool unit_parse(const char *name, const char *text, size_t size, struct unit *unit, struct err *err)
{
    struct reader r = {.unit = unit};

    return ini_parse(name, text, size, take_line, &r, err);
}

static bool read_file(const char *path, struct unit *unit, struct err *err)
{
    struct reader r = {.unit = unit};

    return ini_read(path, take_line, &r, err);
}

/* ---- the files of a unit */

/* "app@one.service" -> "app@.service"; "" where it is no instance. */
static void template_of(const char *name, char template[CONFIG_UNIT_MAX + 1])
{
    const char *at = strchr(name, '@'), *dot = strrchr(name, '.');

    template[0] = '\0';
    if (at != NULL && dot != NULL && dot > at + 1)
        (void)snprintf(template, CONFIG_UNIT_MAX + 1, "%.*s%s", (int)(at + 1 - name), name, dot);
}

static bool find_fragment(const char *root, const char *name, struct unit *unit)
{
    char template[CONFIG_UNIT_MAX + 1];
    struct stat st;

    template_of(name, template);
    for (int instance = 0; instance < 2; instance++) {
        const char *wanted = instance == 0 ? name : template;
        for (size_t i = 0; wanted[0] != '\0' && i < sizeof folders / sizeof *folders; i++) {
            (void)snprintf(unit->path, sizeof unit->path, "%.3000s%.60s/%.255s", root, folders[i], wanted);
            if (stat(unit->path, &st) == 0)
                return true;
        }
    }
    unit->path[0] = '\0';
    return false;
}

struct drop_ins {
    size_t count;
    char *paths[DROP_INS_MAX];
};

static const char *base_name(const char *path)
{
    return strrchr(path, '/') + 1;
}

static void take_folder(struct drop_ins *list, const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir != NULL && list->count < DROP_INS_MAX && (entry = readdir(dir)) != NULL) {
        size_t length = strlen(entry->d_name);
        bool hidden = false;

        if (length < 6 || entry->d_name[0] == '.' || strcmp(entry->d_name + length - 5, ".conf") != 0)
            continue;
        for (size_t i = 0; i < list->count; i++)
            hidden |= strcmp(base_name(list->paths[i]), entry->d_name) == 0;
        if (!hidden && asprintf(&list->paths[list->count], "%s/%s", folder, entry->d_name) > 0)
            list->count++;
    }
    if (dir != NULL)
        (void)closedir(dir);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(base_name(*(char *const *)a), base_name(*(char *const *)b));
}

/* Names whose .d folders count, the nearest first: a-b.service, its template, a-.service, service. */
static size_t names_of(const char *name, char names[NAMES_MAX][CONFIG_UNIT_MAX + 1])
{
    const char *dot = strrchr(name, '.');
    size_t count = 0;

    (void)snprintf(names[count++], sizeof names[0], "%s", name);
    template_of(name, names[count]);
    count += names[count][0] != '\0';
    for (const char *dash = dot; count < NAMES_MAX - 1 && dash > name; dash--) {
        if (dash[-1] == '-' && dash != dot)
            (void)snprintf(names[count++], sizeof names[0], "%.*s%s", (int)(dash - name), name, dot);
    }
    (void)snprintf(names[count++], sizeof names[0], "%s", dot + 1);
    return count;
}

static bool read_drop_ins(const char *root, const char *name, const char *file, struct unit *unit, struct err *err)
{
    char names[NAMES_MAX][CONFIG_UNIT_MAX + 1], folder[PATH_MAX];
    size_t name_count = names_of(name, names);
    struct drop_ins list = {0};
    bool ok = true;

    if (file[0] != '\0' && snprintf(folder, sizeof folder, "%s.d", file) < (int)sizeof folder)
        take_folder(&list, folder);
    for (size_t n = 0; n < name_count; n++) {
        for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
            (void)snprintf(folder, sizeof folder, "%.3000s%.60s/%.255s.d", root, folders[i], names[n]);
            take_folder(&list, folder);
        }
    }
    if (list.count > 0)
        qsort(list.paths, list.count, sizeof *list.paths, compare_paths);
    for (size_t i = 0; i < list.count; i++) {
        ok = ok && read_file(list.paths[i], unit, err);
        free(list.paths[i]);
    }
    return ok;
}

bool unit_read(const char *root, const char *name, const char *file, struct unit *unit, struct err *err)
{
    char real[PATH_MAX];

    *unit = (struct unit){0};
    if (file[0] != '\0')
        (void)snprintf(unit->path, sizeof unit->path, "%s", file);
    else if (!find_fragment(root, name, unit))
        return err_set(err,
                       "the unit %s is in none of systemd's folders, %s and others; say where its file is with "
                       "unit-file, or leave unit out",
                       name, folders[4]);
    if (realpath(unit->path, real) != NULL && strcmp(real, "/dev/null") == 0)
        return err_set(err, "the unit %s is masked by %s", name, unit->path);
    return read_file(unit->path, unit, err) && read_drop_ins(root, name, file, unit, err);
}

/* ---- what a handover survives */

/* Always false. */
static bool mends(struct unit_fault *fault, const char *key, const char *value)
{
    (void)snprintf(fault->drop_in, sizeof fault->drop_in, "[Service]\n%s=%s\n", key, value);
    return false;
}

static const char *type_of(const struct unit *unit)
{
    if (unit->type[0] != '\0')
        return unit->type;
    return unit->bus_name[0] != '\0' ? "dbus" : "simple";
}

static bool is_notify(const struct unit *unit)
{
    return strncmp(unit->type, "notify", 6) == 0;
}

/* PIDFile=: relative to /run. One with specifiers (%t) is taken for the right one. */
static bool same_pid_file(const struct unit *unit, const struct service_config *service)
{
    char path[UNIT_VALUE_MAX + 8];

    (void)snprintf(path, sizeof path, "%s%s", unit->pid_file[0] == '/' ? "" : "/run/", unit->pid_file);
    if (strncmp(path, "/var/run/", 9) == 0)
        memmove(path, path + 4, strlen(path + 4) + 1);
    return service->pidfile[0] == '\0' || strchr(path, '%') != NULL || strcmp(path, service->pidfile) == 0 ||
           (strncmp(service->pidfile, "/var/run/", 9) == 0 && strcmp(path, service->pidfile + 4) == 0);
}

static bool check_handover(const struct unit *unit, const struct service_config *service, struct unit_fault *fault)
{
    if (unit->pid_file[0] != '\0' && !same_pid_file(unit, service)) {
        (void)err_set(&fault->err,
                      "%s has PIDFile=%s, and pidfile is %s: systemd and the agent would look at different processes",
                      service->unit, unit->pid_file, service->pidfile);
        return mends(fault, "PIDFile", service->pidfile);
    }
    if (unit->pid_file[0] != '\0' || (is_notify(unit) && strcmp(unit->notify_access, "all") == 0))
        return true;
    if (is_notify(unit)) {
        (void)err_set(&fault->err,
                      "%s has Type=%s and NotifyAccess=%s: systemd does not hear its successor say that it is the main "
                      "process now, and ends the unit, the successor with it, when the one before leaves",
                      service->unit, unit->type, unit->notify_access[0] != '\0' ? unit->notify_access : "main");
        return mends(fault, "NotifyAccess", "all");
    }
    (void)err_set(
        &fault->err,
        "%s has Type=%s: when the process before leaves after a handover, systemd takes its end for the unit's, "
        "and %s",
        service->unit, type_of(unit),
        strcmp(unit->kill_mode, "process") == 0 || strcmp(unit->kill_mode, "none") == 0
            ? "knows nothing of the successor any more"
            : "kills the successor");
    if (service->pidfile[0] != '\0')
        return mends(fault, "PIDFile", service->pidfile);
    (void)snprintf(
        fault->drop_in, sizeof fault->drop_in,
        "# if the program tells systemd its MAINPID; one that does not needs a pid file, or here restart = systemd\n"
        "[Service]\nType=notify\nNotifyAccess=all\n");
    return false;
}

bool unit_check(const struct unit *unit, const struct service_config *service, struct unit_fault *fault)
{
    *fault = (struct unit_fault){.drop_in = ""};
    if (service->restart == RESTART_SIGNAL)
        return check_handover(unit, service, fault);
    if (service->restart == RESTART_SYSTEMD && strcmp(unit->kill_mode, "none") == 0) {
        (void)err_set(&fault->err, "%s has KillMode=none: a restart would leave the process before beside the new one",
                      service->unit);
        return mends(fault, "KillMode", "mixed");
    }
    return true;
}

bool unit_check_own(const struct unit *unit, struct unit_fault *fault)
{
    *fault = (struct unit_fault){.drop_in = ""};
    if (strcmp(unit->kill_mode, "process") == 0)
        return true;
    (void)err_set(&fault->err,
                  "%s has KillMode=%s: the services that this agent starts (exec-args, restart = exec) would be killed "
                  "whenever the agent is stopped or restarted",
                  unit->path, unit->kill_mode[0] != '\0' ? unit->kill_mode : "control-group");
    return mends(fault, "KillMode", "process");
}

bool unit_of_cgroup(const char *text, char name[CONFIG_UNIT_MAX + 1])
{
    static const char suffix[] = ".service";

    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t length = strcspn(line, "\n");
        const char *end = line + length, *slash = memrchr(line, '/', length);
        size_t part = slash != NULL ? (size_t)(end - slash - 1) : 0;

        if (part > sizeof suffix - 1 && part <= CONFIG_UNIT_MAX &&
            memcmp(end - (sizeof suffix - 1), suffix, sizeof suffix - 1) == 0) {
            (void)snprintf(name, CONFIG_UNIT_MAX + 1, "%.*s", (int)part, slash + 1);
            return true;
        }
    }
    return false;
}
