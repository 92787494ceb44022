/* beneath.h - files below a folder that is open, and nowhere else: no link is followed on the way, none that somebody
 * planted, and no path leads out (openat2(2), RESOLVE_BENEATH, NO_SYMLINKS and NO_MAGICLINKS). */
#ifndef AGENT_BENEATH_H
#define AGENT_BENEATH_H

#include <sys/stat.h>

#include "common/err.h"

/* CLOEXEC in any case. -1 with errno: ELOOP for a link, EXDEV for a path that leads out. */
int beneath_open(int folder, const char *path, int flags, mode_t mode);
/* A folder by its whole path, where no part of it may be a link. */
int beneath_open_real(const char *path, struct err *err);
/* A folder in another one, made (0700) where it is not there. -1 with the sentence. */
int beneath_folder(int folder, const char *name, struct err *err);

#endif
