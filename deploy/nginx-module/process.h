/* process.h - one process for all time: its pid and when it started. A pid alone is given out again. */
#ifndef API_PROCESS_H
#define API_PROCESS_H

#include <stdbool.h>
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

bool process_is(const struct process *one, const struct process *other);

#endif
