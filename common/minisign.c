#include "common/minisign.h"

#include <stdio.h>
#include <string.h>

#include "common/base64.h"

#define UNTRUSTED "untrusted comment: "
#define TRUSTED   "trusted comment: "

struct line {
    const char *at;
    size_t size;
};

struct lines {
    const char *at, *end;
};

/* False: there is none. */
static bool next_line(struct lines *rest, struct line *line)
{
    const char *newline;

    if (rest->at == rest->end)
        return false;
    newline = memchr(rest->at, '\n', (size_t)(rest->end - rest->at));
    *line = (struct line){rest->at, (size_t)((newline != NULL ? newline : rest->end) - rest->at)};
    rest->at = newline != NULL ? newline + 1 : rest->end;
    if (line->size > 0 && line->at[line->size - 1] == '\r')
        line->size--;
    return true;
}

static bool begins_with(const struct line *line, const char *prefix)
{
    return line->size >= strlen(prefix) && memcmp(line->at, prefix, strlen(prefix)) == 0;
}

static bool bytes_of(const struct line *line, uint8_t *to, size_t size)
{
    size_t n;

    return base64_read(line->at, line->size, to, size, &n) && n == size;
}

static bool take_comment(const struct line *line, struct minisign *signature, struct err *err)
{
    size_t skip = strlen(TRUSTED);

    if (!begins_with(line, TRUSTED))
        return err_set(err, "the third line does not begin with \"" TRUSTED "\"");
    if (line->size - skip > MINISIGN_COMMENT_MAX)
        return err_set(err, "the trusted comment is longer than %d bytes", MINISIGN_COMMENT_MAX);
    for (size_t i = skip; i < line->size; i++)
        if (line->at[i] != '\t' && (line->at[i] < ' ' || line->at[i] > '~'))
            return err_set(err, "the trusted comment holds something else than printable ASCII");
    memcpy(signature->comment, line->at + skip, line->size - skip);
    return true;
}

bool minisign_read(const char *text, size_t size, struct minisign *signature, struct err *err)
{
    uint8_t first[2 + MINISIGN_ID_BYTES + MINISIGN_SIGNATURE];
    struct lines rest = {text, text + size};
    struct line untrusted, encoded, trusted, global;

    *signature = (struct minisign){0};
    if (size > MINISIGN_FILE_MAX)
        return err_set(err, "longer than %d bytes: no signature of minisign", MINISIGN_FILE_MAX);
    if (!next_line(&rest, &untrusted) || !next_line(&rest, &encoded) || !next_line(&rest, &trusted) ||
        !next_line(&rest, &global) || rest.at != rest.end)
        return err_set(err, "not the four lines of a signature of minisign");
    if (!begins_with(&untrusted, UNTRUSTED))
        return err_set(err, "the first line does not begin with \"" UNTRUSTED "\"");
    if (!bytes_of(&encoded, first, sizeof first) || first[0] != 'E' || (first[1] != 'D' && first[1] != 'd'))
        return err_set(err, "the second line is no signature of minisign");
    if (!bytes_of(&global, signature->global, sizeof signature->global))
        return err_set(err, "the fourth line is no signature of minisign");
    signature->prehashed = first[1] == 'D';
    memcpy(signature->key_id, first + 2, MINISIGN_ID_BYTES);
    memcpy(signature->signature, first + 2 + MINISIGN_ID_BYTES, MINISIGN_SIGNATURE);
    return take_comment(&trusted, signature, err);
}

bool minisign_read_key(const char *text, size_t size, struct minisign_key *key, struct err *err)
{
    uint8_t bytes[2 + MINISIGN_ID_BYTES + sizeof key->key];
    struct lines rest = {text, text + size};
    struct line line;

    *key = (struct minisign_key){0};
    if (!next_line(&rest, &line))
        return err_set(err, "empty: no public key of minisign");
    if (begins_with(&line, UNTRUSTED) && !next_line(&rest, &line))
        return err_set(err, "the second line of the public key is missing");
    if (rest.at != rest.end || !bytes_of(&line, bytes, sizeof bytes) || bytes[0] != 'E' || bytes[1] != 'd')
        return err_set(err, "no public key of minisign");
    memcpy(key->id, bytes + 2, sizeof key->id);
    memcpy(key->key, bytes + 2 + sizeof key->id, sizeof key->key);
    return true;
}

void minisign_id_text(const uint8_t id[MINISIGN_ID_BYTES], char text[MINISIGN_ID_DIGITS + 1])
{
    for (size_t i = 0; i < MINISIGN_ID_BYTES; i++)
        (void)snprintf(text + 2 * i, 3, "%02X", id[MINISIGN_ID_BYTES - 1 - i]);
}
