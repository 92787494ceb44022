/* apply.h - what is wanted of the peers, brought into nginx's own. */
#ifndef API_APPLY_H
#define API_APPLY_H

#include "view.h"

/* Under the lock of the shared zone. By value, so that any number of workers may do the same. */
void apply_view(const struct view *view);

#endif
