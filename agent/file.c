#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/json.h"

static bool read_small(const char *path, int flags, char *text, size_t size, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
    size_t used = 0;
    ssize_t n = 0;

    if (fd < 0)
        return err_set(err, "cannot open %s: %s", path, strerror(errno));
    while (used < size - 1 && (n = read(fd, text + used, size - 1 - used)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        used += (size_t)n;
    }
    text[used] = '\0';
    if (n < 0)
        err_set(err, "cannot read %s: %s", path, strerror(errno));
    (void)close(fd);
    return n >= 0;
}

bool file_read_small(const char *path, char *text, size_t size, struct err *err)
{
    return read_small(path, 0, text, size, err);
}

bool file_make_folder(const char *path, struct err *err)
{
    struct stat st;

    if (mkdir(path, 0700) == 0)
        return file_sync_folder_of(path, err);
    if (errno != EEXIST)
        return err_set(err, "cannot make the folder %s: %s", path, strerror(errno));
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return err_set(err, "%s is no folder", path);
    return true;
}

bool file_sync_folder_of(const char *path, struct err *err)
{
    char folder[PATH_MAX];
    char *slash;
    int fd;
    bool ok;

    (void)snprintf(folder, sizeof folder, "%s", path);
    slash = strrchr(folder, '/');
    if (slash == NULL)
        (void)strcpy(folder, ".");
    else
        slash[slash == folder ? 1 : 0] = '\0';
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        err_set(err, "cannot sync the folder %s: %s", folder, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

bool file_write_all(int fd, const void *bytes, size_t size, struct err *err)
{
    const char *at = bytes;

    while (size > 0) {
        ssize_t n = write(fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, "cannot write: %s", strerror(errno));
        at += n;
        size -= (size_t)n;
    }
    return true;
}

#define JSON_FILE_MAX (4 * 1024 * 1024) /* a claim's body is at most WIRE_BODY_MAX; jobs are pruned */

bool file_write_json(const char *path, const json_t *json, struct err *err)
{
    char aside[PATH_MAX];
    char *text = json_dumps(json, JSON_INDENT(1) | JSON_ENSURE_ASCII);
    bool rc = false;
    int fd = -1;

    if (text == NULL)
        return err_set(err, "cannot write %s: out of memory", path);
    if (strlen(text) >= JSON_FILE_MAX) { /* it could not be read back */
        err_set(err, "cannot write %s: more than %d bytes", path, JSON_FILE_MAX);
        goto out;
    }
    if ((size_t)snprintf(aside, sizeof aside, "%s.new", path) >= sizeof aside) {
        err_set(err, "the path %s is too long", path);
        goto out;
    }
    fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        err_set(err, "cannot make %s: %s%s", aside, strerror(errno),
                errno == ENOENT ? "; somebody has taken its folder away: restart the agent, which makes it anew" : "");
        goto out;
    }
    if (!file_write_all(fd, text, strlen(text), err) || fsync(fd) != 0 || rename(aside, path) != 0) {
        err_set(err, "cannot write %s: %s", path, strerror(errno));
        (void)unlink(aside);
        goto out;
    }
    rc = file_sync_folder_of(path, err);
out:
    if (fd >= 0)
        (void)close(fd);
    free(text);
    return rc;
}

bool file_read_json(const char *path, json_t **json, struct err *err)
{
    char *text;

    *json = NULL;
    if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
        return true;
    text = malloc(JSON_FILE_MAX);
    if (text == NULL)
        abort();
    if (read_small(path, O_NOFOLLOW, text, JSON_FILE_MAX, err)) {
        *json = json_read(text, strlen(text), err);
        if (*json != NULL && !json_is_object(*json)) {
            json_decref(*json);
            *json = NULL;
            err_set(err, "no JSON object");
        }
        if (*json == NULL)
            err_context(err, "%s", path);
    }
    free(text);
    return *json != NULL;
}
