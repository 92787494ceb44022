#include "sequence.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "file.h"

static size_t find(const struct sequences *sequences, const char *key)
{
    size_t i = 0;

    while (i < sequences->count && strcmp(sequences->list[i].key, key) != 0)
        i++;
    return i;
}

enum code sequence_may(const struct sequences *sequences, const char *key, uint64_t sequence, const char *hex,
                       struct err *err)
{
    const struct sequence *known = &sequences->list[find(sequences, key)];

    if (known == &sequences->list[sequences->count] || sequence > known->highest)
        return CODE_JOB_OK;
    if (sequence == known->highest && strcmp(hex, known->sha256) == 0)
        return CODE_JOB_OK;
    err_set(err,
            "its sequence is %" PRIu64 ", and %s with %" PRIu64
            " by the key %s has been installed here: sign it with a "
            "higher one, or go back to a release that was here with rollback",
            sequence, sequence == known->highest ? "another release" : "one", known->highest, key);
    return CODE_OLD_SEQUENCE;
}

bool sequence_raise(struct sequences *sequences, const char *key, uint64_t sequence, const char *hex)
{
    size_t i = find(sequences, key);

    if (i == SEQUENCES_MAX)
        return false;
    if (i == sequences->count)
        sequences->list[sequences->count++] = (struct sequence){0};
    if (sequence <= sequences->list[i].highest)
        return true;
    (void)snprintf(sequences->list[i].key, sizeof sequences->list[i].key, "%s", key);
    (void)snprintf(sequences->list[i].sha256, sizeof sequences->list[i].sha256, "%s", hex);
    sequences->list[i].highest = sequence;
    return true;
}

uint64_t sequence_highest(const struct sequences *sequences)
{
    uint64_t highest = 0;

    for (size_t i = 0; i < sequences->count; i++)
        if (sequences->list[i].highest > highest)
            highest = sequences->list[i].highest;
    return highest;
}

static bool take(struct sequences *sequences, const json_t *item, struct err *err)
{
    const char *key, *hex;
    uint8_t digest[SHA256_BYTES];
    uint64_t highest;

    if (!json_get_string(item, "key", &key, err) || !json_get_uint(item, "highest", &highest, err) ||
        !json_get_string(item, "sha256", &hex, err))
        return false;
    if (strlen(key) != MINISIGN_ID_DIGITS || !sha256_parse(hex, digest) || highest == 0)
        return err_set(err, "a row that is no key with its highest sequence");
    return sequence_raise(sequences, key, highest, hex) || err_set(err, "more than %d keys", SEQUENCES_MAX);
}

bool sequences_load(const char *path, struct sequences *sequences, struct err *err)
{
    json_t *root, *list;
    const json_t *item;
    bool ok = true;
    size_t i;

    sequences->count = 0;
    if (!file_read_json(path, &root, err))
        return false;
    if (root == NULL)
        return true;
    list = json_opt_array(root, "sequences");
    if (list == NULL)
        ok = err_set(err, "\"sequences\" is missing");
    json_array_foreach(list, i, item) ok = ok && take(sequences, item, err);
    if (!ok)
        err_context(err, "%s", path);
    json_decref(root);
    return ok;
}

bool sequences_save(const char *path, const struct sequences *sequences, struct err *err)
{
    json_t *list = json_array(), *root = json_pack("{s:o}", "sequences", list);
    bool ok;

    for (size_t i = 0; i < sequences->count; i++)
        (void)json_array_append_new(list, json_pack("{s:s, s:I, s:s}", "key", sequences->list[i].key, "highest",
                                                    (json_int_t)sequences->list[i].highest, "sha256",
                                                    sequences->list[i].sha256));
    ok = file_write_json(path, root, err);
    json_decref(root);
    return ok;
}
