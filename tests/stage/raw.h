/* raw.h - a TCP connection of a test's own, where the bytes and their timing matter: keep-alive, half requests, resets.
 */
#ifndef STAGE_RAW_H
#define STAGE_RAW_H

#include "tests/stage/stage.h"

/* Connected to 127.0.0.1; closed with the stage at the latest. A refused connection fails the stage. */
int stage_raw_open(struct stage *s, uint16_t port);
bool stage_raw_refused(uint16_t port); /* nobody listens there */
void stage_raw_send(struct stage *s, int fd, const char *bytes);

/* One HTTP answer, head and Content-Length's body: "" where the connection ended before its first byte. Fails the stage
 * after limit_ms, and where it ended in the middle. */
const char *stage_raw_answer(struct stage *s, int fd, uint32_t limit_ms);
/* The same into the caller's memory, for those who read thousands. */
const char *stage_raw_read(struct stage *s, int fd, uint32_t limit_ms, char *text, size_t capacity);

/* Whether the peer closes (or resets) within limit_ms, without another byte. */
bool stage_raw_closes(struct stage *s, int fd, uint32_t limit_ms);

#endif
