/* clock_steps.h - how cases set the clock of programs, or have their machine suspended (tests/sweep/clock.h). */
#ifndef CASES_CLOCK_STEPS_H
#define CASES_CLOCK_STEPS_H

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/stage/test.h"
#include "tests/sweep/clock.h"

static inline void clock_unmap(void *shift)
{
    (void)munmap(shift, sizeof(clock_shift));
    (void)unsetenv("LD_PRELOAD");
    (void)unsetenv("CLOCK_FILE");
}

/* What is started from now on has the clock that the returned value sets. */
static inline clock_shift *clock_of_all(struct stage *s)
{
    const char *path = stage_text(s, "%s/clock", s->dir);
    int fd;
    void *shared;

    if (s->asan)
        skip(); /* the sanitizers must be the first library */
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, sizeof(clock_shift)) != 0)
        stage_fail(s, "cannot make %s", path);
    shared = mmap(NULL, sizeof(clock_shift), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (shared == MAP_FAILED)
        stage_fail(s, "cannot map %s", path);
    (void)setenv("CLOCK_FILE", path, 1);
    (void)setenv("LD_PRELOAD", stage_text(s, "%s/tests/sweep/clock.so", s->build), 1);
    return stage_keep(s, shared, clock_unmap);
}

/* Their machine was suspended since then; they are to be stopped for all that time. */
static inline void clock_slept(clock_shift *shift, uint64_t since_ms)
{
    shift->slept_ms += (int64_t)(stage_now_ms() - since_ms);
}

#endif
