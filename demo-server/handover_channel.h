/* handover_channel.h - what a process and its predecessor say to each other over a socket pair (SOCK_SEQPACKET).
 *
 * The successor's first word is HANDOVER_READY, once it serves. Behind it stand the names of the listeners whose idle
 * connections it takes over, joined by colons; a program of another making may write the one byte alone, and gets none.
 * Where there was nothing to execute the word is HANDOVER_EXEC_FAILED with an errno (an int). After that only the
 * predecessor speaks: a listener's name with a connection's descriptor beside it (SCM_RIGHTS). The end of the channel
 * is the end of the process on its other side. */
#ifndef DEMO_SERVER_HANDOVER_CHANNEL_H
#define DEMO_SERVER_HANDOVER_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "handover_env.h"

#define HANDOVER_READY       'R'
#define HANDOVER_EXEC_FAILED 'E'
#define HANDOVER_WORD_MAX    (1 + HANDOVER_FDS_MAX * HANDOVER_NAME_MAX)

/* Whether `name` is in a list joined by colons. */
bool handover_channel_names(const char *list, const char *name);

enum handover_channel_result {
    HANDOVER_CHANNEL_DONE,
    HANDOVER_CHANNEL_LATER, /* full, or nothing there */
    HANDOVER_CHANNEL_END,   /* nobody is at the other side */
};

/* The other process has its own copy of `fd` once this is done. */
enum handover_channel_result handover_channel_send(int channel, const char *name, int fd);

/* *fd is close-on-exec and the caller's; -1 where the message held none. */
enum handover_channel_result handover_channel_receive(int channel, char name[HANDOVER_NAME_MAX], int *fd);

#endif
