/* install.h - put a release where the service's executable is. The path always names a whole executable, the old or the
 * new, whenever the agent or the machine dies; the running process keeps its own.
 *
 *   .NAME.rollout-new   in the executable's folder: the copy, with mode, owner and capabilities of the file that it
 *                       replaces; written, synced, then read back through the one descriptor of a file that nobody
 *                       has open for writing any more: its hash, kind and signature are judged by those very bytes
 *   .NAME.rollout-old   a second name for the old file, where the file system has hard links: the way back needs no
 *                       space and no copy
 *   rename              the new one over NAME; what NAME is then must be the file that was judged
 *   fsync               of the folder
 *
 * Not RENAME_EXCHANGE: it moves the name of the executable that runs, so that /proc/PID/exe says .NAME.rollout-new, and
 * a program that starts its successor by its own path would start the old release. */
#ifndef AGENT_INSTALL_H
#define AGENT_INSTALL_H

#include "common/err.h"
#include "common/sha256.h"
#include "kind.h"
#include "sign.h"

struct install {
    const char *executable; /* A link there is followed: the file that it leads to is replaced. Behind it none is. */
    int store;              /* open folder of release.h */
    const char *hex;        /* the release there */
    const char *before; /* what is in place now: back at once where the swap goes wrong; NULL: that is the caller's */
    bool any_kind;      /* what ran before may run again, whatever it is */
    enum kind kind;
    struct sign_check **sign; /* a check under way, ended by this; NULL: none is wanted */
};

/* False: the old file is in place, unless *swapped says otherwise (the rename was done, but could not be made durable,
 * or something else than what was judged is there now, and the old one could not be brought back). */
bool install_put(const struct install *what, bool *swapped, struct err *err);

/* The old file back: by its second name where that is still `hex`, else from the store. */
bool install_back(const char *executable, int store, const char *hex, struct err *err);

/* The second name, and what a killed agent left, away. Nothing may be in the middle of an install. */
void install_sweep(const char *executable);

/* The folder of the file that an install would replace, open; -1 with the sentence. */
int install_folder(const char *executable, struct err *err);

#endif
