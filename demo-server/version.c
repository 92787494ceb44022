#include "version.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef DEMO_VERSION
#define DEMO_VERSION "1"
#endif

const char version_text[] = DEMO_VERSION;

#ifdef DEMO_BREAK_SICK
bool version_sick = true;
#else
bool version_sick = false;
#endif

#ifdef DEMO_BREAK_ERRS
const unsigned version_errs_every = 5;
#else
const unsigned version_errs_every = 0;
#endif

#ifdef DEMO_BREAK_SLOW
const unsigned version_slower_ms = 150;
#else
const unsigned version_slower_ms = 0;
#endif

void version_start(void)
{
#if defined DEMO_BREAK_EXIT
    (void)fprintf(stderr, "demo-server: this build exits at once\n");
    exit(1);
#elif defined DEMO_BREAK_HANG
    for (;;)
        (void)pause();
#elif defined DEMO_BREAK_FICKLE
    version_sick = access("sick", F_OK) == 0;
#elif defined DEMO_BREAK_LATE
    if (unlink("late") == 0)
        (void)sleep(6);
#endif
}
