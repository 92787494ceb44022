/* The command that the last lines name must work as it stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "controller/mend.h"

static void assert_mend(char **argv, char **env, const char *command)
{
    struct options o;
    struct err err = {.text = ""};
    int argc = 0;
    char *said;

    while (argv[argc] != NULL)
        argc++;
    assert_true(options_parse(argc, argv, env, &o, &err));
    said = mend_command(&o, "app");
    assert_string_equal(said, command);
    free(said);
    options_free(&o);
}

static void it_says_where_the_fleet_is_and_who_we_are_there(void **state)
{
    char *env[] = {"HOME=/h", "ROLLOUT_CACERT=ca.pem", NULL};

    (void)state;
    assert_mend((char *[]){"rollout", "--hosts=f.ini", "--limit=web1", "--cert=c.pem", "--bake=1s", "--lb=http://a/api",
                           "--release=/r", NULL},
                env, "rollout repair --hosts f.ini --service app --lb http://a/api --cert c.pem --cacert ca.pem");
}

static void it_is_quoted_for_a_shell(void **state)
{
    char *env[] = {"HOME=/h", NULL};

    (void)state;
    assert_mend((char *[]){"rollout", "--hosts=it's mine.ini", NULL}, env,
                "rollout repair --hosts 'it'\\''s mine.ini' --service app");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_where_the_fleet_is_and_who_we_are_there),
        cmocka_unit_test(it_is_quoted_for_a_shell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
