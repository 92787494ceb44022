/* event_json.h - an event as one JSON object: what `show --output json` and `--log-format json` write. docs/events.md
 * is its contract; members are added, never renamed or dropped, while EVENT_SCHEMA stays the same. */
#ifndef CONTROLLER_EVENT_JSON_H
#define CONTROLLER_EVENT_JSON_H

#include <jansson.h>

#include "view.h"

#define EVENT_SCHEMA 1

/* {"seq","at","event","text"} and what its kind adds; seq 0: it is not in a journal. A new reference. */
json_t *event_json(const struct plan *, const struct event *);

/* What a rollout is about: {"service","kind","nodes":N,"release":HEX|null,"version":TEXT|null,"holder","fence"}. */
json_t *event_plan_json(const struct plan *);

/* The SHA-256 of the release in hex, or null. */
json_t *event_release_json(const struct plan *);

/* The peers of a node that are out because of us, or may be: [{"server","upstream","lb"}]. */
json_t *event_out_json(const struct view *, uint32_t node);

/* What came of each node: [{"node","outcome","step","ms":N|null,"why":TEXT|null,"text":TEXT|null,"out":[{"server",
 * "upstream","lb"}]}]. */
json_t *event_nodes_json(const struct view *);

#endif
