/* answer.h - small rules for kinds of answers that both APIs share. Pure. */
#ifndef CONTROLLER_ANSWER_H
#define CONTROLLER_ANSWER_H

#include "ask.h"
#include "call.h"

/* A call without a whole answer. Never left: TIMEOUT. It left: LOST for an effect; for a mere read TIMEOUT when it was
 * too late, else LOST. CALL_FINE: OK. */
enum answer_kind answer_of_failure(enum call_failure, bool effect);

/* An HTTP status that is no 2xx: 412 FENCED, other 4xx REFUSED, 5xx LOST; anything else BAD. */
enum answer_kind answer_of_status(int status);

/* The worse of two, in this order: OK, TIMEOUT, LOST, BAD, REFUSED, FENCED (the later, the less asking again helps). */
enum answer_kind answer_worse(enum answer_kind, enum answer_kind);

#endif
