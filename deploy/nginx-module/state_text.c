#include "state_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD      "upstream_api_state "
#define VERSION   "1"
#define END       "end "
#define WORDS_MAX (6 + SHARED_PARAMS) /* of a line */

static const char *const kinds[] = {[SHARED_HTTP] = "http", [SHARED_STREAM] = "stream"};
static const char *const states[] = {
    [WANTED_AS_CONFIGURED] = "configured", [WANTED_UP] = "up", [WANTED_DRAIN] = "drain", [WANTED_DOWN] = "down"};
static const char *const params[] = {
#define PEER_PARAM(name, field) [SHARED_##name] = #field,
#include "peer_param.def"
#undef PEER_PARAM
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t sum_of(const char *bytes, size_t size_bytes)
{
    uint64_t sum = 0xcbf29ce484222325;

    for (size_t i = 0; i < size_bytes; i++) {
        sum = (sum ^ (unsigned char)bytes[i]) * 0x100000001b3;
    }
    return sum;
}

/* ---- writing */

/* Room for that many more bytes. */
static bool reserve(struct state_text *text, size_t more_bytes)
{
    size_t need = text->size_bytes + more_bytes;

    if (text->failed || need > STATE_TEXT_MAX_BYTES) {
        text->failed = true;
        return false;
    }
    if (need <= text->room_bytes) {
        return true;
    }
    size_t room = need * 2 + 256;
    char *bytes = realloc(text->bytes, room);
    if (bytes == NULL) {
        text->failed = true;
        return false;
    }
    text->bytes = bytes;
    text->room_bytes = room;
    return true;
}

static void __attribute__((format(printf, 2, 3))) put(struct state_text *text, const char *format, ...)
{
    char part[160]; /* more than any fixed word with a number */
    va_list args;

    va_start(args, format);
    int n = vsnprintf(part, sizeof(part), format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(part)) {
        text->failed = true;
    } else if (reserve(text, (size_t)n)) {
        memcpy(text->bytes + text->size_bytes, part, (size_t)n);
        text->size_bytes += (size_t)n;
    }
}

static bool is_plain(unsigned char c)
{
    return c > ' ' && c <= '~' && c != '%';
}

static void put_name(struct state_text *text, const char *bytes, size_t size_bytes)
{
    static const char hex[] = "0123456789ABCDEF";

    if (size_bytes > STATE_TEXT_MAX_BYTES || !reserve(text, size_bytes * 3)) {
        text->failed = true;
        return;
    }
    char *to = text->bytes + text->size_bytes;
    for (size_t i = 0; i < size_bytes; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (is_plain(c)) {
            *to++ = (char)c;
        } else {
            *to++ = '%';
            *to++ = hex[c >> 4];
            *to++ = hex[c & 15];
        }
    }
    text->size_bytes = (size_t)(to - text->bytes);
}

static void put_lease(struct state_text *text, const struct lease *lease)
{
    put(text, " fence=%" PRIu64 " expires_ms=%" PRIu64 " id=", lease->fence, lease->expires_ms);
    put_name(text, lease->id, strlen(lease->id));
    put(text, " holder=");
    put_name(text, lease->holder, strlen(lease->holder));
}

static void put_peer(struct state_text *text, const struct state_peer *peer)
{
    put(text, " ");
    put_name(text, peer->address.bytes, peer->address.size_bytes);
    put(text, " %" PRIu32 " %s", peer->ordinal, states[peer->wanted]);
    for (unsigned i = 0; i < SHARED_PARAMS; i++) {
        if (peer->params_wanted & 1u << i) {
            put(text, " %s=%" PRId64, params[i], peer->param_wanted[i]);
        }
    }
}

void state_text_begin(struct state_text *text)
{
    *text = (struct state_text){0};
    put(text, HEAD VERSION "\n");
}

void state_text_add(struct state_text *text, const struct state_row *row)
{
    put(text, "%s %s ", row->what == STATE_LEASE ? "lease" : "peer", kinds[row->kind]);
    put_name(text, row->upstream.bytes, row->upstream.size_bytes);
    if (row->what == STATE_LEASE) {
        put_lease(text, &row->lease);
    } else {
        put_peer(text, &row->peer);
    }
    put(text, "\n");
    text->rows_n++;
}

bool state_text_end(struct state_text *text)
{
    if (!text->failed) {
        put(text, END "%zu %016" PRIx64 "\n", text->rows_n, sum_of(text->bytes, text->size_bytes));
    }
    return !text->failed;
}

void state_text_free(struct state_text *text)
{
    free(text->bytes);
    *text = (struct state_text){0};
}

/* ---- reading */

struct word {
    char *bytes;
    size_t size_bytes;
};

struct reader {
    struct state_rows *rows;
    size_t room_n;
    struct state_error *error;
    unsigned line;
};

static bool __attribute__((format(printf, 2, 3))) refuse(const struct reader *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(r->error->why, sizeof(r->error->why), format, args);
    va_end(args);
    r->error->line = r->line;
    return false;
}

static bool word_is(const struct word *word, const char *text)
{
    return word->size_bytes == strlen(text) && memcmp(word->bytes, text, word->size_bytes) == 0;
}

static bool read_choice(const struct word *word, const char *const *choices, size_t choices_n, unsigned *value)
{
    for (size_t i = 0; i < choices_n; i++) {
        if (word_is(word, choices[i])) {
            *value = (unsigned)i;
            return true;
        }
    }
    return false;
}

static bool read_number(const struct word *word, uint64_t max, uint64_t *value)
{
    uint64_t n = 0;

    for (size_t i = 0; i < word->size_bytes; i++) {
        uint64_t digit = (uint64_t)(word->bytes[i] - '0');

        if (word->bytes[i] < '0' || word->bytes[i] > '9' || digit > max || n > (max - digit) / 10) {
            return false;
        }
        n = n * 10 + digit;
    }
    *value = n;
    return word->size_bytes > 0;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place. */
static bool read_name(struct word *word)
{
    char *to = word->bytes;

    for (size_t i = 0; i < word->size_bytes; i++) {
        char c = word->bytes[i];

        if (c == '%') {
            if (i + 2 >= word->size_bytes || hex_digit(word->bytes[i + 1]) < 0 || hex_digit(word->bytes[i + 2]) < 0) {
                return false;
            }
            c = (char)(hex_digit(word->bytes[i + 1]) << 4 | hex_digit(word->bytes[i + 2]));
            i += 2;
        } else if (!is_plain((unsigned char)c)) {
            return false;
        }
        *to++ = c;
    }
    word->size_bytes = (size_t)(to - word->bytes);
    return true;
}

/* What stands behind `key=`. */
static bool read_value(const struct word *word, const char *key, struct word *value)
{
    size_t n = strlen(key);

    if (word->size_bytes <= n || memcmp(word->bytes, key, n) != 0 || word->bytes[n] != '=') {
        return false;
    }
    *value = (struct word){word->bytes + n + 1, word->size_bytes - n - 1};
    return true;
}

static bool read_lease(struct reader *r, const struct word *words, size_t words_n, struct lease *lease)
{
    struct lease_ask ask;
    struct word fence, expires, id, holder;

    if (words_n != 7 || !read_value(&words[3], "fence", &fence) || !read_value(&words[4], "expires_ms", &expires) ||
        !read_value(&words[5], "id", &id) || !read_value(&words[6], "holder", &holder)) {
        return refuse(r, "a lease has kind, upstream, fence=, expires_ms=, id= and holder=");
    }
    if (!lease_read_fence(&ask, fence.bytes, fence.size_bytes) ||
        !read_number(&expires, INT64_MAX, &lease->expires_ms)) {
        return refuse(r, "bad number in a lease");
    }
    if (!read_name(&id) || !lease_read_id(&ask, id.bytes, id.size_bytes) || !read_name(&holder) ||
        !lease_read_holder(&ask, holder.bytes, holder.size_bytes)) {
        return refuse(r, "bad id or holder in a lease");
    }
    lease->fence = ask.fence;
    memcpy(lease->id, ask.id, sizeof(lease->id));
    memcpy(lease->holder, ask.holder, sizeof(lease->holder));
    return true;
}

static bool read_param(struct reader *r, const struct word *word, struct state_peer *peer)
{
    struct word text;
    uint64_t value;

    for (unsigned i = 0; i < SHARED_PARAMS; i++) {
        if (!read_value(word, params[i], &text)) {
            continue;
        }
        if (peer->params_wanted & 1u << i) {
            return refuse(r, "%s is there twice", params[i]);
        }
        if (!read_number(&text, INT64_MAX, &value) || (i == SHARED_WEIGHT && value == 0)) {
            return refuse(r, "bad value of %s", params[i]);
        }
        peer->params_wanted = (uint8_t)(peer->params_wanted | 1u << i);
        peer->param_wanted[i] = (int64_t)value;
        return true;
    }
    return refuse(r, "unknown parameter of a peer");
}

static bool read_peer(struct reader *r, const struct word *words, size_t words_n, struct state_peer *peer)
{
    unsigned wanted;
    uint64_t ordinal;

    if (words_n < 6) {
        return refuse(r, "a peer has kind, upstream, address, ordinal and state");
    }
    struct word address = words[3];
    if (!read_name(&address) || address.size_bytes == 0) {
        return refuse(r, "bad address");
    }
    if (!read_number(&words[4], UINT32_MAX, &ordinal)) {
        return refuse(r, "bad ordinal");
    }
    if (!read_choice(&words[5], states, COUNT(states), &wanted)) {
        return refuse(r, "unknown state of a peer");
    }
    peer->address = (struct state_name){address.bytes, address.size_bytes};
    peer->ordinal = (uint32_t)ordinal;
    peer->wanted = (enum wanted)wanted;
    for (size_t i = 6; i < words_n; i++) {
        if (!read_param(r, &words[i], peer)) {
            return false;
        }
    }
    return true;
}

/* The words between single spaces, empty ones too; more than there is room for: one more. */
static size_t split(char *line, size_t size_bytes, struct word *words, size_t room_n)
{
    size_t n = 0, from = 0;

    for (size_t i = 0; i <= size_bytes; i++) {
        if (i < size_bytes && line[i] != ' ') {
            continue;
        }
        if (n == room_n) {
            return room_n + 1;
        }
        words[n].bytes = line + from;
        words[n++].size_bytes = i - from;
        from = i + 1;
    }
    return n;
}

static bool read_row(struct reader *r, char *line, size_t size_bytes, struct state_row *row)
{
    struct word words[WORDS_MAX] = {{NULL, 0}};
    size_t n = split(line, size_bytes, words, WORDS_MAX);
    unsigned kind;

    if (n < 3 || n > WORDS_MAX || !(word_is(&words[0], "lease") || word_is(&words[0], "peer"))) {
        return refuse(r, "neither a lease nor a peer");
    }
    if (!read_choice(&words[1], kinds, COUNT(kinds), &kind)) {
        return refuse(r, "neither http nor stream");
    }
    if (!read_name(&words[2]) || words[2].size_bytes == 0) {
        return refuse(r, "bad name of an upstream");
    }
    *row = (struct state_row){.what = word_is(&words[0], "lease") ? STATE_LEASE : STATE_PEER,
                              .kind = (enum shared_kind)kind,
                              .upstream = {words[2].bytes, words[2].size_bytes}};
    return row->what == STATE_LEASE ? read_lease(r, words, n, &row->lease) : read_peer(r, words, n, &row->peer);
}

static struct state_row *row_new(struct reader *r)
{
    if (r->rows->rows_n == r->room_n) {
        size_t room_n = r->room_n * 2 + 16;
        struct state_row *rows = realloc(r->rows->rows, room_n * sizeof(*rows));

        if (rows == NULL) {
            (void)refuse(r, "no memory");
            return NULL;
        }
        r->rows->rows = rows;
        r->room_n = room_n;
    }
    return &r->rows->rows[r->rows->rows_n++];
}

/* The last line's: *size_bytes falls to what is in front of it. */
static bool check_end(struct reader *r, const char *bytes, size_t *size_bytes, uint64_t *rows_n)
{
    char want[64];
    size_t from = *size_bytes;

    r->line = 0;
    if (from == 0 || bytes[from - 1] != '\n') {
        return refuse(r, "it is cut: its last line is not whole");
    }
    for (from--; from > 0 && bytes[from - 1] != '\n'; from--) {
    }
    const char *line = bytes + from;
    size_t line_bytes = *size_bytes - from - 1;
    const char *space = line_bytes > strlen(END) && memcmp(line, END, strlen(END)) == 0
                            ? memchr(line + strlen(END), ' ', line_bytes - strlen(END))
                            : NULL;
    if (space == NULL) {
        return refuse(r, "it is cut: its last line does not begin with \"end\"");
    }
    const struct word number = {(char *)(uintptr_t)line + strlen(END), (size_t)(space - line) - strlen(END)};
    if (!read_number(&number, SIZE_MAX, rows_n)) {
        return refuse(r, "bad number of rows in its last line");
    }
    int n = snprintf(want, sizeof(want), END "%" PRIu64 " %016" PRIx64, *rows_n, sum_of(bytes, from));
    if ((size_t)n != line_bytes || memcmp(line, want, line_bytes) != 0) {
        return refuse(r, "it is damaged: its checksum is wrong");
    }
    *size_bytes = from;
    return true;
}

static bool check_head(struct reader *r, const char *bytes, size_t size_bytes, size_t *head_bytes)
{
    const char *end = memchr(bytes, '\n', size_bytes);
    size_t n = strlen(HEAD);

    r->line = 1;
    if (end == NULL || (size_t)(end - bytes) <= n || memcmp(bytes, HEAD, n) != 0) {
        return refuse(r, "not a state file: it does not begin with \"" HEAD VERSION "\"");
    }
    const struct word version = {(char *)(uintptr_t)bytes + n, (size_t)(end - bytes) - n};
    if (!word_is(&version, VERSION)) {
        return refuse(r, "of another version than " VERSION ", the one that this module reads");
    }
    *head_bytes = (size_t)(end - bytes) + 1;
    return true;
}

static bool read_all(struct reader *r, char *bytes, size_t size_bytes)
{
    size_t at = 0;
    uint64_t rows_n = 0;

    if (size_bytes > STATE_TEXT_MAX_BYTES) {
        return refuse(r, "larger than %d bytes", STATE_TEXT_MAX_BYTES);
    }
    if (!check_head(r, bytes, size_bytes, &at) || !check_end(r, bytes, &size_bytes, &rows_n)) {
        return false;
    }
    for (r->line = 2; at < size_bytes; r->line++) {
        size_t line_bytes = (size_t)((char *)memchr(bytes + at, '\n', size_bytes - at) - (bytes + at));
        struct state_row *row = row_new(r);

        if (row == NULL || !read_row(r, bytes + at, line_bytes, row)) {
            return false;
        }
        at += line_bytes + 1;
    }
    return r->rows->rows_n == rows_n || refuse(r, "its last line counts other rows than there are");
}

bool state_text_read(struct state_rows *rows, char *bytes, size_t size_bytes, struct state_error *error)
{
    struct reader r = {.rows = rows, .error = error};

    *rows = (struct state_rows){0};
    *error = (struct state_error){0};
    if (read_all(&r, bytes, size_bytes)) {
        return true;
    }
    state_rows_free(rows);
    return false;
}

void state_rows_free(struct state_rows *rows)
{
    free(rows->rows);
    *rows = (struct state_rows){0};
}
