#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A sanitizer looks at its own process as a debugger does, coverage is written at the end. */
#if defined __SANITIZE_ADDRESS__ || defined SANDBOX_OPEN
#define FILTERED 0
#else
#define FILTERED 1
#endif

enum { NETWORK = 1, HELPER = 2, BOTH = NETWORK | HELPER };

static const struct {
    int half, number;
} calls[] = {
#define CALL(half, name) {half, SCMP_SYS(name)},
#include "calls.def"
#undef CALL
};

/* What no service does, and what an agent would have to do to get out. */
static const int never[] = {
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsmount),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(quotactl),
    SCMP_SYS(acct),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(open_by_handle_at),
};

struct filter {
    scmp_filter_ctx ctx;
    int rc; /* the first failure, negative; 0: none */
};

static void add(struct filter *f, uint32_t action, int number, unsigned count, const struct scmp_arg_cmp *args)
{
    int rc = f->rc == 0 ? seccomp_rule_add_array(f->ctx, action, number, count, args) : 0;

    if (rc != 0)
        f->rc = rc;
}

static void allow(struct filter *f, int number)
{
    add(f, SCMP_ACT_ALLOW, number, 0, NULL);
}

static void allow_if(struct filter *f, int number, struct scmp_arg_cmp arg)
{
    add(f, SCMP_ACT_ALLOW, number, 1, &arg);
}

static void allow_socket(struct filter *f, int domain)
{
    allow_if(f, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)domain, 0));
}

static void allow_calls(struct filter *f, int half)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if ((calls[i].half & half) != 0)
            allow(f, calls[i].number);
    }
    allow_if(f, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    allow_if(f, SCMP_SYS(mmap2), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    allow_if(f, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    allow_if(f, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, FIONBIO, 0));
    allow_if(f, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0)); /* abort() */
    allow_socket(f, AF_UNIX);
}

static void allow_network(struct filter *f)
{
    allow_calls(f, NETWORK);
    allow_if(f, SCMP_SYS(open), SCMP_A1(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
    allow_if(f, SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
}

static void allow_helper(struct filter *f)
{
    allow_calls(f, HELPER);
    allow_socket(f, AF_INET);
    allow_socket(f, AF_INET6);
    allow_socket(f, AF_NETLINK);
}

static void refuse_never(struct filter *f)
{
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        add(f, SCMP_ACT_ERRNO(EPERM), never[i], 0, NULL);
}

static bool load(uint32_t otherwise, void (*fill)(struct filter *), struct err *err)
{
    struct filter f = {.ctx = seccomp_init(otherwise)};

    if (f.ctx == NULL)
        return err_set(err, "cannot make a list of system calls");
    fill(&f);
    if (f.rc == 0)
        f.rc = seccomp_load(f.ctx);
    seccomp_release(f.ctx);
    return f.rc == 0 || err_set(err, "cannot give up system calls: %s", strerror(-f.rc));
}

static bool gain_nothing(struct err *err)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ||
           err_set(err, "cannot give up what a new program might gain: %s", strerror(errno));
}

bool sandbox_is_filtered(void)
{
    return FILTERED;
}

bool sandbox_network(struct err *err)
{
    if (FILTERED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return err_set(err, "cannot shut this process to debuggers: %s", strerror(errno));
    return gain_nothing(err) && (!FILTERED || load(SCMP_ACT_ERRNO(EPERM), allow_network, err));
}

bool sandbox_helper(bool starts_programs, struct err *err)
{
    if (!gain_nothing(err))
        return false;
    return !FILTERED ||
           (starts_programs ? load(SCMP_ACT_ALLOW, refuse_never, err) : load(SCMP_ACT_ERRNO(EPERM), allow_helper, err));
}
