#include "upgrade_note.h"

#include <assert.h>
#include <string.h>

static const char *const words[] = {
    [UPGRADE_RUNNING] = "running", [UPGRADE_DONE] = "done", [UPGRADE_FAILED] = "failed", [UPGRADE_REFUSED] = "refused"};

const char *upgrade_note_word(enum upgrade_note note)
{
    assert(note != UPGRADE_NOTE_NONE);
    return words[note];
}

static void take_line(const char *bytes, size_t count, char *line, size_t size)
{
    size_t n = 0;

    for (; n < count && n < size - 1 && bytes[n] != '\n'; n++)
        line[n] = bytes[n] >= ' ' && bytes[n] <= '~' ? bytes[n] : '?';
    line[n] = '\0';
}

enum upgrade_note upgrade_note_parse(const char *bytes, size_t count, char *rest, size_t size)
{
    rest[0] = '\0';
    for (int note = UPGRADE_RUNNING; note <= UPGRADE_REFUSED && count <= UPGRADE_NOTE_MAX; note++) {
        size_t length = strlen(words[note]);

        if (count <= length || memcmp(bytes, words[note], length) != 0 || bytes[length] != ' ')
            continue;
        take_line(bytes + length + 1, count - length - 1, rest, size);
        return (enum upgrade_note)note;
    }
    return UPGRADE_NOTE_NONE;
}
