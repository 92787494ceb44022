#include "tests/sweep/fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* glibc's names for whoever brings another malloc. NOLINTBEGIN(bugprone-reserved-identifier) */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

static struct fault *fault; /* NULL: nothing is counted yet, or at all */
static uint64_t nth;
static enum fault_kind kind;
#define FRAMES_MAX 32
#define CALLERS    9
#define SEEN_MAX   16384

static void trace(struct fault_stack *stack)
{
    void *frames[FRAMES_MAX];
    int n = backtrace(frames, FRAMES_MAX);
    size_t at = 0;

    for (int i = 2; i < n && at < sizeof stack->text; i++) { /* without ourselves */
        Dl_info info = {0};
        const char *name = "?", *function = "?";

        if (dladdr(frames[i], &info) != 0 && info.dli_fname != NULL) {
            const char *slash = strrchr(info.dli_fname, '/');

            name = slash != NULL ? slash + 1 : info.dli_fname;
            function = info.dli_sname != NULL ? info.dli_sname : "?";
        }
        at += (size_t)snprintf(stack->text + at, sizeof stack->text - at, "  %s: %s +0x%zx\n", name, function,
                               (size_t)((char *)frames[i] - (char *)info.dli_fbase));
    }
}

static void die(void)
{
    (void)syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
}

static void crashed(int signal)
{
    (void)signal;
    trace(&fault->crash);
    die();
}

/* For the first call backtrace() loads a library: here, not within an allocation. */
static void prepare_traces(void)
{
    const struct sigaction action = {.sa_handler = crashed};
    void *frame;

    (void)backtrace(&frame, 1);
    (void)sigaction(SIGSEGV, &action, NULL);
    (void)sigaction(SIGBUS, &action, NULL);
    (void)sigaction(SIGABRT, &action, NULL); /* an assert(), or an allocator that was given a wrong pointer */
}

__attribute__((constructor)) static void begin(void)
{
    static const char *const names[] = {
#define X(name, text, what) text,
        FAULT_KINDS(X)
#undef X
    };
    const char *path = getenv("FAULT_FILE"), *which = getenv("FAULT_KIND"), *number = getenv("FAULT_NTH");
    void *shared = MAP_FAILED;
    int fd;

    if (path == NULL || which == NULL || number == NULL)
        return;
    while (kind < FAULT_COUNT && strcmp(names[kind], which) != 0)
        kind++;
    nth = strtoull(number, NULL, 10);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0)
        shared = mmap(NULL, sizeof *fault, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (kind == FAULT_COUNT || shared == MAP_FAILED)
        _exit(127);
    (void)close(fd);
    prepare_traces();
    fault = shared;
}

/* A call of this kind is about to be made: true where it must fail. */
static bool is_due(enum fault_kind of, const char *call)
{
    uint64_t at;

    if (fault == NULL || of != kind)
        return false;
    at = __atomic_add_fetch(&fault->calls, 1, __ATOMIC_RELAXED);
    if (nth == 0 || (kind == FAULT_FULL ? at < nth : at != nth))
        return false;
    if (fault->hit++ == 0) {
        (void)snprintf(fault->call, sizeof fault->call, "%s", call);
        trace(&fault->at);
    }
    if (kind == FAULT_KILL)
        die();
    return true;
}

static bool is_a(int fd, mode_t type)
{
    struct stat st;

    return fault != NULL && kind != FAULT_KILL && kind != FAULT_MEMORY && fstat(fd, &st) == 0 &&
           (st.st_mode & S_IFMT) == type;
}

/* errno of a failed write; 0: it goes on. */
static int write_fails(int fd, const char *call)
{
    if (is_due(FAULT_KILL, call))
        return EIO;
    if (is_a(fd, S_IFREG) && (is_due(FAULT_DISK, call) || is_due(FAULT_FULL, call)))
        return ENOSPC;
    return is_a(fd, S_IFSOCK) && is_due(FAULT_NET, call) ? ECONNRESET : 0;
}

static int read_fails(int fd, const char *call)
{
    return is_a(fd, S_IFSOCK) && is_due(FAULT_NET, call) ? ECONNRESET : 0;
}

