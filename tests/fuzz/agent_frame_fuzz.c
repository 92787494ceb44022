/* agent_frame_fuzz.c - any bytes on the socket between the agent's halves: each frame is within its bounds, what it
 * says stands within its payload, and a head that was understood is said again in the same bytes. */
#include "agent/frame.h"
#include "tests/fuzz/fuzz.h"

static void check_text(const struct frame *frame, const char *text)
{
    const uint8_t *at = (const uint8_t *)text;

    fuzz_check(at >= frame->payload && at < frame->payload + frame->size);
    fuzz_check(memchr(at, '\0', (size_t)(frame->payload + frame->size - at)) != NULL);
}

static void check_head(const struct frame *frame)
{
    uint8_t again[FRAME_HEAD_MAX];
    struct frame_head head;

    if (!frame_get_head(frame, &head))
        return;
    fuzz_check(head.arg_count <= FRAME_ARGS_MAX);
    check_text(frame, head.method);
    check_text(frame, head.path);
    check_text(frame, head.peer);
    check_text(frame, head.signature);
    for (unsigned i = 0; i < head.arg_count; i++) {
        check_text(frame, head.args[i].key);
        check_text(frame, head.args[i].value);
        fuzz_check(frame_arg(&head, head.args[i].key) != NULL);
    }
    fuzz_check(frame_put_head(&head, again) == frame->size && memcmp(again, frame->payload, frame->size) == 0);
}

static void check_answer(const struct frame *frame)
{
    struct frame_answer answer;

    if (!frame_get_answer(frame, &answer))
        return;
    fuzz_check(answer.status >= 200 && answer.status <= 599 && answer.type <= FRAME_TEXT);
    fuzz_check(answer.size <= FRAME_ANSWER_MAX && answer.size == frame->size - FRAME_ANSWER_HEAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    while (size >= FRAME_HEADER) {
        uint8_t again[FRAME_HEADER];
        struct frame frame;
        char *payload;

        if (!frame_get_header(data, &frame))
            return 0;
        frame_put_header(&frame, again);
        fuzz_check(memcmp(again, data, sizeof again) == 0);
        fuzz_check(frame.size <= FRAME_ANSWER_HEAD + FRAME_ANSWER_MAX);
        data += FRAME_HEADER;
        size -= FRAME_HEADER;
        if (frame.size > size)
            return 0;
        payload = fuzz_copy(data, frame.size);
        frame.payload = (const uint8_t *)payload;
        check_head(&frame);
        check_answer(&frame);
        (void)frame_get_hello(&frame);
        free(payload);
        data += frame.size;
        size -= frame.size;
    }
    return 0;
}
