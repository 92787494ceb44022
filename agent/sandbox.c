#include "sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

/* LeakSanitizer looks at its own process as a debugger does. */
#ifdef __SANITIZE_ADDRESS__
#define DUMPABLE 1
#else
#define DUMPABLE 0
#endif

static bool gain_nothing(struct err *err)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ||
           err_set(err, "cannot give up what a new program might gain: %s", strerror(errno));
}

bool sandbox_network(struct err *err)
{
    if (prctl(PR_SET_DUMPABLE, DUMPABLE, 0, 0, 0) != 0)
        return err_set(err, "cannot shut this process to debuggers: %s", strerror(errno));
    return gain_nothing(err);
}

bool sandbox_helper(struct err *err)
{
    return gain_nothing(err);
}
