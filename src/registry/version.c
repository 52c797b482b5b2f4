/* SPDX-License-Identifier: MIT */
#include "registry/version.h"

#include <stdint.h>

static sb_slice skip(sb_slice text, size_t count)
{
	return sb_slice_of(text.data + count, text.len - count);
}

static sb_slice without_v(sb_slice version)
{
	return version.len > 1 && (version.data[0] == 'v' || version.data[0] == 'V') ?
		       skip(version, 1) :
		       version;
}

/* Takes the digits off the front; more than fit count as the greatest number. */
static uint64_t take_number(sb_slice *text)
{
	uint64_t number = 0;

	while (text->len > 0 && text->data[0] >= '0' && text->data[0] <= '9') {
		uint64_t digit = (uint64_t)(text->data[0] - '0');

		number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
		*text = skip(*text, 1);
	}
	return number;
}

static int compare_bytes(sb_slice a, sb_slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len > 0 ? memcmp(a.data, b.data, len) : 0;

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

/* Takes one number and the dot behind it; 0 where there is none any more. */
static uint64_t take_part(sb_slice *text)
{
	size_t len = text->len;
	uint64_t number = take_number(text);

	if (text->len < len && text->len > 1 && text->data[0] == '.' && text->data[1] >= '0' &&
	    text->data[1] <= '9')
		*text = skip(*text, 1);
	return number;
}

static bool has_number(sb_slice text)
{
	return text.len > 0 && text.data[0] >= '0' && text.data[0] <= '9';
}

int sb_version_order(sb_slice a, sb_slice b)
{
	sb_slice rest_a = without_v(a), rest_b = without_v(b);

	while (has_number(rest_a) || has_number(rest_b)) {
		uint64_t part_a = take_part(&rest_a);
		uint64_t part_b = take_part(&rest_b);

		if (part_a != part_b)
			return part_a > part_b ? 1 : -1;
	}
	/* A version with something behind its numbers comes before the one without. */
	if ((rest_a.len > 0) != (rest_b.len > 0))
		return rest_a.len > 0 ? -1 : 1;
	return compare_bytes(rest_a, rest_b);
}

int sb_version_compare(sb_slice a, sb_slice b)
{
	int order = sb_version_order(a, b);

	return order != 0 ? order : compare_bytes(a, b);
}
