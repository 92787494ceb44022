/* ini.h - a file of sections and lines, read with its limits and line numbers; what a line means is the caller's.
 *
 * Comment lines (# or ; first) and blank lines are passed over, a line [NAME] opens a section (a comment may follow
 * it), blanks around a line are cut, CRLF is taken as LF, a UTF-8 byte order mark at the start is skipped. Any error
 * (the callee's too) comes out with "FILE:LINE: " in front; one that no line is to blame for with "FILE: ". */
#ifndef COMMON_INI_H
#define COMMON_INI_H

#include <stddef.h>

#include "common/err.h"

#define INI_LINE_MAX (64 * 1024)        /* bytes; a longer line is an error, never cut */
#define INI_FILE_MAX (64 * 1024 * 1024) /* bytes */
#define INI_WAIT_MS  10000              /* a pipe (`<(...)`) that says nothing for so long is an error */

struct ini_line {
    const char *file;    /* the path as given */
    unsigned line;       /* from 1 */
    const char *section; /* inside of the brackets, as written; "" before the first */
    const char *text;    /* NULL: this line opens `section`; else the line without comment lines' and outer blanks */
};

typedef bool ini_line_fn(void *ctx, const struct ini_line *line, struct err *err);

/* Call `fn` for each section opened and each other line; stop at the first false. NUL bytes, over-long lines, a folder,
 * an unreadable or too large file, a section line that is not [NAME] are errors; NULs and over-long lines are found
 * before fn sees that line. All pointers in ini_line live only for the call. */
bool ini_read(const char *path, ini_line_fn *fn, void *ctx, struct err *err);

/* The same over bytes in memory; `file` only names them in errors. */
bool ini_parse(const char *file, const char *bytes, size_t size_bytes, ini_line_fn *fn, void *ctx, struct err *err);

#endif
