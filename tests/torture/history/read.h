/* SPDX-License-Identifier: MIT */
/*
 * Reads the two halves of a history: the log that the run's processes wrote, and the database that
 * they left. Both may be damaged, cut off or made by somebody who wishes ill: what cannot be read
 * is told on stderr, and nothing else happens.
 */
#ifndef TESTS_TORTURE_READ_H
#define TESTS_TORTURE_READ_H

#include "torture/history/history.h"

bool history_read_log(history *h, const char *path);
bool history_read_database(history *h, const char *path);

#endif
