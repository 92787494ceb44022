#include "agent/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/code.h"

#define WAIT JUDGE_WAIT

/* old: g gone, d draining (alive, does not listen), l listens. new: - none, w wrong executable, s wanted but silent,
 * l wanted and listens. */
static const struct {
    char old, new;
    uint64_t new_ms, gone_ms;
    enum code early, late;
} table[] = {
    {'l', '-', 0, 0, WAIT, CODE_JOB_NO_SUCCESSOR},
    {'g', '-', 0, 0, WAIT, CODE_JOB_DIED},
    {'g', '-', 0, JUDGE_GONE_MS, CODE_JOB_DIED, CODE_JOB_DIED},
    {'l', 'l', 0, 0, WAIT, CODE_JOB_TWO_SERVERS},
    {'d', 'l', 0, 0, CODE_JOB_OK, CODE_JOB_OK},
    {'g', 'l', 0, 0, CODE_JOB_OK, CODE_JOB_OK},
    {'l', 's', 0, 0, WAIT, CODE_JOB_OLD_STAYS},
    {'d', 's', 0, 0, WAIT, CODE_JOB_NO_SUCCESSOR},
    {'g', 's', 0, 0, WAIT, CODE_JOB_DIED},
    {'g', 's', 9999, 0, WAIT, CODE_JOB_DIED},
    {'l', 'w', 0, 0, WAIT, CODE_JOB_WRONG_EXECUTABLE}, /* its pid file may come before its exec */
    {'l', 'w', JUDGE_WRONG_MS, 0, CODE_JOB_WRONG_EXECUTABLE, CODE_JOB_WRONG_EXECUTABLE},
    {'g', 'w', JUDGE_WRONG_MS, 0, CODE_JOB_WRONG_EXECUTABLE, CODE_JOB_WRONG_EXECUTABLE},
};

static void every_outcome_of_a_restart_has_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        for (int late = 0; late < 2; late++) {
            struct judge_facts facts = {
                .old_alive = table[i].old != 'g',
                .old_listens = table[i].old == 'l',
                .new_alive = table[i].new != '-',
                .new_wanted = table[i].new == 's' || table[i].new == 'l',
                .new_listens = table[i].new == 'l',
                .new_answers = table[i].new == 'l',
                .new_ms = table[i].new_ms,
                .gone_ms = table[i].gone_ms,
                .late = late,
            };
            enum code wanted = late ? table[i].late : table[i].early, code = judge_restart(&facts);
            if (code != wanted)
                fail_msg("row %zu, late %d: %s", i, late, code == WAIT ? "wait" : code_text(code));
        }
    }
}

/* Only of the process that goes on, alone, and when it has stood for a while. */
static void a_service_that_says_no_is_believed_after_a_moment(void **state)
{
    static const struct {
        bool old_alive, new_alive, says_no;
        uint64_t no_ms;
        enum code code;
    } rows[] = {
        {true, false, true, JUDGE_NO_MS, CODE_JOB_NO_SUCCESSOR},
        {true, false, true, JUDGE_NO_MS - 1, WAIT},
        {true, false, false, JUDGE_NO_MS, WAIT},
        {true, true, true, JUDGE_NO_MS, WAIT},
        {false, true, true, JUDGE_NO_MS, CODE_JOB_OK},
        {false, false, true, JUDGE_NO_MS, WAIT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct judge_facts facts = {
            .old_alive = rows[i].old_alive,
            .old_listens = rows[i].old_alive,
            .new_alive = rows[i].new_alive,
            .new_wanted = rows[i].new_alive,
            .new_listens = rows[i].new_alive,
            .new_answers = rows[i].new_alive,
            .says_no = rows[i].says_no,
            .no_ms = rows[i].no_ms,
        };
        enum code code = judge_restart(&facts);

        if (code != rows[i].code)
            fail_msg("row %zu: %s", i, code == WAIT ? "wait" : code_text(code));
    }
}

/* old and new as above; a new one had taken over. */
static void who_took_over_must_answer_and_stay(void **state)
{
    static const struct {
        char old, new;
        bool answers;
        uint64_t gone_ms;
        enum code early, late;
    } rows[] = {
        {'g', 'l', true, 0, CODE_JOB_OK, CODE_JOB_OK},
        {'d', 'l', true, 0, CODE_JOB_OK, CODE_JOB_OK},
        {'g', 'l', false, 0, WAIT, CODE_JOB_NOT_HEALTHY},
        {'d', 'l', false, 0, WAIT, CODE_JOB_NOT_HEALTHY},
        {'g', '-', false, JUDGE_GONE_MS - 1, WAIT, CODE_JOB_DIED_LATER},
        {'g', '-', false, JUDGE_GONE_MS, CODE_JOB_DIED_LATER, CODE_JOB_DIED_LATER},
        {'d', '-', false, JUDGE_GONE_MS, CODE_JOB_DIED_LATER, CODE_JOB_DIED_LATER},
        {'g', 'w', false, 0, WAIT, CODE_JOB_WRONG_EXECUTABLE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int late = 0; late < 2; late++) {
            struct judge_facts facts = {.old_alive = rows[i].old != 'g',
                                        .new_alive = rows[i].new != '-',
                                        .new_wanted = rows[i].new == 'l',
                                        .new_listens = rows[i].new == 'l',
                                        .new_answers = rows[i].answers,
                                        .took_over = true,
                                        .gone_ms = rows[i].gone_ms,
                                        .late = late};
            enum code wanted = late ? rows[i].late : rows[i].early, code = judge_restart(&facts);

            if (code != wanted)
                fail_msg("row %zu, late %d: %s", i, late, code == WAIT ? "wait" : code_text(code));
        }
    }
}

static void who_is_being_started_is_awaited_until_the_limit(void **state)
{
    struct judge_facts facts = {.coming = true, .gone_ms = 10 * JUDGE_GONE_MS};

    (void)state;
    assert_int_equal(judge_restart(&facts), WAIT);
    facts.late = true;
    assert_int_equal(judge_restart(&facts), CODE_JOB_DIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_outcome_of_a_restart_has_its_name),
        cmocka_unit_test(who_took_over_must_answer_and_stay),
        cmocka_unit_test(who_is_being_started_is_awaited_until_the_limit),
        cmocka_unit_test(a_service_that_says_no_is_believed_after_a_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
