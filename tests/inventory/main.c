/* tell FILE...: what the hosts parser makes of each, as tell.h says; a line `file NAME` in front of each. */
#include <stdio.h>

#include "tell.h"

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        printf("file %s\n", argv[i]);
        tell_inventory(stdout, argv[i]);
    }
    return fflush(stdout) || ferror(stdout);
}
