#include "frame.h"

#include <string.h>

static void put(uint8_t *to, uint64_t n, unsigned bytes)
{
    while (bytes-- > 0) {
        to[bytes] = (uint8_t)n;
        n >>= 8;
    }
}

static uint64_t get(const uint8_t *from, unsigned bytes)
{
    uint64_t n = 0;

    while (bytes-- > 0)
        n = n << 8 | *from++;
    return n;
}

void frame_put_header(const struct frame *frame, uint8_t to[FRAME_HEADER])
{
    put(to, frame->size, 4);
    put(to + 4, frame->id, 4);
    put(to + 8, (uint64_t)frame->kind << 24, 4);
}

bool frame_get_header(const uint8_t from[FRAME_HEADER], struct frame *frame)
{
    static const struct {
        size_t least, most;
    } sizes[] = {
        [FRAME_HELLO] = {FRAME_HELLO_SIZE, FRAME_HELLO_SIZE},
        [FRAME_HEAD] = {9, FRAME_HEAD_MAX},
        [FRAME_BODY] = {1, FRAME_PIECE_MAX},
        [FRAME_END] = {0, 0},
        [FRAME_CANCEL] = {0, 0},
        [FRAME_ANSWER] = {FRAME_ANSWER_HEAD, FRAME_ANSWER_HEAD + FRAME_ANSWER_MAX},
        [FRAME_RELOAD] = {0, 0},
    };
    unsigned kind = from[8];
    size_t size = get(from, 4);

    if (kind < FRAME_HELLO || kind > FRAME_RELOAD || get(from + 9, 3) != 0 || size < sizes[kind].least ||
        size > sizes[kind].most)
        return false;
    *frame = (struct frame){.kind = (enum frame_kind)kind, .id = (uint32_t)get(from + 4, 4), .size = size};
    return (frame->id == 0) == (frame->kind == FRAME_HELLO || frame->kind == FRAME_RELOAD);
}

/* ---- HEAD */

static bool put_text(const char *text, uint8_t *to, size_t *used)
{
    size_t size = strlen(text) + 1;

    if (size > FRAME_HEAD_MAX - *used)
        return false;
    memcpy(to + *used, text, size);
    *used += size;
    return true;
}

size_t frame_put_head(const struct frame_head *head, uint8_t to[FRAME_HEAD_MAX])
{
    size_t used = 9;
    bool fits = head->arg_count <= FRAME_ARGS_MAX;

    put(to, head->length, 8);
    to[8] = (uint8_t)head->arg_count;
    fits = fits && put_text(head->method, to, &used) && put_text(head->path, to, &used) &&
           put_text(head->peer, to, &used) && put_text(head->signature, to, &used);
    for (unsigned i = 0; fits && i < head->arg_count; i++)
        fits = put_text(head->args[i].key, to, &used) && put_text(head->args[i].value, to, &used);
    return fits ? used : 0;
}

static bool get_text(const struct frame *frame, size_t *at, const char **text)
{
    const uint8_t *from = frame->payload + *at, *end;

    end = *at < frame->size ? memchr(from, '\0', frame->size - *at) : NULL;
    if (end == NULL)
        return false;
    *text = (const char *)from;
    *at += (size_t)(end - from) + 1;
    return true;
}

bool frame_get_head(const struct frame *frame, struct frame_head *head)
{
    size_t at = 9;

    *head = (struct frame_head){0};
    if (frame->kind != FRAME_HEAD || frame->size < at || frame->payload[8] > FRAME_ARGS_MAX)
        return false;
    head->length = get(frame->payload, 8);
    head->arg_count = frame->payload[8];
    if (!get_text(frame, &at, &head->method) || !get_text(frame, &at, &head->path) ||
        !get_text(frame, &at, &head->peer) || !get_text(frame, &at, &head->signature))
        return false;
    for (unsigned i = 0; i < head->arg_count; i++) {
        if (!get_text(frame, &at, &head->args[i].key) || !get_text(frame, &at, &head->args[i].value))
            return false;
    }
    return at == frame->size;
}

const char *frame_arg(const struct frame_head *head, const char *key)
{
    for (unsigned i = 0; i < head->arg_count; i++) {
        if (strcmp(head->args[i].key, key) == 0)
            return head->args[i].value;
    }
    return NULL;
}

/* ---- HELLO and ANSWER */

void frame_put_hello(uint8_t to[FRAME_HELLO_SIZE])
{
    memcpy(to, FRAME_MAGIC, sizeof FRAME_MAGIC - 1);
    put(to + sizeof FRAME_MAGIC - 1, FRAME_VERSION, 2);
}

bool frame_get_hello(const struct frame *frame)
{
    uint8_t ours[FRAME_HELLO_SIZE];

    frame_put_hello(ours);
    return frame->kind == FRAME_HELLO && frame->size == sizeof ours && memcmp(frame->payload, ours, sizeof ours) == 0;
}

void frame_put_answer_head(const struct frame_answer *answer, uint8_t to[FRAME_ANSWER_HEAD])
{
    put(to, answer->status, 2);
    put(to + 2, (uint64_t)answer->type << 8, 2);
}

bool frame_get_answer(const struct frame *frame, struct frame_answer *answer)
{
    if (frame->kind != FRAME_ANSWER || frame->size < FRAME_ANSWER_HEAD || frame->payload[2] > FRAME_TEXT ||
        frame->payload[3] != 0)
        return false;
    *answer = (struct frame_answer){.status = (unsigned)get(frame->payload, 2),
                                    .type = (enum frame_type)frame->payload[2],
                                    .bytes = (const char *)frame->payload + FRAME_ANSWER_HEAD,
                                    .size = frame->size - FRAME_ANSWER_HEAD};
    return answer->status >= 200 && answer->status <= 599;
}
