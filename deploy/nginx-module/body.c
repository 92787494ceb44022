#include "body.h"

#include <string.h>

struct reader {
    char *at;
    char *end;
};

bool body_text_is(const struct body_text *text, const char *other)
{
    return text->size_bytes == strlen(other) && memcmp(text->bytes, other, text->size_bytes) == 0;
}

static void skip_space(struct reader *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r')) {
        in->at++;
    }
}

static bool take(struct reader *in, char c)
{
    if (in->at < in->end && *in->at == c) {
        in->at++;
        return true;
    }
    return false;
}

static bool take_word(struct reader *in, const char *word)
{
    size_t size = strlen(word);

    if ((size_t)(in->end - in->at) < size || memcmp(in->at, word, size) != 0) {
        return false;
    }
    in->at += size;
    return true;
}

static bool take_hex4(struct reader *in, uint32_t *value)
{
    if (in->end - in->at < 4) {
        return false;
    }
    *value = 0;
    for (int i = 0; i < 4; i++) {
        char c = *in->at++;
        uint32_t digit;

        if (c >= '0' && c <= '9') {
            digit = (uint32_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = (uint32_t)(c - 'a' + 10);
        } else if (c >= 'A' && c <= 'F') {
            digit = (uint32_t)(c - 'A' + 10);
        } else {
            return false;
        }
        *value = *value * 16 + digit;
    }
    return true;
}

static char *put_utf8(char *to, uint32_t point)
{
    if (point < 0x80) {
        *to++ = (char)point;
    } else if (point < 0x800) {
        *to++ = (char)(0xC0 | (point >> 6));
        *to++ = (char)(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        *to++ = (char)(0xE0 | (point >> 12));
        *to++ = (char)(0x80 | ((point >> 6) & 0x3F));
        *to++ = (char)(0x80 | (point & 0x3F));
    } else {
        *to++ = (char)(0xF0 | (point >> 18));
        *to++ = (char)(0x80 | ((point >> 12) & 0x3F));
        *to++ = (char)(0x80 | ((point >> 6) & 0x3F));
        *to++ = (char)(0x80 | (point & 0x3F));
    }
    return to;
}

/* Behind \u: one code point, which may be two escapes. A lone surrogate is refused. */
static bool take_code_point(struct reader *in, uint32_t *point)
{
    uint32_t low;

    if (!take_hex4(in, point)) {
        return false;
    }
    if (*point < 0xD800 || *point > 0xDFFF) {
        return true;
    }
    if (*point > 0xDBFF || !take_word(in, "\\u") || !take_hex4(in, &low) || low < 0xDC00 || low > 0xDFFF) {
        return false;
    }
    *point = 0x10000 + ((*point - 0xD800) << 10) + (low - 0xDC00);
    return true;
}

static bool take_escape(struct reader *in, char **to)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    uint32_t point;

    if (in->at == in->end) {
        return false;
    }
    char c = *in->at++;
    if (c == 'u') {
        if (!take_code_point(in, &point)) {
            return false;
        }
        *to = put_utf8(*to, point);
        return true;
    }
    const char *name = c == '\0' ? NULL : strchr(names, c);
    if (name == NULL) {
        return false;
    }
    *(*to)++ = values[name - names];
    return true;
}

/* One UTF-8 sequence (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF), copied to *to. */
static bool take_utf8(struct reader *in, char **to)
{
    unsigned char first = (unsigned char)*in->at;
    unsigned char low = 0x80, high = 0xBF;
    int more;

    if (first >= 0xC2 && first <= 0xDF) {
        more = 1;
    } else if (first >= 0xE0 && first <= 0xEF) {
        more = 2;
        low = first == 0xE0 ? 0xA0 : 0x80;
        high = first == 0xED ? 0x9F : 0xBF;
    } else if (first >= 0xF0 && first <= 0xF4) {
        more = 3;
        low = first == 0xF0 ? 0x90 : 0x80;
        high = first == 0xF4 ? 0x8F : 0xBF;
    } else {
        return false;
    }
    if (in->end - in->at <= more) {
        return false;
    }
    *(*to)++ = *in->at++;
    while (more-- > 0) {
        unsigned char next = (unsigned char)*in->at;

        if (next < low || next > high) {
            return false;
        }
        low = 0x80;
        high = 0xBF;
        *(*to)++ = *in->at++;
    }
    return true;
}

static bool take_string(struct reader *in, struct body_text *text)
{
    if (!take(in, '"')) {
        return false;
    }
    char *to = in->at;
    text->bytes = to;
    while (in->at < in->end) {
        unsigned char c = (unsigned char)*in->at;

        if (c == '"') {
            in->at++;
            text->size_bytes = (size_t)(to - text->bytes);
            return true;
        }
        if (c < 0x20) {
            return false;
        }
        if (c == '\\') {
            in->at++;
            if (!take_escape(in, &to)) {
                return false;
            }
        } else if (c < 0x80) {
            *to++ = *in->at++;
        } else if (!take_utf8(in, &to)) {
            return false;
        }
    }
    return false;
}

static bool take_digits(struct reader *in)
{
    char *from = in->at;

    while (in->at < in->end && *in->at >= '0' && *in->at <= '9') {
        in->at++;
    }
    return in->at > from;
}

static bool take_number(struct reader *in, struct body_text *text)
{
    text->bytes = in->at;
    take(in, '-');
    if (!take(in, '0') && !take_digits(in)) {
        return false;
    }
    if (take(in, '.') && !take_digits(in)) {
        return false;
    }
    if (take(in, 'e') || take(in, 'E')) {
        if (!take(in, '+')) {
            take(in, '-');
        }
        if (!take_digits(in)) {
            return false;
        }
    }
    text->size_bytes = (size_t)(in->at - text->bytes);
    return true;
}

static enum body_result take_value(struct reader *in, struct body_member *member)
{
    if (in->at == in->end) {
        return BODY_SYNTAX;
    }
    switch (*in->at) {
    case '{':
    case '[':
        return BODY_NESTED;
    case '"':
        member->type = BODY_STRING;
        return take_string(in, &member->text) ? BODY_OK : BODY_SYNTAX;
    case 't':
    case 'f':
        member->type = BODY_BOOL;
        member->truth = *in->at == 't';
        return take_word(in, member->truth ? "true" : "false") ? BODY_OK : BODY_SYNTAX;
    case 'n':
        member->type = BODY_NULL;
        return take_word(in, "null") ? BODY_OK : BODY_SYNTAX;
    default:
        member->type = BODY_NUMBER;
        return take_number(in, &member->text) ? BODY_OK : BODY_SYNTAX;
    }
}

static bool is_duplicate(const struct body_member *members, size_t count)
{
    const struct body_text *name = &members[count].name;

    for (size_t i = 0; i < count; i++) {
        if (members[i].name.size_bytes == name->size_bytes &&
            memcmp(members[i].name.bytes, name->bytes, name->size_bytes) == 0) {
            return true;
        }
    }
    return false;
}

static enum body_result take_member(struct reader *in, struct body_member *members, size_t *count)
{
    struct body_member *member = &members[*count];

    memset(member, 0, sizeof(*member));
    skip_space(in);
    if (!take_string(in, &member->name)) {
        return BODY_SYNTAX;
    }
    skip_space(in);
    if (!take(in, ':')) {
        return BODY_SYNTAX;
    }
    skip_space(in);
    enum body_result result = take_value(in, member);
    if (result != BODY_OK) {
        return result;
    }
    if (is_duplicate(members, *count)) {
        return BODY_DUPLICATE;
    }
    (*count)++;
    skip_space(in);
    return BODY_OK;
}

enum body_result body_read(char *text, size_t size_bytes, struct body_member *members, size_t capacity, size_t *count)
{
    struct reader in;

    in.at = text;
    in.end = text + size_bytes;
    *count = 0;
    skip_space(&in);
    if (in.at == in.end) {
        return BODY_EMPTY;
    }
    if (!take(&in, '{')) {
        return BODY_SYNTAX;
    }
    skip_space(&in);
    if (!take(&in, '}')) {
        do {
            if (*count == capacity) {
                return BODY_MANY;
            }
            enum body_result result = take_member(&in, members, count);
            if (result != BODY_OK) {
                return result;
            }
        } while (take(&in, ','));
        if (!take(&in, '}')) {
            return BODY_SYNTAX;
        }
    }
    skip_space(&in);
    return in.at == in.end ? BODY_OK : BODY_SYNTAX;
}
