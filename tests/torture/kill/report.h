/* SPDX-License-Identifier: MIT */
/* What a run did, counted from its log and from the records of its points. */
#ifndef TESTS_TORTURE_KILL_REPORT_H
#define TESTS_TORTURE_KILL_REPORT_H

#include "torture/history/history.h"
#include "torture/history/rules.h"
#include "torture/kill/nemesis.h"

void report_run(const nemesis *n, const history *h, const char *what, const verdict *v);

/* What is in a file of records about this signal; gives how many distinct points it names. */
size_t report_points(const char *records_path, int signal, size_t *count);

#endif
