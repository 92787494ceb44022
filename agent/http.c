#include "http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define LENGTH_DIGITS_MAX 18 /* stays below 2^63 */
#define CHUNK_DIGITS_MAX  8

/* ---- a head's end */

enum http_verdict http_scan(struct http_scan *scan, const char *bytes, size_t size, size_t *used, const char **why)
{
    for (; scan->at < size; scan->last = bytes[scan->at++]) {
        unsigned char c = (unsigned char)bytes[scan->at];
        if ((c == '\n') != (scan->last == '\r')) {
            *why = c == '\n' ? "a line ends without a CR" : "a CR within a line";
            return HTTP_BAD;
        }
        if (c == '\n' && !scan->line) {
            *used = ++scan->at;
            return HTTP_WHOLE;
        }
        if (c == '\n' || c == '\r') {
            scan->line = c == '\r' && scan->line;
            continue;
        }
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            *why = "a control character";
            return HTTP_BAD;
        }
        if (!scan->line && (c == ' ' || c == '\t')) {
            *why = "a line begins with a blank";
            return HTTP_BAD;
        }
        scan->line = true;
    }
    return HTTP_MORE;
}

/* ---- its parts */

static bool refuse(unsigned *status, const char **why, unsigned with, const char *text)
{
    *status = with;
    *why = text;
    return false;
}

static bool is_token(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return size > 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place. %00 is refused: a text that ends early is another text. */
static bool decode(char *text, bool plus_is_blank)
{
    char *to = text;

    for (const char *from = text; *from != '\0';) {
        if (*from == '%') {
            int high = hex_value(from[1]), low = high >= 0 ? hex_value(from[2]) : -1;
            if (low < 0 || high + low == 0)
                return false;
            *to++ = (char)(high << 4 | low);
            from += 3;
        } else {
            *to++ = *from == '+' && plus_is_blank ? ' ' : *from;
            from++;
        }
    }
    *to = '\0';
    return true;
}

static bool read_args(char *query, struct http_head *head)
{
    char *next;

    for (char *arg = query; arg != NULL && *arg != '\0'; arg = next) {
        char *equals;
        next = strchr(arg, '&');
        if (next != NULL)
            *next++ = '\0';
        equals = strchr(arg, '=');
        if (equals != NULL)
            *equals++ = '\0';
        if (head->arg_count == HTTP_ARGS_MAX || !decode(arg, true) || (equals != NULL && !decode(equals, true)))
            return false;
        head->args[head->arg_count++] = (struct http_pair){arg, equals};
    }
    return true;
}

static bool read_target(char *target, struct http_head *head)
{
    char *query;

    if (target[0] != '/')
        return false;
    for (const char *c = target; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || *c == '#')
            return false;
    }
    query = strchr(target, '?');
    if (query != NULL)
        *query++ = '\0';
    head->path = target;
    return decode(target, false) && read_args(query, head);
}

static bool read_first_line(char *line, struct http_head *head, unsigned *status, const char **why)
{
    char *target = strchr(line, ' '), *version = target != NULL ? strchr(target + 1, ' ') : NULL;
    size_t length;

    if (version == NULL)
        return refuse(status, why, 400, "the first line is not METHOD /PATH HTTP/1.1");
    *target++ = '\0';
    *version++ = '\0';
    length = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (length == 0 || length > HTTP_METHOD_MAX || line[length] != '\0')
        return refuse(status, why, 400, "the method is none");
    head->method = line;
    if (strcmp(version, "HTTP/1.1") != 0)
        return strncmp(version, "HTTP/", 5) == 0 ? refuse(status, why, 505, "only HTTP/1.1 is spoken here")
                                                 : refuse(status, why, 400, "the first line does not end in HTTP/1.1");
    return read_target(target, head) || refuse(status, why, 400,
                                               "the target is no /PATH with at most 16 arguments and whole "
                                               "escapes");
}

