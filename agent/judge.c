#include "judge.h"

bool judge_took_over(const struct judge_facts *f)
{
    return f->new_alive && f->new_wanted && f->new_listens && !(f->old_alive && f->old_listens);
}

static enum code judge_late(const struct judge_facts *f)
{
    if (f->new_alive && !f->new_wanted)
        return CODE_JOB_WRONG_EXECUTABLE;
    if (judge_took_over(f))
        return CODE_JOB_NOT_HEALTHY;
    if (f->new_alive && f->new_listens)
        return CODE_JOB_TWO_SERVERS;
    if (f->took_over && !f->new_alive)
        return CODE_JOB_DIED_LATER;
    if (f->new_alive && f->old_alive && f->old_listens)
        return CODE_JOB_OLD_STAYS;
    return f->old_alive ? CODE_JOB_NO_SUCCESSOR : CODE_JOB_DIED;
}

enum code judge_restart(const struct judge_facts *f)
{
    if (judge_took_over(f) && f->new_answers)
        return CODE_JOB_OK;
    if (f->new_alive && !f->new_wanted && f->new_ms >= JUDGE_WRONG_MS)
        return CODE_JOB_WRONG_EXECUTABLE;
    if (!f->new_alive && f->took_over && f->gone_ms >= JUDGE_GONE_MS)
        return CODE_JOB_DIED_LATER;
    if (!f->new_alive && !f->old_alive && !f->coming && f->gone_ms >= JUDGE_GONE_MS)
        return CODE_JOB_DIED;
    if (!f->new_alive && f->old_alive && f->says_no && f->no_ms >= JUDGE_NO_MS)
        return CODE_JOB_NO_SUCCESSOR;
    return f->late ? judge_late(f) : JUDGE_WAIT;
}
