/* SPDX-License-Identifier: MIT */
/*
 * T17: limits of descriptors, threads, memory and stacks, at the opening and under a running engine:
 * the interface answers or refuses, nothing is left behind, and when the limit is lifted all is well.
 */
#ifndef TESTS_TORTURE_LIMITS_H
#define TESTS_TORTURE_LIMITS_H

#include <stdbool.h>

void limits_torture(bool is_short);
void limits_control(void);

#endif