static bool read_header(char *line, struct http_head *head, unsigned *status, const char **why)
{
    char *colon = strchr(line, ':'), *value, *end;

    if (colon == NULL || !is_token(line, (size_t)(colon - line)))
        return refuse(status, why, 400, "a header is not NAME: VALUE, without a blank in the name");
    if (head->header_count == HTTP_HEADERS_MAX)
        return refuse(status, why, 431, "too many headers");
    *colon = '\0';
    value = colon + 1 + strspn(colon + 1, " \t");
    end = value + strlen(value);
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = '\0';
    head->headers[head->header_count++] = (struct http_pair){line, value};
    return true;
}

/* ---- what they mean */

static bool read_length(const char *text, struct http_head *head, unsigned *status, const char **why)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || text[digits] != '\0')
        return refuse(status, why, 400, "Content-Length is no number");
    if (digits > LENGTH_DIGITS_MAX)
        return refuse(status, why, 413, "Content-Length is beyond all measure");
    for (; *text != '\0'; text++)
        head->length = head->length * 10 + (uint64_t)(*text - '0');
    return true;
}

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = list; *at != '\0';) {
        at += strspn(at, ", \t");
        size_t size = strcspn(at, ", \t");
        if (size == length && strncasecmp(at, word, length) == 0)
            return true;
        at += size;
    }
    return false;
}

static bool host_is_one(const char *host)
{
    size_t length = strlen(host);

    return length > 0 && strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP"
                                      "QRSTUVWXYZ0123456789.-_~:[]%") == length;
}

static bool judge_headers(struct http_head *head, unsigned *status, const char **why)
{
    unsigned hosts = 0, lengths = 0, codings = 0;

    for (unsigned i = 0; i < head->header_count; i++) {
        const char *name = head->headers[i].name, *value = head->headers[i].value;
        if (strcasecmp(name, "Host") == 0) {
            hosts += host_is_one(value) ? 1 : 2;
        } else if (strcasecmp(name, "Content-Length") == 0) {
            if (lengths++ == 0 && !read_length(value, head, status, why))
                return false;
        } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
            codings += strcasecmp(value, "chunked") == 0 ? 1 : 2;
        } else if (strcasecmp(name, "Expect") == 0) {
            if (strcasecmp(value, "100-continue") != 0)
                return refuse(status, why, 417, "only 100-continue can be expected");
            head->expects = true;
        } else if (strcasecmp(name, "Connection") == 0) {
            head->closes |= has_word(value, "close");
        }
    }
    if (hosts != 1)
        return refuse(status, why, 400, "exactly one Host is needed");
    if (lengths > 1 || codings > 1 || (lengths > 0 && codings > 0))
        return refuse(status, why, 400,
                      "at most one of Content-Length and Transfer-Encoding: "
                      "chunked may be there, and once");
    head->chunked = codings == 1;
    return true;
}

/* http_scan has seen to that; who reads a head without it is not to be worse off. */
static bool is_plain(const char *line, const char *end)
{
    for (; line < end; line++) {
        if (((unsigned char)*line < ' ' && *line != '\t') || *line == 0x7f)
            return false;
    }
    return true;
}

bool http_head_read(char *bytes, size_t size, struct http_head *head, unsigned *status, const char **why)
{
    char *line = bytes, *end = bytes + size;
    bool first = true;

    *head = (struct http_head){0};
    while (line < end) {
        char *cr = memchr(line, '\r', (size_t)(end - line));
        if (cr == NULL || cr + 2 > end || cr[1] != '\n' || !is_plain(line, cr))
            return refuse(status, why, 400, "a line of the head is cut off, or holds a control character");
        *cr = '\0';
        if (cr == line)
            break;
        if (first ? !read_first_line(line, head, status, why) : !read_header(line, head, status, why))
            return false;
        first = false;
        line = cr + 2;
    }
    return first ? refuse(status, why, 400, "the head is empty") : judge_headers(head, status, why);
}

