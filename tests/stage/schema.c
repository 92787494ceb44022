#include "tests/stage/schema.h"

#include <string.h>

#define EVENTS "docs/events.md"
#define OUTPUT "docs/output.md"

static const char *text_of(struct stage *s, const char *doc)
{
    return stage_read(s, stage_text(s, "%s/%s", s->root, doc));
}

/* Behind the heading's line; NULL: there is none. */
static const char *table_of(struct stage *s, const char *doc, const char *name)
{
    const char *heading = stage_text(s, "\n### %s\n", name), *at = strstr(text_of(s, doc), heading);

    return at != NULL ? at + strlen(heading) : NULL;
}

/* The next row from *at on, or NULL: member and what stands in the second column. */
static const char *next_row(struct stage *s, const char **at, const char **second)
{
    for (const char *line = *at, *end; line != NULL && (end = strchr(line, '\n')) != NULL; line = end + 1) {
        const char *name, *type;

        if (strncmp(line, "### ", 4) == 0)
            break;
        if (strncmp(line, "| `", 3) != 0)
            continue;
        name = line + 3;
        type = strstr(name, "` | ") + 4;
        *second = stage_text(s, "%.*s", (int)strcspn(type, "|\n") - (strchr(type, '|') != NULL ? 1 : 0), type);
        *at = end + 1;
        return stage_text(s, "%.*s", (int)strcspn(name, "`"), name);
    }
    return NULL;
}

static void expect_type(struct stage *s, const char *doc, const char *type, const json_t *o, const char *where)
{
    size_t n = strlen(type);
    bool good = false;

    if (n > 8 && strcmp(type + n - 8, " or null") == 0) {
        if (json_is_null(o))
            return;
        type = stage_text(s, "%.*s", (int)n - 8, type);
    }
    if (strcmp(type, "text") == 0)
        good = json_is_string(o);
    else if (strcmp(type, "number") == 0)
        good = json_is_integer(o);
    else if (strcmp(type, "bool") == 0)
        good = json_is_boolean(o);
    else if (strcmp(type, "object") == 0)
        good = json_is_object(o);
    else if (strncmp(type, "object ", 7) == 0) {
        stage_schema_expect(s, doc, (const char *const[]){type + 7, NULL}, o);
        good = true;
    } else if (strncmp(type, "list of ", 8) == 0 && json_is_array(o)) {
        const char *of = table_of(s, doc, type + 8) != NULL ? stage_text(s, "object %s", type + 8) : type + 8;

        for (size_t i = 0; i < json_array_size(o); i++)
            expect_type(s, doc, of, json_array_get(o, i), where);
        good = true;
    }
    if (!good)
        stage_fail(s, "%s: %s is not \"%s\"", doc, where, type);
}

static bool is_member(struct stage *s, const char *doc, const char *const *tables, const char *key)
{
    const char *member, *type;

    for (; *tables != NULL; tables++)
        for (const char *at = table_of(s, doc, *tables); (member = next_row(s, &at, &type)) != NULL;)
            if (strcmp(member, key) == 0)
                return true;
    return false;
}

void stage_schema_expect(struct stage *s, const char *doc, const char *const *tables, const json_t *o)
{
    const char *member, *type, *key;
    json_t *value;

    if (!json_is_object(o))
        stage_fail(s, "%s: no object of %s", doc, tables[0]);
    for (size_t i = 0; tables[i] != NULL; i++) {
        const char *at = table_of(s, doc, tables[i]);

        if (at == NULL)
            stage_fail(s, "%s has no table %s", doc, tables[i]);
        while ((member = next_row(s, &at, &type)) != NULL) {
            const json_t *is = json_object_get(o, member);

            if (is == NULL)
                stage_fail(s, "%s: there is no %s of %s in %s", doc, member, tables[i], json_dumps(o, 0));
            expect_type(s, doc, type, is, stage_text(s, "%s of %s", member, tables[i]));
        }
    }
    json_object_foreach((json_t *)o, key, value)
    {
        if (!is_member(s, doc, tables, key))
            stage_fail(s, "%s does not have the member %s of %s", doc, key, json_dumps(o, 0));
    }
}

void stage_schema_event(struct stage *s, const json_t *o, bool streamed)
{
    const char *event = json_string_value(json_object_get(o, "event"));
    bool runs_hook = json_object_get(o, "hook") != NULL;
    const char *tables[] = {"line", event, runs_hook ? "step that runs a hook" : "line", "stream", NULL};

    if (event == NULL || !is_member(s, EVENTS, (const char *const[]){"events", NULL}, event))
        stage_fail(s, "%s does not have the event of %s", EVENTS, json_dumps(o, 0));
    if (table_of(s, EVENTS, event) == NULL)
        tables[1] = "line";
    if (!streamed)
        tables[3] = "shown";
    stage_schema_expect(s, EVENTS, tables, o);
    if (streamed && json_integer_value(json_object_get(o, "v")) != 1)
        stage_fail(s, "the version of the events is not 1");
}

const json_t *stage_schema_events(struct stage *s, const char *lines)
{
    const json_t *last = NULL;

    for (const char *line = lines, *end; *line != '\0'; line = end + 1) {
        json_t *o;

        end = strchr(line, '\n');
        if (end == NULL)
            stage_fail(s, "a line without an end: %s", line);
        o = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, NULL);
        if (o == NULL)
            stage_fail(s, "no JSON: %.*s", (int)(end - line), line);
        if (last != NULL && strcmp(json_string_value(json_object_get(last, "event")), "report") == 0)
            stage_fail(s, "behind the report came %.*s", (int)(end - line), line);
        last = stage_keep(s, o, (void (*)(void *))json_decref);
        stage_schema_event(s, o, true);
    }
    if (last == NULL || strcmp(json_string_value(json_object_get(last, "event")), "report") != 0)
        stage_fail(s, "the last line is no report: %s", lines);
    return last;
}

const json_t *stage_schema_document(struct stage *s, const char *command, const char *text)
{
    json_error_t why;
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, &why);

    if (o == NULL)
        stage_fail(s, "no JSON, %s: %s", why.text, text);
    stage_keep(s, o, (void (*)(void *))json_decref);
    stage_schema_expect(s, OUTPUT, (const char *const[]){"document", command, NULL}, o);
    return o;
}
