/* SPDX-License-Identifier: MIT */
/*
 * Names of events and patterns of them, beside a matcher that splits both and tries. The first line is
 * the pattern, the second the name.
 */
#include <stdlib.h>

#include "bridge/topic.h"
#include "fuzz/feed.h"
#include "fuzz/reference.h"

enum { SEGMENT_MAX = 128 };

static size_t split(sb_slice text, sb_slice segments[SEGMENT_MAX])
{
	size_t count = 0, begin = 0;

	for (size_t i = 0; i <= text.len; i++)
		if (i == text.len || text.data[i] == '.') {
			segments[count++] = sb_slice_of(text.data + begin, i - begin);
			begin = i + 1;
		}
	return count;
}

static bool is_allowed(sb_slice text, bool is_pattern)
{
	sb_slice segments[SEGMENT_MAX];
	size_t count;

	if (text.len == 0 || text.len > SB_TOPIC_LEN_MAX)
		return false;
	count = split(text, segments);
	for (size_t i = 0; i < count; i++) {
		if (is_pattern && segments[i].len == 1 && segments[i].data[0] == '*')
			continue;
		if (segments[i].len == 0)
			return false;
		for (size_t at = 0; at < segments[i].len; at++)
			if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
				   "-",
				   segments[i].data[at]) == NULL ||
			    segments[i].data[at] == '\0')
				return false;
	}
	return true;
}

static bool is_match(sb_slice pattern, sb_slice name)
{
	sb_slice wanted[SEGMENT_MAX], given[SEGMENT_MAX];
	const size_t wanted_count = split(pattern, wanted), given_count = split(name, given);

	for (size_t i = 0; i < wanted_count; i++) {
		const bool is_star = wanted[i].len == 1 && wanted[i].data[0] == '*';

		if (i >= given_count)
			return false;
		if (is_star && i == wanted_count - 1)
			return true;
		if (!is_star && !sb_slice_is_equal(wanted[i], given[i]))
			return false;
	}
	return wanted_count == given_count;
}

void fuzz_one(const uint8_t *bytes, size_t len)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	fuzz_feed feed;
	sb_slice pattern, name;
	bool is_pattern_allowed, is_name_allowed;

	fuzz_feed_begin(&feed, bytes, len);
	pattern = fuzz_feed_line(&feed);
	name = fuzz_feed_line(&feed);
	is_pattern_allowed = sb_topic_check_pattern(pattern, &err) == STEPBUS_OK;
	is_name_allowed = sb_topic_check_name(name, &err) == STEPBUS_OK;
	fuzz_check(fuzz_utf8_is_valid(sb_slice_z(err.message)));
	fuzz_check(is_pattern_allowed == is_allowed(pattern, true));
	fuzz_check(is_name_allowed == is_allowed(name, false));
	if (is_pattern_allowed && is_name_allowed)
		fuzz_check(sb_topic_is_match(pattern, name) == is_match(pattern, name));
	fuzz_feed_end(&feed);
}
