#include "call_profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call_tls.h"
#include "common/mem.h"

#define AUTH_MAX 1024 /* bytes of a password file */

static void profile_free(struct profile *p)
{
    free(p->cert_file);
    free(p->key_file);
    free(p->ca_file);
    free(p->auth_file);
    if (p->auth != NULL)
        explicit_bzero(p->auth, strlen(p->auth));
    free(p->auth);
    free(p);
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

/* Where `peer` is, or belongs. A hosts file has its hosts in order, mostly. */
static size_t place_of(const struct profiles *all, const char *peer, bool *there)
{
    size_t low = 0, high = all->n;

    *there = false;
    if (high > 0 && strcmp(all->rows[high - 1].peer, peer) < 0)
        return high;
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

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static const struct profile *known(const struct profiles *all, const struct call_profile *p)
{
    for (const struct profile *k = all->all; k != NULL; k = k->next)
        if (same(k->cert_file, p->cert_file) && same(k->key_file, p->key_file) && same(k->ca_file, p->ca_file) &&
            same(k->auth_file, p->auth_file))
            return k;
    return NULL;
}

static const struct profile *learn(struct profiles *all, const struct call_profile *p, struct err *err)
{
    char *auth = NULL;

    if (!readable(p->cert_file, "certificate", err) || !readable(p->key_file, "key", err) ||
        !readable(p->ca_file, "CA certificate", err) || !call_tls_check(p, err) || !auth_read(p->auth_file, &auth, err))
        return NULL;
    struct profile *k = mem_zero(1, sizeof *k);
    k->cert_file = mem_text(p->cert_file);
    k->key_file = mem_text(p->key_file);
    k->ca_file = mem_text(p->ca_file);
    k->auth_file = mem_text(p->auth_file);
    k->auth = auth;
    k->next = all->all;
    all->all = k;
    return k;
}

bool profiles_set(struct profiles *all, const char *peer, const struct call_profile *p, struct err *err)
{
    const struct profile *profile = known(all, p);
    bool there;

    if (profile == NULL)
        profile = learn(all, p, err);
    if (profile == NULL)
        return false;
    if (peer == NULL) {
        all->fallback = profile;
        return true;
    }
    size_t at = place_of(all, peer, &there);
    if (!there) {
        if (all->n == all->room) {
            all->room = all->room * 2 + 16;
            all->rows = mem_grow(all->rows, all->room, sizeof *all->rows);
        }
        memmove(&all->rows[at + 1], &all->rows[at], (all->n - at) * sizeof *all->rows);
        all->rows[at].peer = mem_text(peer);
        all->n++;
    }
    all->rows[at].profile = profile;
    return true;
}

const struct profile *profiles_find(const struct profiles *all, const char *peer)
{
    static const struct profile plain;
    bool there = false;
    size_t at = peer == NULL ? 0 : place_of(all, peer, &there);

    if (there)
        return all->rows[at].profile;
    return all->fallback != NULL ? all->fallback : &plain;
}

void profiles_clear(struct profiles *all)
{
    for (size_t i = 0; i < all->n; i++)
        free(all->rows[i].peer);
    free(all->rows);
    while (all->all != NULL) {
        struct profile *p = all->all;
        all->all = p->next;
        profile_free(p);
    }
    *all = (struct profiles){0};
}
