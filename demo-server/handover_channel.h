/* handover_channel.h - what a process and its predecessor say to each other over a socket pair (SOCK_SEQPACKET).
 *
 * The successor's first word is HANDOVER_READY, once it serves. Behind it stand the names of the listeners whose idle
 * connections it takes over, joined by colons, and before them =N: so many may be on their way. A program of another
 * making may write the one byte alone, and gets none; one that names no number gets all at once. Where there was
 * nothing to execute the word is HANDOVER_EXEC_FAILED with an errno (an int).
 *
 * After that the predecessor sends connections: a listener's name with the descriptor beside it (SCM_RIGHTS). The
 * successor answers =N: so many more may come, in the places of those that it took; or =0: it took one into a place
 * that it keeps free for this, and gives no leave for another. What has no leave stays with the predecessor. The end of
 * the channel is the end of the process on its other side. */
#ifndef DEMO_SERVER_HANDOVER_CHANNEL_H
#define DEMO_SERVER_HANDOVER_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "handover_env.h"

#define HANDOVER_READY       'R'
#define HANDOVER_EXEC_FAILED 'E'
#define HANDOVER_WORD_MAX    (1 + HANDOVER_ROOM_MAX + HANDOVER_FDS_MAX * HANDOVER_NAME_MAX)
#define HANDOVER_ROOM_MAX    24 /* bytes of =N: */

/* Whether `name` is in a list joined by colons. */
bool handover_channel_names(const char *list, const char *name);

/* The N of a list or an answer; SIZE_MAX where there is none. */
size_t handover_channel_room(const char *text);

enum handover_channel_result {
    HANDOVER_CHANNEL_DONE,
    HANDOVER_CHANNEL_LATER, /* full, or nothing there, or no place for what is */
    HANDOVER_CHANNEL_END,   /* nobody is at the other side */
};

/* Close our end, which `epoll_fd` watches (-1: nothing does). Epoll knows the file, not the descriptor: as long as
 * another process has a copy, a channel that is merely closed is still watched, and its hang-up wakes us for ever. */
void handover_channel_close(int channel, int epoll_fd);

/* The other process has its own copy of `fd` once this is done. */
enum handover_channel_result handover_channel_send(int channel, const char *name, int fd);

/* *fd is close-on-exec and the caller's; -1 where the message held none. Where this process may open no more files, the
 * message stays in the channel. */
enum handover_channel_result handover_channel_receive(int channel, char name[HANDOVER_NAME_MAX], int *fd);

#endif
