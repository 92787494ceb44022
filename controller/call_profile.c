#include "call_profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call_tls.h"
#include "common/mem.h"

#define AUTH_MAX 1024 /* bytes of a password file */

static void profile_clear(struct profile *p)
{
    free(p->peer);
    free(p->cert_file);
    free(p->key_file);
    free(p->ca_file);
    if (p->auth != NULL)
        explicit_bzero(p->auth, strlen(p->auth));
    free(p->auth);
    *p = (struct profile){0};
}

static bool readable(const char *path, const char *what, struct err *err)
{
    if (path == NULL)
        return true;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, "cannot read the %s %s: %s", what, path, strerror(errno));
    (void)close(fd);
    return true;
}

/* One line USER:PASSWORD; the newline at its end is cut. */
static bool auth_read(const char *path, char **auth, struct err *err)
{
    char line[AUTH_MAX + 1];
    bool good = false;

    *auth = NULL;
    if (path == NULL)
        return true;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, "cannot read the password file %s: %s", path, strerror(errno));
    ssize_t n = read(fd, line, AUTH_MAX);
    (void)close(fd);
    if (n < 0)
        return err_set(err, "cannot read the password file %s: %s", path, strerror(errno));
    line[n] = '\0';
    size_t length = strcspn(line, "\r\n");
    if ((size_t)n >= AUTH_MAX)
        (void)err_set(err, "the password file %s is longer than %d bytes", path, AUTH_MAX - 1);
    else if (line[length + strspn(line + length, "\r\n")] != '\0' || strlen(line) != (size_t)n)
        (void)err_set(err, "the password file %s holds more than one line; write USER:PASSWORD", path);
    else if (line[length] = '\0', strchr(line, ':') == NULL)
        (void)err_set(err, "the password file %s has no colon; write USER:PASSWORD", path);
    else
        good = true;
    if (good)
        *auth = mem_text(line);
    explicit_bzero(line, sizeof line);
    return good;
}

/* Where `peer` is, or belongs. */
static size_t place_of(const struct profiles *all, const char *peer, bool *there)
{
    size_t low = 0, high = all->n;

    *there = false;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(all->rows[mid].peer, peer);
        if (order == 0) {
            *there = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct profile *row_of(struct profiles *all, const char *peer)
{
    bool there;

    if (peer == NULL)
        return &all->fallback;
    size_t at = place_of(all, peer, &there);
    if (!there) {
        all->rows = mem_grow(all->rows, all->n + 1, sizeof *all->rows);
        memmove(&all->rows[at + 1], &all->rows[at], (all->n - at) * sizeof *all->rows);
        all->rows[at] = (struct profile){0};
        all->n++;
    }
    all->last = at;
    return &all->rows[at];
}

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Most peers have the same files as the one before: looked at once. */
static bool is_known(const struct profiles *all, const struct call_profile *p)
{
    const struct profile *before = all->last < all->n ? &all->rows[all->last] : &all->fallback;

    return same(before->cert_file, p->cert_file) && same(before->key_file, p->key_file) &&
           same(before->ca_file, p->ca_file);
}

bool profiles_set(struct profiles *all, const char *peer, const struct call_profile *p, struct err *err)
{
    char *auth = NULL;

    if (!readable(p->cert_file, "certificate", err) || !readable(p->key_file, "key", err) ||
        !readable(p->ca_file, "CA certificate", err) || (!is_known(all, p) && !call_tls_check(p, err)) ||
        !auth_read(p->auth_file, &auth, err))
        return false;
    struct profile *row = row_of(all, peer);
    profile_clear(row);
    row->peer = mem_text(peer);
    row->cert_file = mem_text(p->cert_file);
    row->key_file = mem_text(p->key_file);
    row->ca_file = mem_text(p->ca_file);
    row->auth = auth;
    return true;
}

const struct profile *profiles_find(const struct profiles *all, const char *peer)
{
    bool there = false;
    size_t at = peer == NULL ? 0 : place_of(all, peer, &there);

    return there ? &all->rows[at] : &all->fallback;
}

void profiles_clear(struct profiles *all)
{
    for (size_t i = 0; i < all->n; i++)
        profile_clear(&all->rows[i]);
    free(all->rows);
    profile_clear(&all->fallback);
    *all = (struct profiles){0};
}
