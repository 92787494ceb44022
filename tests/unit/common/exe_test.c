#include "common/exe.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ELF64                                                                                                          \
    "\x7f"                                                                                                             \
    "ELF\2\1\1\0\0\0\0\0\0\0\0\0"

static void this_program_is_one_for_this_machine(void **state)
{
    FILE *file = fopen("/proc/self/exe", "re");
    struct exe_look look;
    char head[EXE_HEAD_BYTES];

    (void)state;
    assert_non_null(file);
    assert_int_equal(fread(head, 1, sizeof head, file), sizeof head);
    (void)fclose(file);
    look = exe_look(head, sizeof head);
    assert_int_equal(look.is, EXE_BINARY);
    assert_string_equal(look.arch, exe_host_arch());
}

static void a_head_says_what_the_file_is(void **state)
{
    static const struct {
        Elf64_Ehdr head;
        size_t size;
        enum exe is;
        const char *arch;
    } table[] = {
        {{.e_ident = ELF64, .e_type = ET_DYN, .e_machine = EM_X86_64, .e_entry = 1}, 64, EXE_BINARY, "x86_64"},
        {{.e_ident = ELF64, .e_type = ET_EXEC, .e_machine = EM_AARCH64, .e_entry = 1}, 64, EXE_BINARY, "aarch64"},
        {{.e_ident = ELF64, .e_type = ET_EXEC, .e_machine = EM_SPARC, .e_entry = 1}, 64, EXE_BINARY, "?"},
        {{.e_ident = ELF64, .e_type = ET_EXEC, .e_machine = EM_386, .e_entry = 1}, 64, EXE_BINARY, "?"},
        {{.e_ident = ELF64, .e_type = ET_DYN, .e_machine = EM_X86_64}, 64, EXE_OBJECT, "x86_64"},
        {{.e_ident = ELF64, .e_type = ET_REL, .e_machine = EM_X86_64, .e_entry = 1}, 64, EXE_OBJECT, "x86_64"},
        {{.e_ident = ELF64, .e_type = ET_CORE, .e_machine = EM_X86_64, .e_entry = 1}, 64, EXE_OBJECT, "x86_64"},
        {{.e_ident = ELF64, .e_type = ET_DYN, .e_machine = EM_X86_64, .e_entry = 1}, 63, EXE_NONE, "?"},
        {{.e_ident = "#!/bin/sh\n"}, 64, EXE_SCRIPT, "any"},
        {{.e_ident = "#!"}, 2, EXE_SCRIPT, "any"},
        {{.e_ident = "#"}, 1, EXE_NONE, "?"},
        {{.e_ident = "MZ"}, 64, EXE_NONE, "?"},
        {{.e_ident = ""}, 0, EXE_NONE, "?"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct exe_look look = exe_look(&table[i].head, table[i].size);

        if (look.is != table[i].is || strcmp(look.arch, table[i].arch) != 0)
            fail_msg("row %zu: %d %s", i, look.is, look.arch);
    }
}

static void the_order_of_bytes_is_the_files_own(void **state)
{
    uint8_t head[EXE_HEAD_BYTES] = "\x7f"
                                   "ELF\2\2\1";

    (void)state;
    head[17] = ET_DYN;
    head[19] = EM_S390;
    head[31] = 1;
    assert_int_equal(exe_look(head, sizeof head).is, EXE_BINARY);
    assert_string_equal(exe_look(head, sizeof head).arch, "s390x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_program_is_one_for_this_machine),
        cmocka_unit_test(a_head_says_what_the_file_is),
        cmocka_unit_test(the_order_of_bytes_is_the_files_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
