#include "tests/stage/powerless.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/sha256.h"
#include "tests/sweep/disk.h"

#define FILES_MAX 512
#define NAMES_MAX 512
#define HAD_MAX   4

struct bytes {
    char *at;
    size_t size;
};

struct node { /* a file's content */
    uint64_t inode;
    mode_t mode;
    struct bytes now, synced;
    bool torn; /* its last write is not synced and was the last change */
};

struct name {
    const char *path; /* NULL: free */
    struct node *node;
};

struct disk { /* as it is after some changes */
    struct node nodes[FILES_MAX];
    size_t n_nodes;
    struct name now[NAMES_MAX], synced[NAMES_MAX];
};

struct powerless {
    struct stage *s;
    const char *log;
    unsigned count;
    struct {
        const char *path;
        struct node node;
    } had[HAD_MAX];
    size_t n_had;
};

/* ---- the log */

static const char *next(const char *at, struct disk_record *r, const char **from, const char **to, const char **data)
{
    memcpy(r, at, sizeof *r);
    at += sizeof *r;
    *from = at;
    *to = at + r->from_size;
    *data = *to + r->to_size;
    return *data + r->data_size;
}

/* Kept by the stage. */
static struct bytes read_whole(struct stage *s, const char *path, struct stat *st)
{
    FILE *file = fopen(path, "re");
    struct bytes bytes = {0};

    if (file == NULL || fstat(fileno(file), st) != 0)
        stage_fail(s, "cannot open %s", path);
    bytes.at = stage_alloc(s, (size_t)st->st_size + 1);
    bytes.size = fread(bytes.at, 1, (size_t)st->st_size, file);
    (void)fclose(file);
    return bytes;
}

struct powerless *powerless_begin(struct stage *s)
{
    struct powerless *p = stage_alloc(s, sizeof *p);

    p->s = s;
    return p;
}

unsigned powerless_read(struct powerless *p, const char *log)
{
    struct stat st;
    struct bytes bytes = read_whole(p->s, log, &st);
    const char *from, *to, *data;
    struct disk_record r;

    p->log = bytes.at;
    p->count = 0;
    for (const char *at = p->log; at < p->log + bytes.size; p->count++)
        at = next(at, &r, &from, &to, &data);
    return p->count;
}

/* ---- a disk */

static void set_bytes(struct bytes *to, size_t at, const void *from, size_t size)
{
    if (at + size > to->size) {
        to->at = mem_grow(to->at, at + size, 1);
        memset(to->at + to->size, 0, at + size - to->size);
        to->size = at + size;
    }
    memcpy(to->at + at, from, size);
}

static void copy_bytes(struct bytes *to, const struct bytes *from)
{
    to->size = 0;
    if (from->size > 0)
        set_bytes(to, 0, from->at, from->size);
}

static struct node *node_of(struct disk *d, uint64_t inode)
{
    for (size_t i = d->n_nodes; i > 0; i--)
        if (d->nodes[i - 1].inode == inode)
            return &d->nodes[i - 1];
    return NULL;
}

static struct node *new_node(struct powerless *p, struct disk *d, uint64_t inode)
{
    if (d->n_nodes == FILES_MAX)
        stage_fail(p->s, "more than %d files", FILES_MAX);
    d->nodes[d->n_nodes] = (struct node){.inode = inode, .mode = 0600};
    return &d->nodes[d->n_nodes++];
}

static struct name *find_name(struct name *list, const char *path)
{
    for (size_t i = 0; i < NAMES_MAX; i++)
        if (list[i].path != NULL && strcmp(list[i].path, path) == 0)
            return &list[i];
    return NULL;
}

static void set_name(struct powerless *p, struct name *list, const char *path, struct node *node)
{
    struct name *at = find_name(list, path);

    for (size_t i = 0; at == NULL && i < NAMES_MAX; i++)
        if (list[i].path == NULL)
            at = &list[i];
    if (at == NULL)
        stage_fail(p->s, "more than %d names", NAMES_MAX);
    *at = (struct name){path, node};
}

static bool is_in(const char *path, const char *folder)
{
    size_t size = strlen(folder);

    return strncmp(path, folder, size) == 0 && path[size] == '/' && strchr(path + size + 1, '/') == NULL;
}

/* The names in it are as they are now. */
static void sync_folder(struct powerless *p, struct disk *d, const char *folder)
{
    for (size_t i = 0; i < NAMES_MAX; i++)
        if (d->synced[i].path != NULL && is_in(d->synced[i].path, folder))
            d->synced[i].path = NULL;
    for (size_t i = 0; i < NAMES_MAX; i++)
        if (d->now[i].path != NULL && is_in(d->now[i].path, folder))
            set_name(p, d->synced, d->now[i].path, d->now[i].node);
}

