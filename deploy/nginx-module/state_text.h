/* state_text.h - the text of the state file, and the rows it is made of. Free of nginx, clock and files.
 *
 *     upstream_api_state 1
 *     lease http app fence=7 expires_ms=1764000000000 id=ci/42 holder=amy%20at%20lb1
 *     peer http app 10.0.0.11:8080 0 down weight=5 max_conns=100
 *     end 2 53c1e81d9a0c5f17
 *
 * A row a line: `lease` of an upstream that has been leased, `peer` of one that is wanted otherwise than configured,
 * with address, ordinal among the upstream's peers of that address, state (configured, up, drain, down) and the
 * parameters of peer_param.def that were set. Words are parted by one space; every byte of a name that is not a
 * printable ASCII character, and every %, is %XX. The last line has the number of rows and the FNV-1a sum (64 bits) of
 * all bytes in front of it, so that a cut or damaged file is known. Another layout is another version. */
#ifndef API_STATE_TEXT_H
#define API_STATE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lease.h"
#include "wanted.h"

#define STATE_TEXT_MAX_BYTES (16 * 1024 * 1024)

struct state_name {
    const char *bytes;
    size_t size_bytes;
};

struct state_peer {
    struct state_name address;
    uint32_t ordinal;
    enum wanted wanted;
    uint8_t params_wanted; /* bits of enum shared_param */
    int64_t param_wanted[SHARED_PARAMS];
};

struct state_row {
    enum state_what { STATE_LEASE, STATE_PEER } what;
    enum shared_kind kind;
    struct state_name upstream;
    struct lease lease; /* of STATE_LEASE; expires_ms is of the wall clock */
    struct state_peer peer;
};

/* ---- writing: begin, add each row, end; then `bytes` until it is freed. */
struct state_text {
    char *bytes;
    size_t size_bytes, room_bytes, rows_n;
    bool failed;
};

void state_text_begin(struct state_text *text);
void state_text_add(struct state_text *text, const struct state_row *row);
bool state_text_end(struct state_text *text); /* false = no memory, or more than STATE_TEXT_MAX_BYTES */
void state_text_free(struct state_text *text);

/* ---- reading, strictly */
struct state_rows {
    struct state_row *rows; /* point into the bytes that were read */
    size_t rows_n;
};

struct state_error {
    unsigned line; /* 0 = the file as a whole */
    char why[120];
};

/* Names are unescaped in place. False with *error. */
bool state_text_read(struct state_rows *rows, char *bytes, size_t size_bytes, struct state_error *error);
void state_rows_free(struct state_rows *rows);

#endif
