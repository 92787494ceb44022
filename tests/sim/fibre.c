#undef _FORTIFY_SOURCE /* its longjmp only goes up the same stack */
#include "fibre.h"

#include <assert.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <ucontext.h>

#define STACK_BYTES ((size_t)512 * 1024)

struct fibre {
    ucontext_t first;
    jmp_buf base, at; /* where fn begins; where it yielded */
    void (*fn)(void *arg);
    void *arg;
    bool there; /* it has a stack */
    bool fresh; /* its next resume begins fn */
};

static struct fibre fibres[FIBRES];
static _Alignas(64) char stacks[FIBRES][STACK_BYTES];
static struct fibre *volatile current;
static jmp_buf scheduler;

static void body(void)
{
    (void)_setjmp(current->base);
    current->fn(current->arg);
    current->fresh = true;
    _longjmp(scheduler, 1);
}

void fibre_begin(int fibre, void (*fn)(void *arg), void *arg)
{
    assert(fibre >= 0 && fibre < FIBRES);
    struct fibre *f = &fibres[fibre];

    f->fn = fn;
    f->arg = arg;
    f->fresh = true;
}

/* On the stack of the fibre, from its top; what was on it is dropped. */
static void enter(struct fibre *f)
{
    if (f->there)
        _longjmp(f->base, 1);
    f->there = true;
    if (getcontext(&f->first) != 0)
        abort();
    f->first.uc_stack.ss_sp = stacks[f - fibres];
    f->first.uc_stack.ss_size = STACK_BYTES;
    f->first.uc_link = NULL;
    makecontext(&f->first, body, 0);
    (void)setcontext(&f->first);
    abort();
}

void fibre_resume(int fibre)
{
    struct fibre *f = &fibres[fibre];

    current = f;
    if (_setjmp(scheduler) == 0) {
        if (f->fresh) {
            f->fresh = false;
            enter(f);
        }
        _longjmp(f->at, 1);
    }
    current = NULL;
}

void fibre_yield(void)
{
    if (_setjmp(current->at) == 0)
        _longjmp(scheduler, 1);
}
