#include "range.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet.h"

struct part {
    const char *before; /* text in front of the bracket */
    int before_size;
    bool letters;
    int width; /* digits, filled up with zeros; 0 = as many as it takes */
    uint64_t from, to, step, now;
};

struct ranges {
    struct part parts[RANGE_PARTS_MAX];
    size_t count;
    const char *rest; /* text behind the last bracket */
};

static bool bound_number(const char *text, size_t size, uint64_t *number)
{
    if (!size || size > 9)
        return false;
    *number = 0;
    for (size_t i = 0; i < size; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        *number = *number * 10 + (uint64_t)(text[i] - '0');
    }
    return true;
}

static bool part_bounds(struct part *part, const char *from, size_t from_size, const char *to, size_t to_size)
{
    part->letters = from_size == 1 && to_size == 1 &&
                    ((islower((unsigned char)*from) && islower((unsigned char)*to)) ||
                     (isupper((unsigned char)*from) && isupper((unsigned char)*to)));
    if (part->letters) {
        part->from = (unsigned char)*from;
        part->to = (unsigned char)*to;
        return true;
    }
    if (!from_size) { /* [:9] begins at 0 */
        from = "0";
        from_size = 1;
    }
    part->width = *from == '0' && from_size > 1 ? (int)from_size : 0;
    return bound_number(from, from_size, &part->from) && bound_number(to, to_size, &part->to);
}

/* `text` is what stands between the brackets. */
static bool part_read(struct part *part, const char *text, size_t size, struct err *err)
{
    const char *end = text + size, *colon = memchr(text, ':', size);
    if (!colon)
        return err_set(err, "the range [%.*s] is not FROM:TO or FROM:TO:STEP", (int)size, text);
    const char *second = memchr(colon + 1, ':', (size_t)(end - colon - 1));
    const char *to_end = second ? second : end;
    part->step = 1;
    if (!part_bounds(part, text, (size_t)(colon - text), colon + 1, (size_t)(to_end - colon - 1)) ||
        (second && (!bound_number(second + 1, (size_t)(end - second - 1), &part->step) || !part->step)))
        return err_set(err, "the range [%.*s] is not two numbers or two letters, and a step of at least 1", (int)size,
                       text);
    if (part->width && to_end - colon - 1 != part->width)
        return err_set(err, "the range [%.*s] begins with a zero, so both ends need the same number of digits",
                       (int)size, text);
    if (part->from > part->to)
        return err_set(err, "the range [%.*s] runs backwards", (int)size, text);
    part->now = part->from;
    return true;
}

static bool ranges_read(struct ranges *r, const char *pattern, struct err *err)
{
    const char *p = pattern, *open;
    for (r->count = 0; (open = strpbrk(p, "[]")); r->count++) {
        const char *close = strchr(open, ']');
        if (*open == ']' || !close)
            return err_set(err, "\"%.100s\" has a bracket without its partner", pattern);
        if (r->count == RANGE_PARTS_MAX)
            return err_set(err, "\"%.100s\" has more than %d ranges", pattern, RANGE_PARTS_MAX);
        struct part *part = &r->parts[r->count];
        *part = (struct part){.before = p, .before_size = (int)(open - p)};
        size_t size = (size_t)(close - open - 1);
        if (size > 64)
            return err_set(err, "the range [%.20s... is too long", open + 1);
        if (!part_read(part, open + 1, size, err))
            return false;
        p = close + 1;
    }
    r->rest = p;
    return true;
}

static bool ranges_say(const struct ranges *r, range_fn *fn, void *ctx, struct err *err)
{
    char name[FLEET_NAME_MAX + 1];
    size_t used = 0;
    for (size_t i = 0; i < r->count && used < sizeof name; i++) {
        const struct part *p = &r->parts[i];
        if (p->letters)
            used += (size_t)snprintf(name + used, sizeof name - used, "%.*s%c", p->before_size, p->before, (int)p->now);
        else
            used += (size_t)snprintf(name + used, sizeof name - used, "%.*s%0*llu", p->before_size, p->before,
                                     p->width ? p->width : 1, (unsigned long long)p->now);
    }
    if (used < sizeof name)
        used += (size_t)snprintf(name + used, sizeof name - used, "%s", r->rest);
    if (used >= sizeof name)
        return err_set(err, "the host name \"%.60s...\" has more than %d bytes", name, FLEET_NAME_MAX);
    return fn(ctx, name, err);
}

/* The next combination, the last part fastest; false after the last one. */
static bool ranges_step(struct ranges *r)
{
    for (size_t i = r->count; i-- > 0;) {
        struct part *p = &r->parts[i];
        if (p->to - p->now >= p->step) {
            p->now += p->step;
            return true;
        }
        p->now = p->from;
    }
    return false;
}

bool range_expand(const char *pattern, uint64_t most, range_fn *fn, void *ctx, struct err *err)
{
    struct ranges r = {.rest = ""};
    uint64_t total = 1;
    if (!ranges_read(&r, pattern, err))
        return false;
    for (size_t i = 0; i < r.count; i++) {
        assert(r.parts[i].step);
        total *= (r.parts[i].to - r.parts[i].from) / r.parts[i].step + 1; /* a factor below 2^30, most below 2^34 */
        if (total > most)
            return err_set(err, "\"%.100s\" makes the fleet larger than %d hosts", pattern, FLEET_HOSTS_MAX);
    }
    do {
        if (!ranges_say(&r, fn, ctx, err))
            return false;
    } while (ranges_step(&r));
    return true;
}
