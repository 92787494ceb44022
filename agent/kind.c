#include "kind.h"

#include <string.h>

enum code kind_check(enum kind kind, const char *arch, struct exe_look look, struct err *err)
{
    if (look.is == EXE_SCRIPT && kind == KIND_BINARY) {
        err_set(err, "the release is a script; say kind = script where that is meant");
        return CODE_SCRIPT;
    }
    if (look.is == EXE_SCRIPT)
        return CODE_JOB_OK;
    if (look.is != EXE_BINARY || kind == KIND_SCRIPT) {
        err_set(err, "the release is %s",
                kind == KIND_SCRIPT     ? "no script: it does not begin with #!"
                : look.is == EXE_OBJECT ? "an ELF file that cannot be run: it has no entry"
                                        : "no executable: neither ELF nor #!");
        return CODE_NOT_EXECUTABLE;
    }
    if (strcmp(look.arch, arch) == 0)
        return CODE_JOB_OK;
    err_set(err, "the release is for %s; this machine is %s", look.arch[0] == '?' ? "another architecture" : look.arch,
            arch);
    return CODE_WRONG_ARCH;
}
