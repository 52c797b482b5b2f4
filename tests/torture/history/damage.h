/* SPDX-License-Identifier: MIT */
/*
 * Tests the checker: takes a history that holds every rule, damages it in one place, and looks
 * whether the rule that forbids the damage says so.
 */
#ifndef TESTS_TORTURE_DAMAGE_H
#define TESTS_TORTURE_DAMAGE_H

#include "torture/history/rules.h"

typedef struct damage {
	const char *name;
	rule rule;
	bool (*apply)(history *h); /* false: there is nothing in it to damage so */
} damage;

/*
 * Prints a line for each damage that was not found, and one for all that were; adds up. What a
 * history has nothing of cannot be damaged in it: gives how many damages that were.
 */
int damage_all(const history *h, int *found_count, int *missed_count);

/* Each ends with one that has no name. */
extern const damage damages_of_rows[];
extern const damage damages_of_order[];
extern const damage damages_of_run[];

#endif
