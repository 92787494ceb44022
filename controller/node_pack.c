#include "node_pack.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "common/json.h"
#include "common/mem.h"
#include "gate.h"

#define NODE_PACK_VERSION 2
#define COUNT(a)          (sizeof(a) / sizeof((a)[0]))

static const char *const STEPS[] = {
#define STEP(name, ...) #name,
#include "node.def"
#undef STEP
};
static const char *const REASONS[] = {
#define X(name, text) #name,
    WHYS(X)
#undef X
};
static const char *const ASK_KEYS[] = {
#define X(name, text) #name,
    ASKS(X)
#undef X
};
static const char *const GATE_KEYS[] = {
#define X(name, text) #name,
    GATES(X)
#undef X
};
static const char *const OUTCOMES[] = {
    [OUTCOME_NONE] = "NONE",     [OUTCOME_UPGRADED] = "UPGRADED", [OUTCOME_ALREADY] = "ALREADY",
    [OUTCOME_MENDED] = "MENDED", [OUTCOME_FAILED] = "FAILED",     [OUTCOME_STOPPED] = "STOPPED",
    [OUTCOME_LEFT] = "LEFT",     [OUTCOME_BACK] = "BACK",
};

enum form { UNSIGNED, BOOLEAN, KEY, BYTES };

/* A member of a struct: an unsigned of 1 to 8 bytes, a bool, a byte with a name out of `keys`, or bytes in hex. */
struct field {
    const char *name;
    size_t offset, size_bytes;
    enum form form;
    const char *const *keys;
    size_t n_keys;
};

#define AT(type, member) #member, offsetof(struct type, member), sizeof(((struct type *)NULL)->member)
#define NUMBER(type, member)                                                                                           \
    {                                                                                                                  \
        AT(type, member), UNSIGNED, NULL, 0                                                                            \
    }
#define FLAG(type, member)                                                                                             \
    {                                                                                                                  \
        AT(type, member), BOOLEAN, NULL, 0                                                                             \
    }
#define NAMED(type, member, key)                                                                                       \
    {                                                                                                                  \
        AT(type, member), KEY, key, COUNT(key)                                                                         \
    }
#define HEX(type, member)                                                                                              \
    {                                                                                                                  \
        AT(type, member), BYTES, NULL, 0                                                                               \
    }

static const struct field IDENT_FIELDS[] = {
    NUMBER(ident, pid),
    NUMBER(ident, start_ticks),
    HEX(ident, boot),
    HEX(ident, sha256),
};

static const struct field NODE_FIELDS[] = {
    NUMBER(node, id),
    NAMED(node, step, STEPS),
    NAMED(node, outcome, OUTCOMES),
    NAMED(node, why, REASONS),
    NAMED(node, why_step, STEPS),
    NUMBER(node, out_mask),
    NUMBER(node, prior_drain_mask),
    NUMBER(node, peers_mask),
    NUMBER(node, claim_fence),
    NUMBER(node, left_ms),
    NUMBER(node, next_ask_ms),
    NUMBER(node, healthy_ms),
    NUMBER(node, generation),
    NUMBER(node, streak),
    NUMBER(node, attempt),
    NUMBER(node, hook),
    NUMBER(node, hooked),
    NAMED(node, gate, GATE_KEYS),
    NAMED(node, job, ASK_KEYS),
    FLAG(node, asked),
    FLAG(node, noted),
    FLAG(node, doubt),
    FLAG(node, claimed),
    FLAG(node, failed),
    FLAG(node, stopping),
    FLAG(node, reverse),
    FLAG(node, cut),
    FLAG(node, claim_stays),
    HEX(node, goal),
    FLAG(node, anew),
    FLAG(node, theirs),
    FLAG(node, loose),
};

/* ---- the unsigned of any width at p */

static uint64_t number_get(const uint8_t *p, size_t size_bytes)
{
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    switch (size_bytes) {
    case sizeof u8:
        memcpy(&u8, p, sizeof u8);
        return u8;
    case sizeof u16:
        memcpy(&u16, p, sizeof u16);
        return u16;
    case sizeof u32:
        memcpy(&u32, p, sizeof u32);
        return u32;
    default:
        assert(size_bytes == sizeof u64);
        memcpy(&u64, p, sizeof u64);
        return u64;
    }
}

static bool number_set(uint8_t *p, size_t size_bytes, uint64_t value)
{
    uint8_t u8 = (uint8_t)value;
    uint16_t u16 = (uint16_t)value;
    uint32_t u32 = (uint32_t)value;

    switch (size_bytes) {
    case sizeof u8:
        memcpy(p, &u8, sizeof u8);
        return u8 == value;
    case sizeof u16:
        memcpy(p, &u16, sizeof u16);
        return u16 == value;
    case sizeof u32:
        memcpy(p, &u32, sizeof u32);
        return u32 == value;
    default:
        memcpy(p, &value, sizeof value);
        return true;
    }
}

/* ---- out: written straight away, since every step of every node goes through here */

struct out {
    char *text;
    size_t n, room;
};

static void put(struct out *o, const char *bytes, size_t n)
{
    if (o->n + n + 1 > o->room) {
        o->room = 2 * o->room + n + 1024;
        o->text = mem_grow(o->text, o->room, 1);
    }
    memcpy(o->text + o->n, bytes, n);
    o->n += n;
    o->text[o->n] = '\0';
}

