/* http.h - HTTP/1.1 as the agent takes it: a head, a body's framing, the head of an answer. Pure.
 *
 * Whatever a parser in front could read differently is refused (RFC 9112, 2.2, 3, 5, 6, 7.1): a line that does not
 * end in CRLF, a CR or another control byte within a line, a folded line, blanks in front of a colon, not exactly
 * one Host, more than one length, a length beside a transfer coding, a coding but chunked, a target that is no path,
 * chunk extensions, trailers. */
#ifndef AGENT_HTTP_H
#define AGENT_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX    ((size_t)16 * 1024) /* bytes, the empty line included */
#define HTTP_HEADERS_MAX 64
#define HTTP_ARGS_MAX    16
#define HTTP_METHOD_MAX  16

enum http_verdict { HTTP_MORE, HTTP_WHOLE, HTTP_BAD };

/* Where the look for a head's end stands; zeroed at first. */
struct http_scan {
    size_t at; /* so many bytes have been looked at */
    char last; /* the one before */
    bool line; /* there is something on the line */
};
/* More bytes of the same head have come: `size` in all. WHOLE: *used are the head's. BAD: at the first byte that may
 * not be there; *why says what. */
enum http_verdict http_scan(struct http_scan *scan, const char *bytes, size_t size, size_t *used, const char **why);

struct http_pair {
    const char *name, *value; /* an argument without = has no value: NULL */
};

struct http_head {
    const char *method, *path; /* percent-decoded; no query */
    struct http_pair headers[HTTP_HEADERS_MAX], args[HTTP_ARGS_MAX];
    unsigned header_count, arg_count;
    uint64_t length; /* of the body, where it is not chunked; 0: none */
    bool chunked;
    bool expects; /* 100-continue */
    bool closes;  /* Connection: close */
};
/* A whole head of `size` bytes, which is changed; all texts point into it. False: *status (4xx or 5xx) and *why. */
bool http_head_read(char *bytes, size_t size, struct http_head *head, unsigned *status, const char **why);
/* The value of the first header of that name, any case; NULL: there is none. */
const char *http_header(const struct http_head *head, const char *name);

/* A chunked body; zeroed at first. */
struct http_chunks {
    enum { CHUNK_SIZE, CHUNK_SIZE_LF, CHUNK_DATA, CHUNK_CR, CHUNK_LF, CHUNK_END_CR, CHUNK_END_LF, CHUNK_OVER } state;
    unsigned digits;
    uint64_t left;
};
/* Looks at bytes until there is a piece of the body, the body's end, or nothing left. *used are done with; the
 * piece, which may be empty, points into them. WHOLE: the body has ended. */
enum http_verdict http_chunks_read(struct http_chunks *chunks, const char *bytes, size_t size, size_t *used,
                                   const char **piece, size_t *piece_size);

/* The head of an answer. now_s: UNIX seconds. Returns its size. */
#define HTTP_ANSWER_HEAD_MAX ((size_t)512)
size_t http_answer_head(char to[HTTP_ANSWER_HEAD_MAX], unsigned status, const char *type, size_t body_size, bool closes,
                        int64_t now_s);

#endif
