/* fibre.h - a controller on a stack of its own: it runs until it yields, and may be dropped at any such place, as kill -9
 * does. A fibre is used again; it costs no system call after its first time. */
#ifndef SIM_FIBRE_H
#define SIM_FIBRE_H

#define FIBRES 8

void fibre_begin(int fibre, void (*fn)(void *arg), void *arg); /* drops what was there; it runs with the next resume */
void fibre_resume(int fibre);                                  /* returns when it yields or fn has returned */
void fibre_yield(void);                                        /* called within a fibre */

#endif
