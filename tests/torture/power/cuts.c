/* SPDX-License-Identifier: MIT */
#include "torture/power/cuts.h"

#include <stdlib.h>
#include <string.h>

enum { LISTED_UNITS = 5 };

uint64_t cuts_draw(uint64_t *random, uint64_t count)
{
	*random += 0x9E3779B97F4A7C15ULL;
	return image_mix(*random, 77) % count;
}

static void make_room(cut *c, const disk *d)
{
	c->units = record_grow(c->units, &c->unit_room, d->unit_count + 1, sizeof *c->units);
	c->sectors =
		record_grow(c->sectors, &c->sector_room, d->sector_count + 1, sizeof *c->sectors);
}

static void keep(cut *c, const disk *d, bool is_kept)
{
	make_room(c, d);
	memset(c->units, is_kept, d->unit_count * sizeof *c->units);
	memset(c->sectors, is_kept, d->sector_count * sizeof *c->sectors);
	for (int f = 0; f < FILE_COUNT; f++)
		c->changes[f] = is_kept ? d->entries[f].change_count : 0;
	c->is_full_length = is_kept;
	c->is_garbage = false;
}

void cuts_keep_all(cut *c, const disk *d)
{
	keep(c, d, true);
}

void cuts_begin(cuts *c, const disk *d, size_t drawn)
{
	size_t units = d->unit_count < LISTED_UNITS ? d->unit_count : LISTED_UNITS;
	bool is_certain = d->unit_count == 0;

	for (int f = 0; f < FILE_COUNT; f++)
		is_certain = is_certain && d->entries[f].change_count == 0;
	c->number = 0;
	c->unit_first = d->unit_count - units;
	c->systematic = is_certain ? 1 : 2;
	/* With the newest write; all others of the listed ones in each combination. */
	if (units > 1)
		c->systematic += (size_t)1 << (units - 1);
	c->drawn = is_certain ? 0 : drawn;
}

static void keep_unit(cut *c, const disk *d, size_t n, bool is_kept)
{
	const disk_unit *u = &d->units[n];

	c->units[n] = is_kept;
	memset(c->sectors + u->sector_first, is_kept, u->sector_count * sizeof *c->sectors);
}

static void combine(cuts *c, const disk *d, size_t bits)
{
	cut *now = &c->now;

	/* What is older than the listed ones is all there, or all lost. */
	keep(now, d, (c->number & 1) != 0 || c->unit_first == 0);
	for (int f = 0; f < FILE_COUNT; f++)
		now->changes[f] = d->entries[f].change_count;
	now->is_full_length = (bits & 1) != 0;
	for (size_t n = c->unit_first; n < d->unit_count; n++)
		keep_unit(now, d, n,
			  n + 1 == d->unit_count || (bits >> (n - c->unit_first) & 1) != 0);
}

static void draw_units(cuts *c, const disk *d, uint64_t percent)
{
	for (size_t n = 0; n < d->unit_count; n++)
		keep_unit(&c->now, d, n, cuts_draw(&c->random, 100) < percent);
}

static void draw_sectors(cuts *c, const disk *d, uint64_t percent)
{
	for (size_t n = 0; n < d->unit_count; n++)
		c->now.units[n] = cuts_draw(&c->random, 100) < percent;
	for (size_t n = 0; n < d->sector_count; n++)
		c->now.sectors[n] = cuts_draw(&c->random, 100) < percent;
}

/* A disk that writes in the order of the program, and is cut off inside one write. */
static void draw_prefix(cuts *c, const disk *d)
{
	size_t end = cuts_draw(&c->random, d->sector_count + 1);

	for (size_t n = 0; n < d->sector_count; n++)
		c->now.sectors[n] = n < end;
	for (size_t n = 0; n < d->unit_count; n++)
		c->now.units[n] = d->units[n].sector_first < end;
}

/* The opposite: what came last is there. */
static void draw_suffix(cuts *c, const disk *d)
{
	size_t begin = cuts_draw(&c->random, d->sector_count + 1);

	for (size_t n = 0; n < d->sector_count; n++)
		c->now.sectors[n] = n >= begin;
	for (size_t n = 0; n < d->unit_count; n++)
		c->now.units[n] = d->units[n].sector_first >= begin;
}

/* All but one sector, or none but one. */
static void draw_one(cuts *c, const disk *d, bool is_kept)
{
	keep(&c->now, d, !is_kept);
	if (d->sector_count > 0)
		c->now.sectors[cuts_draw(&c->random, d->sector_count)] = is_kept;
}

static void draw(cuts *c, const disk *d)
{
	static const uint64_t shares[] = { 5, 20, 50, 80, 95 };
	uint64_t share = shares[cuts_draw(&c->random, sizeof shares / sizeof *shares)];

	keep(&c->now, d, true);
	switch (cuts_draw(&c->random, 8)) {
	case 0:
	case 1:
		draw_units(c, d, share);
		break;
	case 2:
	case 3:
		draw_sectors(c, d, share);
		break;
	case 4:
		draw_prefix(c, d);
		break;
	case 5:
		draw_suffix(c, d);
		break;
	case 6:
		draw_one(c, d, false);
		break;
	default:
		draw_one(c, d, true);
		break;
	}
	for (int f = 0; f < FILE_COUNT; f++)
		c->now.changes[f] =
			(int)cuts_draw(&c->random, (uint64_t)d->entries[f].change_count + 1);
	/* Most of the time the entries are there: a file that is gone hides what is in it. */
	if (cuts_draw(&c->random, 4) != 0)
		for (int f = 0; f < FILE_COUNT; f++)
			c->now.changes[f] = d->entries[f].change_count;
	c->now.is_full_length = cuts_draw(&c->random, 2) != 0;
	c->now.is_garbage = cuts_draw(&c->random, 4) == 0;
}

bool cuts_next(cuts *c, const disk *d)
{
	size_t number = c->number;

	if (number >= c->systematic + c->drawn)
		return false;
	if (number < 2)
		keep(&c->now, d, number == 0);
	else if (number < c->systematic)
		combine(c, d, number - 2);
	else
		draw(c, d);
	c->number++;
	return true;
}

void cuts_free(cuts *c)
{
	free(c->now.units);
	free(c->now.sectors);
	c->now = (cut){ 0 };
}
