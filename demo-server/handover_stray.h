/* handover_stray.h - what a failed successor left outside of its process group (setsid, a double fork): it would hold
 * our sockets open, and connections would wait in their queues for ever once we are gone.
 *
 * Such a process is known by the successor's end of the channel, which was made for this one successor: who has it open
 * got it from there. Not found: one that closed it, runs as another user, or where there is no /proc or no
 * pidfd_open (Linux before 5.3). */
#ifndef DEMO_SERVER_HANDOVER_STRAY_H
#define DEMO_SERVER_HANDOVER_STRAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* When a process started, in clock ticks since boot; a zombie still has it. 0: not known. */
uint64_t handover_stray_start(pid_t pid);

/* SIGKILL for all that started at `since` or later and have the socket of that inode open, but for ourselves. */
void handover_stray_kill(ino_t socket, uint64_t since);

#endif
