#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/ini.h"
#include "common/nearest.h"
#include "config_value.h"
#include "sign.h"

enum section { SECTION_NONE, SECTION_AGENT, SECTION_SERVICE };
#define STRUCT_AGENT   struct config
#define STRUCT_SERVICE struct service_config

static const struct setting {
    enum section section;
    const char *key;
    enum value_type type;
    size_t offset;
    const char *otherwise, *help;
} settings[] = {
#define SETTING(section, key, type, member, otherwise, help)                                                           \
    {SECTION_##section, key, VALUE_##type, offsetof(STRUCT_##section, member), otherwise, help},
#include "settings.def"
#undef SETTING
};
#define SETTING_COUNT (sizeof settings / sizeof *settings)

struct reader {
    struct config *config;
    enum section section;
    struct service_config *service; /* of SECTION_SERVICE */
};

/* The names settings of one section, for "did you mean". */
/* NULL where it is of the other section. */
static const char *key_of(const void *section, size_t i)
{
    return settings[i].section == *(const enum section *)section ? settings[i].key : NULL;
}

static const char *nearest_key(enum section section, const char *key)
{
    return nearest_name(key, SETTING_COUNT, key_of, &section);
}

static bool open_section(struct reader *r, const char *section, struct err *err)
{
    struct config *config = r->config;
    const char *name;

    if (strcmp(section, "agent") == 0) {
        r->section = SECTION_AGENT;
        return true;
    }
    if (strncmp(section, "service", 7) != 0 || (section[7] != ' ' && section[7] != '\t'))
        return err_set(err, "the section [%s] is unknown; there are [agent] and [service NAME]", section);
    name = section + 7 + strspn(section + 7, " \t");
    if (!value_name_ok(name, CONFIG_NAME_MAX))
        return err_set(err, "the service's name \"%s\" is not 1 to %d letters, digits, '.', '_' or '-'", name,
                       CONFIG_NAME_MAX);
    for (unsigned i = 0; i < config->service_count; i++) {
        if (strcmp(config->services[i].name, name) == 0)
            return err_set(err, "the service %s is there twice", name);
    }
    if (config->service_count == CONFIG_SERVICES_MAX)
        return err_set(err, "more than %d services", CONFIG_SERVICES_MAX);
    config->services = reallocarray(config->services, config->service_count + 1, sizeof *config->services);
    if (config->services == NULL)
        abort();
    r->service = &config->services[config->service_count++];
    *r->service = (struct service_config){0};
    (void)snprintf(r->service->name, sizeof r->service->name, "%s", name);
    r->section = SECTION_SERVICE;
    return true;
}

static bool set_value(struct reader *r, const struct setting *setting, const char *text, struct err *err)
{
    char *base = setting->section == SECTION_AGENT ? (char *)r->config : (char *)r->service;
    bool ok;

    if (setting->type == VALUE_ALLOW) {
        struct config *config = r->config;
        ok = config->allow_count < CONFIG_ALLOW_MAX
                 ? value_set_text(text, config->allow[config->allow_count++], CONFIG_ALLOW_TEXT, err)
                 : err_set(err, "more than %d of them", CONFIG_ALLOW_MAX);
    } else {
        ok = value_set(setting->type, text, base + setting->offset, err);
    }
    return ok || err_context(err, "%s", setting->key);
}

static bool take_key(struct reader *r, const char *key, const char *value, struct err *err)
{
    uint64_t *given = r->section == SECTION_AGENT ? &r->config->given : &r->service->given;

    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (settings[i].section != r->section || strcmp(settings[i].key, key) != 0)
            continue;
        if ((*given & UINT64_C(1) << i) != 0 && settings[i].type != VALUE_ALLOW && settings[i].type != VALUE_SIGN_KEY)
            return err_set(err, "%s is given twice", key);
        *given |= UINT64_C(1) << i;
        return set_value(r, &settings[i], value, err);
    }
    const char *near = nearest_key(r->section, key);
    return err_set(err, "the key \"%.64s\" is unknown here%s%s%s", key, near != NULL ? "; did you mean \"" : "",
                   near != NULL ? near : "", near != NULL ? "\"?" : "");
}

static bool take_line(void *ctx, const struct ini_line *line, struct err *err)
{
    struct reader *r = ctx;
    char key[128];
    const char *equals;
    size_t length;

    if (line->text == NULL)
        return open_section(r, line->section, err);
    if (r->section == SECTION_NONE)
        return err_set(err, "a key before the first section; begin with [agent]");
    equals = strchr(line->text, '=');
    if (equals == NULL)
        return err_set(err, "neither a [section] nor KEY = VALUE");
    length = (size_t)(equals - line->text);
    while (length > 0 && (line->text[length - 1] == ' ' || line->text[length - 1] == '\t'))
        length--;
    if (length == 0 || length >= sizeof key)
        return err_set(err, "no key, or one that is too long, in front of the =");
    memcpy(key, line->text, length);
    key[length] = '\0';
    return take_key(r, key, equals + 1 + strspn(equals + 1, " \t"), err);
}

