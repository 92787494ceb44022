/* replay - a fuzz target over files, as any compiler builds it: TARGET-replay FILE... Ends badly where the target does.
 */
#include "tests/fuzz/fuzz.h"

#define FILE_MAX (1024 * 1024)

static bool replay(const char *path, char *bytes)
{
    FILE *f = fopen(path, "rb");
    char *copy;
    size_t size;

    if (f == NULL) {
        perror(path);
        return false;
    }
    size = fread(bytes, 1, FILE_MAX, f);
    (void)fclose(f);
    (void)fprintf(stderr, "%s (%zu bytes)\n", path, size);
    copy = fuzz_copy(bytes, size);
    (void)LLVMFuzzerTestOneInput((const uint8_t *)copy, size);
    free(copy);
    return true;
}

int main(int argc, char **argv)
{
    char *bytes = malloc(FILE_MAX);
    bool good = bytes != NULL && argc > 1;

    if (argc < 2)
        (void)fprintf(stderr, "usage: %s FILE...\n", argv[0]);
    for (int i = 1; i < argc && bytes != NULL; i++)
        good = replay(argv[i], bytes) && good;
    free(bytes);
    return !good;
}