static void put_text(struct out *o, const char *text)
{
    put(o, text, strlen(text));
}

/* As JSON's readers have integers: signed. */
static void put_number(struct out *o, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;

    if ((int64_t)value < 0) {
        put_text(o, "-");
        value = -value;
    }
    do
        digits[--at] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    put(o, digits + at, sizeof digits - at);
}

static void put_hex(struct out *o, const uint8_t *bytes, size_t size_bytes)
{
    char text[2 * 64 + 1];

    assert(2 * size_bytes < sizeof text);
    hex_write(text, bytes, size_bytes);
    put_text(o, "\"");
    put(o, text, 2 * size_bytes);
    put_text(o, "\"");
}

/* Behind the first member there is a comma. The names need no escapes: they are C's. */
static void put_key(struct out *o, const char *name)
{
    put_text(o, o->text[o->n - 1] == '{' ? "\"" : ",\"");
    put_text(o, name);
    put_text(o, "\":");
}

static void field_pack(struct out *o, const struct field *field, const uint8_t *p)
{
    switch (field->form) {
    case UNSIGNED:
        put_number(o, number_get(p, field->size_bytes));
        return;
    case BOOLEAN:
        put_text(o, "true");
        return;
    case KEY:
        assert(*p < field->n_keys);
        put_text(o, "\"");
        put_text(o, field->keys[*p]);
        put_text(o, "\"");
        return;
    default:
        put_hex(o, p, field->size_bytes);
    }
}

static bool fields_pack(struct out *o, const struct field *fields, size_t n, const void *base)
{
    static const uint8_t zero[64];
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = (const uint8_t *)base + fields[i].offset;
        if (memcmp(p, zero, fields[i].size_bytes) == 0)
            continue;
        put_key(o, fields[i].name);
        field_pack(o, &fields[i], p);
        any = true;
    }
    return any;
}

static void ident_pack(struct out *o, const char *name, const struct ident *ident)
{
    size_t before = o->n;

    put_key(o, name);
    put_text(o, "{");
    if (fields_pack(o, IDENT_FIELDS, COUNT(IDENT_FIELDS), ident))
        put_text(o, "}");
    else
        o->n = before;
}

char *node_pack(const struct node *node)
{
    struct out o = {0};

    put_text(&o, "{");
    put_key(&o, "v");
    put_number(&o, NODE_PACK_VERSION);
    (void)fields_pack(&o, NODE_FIELDS, COUNT(NODE_FIELDS), node);
    ident_pack(&o, "before", &node->before);
    ident_pack(&o, "now", &node->now);
    put_text(&o, "}");
    return o.text;
}

/* ---- in */

static int key_find(const char *const *keys, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(keys[i], key) == 0)
            return (int)i;
    return -1;
}

static bool field_unpack(const struct field *field, const json_t *value, uint8_t *p)
{
    int key;

    switch (field->form) {
    case UNSIGNED:
        return json_is_integer(value) && number_set(p, field->size_bytes, (uint64_t)json_integer_value(value));
    case BOOLEAN:
        *p = json_is_true(value);
        return json_is_boolean(value);
    case KEY:
        key = json_is_string(value) ? key_find(field->keys, field->n_keys, json_string_value(value)) : -1;
        *p = key < 0 ? 0 : (uint8_t)key;
        return key >= 0;
    default:
        return json_is_string(value) && hex_read(json_string_value(value), p, field->size_bytes);
    }
}

static bool fields_unpack(const json_t *object, const struct field *fields, size_t n, void *base, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_get(object, fields[i].name);
        if (value != NULL && !field_unpack(&fields[i], value, (uint8_t *)base + fields[i].offset))
            return err_set(err, "\"%s\" in a node's state has a value that this version does not know", fields[i].name);
    }
    return true;
}

static bool ident_unpack(const json_t *object, const char *name, struct ident *ident, struct err *err)
{
    const json_t *inner = json_object_get(object, name);

    if (inner != NULL && !json_is_object(inner))
        return err_set(err, "\"%s\" in a node's state is no process", name);
    return inner == NULL || fields_unpack(inner, IDENT_FIELDS, COUNT(IDENT_FIELDS), ident, err);
}

static bool object_unpack(const json_t *object, struct node *node, struct err *err)
{
    uint64_t version;

    if (!json_get_uint(object, "v", &version, err))
        return false;
    if (version != NODE_PACK_VERSION)
        return err_set(err, "a node's state is of version %llu; this program knows version %d",
                       (unsigned long long)version, NODE_PACK_VERSION);
    return fields_unpack(object, NODE_FIELDS, COUNT(NODE_FIELDS), node, err) &&
           ident_unpack(object, "before", &node->before, err) && ident_unpack(object, "now", &node->now, err);
}

bool node_unpack(const char *text, size_t size_bytes, struct node *node, struct err *err)
{
    json_t *object = json_read(text, size_bytes, err);
    bool good;

    memset(node, 0, sizeof *node);
    good = object != NULL && object_unpack(object, node, err);
    if (!good)
        memset(node, 0, sizeof *node);
    json_decref(object);
    return good;
}

const char *node_step_key(enum step step)
{
    assert(step < STEP_COUNT);
    return STEPS[step];
}

int node_step_of_key(const char *key)
{
    return key_find(STEPS, COUNT(STEPS), key);
}
