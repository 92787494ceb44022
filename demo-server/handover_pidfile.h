/* handover_pidfile.h - a file with one process id and a newline, replaced as a whole; and beside it, PIDFILE.upgrade, a
 * line about the last SIGUSR2, for those who cannot read the log: its format is common/upgrade_note.h. */
#ifndef DEMO_SERVER_HANDOVER_PIDFILE_H
#define DEMO_SERVER_HANDOVER_PIDFILE_H

#include <sys/types.h>

#include "common/err.h"
#include "common/upgrade_note.h"

/* Written beside it and renamed over it: a reader sees the old one or the new one, never a part. */
bool handover_pidfile_write(const char *path, pid_t pid, struct err *);
/* The id in it, 0 where there is none. */
pid_t handover_pidfile_read(const char *path);
/* Remove it if it still names `pid`. */
void handover_pidfile_remove(const char *path, pid_t pid);

/* Replace PIDFILE.upgrade. False, with the reason, where that fails: then the one of before is removed, too, for it is
 * about another SIGUSR2. */
bool handover_pidfile_tell(const char *path, enum upgrade_note, const char *text, struct err *);

#endif
