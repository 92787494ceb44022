/* sandbox.h - what each half gives up for good once it has started: all that it does not need.
 *
 * Both gain nothing by a new program (no_new_privs), and the kernel (seccomp) answers EPERM to every system call that
 * is not in calls.def, or not with these arguments. EPERM rather than the end: another C library may try a call that we
 * do not know, and a node whose agent is dead cannot be repaired. Both still open and read files: at SIGHUP the config,
 * the certificate and its key are read again (reload.h).
 *
 *   network   no file for writing, no socket but one to the helper half, no new process or program, no signal but to
 *             itself, no code that was not there; and no debugger may look at it, where the TLS key is
 *   helper    sockets of TCP (health checks), unix and netlink (which sockets are there), signals by pidfd alone, no
 * new process or program. Where a service's `restart` starts programs, these inherit what is given up, and would not
 * live on this list: there the list is of what no service does (ptrace, mounts, modules, namespaces ...).
 *
 * Built with a sanitizer or for coverage, which need other calls, there is no seccomp; sandbox_is_filtered says so. */
#ifndef AGENT_SANDBOX_H
#define AGENT_SANDBOX_H

#include <stdbool.h>

#include "common/err.h"

bool sandbox_network(struct err *err);
bool sandbox_helper(bool starts_programs, struct err *err);
bool sandbox_is_filtered(void);

#endif
