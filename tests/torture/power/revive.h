/* SPDX-License-Identifier: MIT */
/*
 * The library itself on what a power cut left: it must open it, as another boot of the machine, and
 * work off every step that is there, with tokens that nobody was ever given, and leave what was
 * final as it was.
 */
#ifndef TESTS_TORTURE_POWER_REVIVE_H
#define TESTS_TORTURE_POWER_REVIVE_H

#include "torture/power/facts.h"

/*
 * path: the files. before: what they say; acknowledged_token of a step is the highest one that a
 * host was given. False, with a message, where something is wrong.
 */
bool revive(const char *path, const facts *before, bool is_same_boot, char *message, size_t room);

#endif
