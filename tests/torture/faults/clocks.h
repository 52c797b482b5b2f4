/* SPDX-License-Identifier: MIT */
/*
 * T13: the clocks that a host lends go as a seed draws: the time of day jumps to and fro by a second
 * to ten years and to the ends of what it can say, elapsed time stands still or leaps. Each seed is a
 * life of its own. What waits for real time is only that a step comes at all.
 */
#ifndef TESTS_TORTURE_CLOCKS_H
#define TESTS_TORTURE_CLOCKS_H

#include <stdint.h>

void clocks_torture(uint32_t count, uint64_t seed);
/* One seed again. */
void clocks_replay(uint64_t seed);
/* A clock that the judge does not see must be found out. */
void clocks_control(void);

#endif