/* Defaults for what was not given; what must be given and was not is named. */
static bool fill_section(struct reader *r, uint64_t given, const char *title, struct err *err)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings[i];
        if (setting->section != r->section || (given & UINT64_C(1) << i) != 0)
            continue;
        if (setting->otherwise == NULL)
            return err_set(err, "%s: %s is missing: %s", title, setting->key, setting->help);
        if (setting->otherwise[0] != '\0' && !set_value(r, setting, setting->otherwise, err))
            return false;
    }
    return true;
}

bool config_uses_tls(const struct config *config)
{
    return config->tls_cert[0] != '\0';
}

static bool check_listen(const struct config *config, struct err *err)
{
    bool cert = config->tls_cert[0] != '\0', key = config->tls_key[0] != '\0', ca = config->tls_ca[0] != '\0';

    if (cert != key || cert != ca)
        return err_set(err, "[agent]: tls-cert, tls-key and tls-ca are needed together");
    if (cert && config->allow_count == 0)
        return err_set(err, "[agent]: with TLS, allow must name at least one controller");
    if (cert && config->listen.addr.ss_family == AF_UNIX)
        return err_set(err, "[agent]: TLS on a unix socket is not offered; leave the tls- keys out");
    if (!cert && config->allow_count > 0)
        return err_set(err, "[agent]: allow needs TLS: give tls-cert, tls-key and tls-ca");
    if (config->network_user[0] != '\0' && config->helper_socket[0] == '\0')
        return err_set(err, "[agent]: network-user needs helper-socket, where that user's half comes in");
    if (!cert && !config->listen.local)
        return err_set(err,
                       "[agent]: listen = %s is no loopback address, and plain HTTP there would let anybody in: give "
                       "tls-cert, tls-key, tls-ca and allow",
                       config->listen.text);
    return true;
}

bool config_can_start(const struct service_config *service)
{
    return service->restart != RESTART_SIGNAL || service->exec_args[0] != '\0';
}

bool config_starts_programs(const struct config *config)
{
    for (unsigned i = 0; i < config->service_count; i++) {
        if (config_can_start(&config->services[i]))
            return true;
    }
    return false;
}

/* Exactly one way leads to the process, and what the restart needs is there. */
static bool check_service(const struct service_config *s, struct err *err)
{
    bool pidfile = s->pidfile[0] != '\0', listen_on = s->listen_on.port != 0, unit = s->unit[0] != '\0';

    if (pidfile && listen_on)
        return err_set(err, "pidfile and listen-on are two ways to find the process, which may disagree: give one");
    if (!pidfile && !listen_on && !unit)
        return err_set(err, "how is its process found? Give one of pidfile, listen-on and unit");
    if (s->restart == RESTART_SYSTEMD && !unit)
        return err_set(err, "restart = systemd needs unit, the unit that systemctl restarts");
    if (s->restart == RESTART_EXEC && unit)
        return err_set(err, "restart = exec and unit: who starts it, the agent or systemd? Leave unit out, or take "
                            "restart = systemd");
    if (s->restart != RESTART_SIGNAL && s->retire != 0)
        return err_set(err, "retire belongs to restart = signal");
    if (unit && s->exec_args[0] != '\0')
        return err_set(err, "exec-args and unit: who starts it, the agent or systemd? Leave one out");
    return true;
}

static bool finish(struct config *config, const char *name, struct err *err)
{
    struct reader r = {.config = config, .section = SECTION_AGENT};
    bool ok = fill_section(&r, config->given, "[agent]", err) && check_listen(config, err);

    r.section = SECTION_SERVICE;
    for (unsigned i = 0; ok && i < config->service_count; i++) {
        char title[CONFIG_NAME_MAX + 16];
        r.service = &config->services[i];
        (void)snprintf(title, sizeof title, "[service %s]", r.service->name);
        ok = fill_section(&r, r.service->given, title, err) &&
             (check_service(r.service, err) || err_context(err, "%s", title));
    }
    if (ok && config->service_count == 0)
        ok = err_set(err, "there is no [service NAME] section");
    return ok || err_context(err, "%s", name);
}

bool config_read(const char *path, struct config *config, struct err *err)
{
    struct reader r = {.config = config};

    *config = (struct config){0};
    return ini_read(path, take_line, &r, err) && finish(config, path, err);
}

bool config_parse(const char *name, const char *text, size_t size, struct config *config, struct err *err)
{
    struct reader r = {.config = config};

    *config = (struct config){0};
    return ini_parse(name, text, size, take_line, &r, err) && finish(config, name, err);
}

void config_free(struct config *config)
{
    free(config->services);
    *config = (struct config){0};
}

static bool check_readable(const char *path, const char *key, int mode, struct err *err)
{
    return access(path, mode) == 0 || err_set(err, "%s: cannot use %s: %s", key, path, strerror(errno));
}

static bool check_exec_dir(const char *path, struct err *err)
{
    struct stat st;

    return check_readable(path, "exec-dir", X_OK, err) &&
           ((stat(path, &st) == 0 && S_ISDIR(st.st_mode)) || err_set(err, "exec-dir: %s is no folder", path));
}

