#include "handover_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PID_DIGITS 20

static const char *const our_names[] = {"LISTEN_FDS",     "LISTEN_PID",    "LISTEN_FDNAMES", "HANDOVER_READY_FD",
                                        "HANDOVER_OLDER", "HANDOVER_INIT", "HANDOVER_EXE"};
enum { OUR_NAMES = sizeof our_names / sizeof our_names[0] };

static const char *value_of(char *const *environment, const char *name)
{
    size_t length = strlen(name);

    for (; *environment != NULL; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

bool handover_env_is_ours(const char *entry)
{
    for (size_t i = 0; i < OUR_NAMES; i++) {
        size_t length = strlen(our_names[i]);

        if (strncmp(entry, our_names[i], length) == 0 && entry[length] == '=')
            return true;
    }
    return false;
}

void handover_env_clear(void)
{
    for (size_t i = 0; i < OUR_NAMES; i++)
        (void)unsetenv(our_names[i]);
}

/* Digits only, at most nine of them. */
static bool number_read(const char *text, long *number)
{
    size_t length = strspn(text, "0123456789");

    if (length == 0 || length > 9 || text[length] != '\0')
        return false;
    *number = strtol(text, NULL, 10);
    return true;
}

static bool names_read(const char *text, struct handover_env *env, struct err *err)
{
    unsigned n = 0;

    for (const char *at = text;; at++) {
        size_t length = strcspn(at, ":");

        if (n == env->count)
            return err_set(err, "LISTEN_FDNAMES=%.100s has more names than LISTEN_FDS has sockets (%u)", text,
                           env->count);
        if (length >= HANDOVER_NAME_MAX)
            length = HANDOVER_NAME_MAX - 1; /* names are hints; the address decides */
        memcpy(env->names[n], at, length);
        env->names[n++][length] = '\0';
        at += strcspn(at, ":");
        if (*at == '\0')
            return true;
    }
}

bool handover_env_read(char *const *environment, pid_t self, struct handover_env *env, struct err *err)
{
    const char *fds = value_of(environment, "LISTEN_FDS"), *pid = value_of(environment, "LISTEN_PID");
    const char *names = value_of(environment, "LISTEN_FDNAMES"), *ready = value_of(environment, "HANDOVER_READY_FD");
    const char *older = value_of(environment, "HANDOVER_OLDER"), *init = value_of(environment, "HANDOVER_INIT");
    long number;

    memset(env, 0, sizeof *env);
    env->ready_fd = -1;
    if (fds == NULL || pid == NULL || !number_read(pid, &number) || number != self)
        return true;
    if (!number_read(fds, &number) || number > HANDOVER_FDS_MAX)
        return err_set(err, "LISTEN_FDS=%.40s is no number of sockets from 0 to %d", fds, HANDOVER_FDS_MAX);
    env->count = (unsigned)number;
    if (env->count > 0 && names != NULL && names[0] != '\0' && !names_read(names, env, err))
        return false;
    if (ready != NULL) {
        if (!number_read(ready, &number) || number < HANDOVER_FD_FIRST + (long)env->count)
            return err_set(err, "HANDOVER_READY_FD=%.40s is no file descriptor behind the %u sockets", ready,
                           env->count);
        env->ready_fd = (int)number;
        env->init = init != NULL && strcmp(init, "1") == 0;
        env->exe = value_of(environment, "HANDOVER_EXE");
    }
    if (ready != NULL && older != NULL) {
        if (!number_read(older, &number) || number >= HANDOVER_OLDER_MAX)
            return err_set(err, "HANDOVER_OLDER=%.40s is no number of channels from 0 to %d", older,
                           HANDOVER_OLDER_MAX - 1);
        env->older = (unsigned)number;
    }
    return true;
}

/* A variable more, at *text, which moves behind it. */
static void put(char **made, size_t *used, char **text, const char *end, const char *name, unsigned value)
{
    made[(*used)++] = *text;
    *text += snprintf(*text, (size_t)(end - *text), "%s=%u", name, value) + 1;
}

char **handover_env_make(char *const *environment, const struct handover_env_next *next, char **pid_at)
{
    size_t entries = 0, text_bytes = 256 + PID_DIGITS, used = 0;
    char **made, *text, *end;

    while (environment[entries] != NULL)
        entries++;
    if (next->exe != NULL)
        text_bytes += strlen(next->exe);
    for (unsigned i = 0; i < next->count; i++)
        text_bytes += strlen(next->names[i]) + 1;
    made = calloc(1, (entries + OUR_NAMES + 1) * sizeof made[0] + text_bytes);
    if (made == NULL)
        return NULL;
    text = (char *)(made + entries + OUR_NAMES + 1);
    end = text + text_bytes;
    for (size_t i = 0; i < entries; i++)
        if (!handover_env_is_ours(environment[i]))
            made[used++] = environment[i];

    put(made, &used, &text, end, "LISTEN_FDS", next->count);
    made[used++] = text;
    text += snprintf(text, (size_t)(end - text), "LISTEN_FDNAMES=");
    for (unsigned i = 0; i < next->count; i++)
        text += snprintf(text, (size_t)(end - text), "%s%s", i > 0 ? ":" : "", next->names[i]);
    text++;
    put(made, &used, &text, end, "HANDOVER_READY_FD", HANDOVER_FD_FIRST + next->count);
    if (next->older > 0)
        put(made, &used, &text, end, "HANDOVER_OLDER", next->older);
    if (next->init)
        put(made, &used, &text, end, "HANDOVER_INIT", 1);
    if (next->exe != NULL) {
        made[used++] = text;
        text += snprintf(text, (size_t)(end - text), "HANDOVER_EXE=%s", next->exe) + 1;
    }
    made[used++] = text;
    text += snprintf(text, (size_t)(end - text), "LISTEN_PID=");
    *pid_at = text;
    return made;
}

void handover_env_set_pid(char *pid_at, pid_t pid)
{
    char digits[PID_DIGITS];
    size_t n = 0;

    for (; pid > 0 && n < sizeof digits; pid /= 10)
        digits[n++] = (char)('0' + pid % 10);
    while (n > 0)
        *pid_at++ = digits[--n];
    *pid_at = '\0';
}
