#include "lease.h"

#include <assert.h>
#include <string.h>

uint32_t lease_left_s(const struct lease *lease, uint64_t now_ms)
{
    if (lease->expires_ms <= now_ms) {
        return 0;
    }
    return (uint32_t)((lease->expires_ms - now_ms + 999) / 1000);
}

enum lease_verdict lease_judge(const struct lease *lease, const struct lease_ask *ask, uint64_t now_ms)
{
    bool same = strcmp(lease->id, ask->id) == 0 && strcmp(lease->holder, ask->holder) == 0;

    if (!same && lease_left_s(lease, now_ms) > 0) {
        return LEASE_HELD;
    }
    if (ask->fence < lease->fence || (ask->fence == lease->fence && !same)) {
        return LEASE_STALE;
    }
    return LEASE_GRANTED;
}

void lease_store(struct lease *lease, const struct lease_ask *ask, uint64_t now_ms)
{
    assert(lease_judge(lease, ask, now_ms) == LEASE_GRANTED);
    lease->fence = ask->fence;
    memcpy(lease->id, ask->id, sizeof(lease->id));
    memcpy(lease->holder, ask->holder, sizeof(lease->holder));
    lease->expires_ms = now_ms + (uint64_t)ask->ttl_s * 1000;
}

static bool read_decimal(const char *text, size_t size_bytes, uint64_t max, uint64_t *value)
{
    uint64_t n = 0;

    if (size_bytes == 0) {
        return false;
    }
    for (size_t i = 0; i < size_bytes; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (n > (max - digit) / 10) {
            return false;
        }
        n = n * 10 + digit;
    }
    *value = n;
    return true;
}

static bool is_id_character(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '/' || c == '-';
}

bool lease_read_fence(struct lease_ask *ask, const char *text, size_t size_bytes)
{
    return read_decimal(text, size_bytes, LEASE_FENCE_MAX, &ask->fence) && ask->fence >= 1;
}

bool lease_read_ttl(struct lease_ask *ask, const char *text, size_t size_bytes)
{
    uint64_t seconds;

    if (!read_decimal(text, size_bytes, LEASE_TTL_MAX_S, &seconds)) {
        return false;
    }
    ask->ttl_s = (uint32_t)seconds;
    return true;
}

bool lease_read_id(struct lease_ask *ask, const char *text, size_t size_bytes)
{
    if (size_bytes == 0 || size_bytes > LEASE_ID_MAX) {
        return false;
    }
    for (size_t i = 0; i < size_bytes; i++) {
        if (!is_id_character(text[i])) {
            return false;
        }
    }
    memcpy(ask->id, text, size_bytes);
    ask->id[size_bytes] = '\0';
    return true;
}

bool lease_read_holder(struct lease_ask *ask, const char *text, size_t size_bytes)
{
    if (size_bytes > LEASE_HOLDER_MAX) {
        return false;
    }
    for (size_t i = 0; i < size_bytes; i++) {
        if (text[i] < ' ' || text[i] > '~') {
            return false;
        }
    }
    memcpy(ask->holder, text, size_bytes);
    ask->holder[size_bytes] = '\0';
    return true;
}
