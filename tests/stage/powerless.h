/* powerless.h - what is on the disk when the power goes: played from what tests/sweep/disk.so has written down.
 *
 * Whatever was not synced may be lost, and what was written last may be there by half. Three disks are played, for no
 * file system keeps less than the first or more than the last:
 *   FORGETS  nothing is there but what was synced: bytes by an fsync of their file, names by one of their folder
 *   EMPTIES  every name is there, but a file has only the bytes that were synced
 *   TEARS    all is there, but the last write only to its half */
#ifndef STAGE_POWERLESS_H
#define STAGE_POWERLESS_H

#include "tests/stage/stage.h"

enum powerless_disk { POWERLESS_FORGETS, POWERLESS_EMPTIES, POWERLESS_TEARS, POWERLESS_COUNT };

struct powerless;
/* Before the program runs; and each file that is there by then. */
struct powerless *powerless_begin(struct stage *s);
void powerless_had(struct powerless *p, const char *path);
/* What it has written down so far, its DISK_LOG. Returns how many changes. */
unsigned powerless_read(struct powerless *p, const char *log);

/* Make in `to` what was in the folder `from`, after the first n changes. Returns a text that is the same for the same
 * files. */
const char *powerless_play(struct powerless *p, unsigned n, enum powerless_disk disk, const char *from, const char *to);

#endif
