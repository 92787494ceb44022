/* upgrade_note.h - PIDFILE.upgrade: a line that a service leaves beside its pid file about the last signal to hand over
 * to a new process, for those who cannot read its log. Replaced as a whole (written aside, renamed over it).
 *   running 4712            the process on its way
 *   done 4712               it serves
 *   failed SENTENCE         no: the process that got the signal goes on serving
 *   refused SENTENCE        no: nothing was started
 * The demo server writes it and the agent reads it; a service need not have it. */
#ifndef COMMON_UPGRADE_NOTE_H
#define COMMON_UPGRADE_NOTE_H

#include <stddef.h>

#define UPGRADE_NOTE_SUFFIX ".upgrade"
#define UPGRADE_NOTE_MAX    600 /* bytes, with the newline; a longer file is none of these */

enum upgrade_note { UPGRADE_NOTE_NONE, UPGRADE_RUNNING, UPGRADE_DONE, UPGRADE_FAILED, UPGRADE_REFUSED };

/* The word that it begins with; not of NONE. */
const char *upgrade_note_word(enum upgrade_note note);

/* What it says: NONE where it is nothing of the above. Into `rest` comes what stands behind the word: one line, cut to
 * size - 1 bytes, with a question mark for every byte that is not printable ASCII. */
enum upgrade_note upgrade_note_parse(const char *bytes, size_t count, char *rest, size_t size);

#endif
