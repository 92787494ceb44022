#include "config_value.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "common/addr.h"
#include "common/duration.h"
#include "common/minisign.h"
#include "config.h"
#include "words.h"

#define COUNT_MAX       100000
#define DURATION_MAX_MS (3600 * 1000)

bool value_name_ok(const char *name, size_t max)
{
    size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    return length > 0 && length <= max && name[length] == '\0' && name[0] != '.';
}

bool value_set_text(const char *text, char *to, size_t size, struct err *err)
{
    if (text[0] == '\0')
        return err_set(err, "the value is empty");
    if (strlen(text) >= size)
        return err_set(err, "the value is longer than %zu bytes", size - 1);
    memcpy(to, text, strlen(text) + 1);
    return true;
}

/* A numeric address and port; host "" is no address here. */
static bool resolve(const struct addr *addr, struct sockaddr_storage *to, socklen_t *size, bool *loopback)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(addr->port)};
    const char *host = strcmp(addr->host, "localhost") == 0 ? "127.0.0.1" : addr->host;

    *to = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(to, &v4, *size = sizeof v4);
        *loopback = (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        memcpy(to, &v6, *size = sizeof v6);
        *loopback = IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
        return true;
    }
    return false;
}

static bool set_listen(const char *text, struct listen_address *to, struct err *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct addr addr;

    if (!value_set_text(text, to->text, sizeof to->text, err))
        return false;
    if (strncmp(text, "unix:", 5) == 0) {
        if (text[5] != '/' || strlen(text + 5) >= sizeof un.sun_path)
            return err_set(err, "unix: needs an absolute path of at most %zu bytes", sizeof un.sun_path - 1);
        memcpy(un.sun_path, text + 5, strlen(text + 5));
        memcpy(&to->addr, &un, sizeof un);
        to->addr_size = sizeof un;
        to->local = true;
        return true;
    }
    if (!addr_parse(text, &addr, err))
        return false;
    if (addr.host[0] == '\0')
        (void)strcpy(addr.host, "::");
    return resolve(&addr, &to->addr, &to->addr_size, &to->local) ||
           err_set(err, "\"%s\" is no numeric address", addr.host);
}

static bool set_url(const char *text, struct url *to, struct err *err)
{
    const char *host = text + 7;
    size_t host_size;
    struct addr addr;
    bool loopback;

    if (strncmp(text, "http://", 7) != 0)
        return err_set(err, "\"%s\" does not begin with http://", text);
    host_size = strcspn(host, "/");
    if (host_size == 0 || host_size >= sizeof to->host)
        return err_set(err, "\"%s\" has no ADDR:PORT, or one that is too long", text);
    memcpy(to->host, host, host_size);
    to->host[host_size] = '\0';
    if (!addr_parse(to->host, &addr, err))
        return err_context(err, "give it as http://ADDR:PORT/PATH");
    if (addr.port == 0 || !resolve(&addr, &to->addr, &to->addr_size, &loopback))
        return err_set(err, "\"%s\" is no numeric ADDR:PORT", to->host);
    if (host[host_size] == '\0')
        (void)strcpy(to->path, "/");
    else if (!value_set_text(host + host_size, to->path, sizeof to->path, err))
        return false;
    for (const char *c = to->path; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~')
            return err_set(err, "the path holds a blank or an unprintable character");
    }
    return true;
}

static bool set_bytes(const char *text, uint64_t *to, struct err *err)
{
    static const char units[] = "kmg";
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    const char *unit = *end != '\0' ? strchr(units, *end | 0x20) : NULL;
    unsigned shift = unit != NULL ? (unsigned)(unit - units + 1) * 10 : 0;

    if (text[0] < '0' || text[0] > '9' || (*end != '\0' && (unit == NULL || end[1] != '\0')) || value == 0 ||
        value > (UINT64_C(1) << 40) >> shift)
        return err_set(err, "\"%s\" is no size such as 4096, 64k, 256m or 1g", text);
    *to = value << shift;
    return true;
}

struct signal_name {
    const char *name;
    int number;
};
static const struct signal_name handovers[] = {
    {"USR2", SIGUSR2}, {"USR1", SIGUSR1}, {"HUP", SIGHUP}, {"WINCH", SIGWINCH}, {NULL, 0}};
static const struct signal_name ends[] = {
    {"QUIT", SIGQUIT}, {"TERM", SIGTERM}, {"INT", SIGINT}, {"WINCH", SIGWINCH}, {NULL, 0}};

static bool set_signal(const struct signal_name *names, const char *text, int *to, struct err *err)
{
    for (size_t i = 0; names[i].name != NULL; i++) {
        if (strcmp(strncmp(text, "SIG", 3) == 0 ? text + 3 : text, names[i].name) == 0) {
            *to = names[i].number;
            return true;
        }
    }
    return err_set(err, "\"%s\" is none of SIG%s, SIG%s, SIG%s, SIG%s", text, names[0].name, names[1].name,
                   names[2].name, names[3].name);
}

static bool set_restart(const char *text, enum restart *to, struct err *err)
{
    static const char *const words[] = {
        [RESTART_SIGNAL] = "signal", [RESTART_SYSTEMD] = "systemd", [RESTART_EXEC] = "exec"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i]) == 0) {
            *to = (enum restart)i;
            return true;
        }
    }
    return err_set(err, "\"%s\" is none of signal, systemd, exec", text);
}

