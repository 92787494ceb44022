#include "prefer.h"

#include <string.h>
#include <strings.h>

struct part {
    const char *bytes;
    size_t size_bytes;
};

static struct part trim(struct part part)
{
    while (part.size_bytes > 0 && (part.bytes[0] == ' ' || part.bytes[0] == '\t')) {
        part.bytes++;
        part.size_bytes--;
    }
    while (part.size_bytes > 0 && (part.bytes[part.size_bytes - 1] == ' ' || part.bytes[part.size_bytes - 1] == '\t')) {
        part.size_bytes--;
    }
    return part;
}

/* Takes what stands in front of the first `end` outside of quotes off the front, and `end` with it. */
static struct part next_part(struct part *rest, char end)
{
    struct part part = {rest->bytes, 0};
    bool quoted = false;

    while (part.size_bytes < rest->size_bytes && (quoted || part.bytes[part.size_bytes] != end)) {
        char c = part.bytes[part.size_bytes++];

        if (c == '"') {
            quoted = !quoted;
        } else if (c == '\\' && quoted && part.size_bytes < rest->size_bytes) {
            part.size_bytes++;
        }
    }
    size_t taken = part.size_bytes + (part.size_bytes < rest->size_bytes ? 1 : 0);
    rest->bytes += taken;
    rest->size_bytes -= taken;
    return trim(part);
}

static bool read_seconds(struct part value, uint32_t *wait_s)
{
    uint32_t seconds = 0;

    if (value.size_bytes >= 2 && value.bytes[0] == '"' && value.bytes[value.size_bytes - 1] == '"') {
        value = (struct part){value.bytes + 1, value.size_bytes - 2};
    }
    if (value.size_bytes == 0) {
        return false;
    }
    for (size_t i = 0; i < value.size_bytes; i++) {
        if (value.bytes[i] < '0' || value.bytes[i] > '9') {
            return false;
        }
        seconds = seconds * 10 + (uint32_t)(value.bytes[i] - '0');
        if (seconds > PREFER_WAIT_MAX_S) {
            seconds = PREFER_WAIT_MAX_S; /* however many digits follow */
        }
    }
    *wait_s = seconds;
    return true;
}

bool prefer_wait(const char *text, size_t size_bytes, uint32_t *wait_s)
{
    struct part rest = {text, size_bytes};

    while (rest.size_bytes > 0) {
        struct part preference = next_part(&rest, ',');
        struct part value = next_part(&preference, ';'); /* parameters of it are ignored */
        struct part name = next_part(&value, '=');

        if (name.size_bytes == strlen("wait") && strncasecmp(name.bytes, "wait", name.size_bytes) == 0) {
            return read_seconds(trim(value), wait_s);
        }
    }
    return false;
}