const char *http_header(const struct http_head *head, const char *name)
{
    for (unsigned i = 0; i < head->header_count; i++) {
        if (strcasecmp(head->headers[i].name, name) == 0)
            return head->headers[i].value;
    }
    return NULL;
}

/* ---- a chunked body */

static bool take_size_digit(struct http_chunks *chunks, char c)
{
    int value = hex_value(c);

    if (value < 0 || chunks->digits == CHUNK_DIGITS_MAX)
        return false;
    chunks->digits++;
    chunks->left = chunks->left << 4 | (unsigned)value;
    return true;
}

/* One byte that is not of the body. */
static bool take_byte(struct http_chunks *chunks, char c)
{
    switch (chunks->state) {
    case CHUNK_SIZE:
        if (c != '\r')
            return take_size_digit(chunks, c);
        chunks->state = CHUNK_SIZE_LF;
        return chunks->digits > 0;
    case CHUNK_SIZE_LF:
        chunks->state = chunks->left > 0 ? CHUNK_DATA : CHUNK_END_CR;
        chunks->digits = 0;
        return c == '\n';
    case CHUNK_CR:
        chunks->state = CHUNK_LF;
        return c == '\r';
    case CHUNK_LF:
        chunks->state = CHUNK_SIZE;
        return c == '\n';
    case CHUNK_END_CR:
        chunks->state = CHUNK_END_LF;
        return c == '\r';
    case CHUNK_END_LF:
        chunks->state = CHUNK_OVER;
        return c == '\n';
    case CHUNK_DATA:
    case CHUNK_OVER:
        break;
    }
    return false;
}

enum http_verdict http_chunks_read(struct http_chunks *chunks, const char *bytes, size_t size, size_t *used,
                                   const char **piece, size_t *piece_size)
{
    *used = 0;
    *piece = bytes;
    *piece_size = 0;
    while (*used < size && chunks->state != CHUNK_OVER) {
        if (chunks->state == CHUNK_DATA) {
            *piece = bytes + *used;
            *piece_size = chunks->left < size - *used ? (size_t)chunks->left : size - *used;
            chunks->left -= *piece_size;
            *used += *piece_size;
            if (chunks->left == 0)
                chunks->state = CHUNK_CR;
            return HTTP_MORE;
        }
        if (!take_byte(chunks, bytes[(*used)++]))
            return HTTP_BAD;
    }
    return chunks->state == CHUNK_OVER ? HTTP_WHOLE : HTTP_MORE;
}

/* ---- an answer */

static const char *phrase(unsigned status)
{
    static const struct {
        unsigned status;
        const char *phrase;
    } rows[] = {{200, "OK"},
                {201, "Created"},
                {202, "Accepted"},
                {400, "Bad Request"},
                {403, "Forbidden"},
                {404, "Not Found"},
                {405, "Method Not Allowed"},
                {408, "Request Timeout"},
                {409, "Conflict"},
                {412, "Precondition Failed"},
                {413, "Content Too Large"},
                {417, "Expectation Failed"},
                {422, "Unprocessable Content"},
                {431, "Request Header Fields Too Large"},
                {500, "Internal Server Error"},
                {503, "Service Unavailable"},
                {505, "HTTP Version Not Supported"},
                {507, "Insufficient Storage"}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].status == status)
            return rows[i].phrase;
    }
    return "-";
}

size_t http_answer_head(char to[HTTP_ANSWER_HEAD_MAX], unsigned status, const char *type, size_t body_size, bool closes,
                        int64_t now_s)
{
    time_t now = (time_t)now_s;
    char date[40];
    struct tm tm;
    int size;

    (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    size = snprintf(to, HTTP_ANSWER_HEAD_MAX,
                    "HTTP/1.1 %u %s\r\nDate: %s\r\nContent-Type: "
                    "%.64s\r\nContent-Length: %zu\r\n"
                    "Cache-Control: no-store\r\n%s\r\n",
                    status, phrase(status), date, type, body_size, closes ? "Connection: close\r\n" : "");
    return (size_t)size;
}
