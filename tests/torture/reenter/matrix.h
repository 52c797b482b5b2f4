/* SPDX-License-Identifier: MIT */
/*
 * Runs the cells of the matrix, each in a process of its own that an alarm ends where it hangs, and
 * compares what it answered with the table.
 */
#ifndef TESTS_TORTURE_REENTER_MATRIX_H
#define TESTS_TORTURE_REENTER_MATRIX_H

#include <stdbool.h>
#include <stddef.h>

#include "torture/reenter/rows.h"
#include "torture/reenter/tally.h"

/* Compares the rows with what include/stepbus.h declares. */
void matrix_check_rows(tally *t);
/* Which cells are run. */
typedef struct matrix_options {
	bool is_in_memory;
	bool is_stormy;       /* plain calls under signals, instead of all other places */
	const char *function; /* NULL: all */
	place where;          /* PLACE_NONE: all */
	int patience_s;       /* how long a cell may take; 0: as long as is good */
} matrix_options;

void matrix_run(tally *t, const matrix_options *o);
/* Rows that are wrong on purpose, each of which must be reported. */
void matrix_control(tally *t);
/* Writes the table down. */
void matrix_print(void);

#endif
