#include "common/ini.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct reader {
    ini_line_fn *fn;
    void *ctx;
    struct ini_line at;
    char *line; /* INI_LINE_MAX + 1 bytes each */
    char *section;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool section_open(struct reader *r, size_t size, struct err *err)
{
    const char *close = memchr(r->line, ']', size);
    const char *rest = close ? close + 1 : "";
    while (is_blank(*rest))
        rest++;
    if (!close || (*rest && *rest != '#' && *rest != ';'))
        return err_set(err, "a line that begins with [ opens a section and is written [NAME], not \"%.60s\"", r->line);
    size_t length = (size_t)(close - r->line) - 1;
    if (!length)
        return err_set(err, "a section needs a name: [NAME]");
    memcpy(r->section, r->line + 1, length);
    r->section[length] = '\0';
    r->at.text = NULL;
    return r->fn(r->ctx, &r->at, err);
}

static bool line_take(struct reader *r, const char *bytes, size_t size, struct err *err)
{
    if (size && bytes[size - 1] == '\r')
        size--;
    if (size > INI_LINE_MAX)
        return err_set(err, "the line has %zu bytes, at most %d are allowed: is this the right file?", size,
                       INI_LINE_MAX);
    if (memchr(bytes, '\0', size))
        return err_set(err, "the line holds a NUL byte: this is not a text file");
    while (size && is_blank(bytes[0])) {
        bytes++;
        size--;
    }
    while (size && is_blank(bytes[size - 1]))
        size--;
    if (!size || bytes[0] == '#' || bytes[0] == ';')
        return true;
    memcpy(r->line, bytes, size);
    r->line[size] = '\0';
    if (r->line[0] == '[')
        return section_open(r, size, err);
    r->at.text = r->line;
    return r->fn(r->ctx, &r->at, err);
}

bool ini_parse(const char *file, const char *bytes, size_t size_bytes, ini_line_fn *fn, void *ctx, struct err *err)
{
    struct reader r = {.fn = fn, .ctx = ctx, .at = {.file = file}};
    r.line = malloc(INI_LINE_MAX + 1);
    r.section = calloc(1, INI_LINE_MAX + 1);
    bool ok = r.line && r.section;
    if (!ok)
        err_set(err, "%s: no memory", file);
    r.at.section = r.section;

    const char *p = bytes, *end = size_bytes ? bytes + size_bytes : bytes;
    if (size_bytes >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
        p += 3;
    while (ok && p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *stop = newline ? newline : end;
        r.at.line++;
        ok = line_take(&r, p, (size_t)(stop - p), err) || err_context(err, "%s:%u", file, r.at.line);
        p = newline ? newline + 1 : end;
    }
    free(r.line);
    free(r.section);
    return ok;
}

/* Read what is there; true with *got = 0 at the end. The file is open O_NONBLOCK so that a FIFO cannot hold us. */
static bool read_some(int fd, char *to, size_t room, size_t *got, struct err *err)
{
    for (;;) {
        ssize_t n = read(fd, to, room);
        if (n >= 0) {
            *got = (size_t)n;
            return true;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return err_set(err, "cannot read it: %s", strerror(errno));
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, INI_WAIT_MS) == 0)
            return err_set(err, "nothing came for %d s while reading it", INI_WAIT_MS / 1000);
    }
}

static bool read_all(int fd, char **bytes, size_t *size, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st))
        return err_set(err, "cannot read it: %s", strerror(errno));
    if (S_ISDIR(st.st_mode))
        return err_set(err, "this is a folder; name the file in it");
    size_t room = 0, used = 0, got = 0;
    char *all = NULL;
    do {
        if (room - used < 2) {
            room = room ? room * 2 : S_ISREG(st.st_mode) && st.st_size < INI_FILE_MAX ? (size_t)st.st_size + 2 : 65536;
            char *more = realloc(all, room);
            if (!more) {
                free(all);
                return err_set(err, "no memory");
            }
            all = more;
        }
        if (!read_some(fd, all + used, room - used, &got, err)) {
            free(all);
            return false;
        }
        used += got;
        if (used > INI_FILE_MAX) {
            free(all);
            return err_set(err, "the file has more than %d MB: is this the right file?", INI_FILE_MAX / 1024 / 1024);
        }
    } while (got);
    *bytes = all;
    *size = used;
    return true;
}

bool ini_read(const char *path, ini_line_fn *fn, void *ctx, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_set(err, "%s: cannot open it: %s", path, strerror(errno));
    char *bytes = NULL;
    size_t size = 0;
    bool ok = read_all(fd, &bytes, &size, err) || err_context(err, "%s", path);
    close(fd);
    if (ok)
        ok = ini_parse(path, bytes, size, fn, ctx, err);
    free(bytes);
    return ok;
}
