/* SPDX-License-Identifier: MIT */
/*
 * The ready-made database that every point on disk begins with a copy of: to make one takes longer than
 * the point. Made once, by a process of its own, since a process that had an engine must not fork.
 */
#ifndef TORTURE_FAMINE_TEMPLATE_H
#define TORTURE_FAMINE_TEMPLATE_H

#include <stdbool.h>

bool famine_template_make(const char *directory);
bool famine_template_copy(const char *path);
/* Removes all that is in a directory, and the directory. */
void famine_template_sweep(const char *directory);
/* Removes a copy, and what SQLite put beside it. */
void famine_template_remove(const char *path);

#endif
