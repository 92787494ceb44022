/* frame.h - what the agent's two halves say to each other. Pure.
 *
 * A frame is a header of FRAME_HEADER bytes and a payload; numbers are in network order:
 *
 *   u32 payload's size | u32 id | u8 kind | u8 0 | u8 0 | u8 0
 *
 *   kind    said by   id                payload
 *   HELLO   both      0                 FRAME_MAGIC and u16 FRAME_VERSION: the first frame each way, and only that
 *   HEAD    network   a higher one      u64 length of the body (UINT64_MAX: not told), u8 number of arguments, texts
 *                                       with a NUL each: method, path, peer, signature, and key, value an argument
 *
 *   BODY    network   of a HEAD         1 to FRAME_PIECE_MAX bytes of the body
 *
 *   END     network   of a HEAD         none: the body has come, the helper may act
 *
 *   CANCEL  network   of a HEAD         none: nobody waits any more; also when the answer came before the body's end
 *
 *   ANSWER  helper    of a HEAD         u16 HTTP status, u8 frame_type, u8 0, the answer's bytes
 *
 *   RELOAD  network   0                 none: read the config again; only where the halves are one start
 *
 * A HEAD is followed by any number of BODY, then END or CANCEL; after END a CANCEL may still come. It gets one ANSWER,
 * at any time after the HEAD, unless it was cancelled first; a CANCEL and an ANSWER may cross. Whatever does not fit
 * this ends the connection: the halves are one program, so it is a bug, or somebody else. */
#ifndef AGENT_FRAME_H
#define AGENT_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_VERSION    1
#define FRAME_MAGIC      "rollout-agent"
#define FRAME_HEADER     ((size_t)12)
#define FRAME_PIECE_MAX  ((size_t)64 * 1024)
#define FRAME_HEAD_MAX   ((size_t)16 * 1024)
#define FRAME_ANSWER_MAX ((size_t)4 * 1024 * 1024)
#define FRAME_ARGS_MAX   16

enum frame_kind { FRAME_HELLO = 1, FRAME_HEAD, FRAME_BODY, FRAME_END, FRAME_CANCEL, FRAME_ANSWER, FRAME_RELOAD };
enum frame_type { FRAME_JSON, FRAME_TEXT }; /* what an answer is */

struct frame {
    enum frame_kind kind;
    uint32_t id;
    size_t size; /* of the payload */
    const uint8_t *payload;
};

void frame_put_header(const struct frame *frame, uint8_t to[FRAME_HEADER]);
/* False: no header, or one whose size does not go with its kind. Sets all but the payload. */
bool frame_get_header(const uint8_t from[FRAME_HEADER], struct frame *frame);

struct frame_head {
    uint64_t length; /* UINT64_MAX: not told */
    const char *method, *path;
    const char *peer;      /* the name of the controller's certificate; "" without TLS */
    const char *signature; /* the header Rollout-Signature; "" = none */
    unsigned arg_count;
    struct frame_arg {
        const char *key, *value;
    } args[FRAME_ARGS_MAX];
};
/* The payload's size; 0: it does not fit. */
size_t frame_put_head(const struct frame_head *head, uint8_t to[FRAME_HEAD_MAX]);
/* The texts point into the payload. */
bool frame_get_head(const struct frame *frame, struct frame_head *head);
/* The first argument of that name, or NULL. */
const char *frame_arg(const struct frame_head *head, const char *key);

#define FRAME_HELLO_SIZE  (sizeof FRAME_MAGIC - 1 + 2)
#define FRAME_ANSWER_HEAD ((size_t)4)
void frame_put_hello(uint8_t to[FRAME_HELLO_SIZE]);
bool frame_get_hello(const struct frame *frame);

struct frame_answer {
    unsigned status; /* 200 to 599 */
    enum frame_type type;
    const char *bytes; /* not terminated */
    size_t size;
};
void frame_put_answer_head(const struct frame_answer *answer, uint8_t to[FRAME_ANSWER_HEAD]);
bool frame_get_answer(const struct frame *frame, struct frame_answer *answer);

#endif
