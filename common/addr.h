/* addr.h - HOST:PORT as the seed's flags, nginx's peers and the agent's `listening` write it.
 *
 * Forms: ":48567" (every address), "HOST:PORT", "ADDR:PORT", "[ADDR6]:PORT". Ports 0..65535 (0: the kernel chooses).
 * A name is not looked up here. */
#ifndef COMMON_ADDR_H
#define COMMON_ADDR_H

#include <stdint.h>

#include "common/err.h"

struct addr {
    char host[256]; /* "" = every address; an IPv6 address without its brackets */
    uint16_t port;
};

bool addr_parse(const char *text, struct addr *addr, struct err *err);

/* Whether two numeric addresses with port are the same, however they are spelled ("[::1]:80", "127.0.0.1:080" is no
 * address); a v4-mapped v6 address is equal to its v4 form, ":80" to "[::]:80". Names, and sockets as nginx writes them
 * ("unix:PATH"), are compared as text. What is no address is the same as nothing. */
bool addr_same(const char *a, const char *b);

/* One spelling for all of an address: two texts are addr_same exactly when their keys are equal. False: no address. */
#define ADDR_KEY_SIZE 272
bool addr_key(const char *text, char key[ADDR_KEY_SIZE]);

#endif
