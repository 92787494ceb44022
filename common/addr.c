#include "common/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool bad(struct err *err, const char *text, const char *why)
{
    char shown[80];
    size_t n = 0;

    for (; *text != '\0' && n + 1 < sizeof shown; text++)
        shown[n++] = (unsigned char)*text < ' ' || *text == 127 || *text == '"' ? '?' : *text;
    shown[n] = '\0';
    return err_set(err, "\"%s%s\" is no address: %s", shown, *text != '\0' ? "..." : "", why);
}

/* 0 to 65535, no sign, no leading zero. */
static bool port_parse(const char *text, uint16_t *port)
{
    size_t length = strspn(text, "0123456789");
    unsigned value = 0;

    if (length == 0 || length > 5 || text[length] != '\0' || (text[0] == '0' && length > 1))
        return false;
    for (size_t i = 0; i < length; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    *port = (uint16_t)value;
    return value <= UINT16_MAX;
}

/* Letters, digits and what host names may hold besides; all digits and points must be an IPv4 address. */
static bool host_is_good(const char *host)
{
    struct in_addr v4;

    if (host[strspn(host, "0123456789.")] == '\0')
        return inet_pton(AF_INET, host, &v4) == 1;
    return host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")] == '\0';
}

bool addr_parse(const char *text, struct addr *addr, struct err *err)
{
    const char *host = text, *end, *port;
    struct addr out;
    struct in6_addr v6;
    bool bracketed = text[0] == '[';

    if (bracketed) {
        host = text + 1;
        end = strchr(host, ']');
        if (end == NULL || end[1] != ':')
            return bad(err, text, "an IPv6 address is written [ADDRESS]:PORT");
        port = end + 2;
    } else {
        end = strrchr(text, ':');
        if (end == NULL)
            return bad(err, text, "the port is missing; write HOST:PORT or :PORT");
        if (memchr(text, ':', (size_t)(end - text)) != NULL)
            return bad(err, text, "more than one colon; an IPv6 address is written [ADDRESS]:PORT");
        port = end + 1;
    }
    if ((size_t)(end - host) >= sizeof out.host)
        return bad(err, text, "the host is longer than 255 characters");
    memset(&out, 0, sizeof out);
    memcpy(out.host, host, (size_t)(end - host));
    if (bracketed && inet_pton(AF_INET6, out.host, &v6) != 1)
        return bad(err, text, "no IPv6 address in the brackets");
    if (!bracketed && out.host[0] != '\0' && !host_is_good(out.host))
        return bad(err, text, "the host is neither a name nor an IPv4 address");
    if (!port_parse(port, &out.port))
        return bad(err, text, "the port must be a number from 0 to 65535");
    *addr = out;
    return true;
}

/* Every address is one of 16 bytes; an IPv4 one is mapped. False for a name. */
static bool to_number(const char *host, struct in6_addr *v6)
{
    char mapped[300];

    if (host[0] == '\0')
        host = "::";
    if (inet_pton(AF_INET6, host, v6) == 1)
        return true;
    (void)snprintf(mapped, sizeof mapped, "::ffff:%s", host);
    return inet_pton(AF_INET6, mapped, v6) == 1;
}

static char *put(char *at, const char *text, size_t size)
{
    memcpy(at, text, size);
    return at + size;
}

/* "BEFORE HOST BEHIND:PORT"; a hosts file has a hundred thousand of them, and printf is slow. */
static void key_put(char key[ADDR_KEY_SIZE], const char *before, const char *host, const char *behind, uint16_t port)
{
    char digits[5], *at = put(key, before, strlen(before));
    size_t n = sizeof digits;

    at = put(at, host, strlen(host));
    at = put(at, behind, strlen(behind));
    *at++ = ':';
    do {
        digits[--n] = (char)('0' + port % 10);
        port /= 10;
    } while (port > 0);
    at = put(at, digits + n, sizeof digits - n);
    *at = '\0';
}

bool addr_key(const char *text, char key[ADDR_KEY_SIZE])
{
    struct addr addr = {.port = 0};
    struct in6_addr number;
    char digits[INET6_ADDRSTRLEN];

    if (strncmp(text, "unix:", 5) == 0)
        return snprintf(key, ADDR_KEY_SIZE, "%s", text) < ADDR_KEY_SIZE;
    if (!addr_parse(text, &addr, NULL))
        return false;
    if (addr.host[0] != '\0' && addr.host[strspn(addr.host, "0123456789.")] == '\0') /* as inet_ntop would write it */
        key_put(key, "[::ffff:", addr.host, "]", addr.port);
    else if (to_number(addr.host, &number) && inet_ntop(AF_INET6, &number, digits, sizeof digits) != NULL)
        key_put(key, "[", digits, "]", addr.port);
    else
        key_put(key, "", addr.host, "", addr.port);
    return true;
}

bool addr_same(const char *a, const char *b)
{
    char key_a[ADDR_KEY_SIZE], key_b[ADDR_KEY_SIZE];

    return addr_key(a, key_a) && addr_key(b, key_b) && strcmp(key_a, key_b) == 0;
}
