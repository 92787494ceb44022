#include "ready.h"

#include <stdlib.h>

#include "common/notify.h"

void ready_tell(void)
{
    notify_send("READY=1", true);
    (void)unsetenv("NOTIFY_SOCKET");
}
