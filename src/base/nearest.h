/* SPDX-License-Identifier: MIT */
/* "Did you mean": the nearest of many names to one that was not found. Pure. */
#ifndef SB_BASE_NEAREST_H
#define SB_BASE_NEAREST_H

#include "base/text.h"

/*
 * Offer every name in turn; best is the nearest so far, empty where none is near enough to suggest.
 */
typedef struct sb_nearest {
	sb_slice wanted;
	sb_slice best;
	size_t distance;
} sb_nearest;

sb_nearest sb_nearest_to(sb_slice wanted);
void sb_nearest_offer(sb_nearest *nearest, sb_slice name);

#endif
