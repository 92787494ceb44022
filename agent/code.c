#include "code.h"

#include <string.h>

static const struct {
    unsigned http_status;
    const char *text;
} codes[] = {
#define X(name, http_status, text) {http_status, text},
    WIRE_CODES(X)
#undef X
};

const char *code_text(enum code code)
{
    return codes[code].text;
}

unsigned code_http_status(enum code code)
{
    return codes[code].http_status;
}

enum code code_parse(const char *text)
{
    int code = 0;

    while (code < CODE_COUNT && strcmp(codes[code].text, text) != 0)
        code++;
    return (enum code)code;
}
