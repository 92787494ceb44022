#include "release_signature.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/wire.h"
#include "common/base64.h"
#include "common/exe.h"
#include "common/mem.h"
#include "common/minisign.h"

/* How many bytes of the first `room`; 0 where there is no such file; -1. */
static ssize_t read_head(const char *path, void *to, size_t room, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t n = 0;

    if (fd >= 0)
        n = read(fd, to, room);
    else if (errno != ENOENT)
        n = -1;
    if (n < 0)
        err_set(err, "cannot read %s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return n;
}

/* To be read with one byte more than there may be, so that a longer one is noticed. */
static ssize_t read_file(const char *release_file, char text[MINISIGN_FILE_MAX + 1], struct err *err)
{
    char *path = mem_format("%s.minisig", release_file);
    ssize_t n = read_head(path, text, MINISIGN_FILE_MAX + 1, err);
    struct minisign signature;

    if (n > 0 && !minisign_read(text, (size_t)n, &signature, err)) {
        err_context(err, "%s", path);
        n = -1;
    }
    free(path);
    return n;
}

static bool read_label(const char *release_file, const char *text, size_t size, struct label *label, struct err *err)
{
    struct minisign signature;

    return minisign_read(text, size, &signature, err) &&
           (label_read(signature.comment, label, err) || err_context(err, "%s.minisig", release_file));
}

bool release_signature_read(const char *release_file, struct release_signature *signature, struct err *err)
{
    char text[MINISIGN_FILE_MAX + 1], head[EXE_HEAD_BYTES];
    ssize_t n = read_head(release_file, head, sizeof head, err);

    *signature = (struct release_signature){0};
    if (n < 0)
        return false;
    signature->arch = exe_look(head, (size_t)n).arch;
    n = read_file(release_file, text, err);
    signature->there = n > 0;
    return n >= 0 && (n == 0 || read_label(release_file, text, (size_t)n, &signature->label, err));
}

char *release_signature_header(const char *release_file, struct err *err)
{
    char text[MINISIGN_FILE_MAX + 1], encoded[BASE64_SIZE(MINISIGN_FILE_MAX + 1) + 1];
    ssize_t n = read_file(release_file, text, err);

    if (n <= 0)
        return NULL;
    base64_write(text, (size_t)n, encoded);
    return mem_format(WIRE_SIGNATURE_HEADER ": %s", encoded);
}
