#include "store_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"

#define WAL_END "-wal"

static const char *const ENDS[STORE_FILES] = {"", WAL_END, "-shm"};

bool store_folder_make(const char *folder, struct err *err)
{
    char path[PATH_MAX - sizeof "/" STORE_FILE "-journal"];
    struct stat there;
    int length = snprintf(path, sizeof path, "%s", folder);

    if (length <= 0 || (size_t)length >= sizeof path)
        return err_set(err, "the state folder's name is %s", folder[0] == '\0' ? "empty" : "too long");
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL)
            *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return err_set(err, "the state folder %s cannot be made: %s: %s", folder, path, strerror(errno));
        if (slash == NULL)
            break;
        *slash = '/';
    }
    if (stat(folder, &there) != 0 || !S_ISDIR(there.st_mode))
        return err_set(err, "the state folder %s is not a folder", folder);
    return true;
}

bool store_file_make(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno != EEXIST)
        return err_set(err, "the journal %s cannot be made: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return true;
}

void store_files_note(struct store_files *files, const char *path)
{
    struct stat there;

    for (size_t i = 0; i < STORE_FILES; i++) {
        char *part = mem_format("%s%s", path, ENDS[i]);

        if (stat(part, &there) == 0) {
            files->parts[i] = (struct store_part){.path = part, .disk = there.st_dev, .number = there.st_ino};
            part = NULL;
        }
        free(part);
    }
}

bool store_files_are_there(const struct store_files *files, const char *rollout, struct err *err)
{
    for (size_t i = 0; i < STORE_FILES; i++) {
        const struct store_part *part = &files->parts[i];
        struct stat there;
        int number;

        if (part->path == NULL)
            continue;
        number = stat(part->path, &there) == 0 ? 0 : errno;
        if (number != 0 && number != ENOENT)
            return err_set(err, "%s is out of reach: %s", part->path, strerror(number));
        if (number != 0 || there.st_dev != part->disk || there.st_ino != part->number)
            return err_set(err,
                           "%s was removed or replaced while it was in use; put it back, or run this again with "
                           "--rollout-id %s (a resume as it is, with --hosts FILE)",
                           part->path, rollout);
    }
    return true;
}

void store_files_clear(struct store_files *files)
{
    for (size_t i = 0; i < STORE_FILES; i++)
        free(files->parts[i].path);
    *files = (struct store_files){0};
}

bool store_file_is_whole(const char *path)
{
    char *wal = mem_format("%s" WAL_END, path);
    struct stat there;
    bool none = stat(wal, &there) != 0 || there.st_size == 0;

    free(wal);
    return none;
}
