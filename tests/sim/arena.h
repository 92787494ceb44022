/* arena.h - all memory of one simulated story: taken piece by piece, given back at once. Between arena_begin and
 * arena_end malloc and its kin take from it (the linker wraps them, see the Makefile), so that a controller that is
 * killed in mid-turn leaves nothing behind, and memory costs next to nothing. */
#ifndef SIM_ARENA_H
#define SIM_ARENA_H

void arena_begin(void); /* empty again */
void arena_end(void);   /* malloc is libc's again; what was taken stays until arena_begin */

#endif
