/* exe.h - what a file is, by its first bytes: a script, an ELF executable and of which architecture, or nothing that
 * can be run. Pure, but exe_host_arch. */
#ifndef COMMON_EXE_H
#define COMMON_EXE_H

#include <stddef.h>

#define EXE_HEAD_BYTES 64 /* so many are enough; fewer are there only where the file is shorter */
#define EXE_ARCH_ANY   "any"

enum exe {
    EXE_NONE,   /* neither */
    EXE_SCRIPT, /* #! */
    EXE_OBJECT, /* ELF, but not to be run: an object file, a library without an entry, a core */
    EXE_BINARY, /* ELF with an entry */
};

struct exe_look {
    enum exe is;
    const char *arch; /* of ELF: a name of exe.def, or "?" */
};

struct exe_look exe_look(const void *head, size_t size);
/* The name of exe.def of the machine that we run on; "?" where it has none. */
const char *exe_host_arch(void);

#endif
