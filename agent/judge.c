#include "judge.h"

static enum code judge_late(const struct judge_facts *f)
{
    if (f->new_alive && !f->new_wanted)
        return CODE_JOB_WRONG_EXECUTABLE;
    if (f->new_alive && f->new_listens)
        return CODE_JOB_TWO_SERVERS;
    return f->old_alive ? CODE_JOB_NO_SUCCESSOR : CODE_JOB_DIED;
}

enum code judge_restart(const struct judge_facts *f)
{
    if (f->new_alive && f->new_wanted && f->new_listens && !(f->old_alive && f->old_listens))
        return CODE_JOB_OK;
    if (f->new_alive && !f->new_wanted && f->new_ms >= JUDGE_WRONG_MS)
        return CODE_JOB_WRONG_EXECUTABLE;
    if (!f->new_alive && !f->old_alive && f->gone_ms >= JUDGE_GONE_MS)
        return CODE_JOB_DIED;
    if (!f->new_alive && f->old_alive && f->says_no && f->no_ms >= JUDGE_NO_MS)
        return CODE_JOB_NO_SUCCESSOR;
    return f->late ? judge_late(f) : JUDGE_WAIT;
}
