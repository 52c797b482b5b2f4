/* SPDX-License-Identifier: MIT */
#include "bridge/topic.h"

#include "base/error.h"
#include "base/utf8.h"

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

/* The first segment; rest is what follows its dot, with data NULL where none does. */
static sb_slice first_segment(sb_slice topic, sb_slice *rest)
{
	const char *dot = topic.len > 0 ? memchr(topic.data, '.', topic.len) : NULL;
	size_t len = dot != NULL ? (size_t)(dot - topic.data) : topic.len;

	*rest = dot != NULL ? sb_slice_of(dot + 1, topic.len - len - 1) : sb_slice_of(NULL, 0);
	return sb_slice_of(topic.data, len);
}

static bool is_star(sb_slice segment)
{
	return segment.len == 1 && segment.data[0] == '*';
}

static bool is_segment(sb_slice segment, bool is_star_allowed)
{
	if (is_star(segment))
		return is_star_allowed;
	for (size_t i = 0; i < segment.len; i++)
		if (!is_name_byte(segment.data[i]))
			return false;
	return segment.len > 0;
}

static stepbus_status check(sb_slice topic, bool is_star_allowed, const char *what,
			    stepbus_error *err)
{
	sb_slice rest = topic;
	sb_shown shown;

	if (topic.data == NULL || topic.len == 0)
		return sb_fail(err, STEPBUS_EINVAL, "the %s is empty", what);
	if (topic.len > SB_TOPIC_LEN_MAX)
		return sb_fail(err, STEPBUS_EINVAL,
			       "the %s '%s' has %zu bytes: at most %d are allowed", what,
			       sb_show(&shown, topic.data, topic.len), topic.len, SB_TOPIC_LEN_MAX);
	while (rest.data != NULL) {
		sb_slice segment = first_segment(rest, &rest);

		if (!is_segment(segment, is_star_allowed))
			return sb_fail(err, STEPBUS_EINVAL,
				       "the %s '%s' is not allowed: use segments of "
				       "[A-Za-z0-9_-]%s joined by dots",
				       what, sb_show(&shown, topic.data, topic.len),
				       is_star_allowed ? " or '*'" : "");
	}
	return STEPBUS_OK;
}

stepbus_status sb_topic_check_name(sb_slice name, stepbus_error *err)
{
	return check(name, false, "event name", err);
}

stepbus_status sb_topic_check_pattern(sb_slice pattern, stepbus_error *err)
{
	return check(pattern, true, "event pattern", err);
}

bool sb_topic_is_pattern(sb_slice pattern)
{
	return memchr(pattern.data, '*', pattern.len) != NULL;
}

bool sb_topic_is_match(sb_slice pattern, sb_slice name)
{
	while (pattern.data != NULL && name.data != NULL) {
		sb_slice wanted = first_segment(pattern, &pattern);
		sb_slice given = first_segment(name, &name);

		if (is_star(wanted) && pattern.data == NULL)
			return true;
		if (!is_star(wanted) && !sb_slice_is_equal(wanted, given))
			return false;
	}
	return pattern.data == NULL && name.data == NULL;
}
