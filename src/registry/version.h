/* SPDX-License-Identifier: MIT */
/* Versions of handlers: "1.0.0", "v2", "2.1.0-rc1". Pure. */
#ifndef SB_REGISTRY_VERSION_H
#define SB_REGISTRY_VERSION_H

#include "base/text.h"

/*
 * < 0, 0 or > 0 as a is lower than, the same as, or higher than b. Numbers between dots count as
 * numbers, missing ones as 0, a leading v not at all; 1.0.0-rc1 is lower than 1.0.0, and what
 * stands behind the numbers is compared byte by byte.
 */
int sb_version_order(sb_slice a, sb_slice b);
/* The same, but versions that only are written differently ("v2", "2.0") have an order too. */
int sb_version_compare(sb_slice a, sb_slice b);

#endif
