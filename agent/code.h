/* code.h - the words that end a request or a job, as wire.h lists them. */
#ifndef AGENT_CODE_H
#define AGENT_CODE_H

#include "wire.h"

enum code {
#define X(name, http_status, text) CODE_##name,
    WIRE_CODES(X)
#undef X
        CODE_COUNT
};

const char *code_text(enum code code);
unsigned code_http_status(enum code code); /* 0: the end of a job, never an answer's status */
/* CODE_COUNT for a text that is none. */
enum code code_parse(const char *text);

#endif
