#include "peer.h"

#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool peer_uid(const char *user, uid_t *uid, struct err *err)
{
    const struct passwd *entry;

    *uid = geteuid();
    if (user[0] == '\0')
        return true;
    if (strspn(user, "0123456789") == strlen(user)) {
        unsigned long long number = strlen(user) < 12 ? strtoull(user, NULL, 10) : UINT32_MAX;
        *uid = (uid_t)number;
        return number < UINT32_MAX || err_set(err, "network-user: %s is no user's number", user);
    }
    entry = getpwnam(user);
    if (entry == NULL)
        return err_set(err, "network-user: there is no user %s; systemd-sysusers makes it from our sysusers file",
                       user);
    *uid = entry->pw_uid;
    return true;
}

bool peer_is(int fd, uid_t uid, struct err *err)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return err_set(err, "the peer's user cannot be told: %s", strerror(errno));
    return peer.uid == uid || err_set(err, "process %d of user %u, and only user %u may", peer.pid, peer.uid, uid);
}
