/* lease_fuzz.c - any headers of any controllers at any times: a lease has one holder, and its fence never falls.
 *
 * The bytes are lines. "+C": some time later, by the byte C. Others: FENCE ID TTL HOLDER, separated by tabs, each read
 * as the header of that name. */
#include <stdbool.h>

#include "deploy/nginx-module/lease.h"
#include "tests/fuzz/fuzz.h"

struct line {
    const char *at, *end;
};

static struct line next(struct line *rest, char separator)
{
    const char *found = rest->at < rest->end ? memchr(rest->at, separator, (size_t)(rest->end - rest->at)) : NULL;
    struct line part = {rest->at, found != NULL ? found : rest->end};

    rest->at = found != NULL ? found + 1 : rest->end;
    return part;
}

static bool read_field(bool (*read)(struct lease_ask *, const char *, size_t), struct lease_ask *ask, struct line *rest)
{
    struct line part = next(rest, '\t');
    char *copy = fuzz_copy(part.at, (size_t)(part.end - part.at));
    bool good = read(ask, copy, (size_t)(part.end - part.at));

    free(copy);
    return good;
}

static bool read_ask(struct lease_ask *ask, struct line rest)
{
    *ask = (struct lease_ask){0};
    if (!read_field(lease_read_fence, ask, &rest) || !read_field(lease_read_id, ask, &rest) ||
        !read_field(lease_read_ttl, ask, &rest) || !read_field(lease_read_holder, ask, &rest))
        return false;
    fuzz_check(ask->fence >= 1 && ask->fence <= LEASE_FENCE_MAX && ask->ttl_s <= LEASE_TTL_MAX_S);
    fuzz_check(ask->id[0] != '\0' && memchr(ask->id, '\0', sizeof ask->id) != NULL);
    fuzz_check(memchr(ask->holder, '\0', sizeof ask->holder) != NULL);
    return true;
}

static void ask_for(struct lease *lease, const struct lease_ask *ask, uint64_t now_ms)
{
    bool another = strcmp(lease->id, ask->id) != 0 || strcmp(lease->holder, ask->holder) != 0;
    bool held = lease->expires_ms > now_ms;
    enum lease_verdict verdict = lease_judge(lease, ask, now_ms);

    fuzz_check((lease_left_s(lease, now_ms) > 0) == held);
    fuzz_check((verdict == LEASE_HELD) == (held && another));
    if (verdict == LEASE_STALE)
        fuzz_check(ask->fence < lease->fence || (ask->fence == lease->fence && another));
    if (verdict != LEASE_GRANTED)
        return;
    fuzz_check(ask->fence > lease->fence || (ask->fence == lease->fence && !another));
    lease_store(lease, ask, now_ms);
    fuzz_check(lease->fence == ask->fence && lease_left_s(lease, now_ms) == ask->ttl_s);
    fuzz_check(strcmp(lease->id, ask->id) == 0 && strcmp(lease->holder, ask->holder) == 0);
    fuzz_check(lease_judge(lease, ask, now_ms) == LEASE_GRANTED); /* its holder may renew it */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct line rest = {(const char *)data, (const char *)data + size};
    struct lease lease = {0};
    uint64_t now_ms = 1000;

    while (rest.at < rest.end) {
        struct line line = next(&rest, '\n');
        struct lease_ask ask;

        if (line.at < line.end && *line.at == '+')
            now_ms += line.end - line.at > 1 ? (uint64_t)(unsigned char)line.at[1] * 37 : 1;
        else if (read_ask(&ask, line))
            ask_for(&lease, &ask, now_ms);
    }
    return 0;
}
