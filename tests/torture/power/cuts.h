/* SPDX-License-Identifier: MIT */
/*
 * Which cuts to try at one moment: everything kept, nothing kept, each combination of whole writes
 * where they are few, and from there on combinations drawn at random, of whole writes and of
 * sectors. Only what the newest operation made possible is listed exhaustively: the rest was at
 * the moments before.
 */
#ifndef TESTS_TORTURE_POWER_CUTS_H
#define TESTS_TORTURE_POWER_CUTS_H

#include "torture/power/disk.h"

typedef struct cuts {
	cut now;
	uint64_t random;
	size_t number;     /* of the next one */
	size_t systematic; /* so many of them are listed */
	size_t drawn;      /* and so many drawn */
	size_t unit_first; /* whole writes that are combined: from here on */
} cuts;

uint64_t cuts_draw(uint64_t *random, uint64_t count);
/* Begins the cuts of the disk's moment; drawn: how many at random where anything is uncertain. */
void cuts_begin(cuts *c, const disk *d, size_t drawn);
/* The next one, in now; false: that was all. */
bool cuts_next(cuts *c, const disk *d);
/* Everything done so far is kept: what the end of the process alone leaves. */
void cuts_keep_all(cut *c, const disk *d);
void cuts_free(cuts *c);

#endif
