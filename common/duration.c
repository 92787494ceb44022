#include "common/duration.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NS_MS    UINT64_C(1000000)
#define NS_S     (1000 * NS_MS)
#define NS_DAY   (86400 * NS_S)
#define NS_LIMIT (UINT64_C(1) << 63) /* what Go counts up to, before the sign is put on */

struct unit {
    const char *name;
    uint64_t ns;
    bool go; /* Go knows it; the others are nginx's */
};

static const struct unit units[] = {
    {"ns", 1, true},         {"us", 1000, true},       {"\u00b5s", 1000, true}, /* micro sign */
    {"\u03bcs", 1000, true},                                                    /* Greek mu */
    {"ms", NS_MS, true},     {"s", NS_S, true},        {"m", 60 * NS_S, true},    {"h", 3600 * NS_S, true},
    {"d", NS_DAY, false},    {"w", 7 * NS_DAY, false}, {"M", 30 * NS_DAY, false}, {"y", 365 * NS_DAY, false},
};
#define GO_UNITS  "ns, us, ms, s, m, h"
#define ALL_UNITS GO_UNITS ", d, w, M, y"

/* DIGITS [. DIGITS], the fraction as an integer over a power of ten: Go's own way, for Go's own rounding. */
struct number {
    uint64_t whole, fraction;
    double scale;
    size_t digits; /* before and after the point together */
    bool point;
};

static bool bad(struct err *err, const char *text, const char *why)
{
    char shown[64];
    size_t n = 0;

    for (; *text != '\0' && n + 1 < sizeof shown; text++)
        shown[n++] = (unsigned char)*text < ' ' || *text == 127 || *text == '"' ? '?' : *text;
    shown[n] = '\0';
    return err_set(err, "\"%s%s\" is no duration: %s", shown, *text != '\0' ? "..." : "", why);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* False where the whole part overflows; a fraction too long is cut, as in Go. */
static bool number_take(const char **at, struct number *n)
{
    const char *s = *at;

    *n = (struct number){.scale = 1};
    for (; is_digit(*s); s++, n->digits++) {
        if (n->whole > NS_LIMIT / 10)
            return false;
        n->whole = n->whole * 10 + (uint64_t)(*s - '0');
        if (n->whole > NS_LIMIT)
            return false;
    }
    if (*s == '.') {
        bool full = false;

        n->point = true;
        for (s++; is_digit(*s); s++, n->digits++) {
            if (full || n->fraction > (NS_LIMIT - 1) / 10) {
                full = true;
                continue;
            }
            n->fraction = n->fraction * 10 + (uint64_t)(*s - '0');
            n->scale *= 10;
        }
    }
    *at = s;
    return true;
}

/* Everything up to the next digit, point, blank or end is the unit. NULL: unknown; *length 0: missing. */
static const struct unit *unit_take(const char **at, bool go_only, size_t *length)
{
    const char *s = *at;

    *length = strcspn(s, "0123456789. \t");
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strlen(units[i].name) == *length && strncmp(units[i].name, s, *length) == 0 && (units[i].go || !go_only)) {
            *at = s + *length;
            return &units[i];
        }
    }
    return NULL;
}

/* False on overflow. */
static bool total_add(uint64_t *total_ns, const struct number *n, uint64_t unit_ns)
{
    uint64_t v = n->whole;

    if (v > NS_LIMIT / unit_ns)
        return false;
    v *= unit_ns;
    if (n->fraction > 0)
        v += (uint64_t)((double)n->fraction * ((double)unit_ns / n->scale));
    if (v > NS_LIMIT || *total_ns > NS_LIMIT - v)
        return false;
    *total_ns += v;
    return true;
}

bool duration_parse_go(const char *text, int64_t *ns, struct err *err)
{
    const char *s = text;
    uint64_t total = 0;
    bool negative = *s == '-';

    if (*s == '-' || *s == '+')
        s++;
    if (*s == '\0')
        return bad(err, text, "it is empty; write for example 1.5s");
    if (strcmp(s, "0") == 0) {
        *ns = 0;
        return true;
    }
    while (*s != '\0') {
        struct number n;
        const struct unit *unit;
        size_t length;

        if (!number_take(&s, &n))
            return bad(err, text, "it is too large");
        if (n.digits == 0)
            return bad(err, text, "a number is missing");
        unit = unit_take(&s, true, &length);
        if (unit == NULL)
            return bad(err, text, length == 0 ? "a unit is missing (" GO_UNITS ")" : "unknown unit (" GO_UNITS ")");
        if (!total_add(&total, &n, unit->ns))
            return bad(err, text, "it is too large");
    }
    if (total == NS_LIMIT && !negative)
        return bad(err, text, "it is too large");
    *ns = negative ? (int64_t)(0 - total) : (int64_t)total;
    return true;
}

static const char *skip_blanks(const char *s)
{
    return s + strspn(s, " \t");
}

bool duration_parse_ms(const char *text, uint32_t *ms, struct err *err)
{
    const char *s = skip_blanks(text);
    uint64_t total = 0, rounded;

    if (*s == '-')
        return bad(err, text, "it must not be negative");
    if (*s == '+')
        s++;
    if (*s == '\0')
        return bad(err, text, "it is empty; write for example 1.5s");
    while (*s != '\0') {
        struct number n;
        const struct unit *unit;
        size_t length;
        uint64_t unit_ns;

        if (!number_take(&s, &n))
            return bad(err, text, "it is too large");
        if (n.digits == 0)
            return bad(err, text, "a number is missing");
        unit = unit_take(&s, false, &length);
        if (unit != NULL)
            unit_ns = unit->ns;
        else if (length == 0 && !n.point && *skip_blanks(s) == '\0') /* nginx: the last number may be bare seconds */
            unit_ns = NS_S;
        else
            return bad(err, text, length == 0 ? "a unit is missing (" ALL_UNITS ")" : "unknown unit (" ALL_UNITS ")");
        if (!total_add(&total, &n, unit_ns))
            return bad(err, text, "it is too large");
        s = skip_blanks(s);
    }
    rounded = total / NS_MS + (total % NS_MS != 0);
    if (rounded > DURATION_MS_MAX)
        return bad(err, text, "it is longer than 49 days");
    *ms = (uint32_t)rounded;
    return true;
}

/* Two neighbouring units, the smaller one only where it is not 0. */
static void format_pair(uint64_t big, const char *big_unit, uint64_t small, const char *small_unit, char *buf,
                        size_t size)
{
    if (small == 0)
        (void)snprintf(buf, size, "%" PRIu64 "%s", big, big_unit);
    else
        (void)snprintf(buf, size, "%" PRIu64 "%s%" PRIu64 "%s", big, big_unit, small, small_unit);
}

const char *duration_format_ms(uint64_t ms, char *buf, size_t size)
{
    uint64_t s = ms / 1000, tenths = ms % 1000 / 100;

    if (ms < 1000)
        (void)snprintf(buf, size, "%" PRIu64 "ms", ms);
    else if (s < 60 && tenths != 0)
        (void)snprintf(buf, size, "%" PRIu64 ".%" PRIu64 "s", s, tenths);
    else if (s < 60)
        (void)snprintf(buf, size, "%" PRIu64 "s", s);
    else if (s < 3600)
        format_pair(s / 60, "m", s % 60, "s", buf, size);
    else if (s < 86400)
        format_pair(s / 3600, "h", s / 60 % 60, "m", buf, size);
    else
        format_pair(s / 86400, "d", s / 3600 % 24, "h", buf, size);
    return buf;
}
