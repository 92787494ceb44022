/* kind.h - what a service's executable may be, by its config, and what refuses another one. Pure. */
#ifndef AGENT_KIND_H
#define AGENT_KIND_H

#include "code.h"
#include "common/err.h"
#include "common/exe.h"

enum kind {
    KIND_BINARY, /* ELF for `arch` */
    KIND_SCRIPT, /* #! */
    KIND_ANY,    /* either */
};

/* `arch`: of this machine, exe_host_arch. JOB_OK; SCRIPT, NOT_EXECUTABLE or WRONG_ARCH. */
enum code kind_check(enum kind kind, const char *arch, struct exe_look look, struct err *err);

#endif
