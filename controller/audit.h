/* audit.h - a line an effect: who changed what, from where, before and after. key=value, every value but numbers and
 * our own words a JSON string, so that nothing from elsewhere can end a line or a value. No secrets.
 *
 *   time=2026-11-25T18:40:02.123Z rollout="ci-4711" by="ann@ci-7 pid 4711" actor="ann" commit="9fceb02"
 * job="https://..." node="web1" service="app" effect=drain state=asked peers="127.0.0.1:8001 of app at lb1" before="up"
 * after="drain"
 *
 * state: asked, before the request leaves; then done or failed. */
#ifndef CONTROLLER_AUDIT_H
#define CONTROLLER_AUDIT_H

#include <stdio.h>

#include "ci.h"
#include "view.h"

/* The lines of an event that `view` has been fed already; none where it begins and ends no effect. */
void audit_event(FILE *, const struct view *, const struct event *, const struct ci *);

#endif
