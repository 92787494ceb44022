/* config.h - rollout-agent.conf, read and checked. An INI file: [agent], and [service APP] for each service.
 *
 * Keys, defaults and help stand in settings.def. A key that is unknown, given twice, or missing, and a value that does
 * not fit are errors: FILE:LINE, what is wrong, and the nearest known name. Plain HTTP is for a loopback address or a
 * unix socket only; anywhere else tls-cert, tls-key, tls-ca and allow are needed. */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include "common/err.h"
#include "kind.h"
#include "proc.h"
#include "wire.h"

#define CONFIG_NAME_MAX     64 /* of a service: letters, digits, . _ - */
#define CONFIG_SERVICES_MAX 64
#define CONFIG_ALLOW_MAX    32
#define CONFIG_ALLOW_TEXT   256
#define CONFIG_SOCKET_TEXT  108 /* of sun_path, unix(7) */
#define CONFIG_USER_TEXT    33
#define CONFIG_UNIT_MAX     255  /* of a systemd unit's name, as systemd has it */
#define CONFIG_WORDS_TEXT   4096 /* of exec-args and exec-env */

struct url { /* http only, a numeric address: a name would have to be looked up */
    struct sockaddr_storage addr;
    socklen_t addr_size; /* 0: none given */
    char host[64];       /* for the Host header: ADDR:PORT */
    char path[512];      /* with its query; begins with / */
};

struct listen_address {
    struct sockaddr_storage addr;
    socklen_t addr_size;
    bool local; /* a unix socket or a loopback address */
    char text[160];
};

#define SIGN_KEYS_MAX 4 /* two while one takes over from another */

struct sign_keys { /* as they stand in the file: an absolute path, or the key itself */
    unsigned count;
    char from[SIGN_KEYS_MAX][512];
};

enum restart { RESTART_SIGNAL, RESTART_SYSTEMD, RESTART_EXEC };

struct service_config {
    char name[CONFIG_NAME_MAX + 1];
    char executable[PATH_MAX];
    /* How its process is found (find.h): by pidfile, by listen_on, or where neither is given by unit. */
    char pidfile[PATH_MAX];
    struct tcp_addr listen_on; /* port 0: not given */
    char unit[CONFIG_UNIT_MAX + 1], unit_file[PATH_MAX];
    struct url health, version;
    uint32_t health_timeout_ms, ready_timeout_ms, drain_timeout_ms;
    enum restart restart;
    int signal, retire;                                             /* retire 0: none */
    char exec_args[CONFIG_WORDS_TEXT], exec_env[CONFIG_WORDS_TEXT]; /* sound words (words.h) */
    char exec_dir[PATH_MAX], exec_log[PATH_MAX];
    bool require_signature;
    struct sign_keys sign_keys;
    enum kind kind;
    uint32_t keep;
    uint64_t given; /* bit n: row n of settings.def was in the file */
};

struct config {
    char node[WIRE_NODE_MAX + 1];
    struct listen_address listen;
    char tls_cert[PATH_MAX], tls_key[PATH_MAX], tls_ca[PATH_MAX]; /* all "" or none */
    char allow[CONFIG_ALLOW_MAX][CONFIG_ALLOW_TEXT];
    unsigned allow_count;
    char helper_socket[CONFIG_SOCKET_TEXT];   /* "": one start, both halves */
    char network_user[CONFIG_USER_TEXT];      /* "": the helper's own */
    struct listen_address metrics_listen;     /* addr_size 0: none */
    uint32_t peer_connections, peer_requests; /* of one controller; requests a second */
    uint32_t out_interval_ms;
    char state[PATH_MAX];
    uint64_t max_release_bytes, reserve_bytes;
    char systemctl[PATH_MAX];
    struct service_config *services; /* owned */
    unsigned service_count;
    uint64_t given;
};

/* Reads and checks the text alone; whether files are there is config_check_world's. To be freed in any case. */
bool config_read(const char *path, struct config *config, struct err *err);
bool config_parse(const char *name, const char *text, size_t size, struct config *config, struct err *err);
void config_free(struct config *config);

bool config_uses_tls(const struct config *config);
/* The agent knows how to start this service: by its unit, or by exec-args. */
bool config_can_start(const struct service_config *service);
bool config_starts_programs(const struct config *config); /* for any of the services */

/* Which half of the agent is meant (agent.h); a set of them. */
enum half { HALF_NETWORK = 1, HALF_HELPER = 2 };

/* Files readable, executables there, the state folder usable, each for the half that uses it, as --check promises.
 * Touches nothing. */
/* The folder and the log that the executable is started with. */
bool config_check_start(const struct service_config *service, struct err *err);
bool config_check_world(const struct config *config, unsigned halves, struct err *err);

void config_print_summary(const struct config *config, FILE *to);
void config_print_help(FILE *to); /* every key with its default */

#endif
