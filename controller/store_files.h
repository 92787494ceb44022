/* store_files.h - the journal as the disk has it: a folder, and in it the database with what SQLite keeps beside it.
 * Knows nothing of what stands in them. */
#ifndef CONTROLLER_STORE_FILES_H
#define CONTROLLER_STORE_FILES_H

#include <sys/types.h>

#include "common/err.h"

#define STORE_FILE "rollouts.db"

/* A journal is the database, its -wal and its -shm: without its WAL it lacks what was committed last, and of two -shm
 * files each has locks of its own. */
#define STORE_FILES 3

/* Which files they are; all zero: none. */
struct store_files {
    struct store_part {
        char *path; /* owned; NULL: there is none; not every file system can do WAL */
        dev_t disk;
        ino_t number;
    } parts[STORE_FILES];
};

/* mkdir -p, and what it makes is for us alone (0700): the journal holds host names and holders. */
bool store_folder_make(const char *folder, struct err *);

/* The database, empty and 0600: SQLite would make it by the umask, and the files that it puts beside it get this one's
 * mode. One that is there is left alone: to close any descriptor of a database drops this process's locks on it. */
bool store_file_make(const char *path, struct err *);

/* Those that are there now, by the database's path; to be cleared. */
void store_files_note(struct store_files *, const char *path);
/* Whether the same are there still, by their names: what is written to files that no name leads to is found by nobody.
 * Some 4 us for all three. The sentence says how the rollout is gone on with. */
bool store_files_are_there(const struct store_files *, const char *rollout, struct err *);
void store_files_clear(struct store_files *);

/* There is no WAL, or an empty one: then the database is whole without it. */
bool store_file_is_whole(const char *path);

#endif
