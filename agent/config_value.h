/* config_value.h - one value of rollout-agent.conf, by its type. */
#ifndef AGENT_CONFIG_VALUE_H
#define AGENT_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

enum value_type {
    VALUE_NODE,     /* char[WIRE_NODE_MAX + 1] */
    VALUE_LISTEN,   /* struct listen_address */
    VALUE_PATH,     /* char[PATH_MAX], absolute */
    VALUE_ALLOW,    /* one more of config.allow; config.c's */
    VALUE_COUNT,    /* uint32_t, 1 to 100,000 */
    VALUE_SOCKET,   /* char[CONFIG_SOCKET_TEXT], an absolute path that a unix socket can have */
    VALUE_USER,     /* char[CONFIG_USER_TEXT], a name or a number */
    VALUE_BYTES,    /* uint64_t; 4096, 16k, 256m, 1g */
    VALUE_URL,      /* struct url */
    VALUE_DURATION, /* uint32_t milliseconds, 1 ms to 1 h */
    VALUE_RESTART,  /* enum restart */
    VALUE_SIGNAL,   /* int; SIGUSR2 or USR2: one that asks for a handover */
    VALUE_RETIRE,   /* int; SIGQUIT or QUIT: one that ends a process in its own time */
    VALUE_TCP,      /* struct tcp_addr; a numeric ADDR:PORT, or :PORT for any address */
    VALUE_UNIT,     /* char[CONFIG_UNIT_MAX + 1]; "app" becomes "app.service" */
    VALUE_WORDS,    /* char[CONFIG_WORDS_TEXT], as words.h splits them */
    VALUE_SWITCH,   /* bool; on or off */
    VALUE_SIGN_KEY, /* one more of struct sign_keys */
    VALUE_KIND,     /* enum kind */
    VALUE_KEEP,     /* uint32_t, 2 to 100 */
};

bool value_set(enum value_type type, const char *text, void *to, struct err *err);
bool value_set_text(const char *text, char *to, size_t size, struct err *err);
bool value_name_ok(const char *name, size_t max);

#endif