static void change(struct powerless *p, struct disk *d, const struct disk_record *r, const char *from, const char *to,
                   const char *data)
{
    struct node *node = r->inode != 0 ? node_of(d, r->inode) : NULL;
    struct name *name = find_name(d->now, from);

    if (r->op == DISK_CREATE) {
        set_name(p, d->now, from, new_node(p, d, r->inode));
    } else if (r->op == DISK_WRITE && node != NULL) {
        set_bytes(&node->now, r->at, data, r->data_size);
    } else if (r->op == DISK_TRUNCATE && node != NULL) {
        node->now.size = 0;
    } else if (r->op == DISK_MODE && node != NULL) {
        node->mode = (mode_t)r->at;
    } else if (r->op == DISK_SYNC && node != NULL) {
        copy_bytes(&node->synced, &node->now);
    } else if (r->op == DISK_SYNC) {
        sync_folder(p, d, from);
    } else if (r->op == DISK_LINK && name != NULL) {
        set_name(p, d->now, to, name->node);
    } else if (r->op == DISK_RENAME && name != NULL) {
        node = name->node;
        name->path = NULL;
        set_name(p, d->now, to, node);
    } else if (r->op == DISK_UNLINK && name != NULL) {
        name->path = NULL;
    }
}

void powerless_had(struct powerless *p, const char *path)
{
    struct stat st;
    struct bytes bytes = read_whole(p->s, path, &st);

    p->had[p->n_had].path = path;
    p->had[p->n_had++].node =
        (struct node){.inode = st.st_ino, .mode = st.st_mode & 07777, .now = bytes, .synced = bytes};
}

static void put_had(struct powerless *p, struct disk *d, size_t i)
{
    const struct node *had = &p->had[i].node;
    struct node *node = new_node(p, d, had->inode);

    node->mode = had->mode;
    copy_bytes(&node->now, &had->now);
    copy_bytes(&node->synced, &had->synced);
    set_name(p, d->now, p->had[i].path, node);
    set_name(p, d->synced, p->had[i].path, node);
}

/* ---- as files */

static void make_folders(const char *path, const char *below)
{
    char folder[4096];

    (void)snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = folder + strlen(below); (slash = strchr(slash + 1, '/')) != NULL; *slash = '/') {
        *slash = '\0';
        (void)mkdir(folder, 0700);
    }
}

static size_t size_of(const struct node *node, enum powerless_disk disk, const char **bytes)
{
    const struct bytes *is = disk == POWERLESS_TEARS ? &node->now : &node->synced;

    *bytes = is->at;
    return is->size;
}

static void make_file(struct powerless *p, const char *path, const struct node *node, enum powerless_disk disk,
                      size_t cut, struct sha256 *sum)
{
    const char *bytes;
    size_t size = size_of(node, disk, &bytes);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    size = node->torn && size > cut ? size - cut : size;
    if (fd < 0 || (size > 0 && write(fd, bytes, size) != (ssize_t)size) || fchmod(fd, node->mode) != 0)
        stage_fail(p->s, "cannot write %s", path);
    (void)close(fd);
    sha256_add(sum, path, strlen(path) + 1);
    sha256_add(sum, &size, sizeof size);
    sha256_add(sum, bytes, size);
}

static int by_path(const void *a, const void *b)
{
    const struct name *one = a, *other = b;

    return strcmp(one->path != NULL ? one->path : "", other->path != NULL ? other->path : "");
}

static const char *make_files(struct powerless *p, struct disk *d, enum powerless_disk disk, size_t cut,
                              const char *from, const char *to)
{
    struct name *list = disk == POWERLESS_FORGETS ? d->synced : d->now;
    struct sha256 *sum = sha256_new();
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_DIGITS + 1];

    qsort(list, NAMES_MAX, sizeof *list, by_path);
    for (size_t i = 0; i < NAMES_MAX; i++) {
        const char *path = list[i].path;
        if (path == NULL || strncmp(path, from, strlen(from)) != 0 || path[strlen(from)] != '/')
            continue;
        path = stage_text(p->s, "%s%s", to, path + strlen(from));
        make_folders(path, to);
        make_file(p, path, list[i].node, disk, disk == POWERLESS_TEARS ? cut : 0, sum);
    }
    sha256_end(&sum, digest);
    sha256_hex(digest, hex);
    return stage_text(p->s, "%s", hex);
}

const char *powerless_play(struct powerless *p, unsigned n, enum powerless_disk disk, const char *from, const char *to)
{
    struct disk *d = mem_zero(1, sizeof *d);
    const char *at = p->log, *one, *other, *data, *hex;
    struct disk_record r = {0};
    struct node *last;

    for (size_t i = 0; i < p->n_had; i++)
        put_had(p, d, i);
    for (unsigned i = 0; i < n; i++) {
        at = next(at, &r, &one, &other, &data);
        change(p, d, &r, one, other, data);
    }
    last = n > 0 && r.op == DISK_WRITE ? node_of(d, r.inode) : NULL;
    if (last != NULL)
        last->torn = true;
    hex = make_files(p, d, disk, (r.data_size + 1) / 2, from, to);
    for (size_t i = 0; i < d->n_nodes; i++) {
        free(d->nodes[i].now.at);
        free(d->nodes[i].synced.at);
    }
    free(d);
    return hex;
}
