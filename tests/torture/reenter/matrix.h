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
/* All cells of the table; only those of one function, or of the place of that number, where given. */
void matrix_run(tally *t, bool is_in_memory, const char *function, place where);
/* Rows that are wrong on purpose, each of which must be reported. */
void matrix_control(tally *t);
/* Writes the table down. */
void matrix_print(void);

#endif
