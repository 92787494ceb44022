#undef _FORTIFY_SOURCE /* its longjmp only goes up the same stack */
#include "fibre.h"

#include <assert.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <ucontext.h>

#define STACK_BYTES ((size_t)512 * 1024)

/* A sanitizer that watches stacks is told whose turn it is; what a dropped one had marked is unmarked as it yields. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>

static const void *first_stack;
static size_t first_bytes;

static void leave_for(void **kept, const void *stack, size_t bytes)
{
    __sanitizer_start_switch_fiber(kept, stack, bytes);
}

static void come_back(void *kept)
{
    __sanitizer_finish_switch_fiber(kept, NULL, NULL);
}

static void come_to_fibre(void *kept)
{
    __sanitizer_finish_switch_fiber(kept, &first_stack, &first_bytes);
}
#else
static const void *const first_stack = NULL;
static const size_t first_bytes = 0;

static void leave_for(void **kept, const void *stack, size_t bytes)
{
    (void)kept;
    (void)stack;
    (void)bytes;
}

static void come_back(void *kept)
{
    (void)kept;
}

static void come_to_fibre(void *kept)
{
    (void)kept;
}
#endif

struct fibre {
    ucontext_t first;
    jmp_buf base, at; /* where fn begins; where it yielded */
    void (*fn)(void *arg);
    void *arg;
    void *kept; /* the sanitizer's */
    bool there; /* it has a stack */
    bool fresh; /* its next resume begins fn */
};

static struct fibre fibres[FIBRES];
static _Alignas(64) char stacks[FIBRES][STACK_BYTES];
static struct fibre *volatile current;
static jmp_buf scheduler;
static void *scheduler_kept;

static void body(void)
{
    (void)_setjmp(current->base);
    come_to_fibre(NULL);
    current->fn(current->arg);
    current->fresh = true;
    leave_for(NULL, first_stack, first_bytes);
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
        leave_for(&scheduler_kept, stacks[fibre], STACK_BYTES);
        if (f->fresh) {
            f->fresh = false;
            enter(f);
        }
        _longjmp(f->at, 1);
    }
    come_back(scheduler_kept);
    current = NULL;
}

void fibre_yield(void)
{
    if (_setjmp(current->at) == 0) {
        leave_for(&current->kept, first_stack, first_bytes);
        _longjmp(scheduler, 1);
    }
    come_to_fibre(current->kept);
}
