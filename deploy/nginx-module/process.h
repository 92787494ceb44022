/* process.h - one process for all time: its pid and when it started. A pid alone is given out again. */
#ifndef API_PROCESS_H
#define API_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    pid_t pid;
    uint64_t start_ticks; /* field 22 of /proc/PID/stat; 0 = unknown */
};

/* 0 = there is no such process, or /proc is closed to us. */
uint64_t process_start_ticks(pid_t pid);

/* A zombie is dead. Where /proc does not tell, the pid decides. */
bool process_lives(const struct process *process);

/* The living processes with the caller's program name, session and process group, but `root` and its children: of a
 * master `root`, the other nginx of a binary upgrade with all its workers. A worker whose master was killed has another
 * parent, but stays in these. False = they cannot be told: /proc is closed to us, or there are more than found_max. */
bool process_kin(pid_t root, struct process *found, size_t found_max, size_t *found_n);

bool process_is(const struct process *one, const struct process *other);

#endif
