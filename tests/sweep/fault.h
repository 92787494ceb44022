/* fault.h - a library for LD_PRELOAD that counts the calls of one kind that a program makes, and at the n-th of them
 * kills the program or lets the call fail. What it counts is in a file that both sides map, so that it outlives a
 * SIGKILL.
 *
 *   FAULT_FILE=PATH   of sizeof(struct fault) bytes; without it the library does nothing
 *   FAULT_KIND=NAME   a name of FAULT_KINDS
 *   FAULT_NTH=N       0: count only
 *
 * Linux, x86-64 and arm64, glibc: the calls go to the kernel, memory to glibc's own names of its allocator. What glibc
 * calls within itself (stdio's write) is not seen. abort() in the program or a library is a SIGKILL that `aborted`
 * tells of, so that it is told from a failed assert(), which stays what it is. */
#ifndef SWEEP_FAULT_H
#define SWEEP_FAULT_H

#include <stdint.h>

/* FAULT(NAME, "name", "what is done to the n-th call, and to which calls") */
#define FAULT_KINDS(X)                                                                                                 \
    X(KILL, "kill", "SIGKILL before a write, pwrite, writev, fsync, fdatasync, send, sendto or sendmsg")               \
    X(DISK, "disk", "ENOSPC from a write, pwrite or writev to a file")                                                 \
    X(FULL, "full", "ENOSPC from this and each later write, pwrite or writev to a file")                               \
    X(SYNC, "sync", "EIO from an fsync or fdatasync")                                                                  \
    X(NET, "net", "socket: EMFILE, connect: ECONNREFUSED; a read or write of a socket: ECONNRESET")                    \
    X(MEMORY, "memory", "NULL from malloc, calloc or realloc; a call counts where nobody has called from there before")
enum fault_kind {
#define X(name, text, what) FAULT_##name,
    FAULT_KINDS(X)
#undef X
        FAULT_COUNT
};

#define FAULT_STACK_BYTES 2048

struct fault {
    uint64_t calls;   /* of the kind, so far */
    uint32_t hit;     /* the n-th has come */
    uint32_t aborted; /* the program or a library called abort() */
    char call[32];    /* which it was */
    struct fault_stack {
        char text[FAULT_STACK_BYTES]; /* "library: function", the innermost first, a line each */
    } at, crash;                      /* of the call; of a SIGSEGV, SIGBUS or SIGABRT */
};

#endif