/* The result of a call that may not be made. */
#define FAILS_WITH(why)                                                                                                \
    do {                                                                                                               \
        int error = (why);                                                                                             \
        if (error != 0) {                                                                                              \
            errno = error;                                                                                             \
            return -1;                                                                                                 \
        }                                                                                                              \
    } while (0)

ssize_t write(int fd, const void *bytes, size_t n)
{
    FAILS_WITH(write_fails(fd, "write"));
    return syscall(SYS_write, fd, bytes, n);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    FAILS_WITH(write_fails(fd, "pwrite"));
    return syscall(SYS_pwrite64, fd, bytes, n, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at)
{
    return pwrite(fd, bytes, n, at);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    FAILS_WITH(write_fails(fd, "writev"));
    return syscall(SYS_writev, fd, parts, n);
}

ssize_t sendto(int fd, const void *bytes, size_t n, int flags, const struct sockaddr *to, socklen_t to_size)
{
    FAILS_WITH(write_fails(fd, "send"));
    return syscall(SYS_sendto, fd, bytes, n, flags, to, to_size);
}

ssize_t send(int fd, const void *bytes, size_t n, int flags)
{
    return sendto(fd, bytes, n, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    FAILS_WITH(write_fails(fd, "sendmsg"));
    return syscall(SYS_sendmsg, fd, message, flags);
}

ssize_t read(int fd, void *bytes, size_t n)
{
    FAILS_WITH(read_fails(fd, "read"));
    return syscall(SYS_read, fd, bytes, n);
}

ssize_t recvfrom(int fd, void *bytes, size_t n, int flags, struct sockaddr *from, socklen_t *from_size)
{
    FAILS_WITH(read_fails(fd, "recv"));
    return syscall(SYS_recvfrom, fd, bytes, n, flags, from, from_size);
}

ssize_t recv(int fd, void *bytes, size_t n, int flags)
{
    return recvfrom(fd, bytes, n, flags, NULL, NULL);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    FAILS_WITH(read_fails(fd, "recvmsg"));
    return syscall(SYS_recvmsg, fd, message, flags);
}

int socket(int domain, int type, int protocol)
{
    FAILS_WITH(is_due(FAULT_NET, "socket") ? EMFILE : 0);
    return (int)syscall(SYS_socket, domain, type, protocol);
}

int connect(int fd, const struct sockaddr *to, socklen_t to_size)
{
    FAILS_WITH(is_due(FAULT_NET, "connect") ? ECONNREFUSED : 0);
    return (int)syscall(SYS_connect, fd, to, to_size);
}

int fsync(int fd)
{
    FAILS_WITH(is_due(FAULT_KILL, "fsync") || is_due(FAULT_SYNC, "fsync") ? EIO : 0);
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    FAILS_WITH(is_due(FAULT_KILL, "fdatasync") || is_due(FAULT_SYNC, "fdatasync") ? EIO : 0);
    return (int)syscall(SYS_fdatasync, fd);
}

/* Whether nobody has called from there before, by the innermost callers. A table that is full knows all. */
static bool is_new_caller(void)
{
    static uint64_t seen[SEEN_MAX];
    static unsigned n_seen;
    void *frames[CALLERS + 3];
    int n = backtrace(frames, CALLERS + 3);
    uint64_t hash = 14695981039346656037u;
    size_t at;

    for (int i = 3; i < n; i++)
        hash = (hash ^ (uint64_t)(uintptr_t)frames[i]) * 1099511628211u;
    for (at = hash % SEEN_MAX; seen[at] != 0 && seen[at] != hash; at = (at + 1) % SEEN_MAX)
        ;
    if (seen[at] == hash || n_seen == SEEN_MAX / 2)
        return false;
    n_seen++;
    seen[at] = hash;
    return true;
}

static bool no_memory(const char *call)
{
    if (fault == NULL || kind != FAULT_MEMORY || !is_new_caller() || !is_due(FAULT_MEMORY, call))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return no_memory("malloc") ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return no_memory("calloc") ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    return no_memory("realloc") ? NULL : __libc_realloc(p, size);
}

void abort(void)
{
    if (fault != NULL)
        fault->aborted = 1;
    die();
    _exit(127);
}
