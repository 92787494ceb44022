/* reach_check.h - is what reach.h leaves out of no interest? Tried in a state, move by move, instead of believed. */
#ifndef SIM_REACH_CHECK_H
#define SIM_REACH_CHECK_H

#include <stdio.h>

#include "scene.h"

/* The scene as it is, before scene_settle. */
void reach_check_keep(const struct scene *);
/* The scene has been settled and has these moves. Each of them comes to the same from it as it was before (so nothing
 * that settling forgets is read any more), and lists that are put off commute with each. Otherwise false, told on `f`.
 * The scene is as it was. */
bool reach_check(struct scene *, const struct scene_move *, uint32_t n, FILE *f);

#endif
