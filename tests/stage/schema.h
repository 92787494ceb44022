/* schema.h - the shape of JSON as the docs promise it: the tables of docs/events.md and docs/output.md are read, and an
 * object is held against them. Below the heading `### NAME`: rows | `member` | type | what |; the types are in
 * events.md. */
#ifndef STAGE_SCHEMA_H
#define STAGE_SCHEMA_H

#include <jansson.h>

#include "tests/stage/stage.h"

/* The test fails where a member of one of the tables (NULL-terminated) is missing or of another type, or one is there
 * that none of them has. doc: "docs/events.md". */
void stage_schema_expect(struct stage *s, const char *doc, const char *const *tables, const json_t *o);

/* One event; streamed: with what only --log-format json has. */
void stage_schema_event(struct stage *s, const json_t *o, bool streamed);

/* All lines of a --log-format json, and that the last is the one `report`. Returns it. */
const json_t *stage_schema_events(struct stage *s, const char *lines);

/* One document of --output json of that command (a table of docs/output.md; NULL: it could not do its work). */
const json_t *stage_schema_document(struct stage *s, const char *command, const char *text);

#endif