static bool set_tcp(const char *text, struct tcp_addr *to, struct err *err)
{
    struct sockaddr_storage storage;
    struct addr addr;
    socklen_t size;
    bool loopback;

    if (!addr_parse(text, &addr, err))
        return false;
    if (addr.host[0] == '\0')
        (void)strcpy(addr.host, "0.0.0.0");
    if (addr.port == 0 || !resolve(&addr, &storage, &size, &loopback))
        return err_set(err, "\"%s\" is no numeric ADDR:PORT", text);
    if (storage.ss_family == AF_INET6)
        tcp_addr_set(to, true, &((const struct sockaddr_in6 *)(const void *)&storage)->sin6_addr, addr.port);
    else
        tcp_addr_set(to, false, &((const struct sockaddr_in *)(const void *)&storage)->sin_addr, addr.port);
    return true;
}

/* systemd.unit(5). A name that could lead out of a folder of units is none. */
static bool set_unit(const char *text, char *to, struct err *err)
{
    static const char suffix[] = ".service";
    size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.\\@-");
    bool has_suffix = length >= sizeof suffix && strcmp(text + length - (sizeof suffix - 1), suffix) == 0;

    if (length == 0 || text[length] != '\0' || text[0] == '.' || length + sizeof suffix > CONFIG_UNIT_MAX)
        return err_set(err, "\"%.64s\" is no name of a systemd unit", text);
    (void)snprintf(to, CONFIG_UNIT_MAX + 1, "%s%s", text, has_suffix ? "" : suffix);
    return true;
}

static bool set_words(const char *text, char *to, struct err *err)
{
    struct words words;

    if (!value_set_text(text, to, CONFIG_WORDS_TEXT, err) || !words_split(text, &words, err))
        return false;
    words_free(&words);
    return true;
}

static bool set_switch(const char *text, bool *to, struct err *err)
{
    *to = strcmp(text, "on") == 0;
    return *to || strcmp(text, "off") == 0 || err_set(err, "\"%s\" is neither on nor off", text);
}

static bool set_kind(const char *text, enum kind *to, struct err *err)
{
    static const char *const names[] = {[KIND_BINARY] = "binary", [KIND_SCRIPT] = "script", [KIND_ANY] = "any"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *to = (enum kind)i;
        if (strcmp(text, names[i]) == 0)
            return true;
    }
    return err_set(err, "\"%s\" is none of binary, script, any", text);
}

static bool set_keep(const char *text, uint32_t *to, struct err *err)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    *to = (uint32_t)value;
    return (text[0] >= '0' && text[0] <= '9' && *end == '\0' && value >= 2 && value <= 100) ||
           err_set(err, "\"%s\" is no number from 2 to 100", text);
}

static bool add_sign_key(const char *text, struct sign_keys *to, struct err *err)
{
    struct minisign_key key;

    if (to->count == SIGN_KEYS_MAX)
        return err_set(err, "more than %d of them", SIGN_KEYS_MAX);
    if (text[0] != '/' && !minisign_read_key(text, strlen(text), &key, err))
        return err_context(err, "neither an absolute path nor a key");
    return value_set_text(text, to->from[to->count++], sizeof to->from[0], err);
}

static bool set_count(const char *text, uint32_t *to, struct err *err)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long value = digits > 0 && digits <= 6 && text[digits] == '\0' ? strtoul(text, NULL, 10) : 0;

    *to = (uint32_t)value;
    return (value > 0 && value <= COUNT_MAX) || err_set(err, "\"%s\" is not 1 to %d", text, COUNT_MAX);
}

static bool set_duration(const char *text, uint32_t *to, struct err *err)
{
    if (!duration_parse_ms(text, to, err))
        return false;
    return (*to > 0 && *to <= DURATION_MAX_MS) || err_set(err, "\"%s\" is not between 1ms and 1h", text);
}

bool value_set(enum value_type type, const char *text, void *to, struct err *err)
{
    switch (type) {
    case VALUE_NODE:
        return value_name_ok(text, WIRE_NODE_MAX) ? value_set_text(text, to, WIRE_NODE_MAX + 1, err)
                                                  : err_set(err,
                                                            "\"%.64s\" is not 1 to %d letters, digits, '.', '_' "
                                                            "or '-'",
                                                            text, WIRE_NODE_MAX);
    case VALUE_LISTEN:
        return set_listen(text, to, err);
    case VALUE_PATH:
        return text[0] == '/' ? value_set_text(text, to, PATH_MAX, err)
                              : err_set(err, "\"%s\" is no absolute path", text);
    case VALUE_SOCKET:
        return text[0] == '/' ? value_set_text(text, to, CONFIG_SOCKET_TEXT, err)
                              : err_set(err, "\"%s\" is no absolute path", text);
    case VALUE_USER:
        return value_name_ok(text, CONFIG_USER_TEXT - 1) ? value_set_text(text, to, CONFIG_USER_TEXT, err)
                                                         : err_set(err, "\"%.64s\" is no user", text);
    case VALUE_BYTES:
        return set_bytes(text, to, err);
    case VALUE_COUNT:
        return set_count(text, to, err);
    case VALUE_URL:
        return set_url(text, to, err);
    case VALUE_DURATION:
        return set_duration(text, to, err);
    case VALUE_RESTART:
        return set_restart(text, to, err);
    case VALUE_SIGNAL:
        return set_signal(handovers, text, to, err);
    case VALUE_RETIRE:
        return set_signal(ends, text, to, err);
    case VALUE_TCP:
        return set_tcp(text, to, err);
    case VALUE_UNIT:
        return set_unit(text, to, err);
    case VALUE_WORDS:
        return set_words(text, to, err);
    case VALUE_SWITCH:
        return set_switch(text, to, err);
    case VALUE_SIGN_KEY:
        return add_sign_key(text, to, err);
    case VALUE_KIND:
        return set_kind(text, to, err);
    case VALUE_KEEP:
        return set_keep(text, to, err);
    case VALUE_ALLOW:
        break;
    }
    abort(); /* a row of settings.def with a type that config.c keeps for itself
              */
}
