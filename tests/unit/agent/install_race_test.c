/* A release that somebody swaps while it is installed: before each single call that the agent makes, the file in the
 * store or the copy beside the executable is replaced. What is installed in the end is what was judged, or the old one.
 *
 * The calls are caught by functions of this program with their names: the agent's code is linked to these. */
#include <dlfcn.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/file.h"
#include "agent/install.h"

#define ABC       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define DEF       "cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34"
#define CALLS_MAX 200

static struct {
    char dir[64];
    unsigned calls, at, undo_at; /* so far; before which one it is done, and undone; 0: before none */
    void (*act)(void), (*undo)(void);
} plot;

static const char *path_of(const char *name)
{
    static char path[4][192];
    static unsigned next;

    (void)snprintf(path[++next % 4], sizeof *path, "%s/%s", plot.dir, name);
    return path[next % 4];
}

static void before_call(void)
{
    unsigned at = plot.at;

    if (at == 0)
        return;
    plot.calls++;
    plot.at = 0; /* what is done makes calls, too */
    if (plot.calls == at)
        plot.act();
    else if (plot.calls == plot.undo_at)
        plot.undo();
    plot.at = at;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CAUGHT(type, name, params, args)                                                                               \
    type name params                                                                                                   \
    {                                                                                                                  \
        before_call();                                                                                                 \
        return REAL(name) args;                                                                                        \
    }
CAUGHT(ssize_t, read, (int fd, void *to, size_t n), (fd, to, n))
CAUGHT(ssize_t, pread, (int fd, void *to, size_t n, off_t at), (fd, to, n, at))
CAUGHT(ssize_t, write, (int fd, const void *from, size_t n), (fd, from, n))
CAUGHT(int, fchmod, (int fd, mode_t mode), (fd, mode))
CAUGHT(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
CAUGHT(int, fstat, (int fd, struct stat *st), (fd, st))
CAUGHT(int, fstatat, (int fd, const char *path, struct stat *st, int flags), (fd, path, st, flags))
CAUGHT(int, close, (int fd), (fd))
CAUGHT(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
CAUGHT(int, linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
CAUGHT(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))

/* Nothing here is to outlive the machine. */
int fsync(int fd)
{
    (void)fd;
    before_call();
    return 0;
}

int openat(int fd, const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
    before_call();
    return REAL(openat)(fd, path, flags, mode);
}

/* openat2(2) */
long syscall(long number, ...)
{
    long a[4];
    va_list args;

    va_start(args, number);
    for (size_t i = 0; i < 4; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    before_call();
    return REAL(syscall)(number, a[0], a[1], a[2], a[3]);
}

static void put(const char *name, const char *text)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

    assert_true(fd >= 0 && file_write_all(fd, text, strlen(text), NULL));
    (void)close(fd);
}

static void replace(const char *name)
{
    put("evil", "bad");
    if (access(path_of(name), F_OK) == 0)
        assert_int_equal(rename(path_of("evil"), path_of(name)), 0);
}

static void replace_store(void)
{
    replace(ABC);
}

static void replace_copy(void)
{
    replace(".exe.rollout-new");
}

static void link_the_copy_elsewhere(void)
{
    put("evil", "bad");
    if (unlink(path_of(".exe.rollout-new")) == 0)
        assert_int_equal(symlink("evil", path_of(".exe.rollout-new")), 0);
}

static void write_into_the_store(void)
{
    put(ABC, "bad");
}

static void write_it_back(void)
{
    put(ABC, "abc");
}

static void replace_the_way_back(void)
{
    replace(".exe.rollout-old");
}

static void assert_text(const char *wanted, const char *what, unsigned at)
{
    struct stat st;
    char text[16];

    assert_int_equal(lstat(path_of("exe"), &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_true(file_read_small(path_of("exe"), text, sizeof text, NULL));
    if (strcmp(text, wanted) != 0)
        fail_msg("%s before call %u: \"%s\" is installed, not \"%s\"", what, at, text, wanted);
}

/* False: there are fewer calls. */
static bool try(const char *what, unsigned at)
{
    int store;
    char exe[192];
    struct install install = {.hex = ABC, .before = DEF, .any_kind = true, .executable = exe};
    struct err err = {""};
    bool swapped, good, reached;

    (void)snprintf(exe, sizeof exe, "%s/exe", plot.dir);
    put("exe", "def");
    put(DEF, "def");
    put(ABC, "abc");
    store = open(plot.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    install.store = store;
    plot.calls = 0;
    plot.at = at;
    good = install_put(&install, &swapped, &err);
    plot.at = 0;
    reached = plot.calls >= at;
    if (good) {
        assert_text("abc", what, at);
    } else if (swapped) { /* the job puts the old one back */
        struct err back = {""};
        if (!install_back(install.executable, store, DEF, &back))
            fail_msg("%s before call %u: %s; %s", what, at, err.text, back.text);
    }
    if (!good)
        assert_text("def", what, at);
    install_sweep(install.executable);
    (void)close(store);
    return reached;
}

static void what_is_swapped_in_mid_install_is_never_installed(void **state)
{
    static const struct {
        const char *what;
        void (*act)(void), (*undo)(void);
        unsigned longest; /* calls until it is undone */
    } table[] = {
        {"the release replaced", replace_store, NULL, 0},
        {"the release written to", write_into_the_store, NULL, 0},
        {"the release written to for a while", write_into_the_store, write_it_back, 20},
        {"the copy replaced", replace_copy, NULL, 0},
        {"the copy made a link", link_the_copy_elsewhere, NULL, 0},
        {"the way back replaced", replace_the_way_back, NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        unsigned at = 0;
        bool more = true;
        plot.act = table[i].act;
        plot.undo = table[i].undo;
        while (more) {
            assert_in_range(++at, 1, CALLS_MAX);
            for (unsigned later = 0; more && later <= table[i].longest; later++) {
                plot.undo_at = later > 0 ? at + later : 0;
                more = try(table[i].what, at);
            }
        }
        assert_in_range(at, 20, CALLS_MAX); /* the calls are caught */
    }
}

static int set_up(void **state)
{
    (void)state;
    strcpy(plot.dir, "/tmp/install_race_test.XXXXXX");
    return mkdtemp(plot.dir) == NULL;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -r %s", plot.dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_swapped_in_mid_install_is_never_installed, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
