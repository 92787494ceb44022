#include "answer.h"

enum answer_kind answer_of_failure(enum call_failure failure, bool effect)
{
    switch (failure) {
    case CALL_FINE:
        return ANS_OK;
    case CALL_NOT_SENT:
        return ANS_TIMEOUT;
    case CALL_TIMEOUT:
        return effect ? ANS_LOST : ANS_TIMEOUT;
    case CALL_LOST:
        break;
    }
    return ANS_LOST;
}

enum answer_kind answer_of_status(int status)
{
    if (status == 412)
        return ANS_FENCED;
    if (status >= 400 && status < 500)
        return ANS_REFUSED;
    return status >= 500 && status < 600 ? ANS_LOST : ANS_BAD;
}

enum answer_kind answer_worse(enum answer_kind a, enum answer_kind b)
{
    static const int badness[] = {
        [ANS_OK] = 0, [ANS_TIMEOUT] = 1, [ANS_LOST] = 2, [ANS_BAD] = 3, [ANS_REFUSED] = 4, [ANS_FENCED] = 5};

    return badness[b] > badness[a] ? b : a;
}
