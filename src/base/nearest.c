/* SPDX-License-Identifier: MIT */
#include "base/nearest.h"

enum { NAME_LEN_MAX = 128 };

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* How many insertions, removals and replacements lie between two names; case does not count. */
static size_t edit_distance(sb_slice a, sb_slice b)
{
	size_t row[NAME_LEN_MAX + 1];

	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t above = row[j];
			size_t replaced = diagonal + (lower(a.data[i - 1]) != lower(b.data[j - 1]));

			row[j] = min3(row[j] + 1, row[j - 1] + 1, replaced);
			diagonal = above;
		}
	}
	return row[b.len];
}

sb_nearest sb_nearest_to(sb_slice wanted)
{
	/* More than a third of the letters wrong is another word, not a slip. */
	return (sb_nearest){ wanted, { NULL, 0 }, wanted.len / 3 + 2 };
}

void sb_nearest_offer(sb_nearest *nearest, sb_slice name)
{
	size_t apart = name.len > nearest->wanted.len ? name.len - nearest->wanted.len :
							nearest->wanted.len - name.len;
	size_t distance;

	if (nearest->wanted.len > NAME_LEN_MAX || name.len > NAME_LEN_MAX ||
	    apart >= nearest->distance)
		return;
	distance = edit_distance(nearest->wanted, name);
	if (distance >= nearest->distance)
		return;
	nearest->distance = distance;
	nearest->best = name;
}
