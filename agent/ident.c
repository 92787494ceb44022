#include "ident.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/json.h"
#include "file.h"
#include "proc.h"

static int64_t time_ns(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool same_file(const struct hash_entry *a, const struct hash_entry *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
           a->ctime_ns == b->ctime_ns && a->ino != 0;
}

bool hash_cached_fd(struct hash_cache *cache, int fd, uint8_t sha256[SHA256_BYTES], struct err *err)
{
    struct hash_entry key = {0};
    struct stat st;

    if (fstat(fd, &st) != 0)
        return err_set(err, "cannot read its status: %s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, "is no regular file");
    key.dev = st.st_dev;
    key.ino = st.st_ino;
    key.size = (uint64_t)st.st_size;
    key.mtime_ns = time_ns(st.st_mtim);
    key.ctime_ns = time_ns(st.st_ctim);
    for (unsigned i = 0; i < HASH_CACHE_SLOTS; i++) {
        if (same_file(&cache->entries[i], &key)) {
            memcpy(sha256, cache->entries[i].sha256, SHA256_BYTES);
            return true;
        }
    }
    if (!sha256_fd(fd, sha256, NULL, err))
        return false;
    memcpy(key.sha256, sha256, SHA256_BYTES);
    cache->entries[cache->next++ % HASH_CACHE_SLOTS] = key;
    return true;
}

bool hash_cached(struct hash_cache *cache, const char *path, uint8_t sha256[SHA256_BYTES], struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool ok;

    if (fd < 0)
        return err_set(err, "cannot open %s: %s", path, strerror(errno));
    ok = hash_cached_fd(cache, fd, sha256, err);
    if (!ok)
        err_context(err, "%s", path);
    (void)close(fd);
    return ok;
}

bool ident_boot_id(char boot_id[BOOT_ID_TEXT], struct err *err)
{
    char text[64];

    if (!file_read_small("/proc/sys/kernel/random/boot_id", text, sizeof text, err))
        return false;
    (void)snprintf(boot_id, BOOT_ID_TEXT, "%.36s", text);
    return strlen(boot_id) == 36 || err_set(err, "the kernel's boot id is not 36 characters long");
}

bool ident_stat(uint32_t pid, struct proc_stat *stat)
{
    char path[64], text[1024];

    (void)snprintf(path, sizeof path, "/proc/%u/stat", pid);
    return file_read_small(path, text, sizeof text, NULL) && proc_parse_stat(text, stat) && proc_is_alive(stat);
}

bool ident_start(uint32_t pid, uint64_t *start_ticks)
{
    struct proc_stat stat;

    if (!ident_stat(pid, &stat))
        return false;
    *start_ticks = stat.start_ticks;
    return true;
}

static void cut_deleted(char *exe)
{
    static const char deleted[] = " (deleted)";
    size_t length = strlen(exe), tail = sizeof deleted - 1;

    if (length > tail && strcmp(exe + length - tail, deleted) == 0)
        exe[length - tail] = '\0';
}

bool ident_exe(uint32_t pid, char exe[PATH_MAX], struct err *err)
{
    char path[64];
    ssize_t length;

    (void)snprintf(path, sizeof path, "/proc/%u/exe", pid);
    length = readlink(path, exe, PATH_MAX - 1);
    if (length < 0)
        return err_set(err, "cannot see what process %u runs: %s", pid, strerror(errno));
    exe[length] = '\0';
    cut_deleted(exe);
    return true;
}

bool ident_read(uint32_t pid, struct hash_cache *cache, struct ident *ident, char exe[PATH_MAX], struct err *err)
{
    char path[64];
    uint64_t again;

    *ident = (struct ident){0};
    if (!ident_boot_id(ident->boot_id, err))
        return false;
    if (!ident_start(pid, &ident->start_ticks))
        return err_set(err, "process %u does not exist", pid);
    if (!ident_exe(pid, exe, err))
        return false;
    (void)snprintf(path, sizeof path, "/proc/%u/exe", pid);
    if (!hash_cached(cache, path, ident->sha256, err))
        return false;
    if (!ident_start(pid, &again) || again != ident->start_ticks)
        return err_set(err, "process %u ended while we looked at it", pid);
    ident->pid = pid;
    return true;
}

int ident_open(const struct ident *ident, struct err *err)
{
    int fd = (int)syscall(SYS_pidfd_open, ident->pid, 0);
    uint64_t start_ticks;

    if (fd < 0) {
        (void)err_set(err, "process %u cannot be opened: %s", ident->pid, strerror(errno));
        return -1;
    }
    if (ident_start(ident->pid, &start_ticks) && start_ticks == ident->start_ticks)
        return fd;
    (void)close(fd);
    errno = ESRCH;
    (void)err_set(err, "process %u ended just now", ident->pid);
    return -1;
}

bool ident_same_process(const struct ident *a, const struct ident *b)
{
    return a->pid == b->pid && a->start_ticks == b->start_ticks && strcmp(a->boot_id, b->boot_id) == 0;
}

json_t *ident_to_json(const struct ident *ident)
{
    char hex[SHA256_DIGITS + 1];

    if (ident->pid == 0)
        return json_null();
    sha256_hex(ident->sha256, hex);
    return json_pack("{s:I, s:I, s:s, s:s}", "pid", (json_int_t)ident->pid, "start_ticks",
                     (json_int_t)ident->start_ticks, "boot_id", ident->boot_id, "sha256", hex);
}

bool ident_from_json(const json_t *json, struct ident *ident)
{
    const char *boot_id, *hex;
    uint64_t pid;

    *ident = (struct ident){0};
    if (json == NULL || json_is_null(json))
        return true;
    if (!json_get_uint(json, "pid", &pid, NULL) || pid == 0 || pid > INT32_MAX ||
        !json_get_uint(json, "start_ticks", &ident->start_ticks, NULL) ||
        !json_get_string(json, "boot_id", &boot_id, NULL) || strlen(boot_id) != 36 ||
        !json_get_string(json, "sha256", &hex, NULL) || !sha256_parse(hex, ident->sha256))
        return false;
    ident->pid = (uint32_t)pid;
    (void)snprintf(ident->boot_id, sizeof ident->boot_id, "%s", boot_id);
    return true;
}