/* Not opened: that could make it, or end what reads it. */
static bool check_exec_log(const char *path, struct err *err)
{
    char folder[PATH_MAX];
    struct stat st;
    size_t length;

    if (stat(path, &st) == 0)
        return S_ISDIR(st.st_mode) ? err_set(err, "exec-log: %s is a folder", path)
                                   : check_readable(path, "exec-log", W_OK, err);
    length = (size_t)(strrchr(path, '/') - path);
    (void)snprintf(folder, sizeof folder, "%.*s", length > 0 ? (int)length : 1, path);
    return check_readable(folder, "exec-log: its folder", W_OK | X_OK, err);
}

bool config_check_start(const struct service_config *service, struct err *err)
{
    return check_exec_dir(service->exec_dir, err) && check_exec_log(service->exec_log, err);
}

/* Fences and sequences that others can write keep nobody out. */
static bool check_state(const char *path, struct err *err)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return true; /* it will be made */
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return err_set(err, "state: others can write in %s (mode %04o): chmod go-w %s", path, st.st_mode & 07777, path);
    return check_readable(path, "state", R_OK | W_OK | X_OK, err);
}

static bool check_helper(const struct config *config, struct err *err)
{
    if (!check_state(config->state, err))
        return false;
    for (unsigned i = 0; i < config->service_count; i++) {
        const struct service_config *service = &config->services[i];
        if (!check_readable(service->executable, "executable", R_OK | X_OK, err) || !sign_keys_ok(service, err) ||
            (config_can_start(service) && !config_check_start(service, err)))
            return err_context(err, "[service %s]", service->name);
    }
    return true;
}

static bool check_network(const struct config *config, struct err *err)
{
    return !config_uses_tls(config) || (check_readable(config->tls_cert, "tls-cert", R_OK, err) &&
                                        check_readable(config->tls_key, "tls-key", R_OK, err) &&
                                        check_readable(config->tls_ca, "tls-ca", R_OK, err));
}

bool config_check_world(const struct config *config, unsigned halves, struct err *err)
{
    return ((halves & HALF_NETWORK) == 0 || check_network(config, err)) &&
           ((halves & HALF_HELPER) == 0 || check_helper(config, err));
}

static void print_service(const struct service_config *s, FILE *to)
{
    char addr[TCP_ADDR_TEXT];

    (void)fprintf(to, "service %s: %s, ", s->name, s->executable);
    if (s->pidfile[0] != '\0')
        (void)fprintf(to, "pid file %s", s->pidfile);
    else if (s->listen_on.port != 0)
        (void)fprintf(to, "found by who listens on %s", tcp_addr_format(&s->listen_on, addr));
    else
        (void)fprintf(to, "found in %s", s->unit);
    (void)fprintf(to, ", health http://%s%s, restart by ", s->health.host, s->health.path);
    if (s->restart == RESTART_SIGNAL)
        (void)fprintf(to, "SIG%s", sigabbrev_np(s->signal));
    else if (s->restart == RESTART_SYSTEMD)
        (void)fprintf(to, "systemctl restart %s", s->unit);
    else
        (void)fprintf(to, "SIGTERM and a start");
    (void)fprintf(to, " within %u ms\n", s->ready_timeout_ms);
    if (s->require_signature && s->sign_keys.count == 0)
        (void)fprintf(to,
                      "service %s: takes no release, only restarts: require-signature is on and there is no sign-key\n",
                      s->name);
    else
        (void)fprintf(to, "service %s: takes %s releases, %u sign-key%s\n", s->name,
                      s->require_signature ? "only signed" : "UNSIGNED", s->sign_keys.count,
                      s->sign_keys.count == 1 ? "" : "s");
}

void config_print_summary(const struct config *config, FILE *to)
{
    (void)fprintf(to, "node %s, listens on %s, %s, state in %s\n", config->node, config->listen.text,
                  config_uses_tls(config) ? "mutual TLS" : "plain HTTP (local only)", config->state);
    if (config->helper_socket[0] != '\0')
        (void)fprintf(to, "two halves, joined at %s; the network half is user %s\n", config->helper_socket,
                      config->network_user[0] != '\0' ? config->network_user : "of the helper half");
    for (unsigned i = 0; i < config->allow_count; i++)
        (void)fprintf(to, "allows the controller %s\n", config->allow[i]);
    for (unsigned i = 0; i < config->service_count; i++)
        print_service(&config->services[i], to);
}

void config_print_help(FILE *to)
{
    static const char *const titles[] = {[SECTION_AGENT] = "[agent]", [SECTION_SERVICE] = "[service NAME]"};
    enum section last = SECTION_NONE;

    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *s = &settings[i];
        if (s->section != last)
            (void)fprintf(to, "%s\n", titles[s->section]);
        last = s->section;
        (void)fprintf(to, "  %-15s %s", s->key, s->help);
        if (s->otherwise == NULL)
            (void)fprintf(to, " (needed)");
        else if (s->otherwise[0] != '\0')
            (void)fprintf(to, " (default %s)", s->otherwise);
        (void)fprintf(to, "\n");
    }
}
