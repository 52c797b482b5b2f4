/* SPDX-License-Identifier: MIT */
/*
 * Tests the checker: takes a history that holds every rule, damages it in one place, and looks
 * whether the rule that forbids the damage says so.
 */
#ifndef TESTS_TORTURE_DAMAGE_H
#define TESTS_TORTURE_DAMAGE_H

#include "torture/history/history.h"

/* Prints a line for each damage; adds up how many were found, and how many were not. */
void damage_all(const history *h, int *found_count, int *missed_count);

#endif
