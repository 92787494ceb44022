#include "common/exe.h"

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/utsname.h>

static const struct arch {
    const char *name;
    uint16_t machine;
    uint8_t class, data;
} archs[] = {
#define ARCH(name, machine, class, data) {name, machine, class, data},
#include "common/exe.def"
#undef ARCH
};
#define ARCH_COUNT (sizeof archs / sizeof *archs)

static uint16_t half_at(const uint8_t *bytes, bool big)
{
    uint16_t high = bytes[big ? 0 : 1], low = bytes[big ? 1 : 0];

    return (uint16_t)((unsigned)high << 8 | low);
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    while (size > 0 && bytes[size - 1] == 0)
        size--;
    return size == 0;
}

static struct exe_look look_elf(const uint8_t *head)
{
    uint8_t class = head[EI_CLASS];
    bool big = head[EI_DATA] == ELFDATA2MSB;
    uint16_t type = half_at(head + offsetof(Elf64_Ehdr, e_type), big);
    uint16_t machine = half_at(head + offsetof(Elf64_Ehdr, e_machine), big);
    bool has_entry = !is_zero(head + offsetof(Elf64_Ehdr, e_entry), class == ELFCLASS64 ? 8 : 4);
    struct exe_look look = {.is = (type == ET_EXEC || type == ET_DYN) && has_entry ? EXE_BINARY : EXE_OBJECT,
                            .arch = "?"};

    for (size_t i = 0; i < ARCH_COUNT; i++)
        if (archs[i].machine == machine && archs[i].class == class && archs[i].data == head[EI_DATA])
            look.arch = archs[i].name;
    return look;
}

struct exe_look exe_look(const void *head, size_t size)
{
    if (size >= 2 && memcmp(head, "#!", 2) == 0)
        return (struct exe_look){.is = EXE_SCRIPT, .arch = EXE_ARCH_ANY};
    if (size >= EXE_HEAD_BYTES && memcmp(head, ELFMAG, SELFMAG) == 0) /* no executable is shorter */
        return look_elf(head);
    return (struct exe_look){.is = EXE_NONE, .arch = "?"};
}

const char *exe_host_arch(void)
{
    struct utsname host;

    if (uname(&host) == 0)
        for (size_t i = 0; i < ARCH_COUNT; i++)
            if (strcmp(archs[i].name, host.machine) == 0)
                return archs[i].name;
    return "?";
}
