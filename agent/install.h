/* install.h - put a release where the service's executable is: copied aside in the same folder, hashed on the way, with
 * the mode, the owner and the capabilities of the file that it replaces; fsync, rename, fsync of the folder. So the
 * path always names a whole executable, the old or the new. The running process keeps its own. */
#ifndef AGENT_INSTALL_H
#define AGENT_INSTALL_H

#include "common/err.h"
#include "common/sha256.h"

/* A link at `executable` is followed: the file it leads to is replaced. False: the old file is still in place, unless
 * *swapped says otherwise (the rename was done, but could not be made durable). */
bool install_put(const char *executable, const char *from, const uint8_t want[SHA256_BYTES], bool *swapped,
                 struct err *err);

#endif
