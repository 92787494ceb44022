#include "proc.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool proc_parse_stat(const char *text, struct proc_stat *stat)
{
    const char *at = strrchr(text, ')'); /* field 2 ends here, whatever the name holds */

    if (at == NULL || sscanf(at, ") %c %" SCNu32, &stat->state, &stat->parent) != 2)
        return false;
    at++;
    for (int field = 3; field <= 22; field++) {
        at += strspn(at, " ");
        if (field < 22)
            at += strcspn(at, " ");
    }
    return sscanf(at, "%" SCNu64, &stat->start_ticks) == 1;
}

bool proc_is_alive(const struct proc_stat *stat)
{
    return stat->state != 'Z' && stat->state != 'X' && stat->state != 'x';
}

/* The kernel prints each 32-bit word of the address as this machine reads it: v4 has one, v6 four. */
static bool parse_address(const char *hex, struct tcp_addr *addr)
{
    size_t digits = strspn(hex, "0123456789ABCDEF");
    uint32_t words[4];

    if ((digits != 8 && digits != 32) || hex[digits] != ':')
        return false;
    for (size_t i = 0; i < digits / 8; i++) {
        char word_hex[9] = "";
        memcpy(word_hex, hex + 8 * i, 8);
        words[i] = (uint32_t)strtoul(word_hex, NULL, 16);
    }
    tcp_addr_set(addr, digits == 32, words, (uint16_t)strtoul(hex + digits + 1, NULL, 16));
    return true;
}

bool proc_parse_tcp(const char *line, struct proc_tcp *row)
{
    char local[48];
    unsigned state;
    uint64_t inode;

    /* sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode */
    if (sscanf(line, " %*[0-9]: %47s %*s %x %*s %*s %*s %*s %*s %" SCNu64, local, &state, &inode) != 3)
        return false;
    row->state = state;
    row->inode = inode;
    return parse_address(local, &row->local);
}

bool proc_parse_socket_link(const char *link, uint64_t *inode)
{
    int end = 0;

    return sscanf(link, "socket:[%" SCNu64 "]%n", inode, &end) == 1 && end > 0 && link[end] == '\0';
}

bool proc_cgroup_has(const char *text, const char *unit)
{
    size_t length = strlen(unit);

    /* 4:memory:/system.slice/app.service */
    for (const char *at = text; (at = strstr(at, unit)) != NULL; at++) {
        if (at > text && at[-1] == '/' && (at[length] == '/' || at[length] == '\n' || at[length] == '\0'))
            return true;
    }
    return false;
}

static bool has_signal(const char *text, const char *key, int signal)
{
    const char *at = strstr(text, key);
    uint64_t set;

    return at != NULL && sscanf(at + strlen(key), "%" SCNx64, &set) == 1 && (set >> (signal - 1) & 1) != 0;
}

bool proc_signal_unheard(const char *text, int signal)
{
    return has_signal(text, "\nSigIgn:", signal) || has_signal(text, "\nShdPnd:", signal) ||
           has_signal(text, "\nSigPnd:", signal);
}

bool proc_parse_pid(const char *text, uint32_t *pid)
{
    size_t digits;
    unsigned long value;

    text += strspn(text, " \t\r\n");
    digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || text[digits + strspn(text + digits, " \t\r\n")] != '\0')
        return false;
    value = strtoul(text, NULL, 10);
    *pid = (uint32_t)value;
    return value > 0 && value <= INT32_MAX;
}

void tcp_addr_set(struct tcp_addr *addr, bool v6, const void *ip, uint16_t port)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    *addr = (struct tcp_addr){.v6 = v6, .port = port};
    memcpy(addr->ip, ip, v6 ? 16 : 4);
    if (!v6 || memcmp(addr->ip, mapped, sizeof mapped) != 0)
        return;
    addr->v6 = false;
    memmove(addr->ip, addr->ip + 12, 4);
    memset(addr->ip + 4, 0, 12);
}

bool tcp_addr_is_any(const struct tcp_addr *addr)
{
    static const uint8_t any[16];

    return memcmp(addr->ip, any, sizeof any) == 0;
}

bool tcp_addr_same(const struct tcp_addr *a, const struct tcp_addr *b)
{
    return a->v6 == b->v6 && a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

const char *tcp_addr_format(const struct tcp_addr *addr, char text[TCP_ADDR_TEXT])
{
    char ip[INET6_ADDRSTRLEN];

    (void)inet_ntop(addr->v6 ? AF_INET6 : AF_INET, addr->ip, ip, sizeof ip);
    (void)snprintf(text, TCP_ADDR_TEXT, addr->v6 ? "[%s]:%u" : "%s:%u", ip, addr->port);
    return text;
}
