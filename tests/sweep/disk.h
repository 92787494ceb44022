/* disk.h - a library for LD_PRELOAD that sees all that a program changes on the disk below one folder: it writes each
 * change down, so that a power loss behind any of them can be played, or ends the program at once before the n-th.
 *
 *   DISK_ROOT=PATH   below which it looks; no link in it. Without it the library does nothing
 *   DISK_LOG=PATH    records are appended there
 *   DISK_ARM=PATH    changes count as long as this file is there
 *   DISK_KILL=N      the end, as by SIGKILL, before the N-th that counts
 *
 * A record is a struct disk_record, `from` and `to` (a NUL behind each) and the data. What glibc calls within itself is
 * not seen. */
#ifndef SWEEP_DISK_H
#define SWEEP_DISK_H

#include <stdint.h>

enum disk_op {
    DISK_CREATE,   /* from: a file that is empty now; inode */
    DISK_WRITE,    /* inode, at, data */
    DISK_SYNC,     /* inode; from: its path, a folder's or a file's */
    DISK_MODE,     /* inode, at: st_mode */
    DISK_RENAME,   /* from, to */
    DISK_LINK,     /* from, to */
    DISK_UNLINK,   /* from */
    DISK_FOLDER,   /* from: a new folder */
    DISK_TRUNCATE, /* inode, at: its size */
};

struct disk_record {
    uint32_t op, from_size, to_size, data_size; /* sizes with the NUL; 0: none */
    uint64_t inode, at;
};

#endif
