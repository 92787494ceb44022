/* tell.h - what the hosts parser makes of an inventory, as text to compare with Ansible's answer (compare.py).
 *
 *   host NAME ADDRESS             in file order; address: ansible_host, or the name
 *    KEY TEXT                     what holds for this host, of our keys, in the order of options.def
 *   group NAME HOST...            all groups by name (bytes), members of their children too, in file order
 *   limit PATTERN TAB HOST...     for each comment line `# --limit PATTERN` of the file; none = refused
 *   refused SENTENCE              instead of all that: why the file is not taken */
#ifndef TESTS_INVENTORY_TELL_H
#define TESTS_INVENTORY_TELL_H

#include <stdio.h>

/* `path` is the file's name and where it is read from. */
void tell_inventory(FILE *out, const char *path);

#endif
