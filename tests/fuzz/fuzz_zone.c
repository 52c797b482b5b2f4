/* SPDX-License-Identifier: MIT */
/*
 * Time zones: TZif files of any bytes, the rule at their end alone, and the names by which files are
 * looked for. Whatever is accepted must be a clock: its offset changes where it says so and nowhere
 * else, and the instants that it finds for a local time show that time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz/feed.h"
#include "fuzz/host.h"
#include "handlers/zone_file.h"
#include "handlers/zone_rule.h"

enum { WALK_MAX = 24, DAY = 86400 };

static void check_next(const sb_zone *zone, int64_t at_s)
{
	const int32_t offset_s = sb_zone_offset_s(zone, at_s);
	int64_t next_s = 0;

	for (int i = 0; i < WALK_MAX && sb_zone_next(zone, at_s, &next_s); i++) {
		fuzz_check(next_s > at_s);
		fuzz_check(sb_zone_offset_s(zone, next_s - 1) == sb_zone_offset_s(zone, at_s));
		fuzz_check(sb_zone_offset_s(zone, at_s + (next_s - at_s) / 2) ==
			   sb_zone_offset_s(zone, at_s));
		if (sb_zone_offset_s(zone, next_s) == sb_zone_offset_s(zone, next_s - 1))
			fuzz_fail(__FILE__, __LINE__, "nothing changes at %lld", (long long)next_s);
		at_s = next_s;
	}
	fuzz_check(offset_s > -90000 && offset_s < 93600 + DAY);
}

/* All instants that show a local time, by walking over all that could. */
static void check_find(const sb_zone *zone, int64_t local_s)
{
	int64_t begin_s = local_s - 2 * DAY, first_s = 0, last_s = 0, end_s;
	sb_zone_found found;
	int count = 0, i = 0;

	sb_zone_find(zone, local_s, &found);
	for (; i < 200 && begin_s < local_s + 2 * DAY; i++, begin_s = end_s) {
		const int64_t at_s = local_s - sb_zone_offset_s(zone, begin_s);

		if (!sb_zone_next(zone, begin_s, &end_s))
			end_s = INT64_MAX;
		if (at_s < begin_s || at_s >= end_s)
			continue;
		first_s = count++ == 0 ? at_s : first_s;
		last_s = at_s;
	}
	if (i == 200)
		return;
	fuzz_check(found.times == (count > 2 ? SB_ZONE_TWICE : (sb_zone_times)count));
	if (count > 0)
		fuzz_check(found.first_s == first_s && found.last_s == last_s);
	else
		fuzz_check(found.first_s + sb_zone_offset_s(zone, found.first_s) > local_s &&
			   found.first_s - 1 + sb_zone_offset_s(zone, found.first_s - 1) < local_s);
}

static void check_instants(const sb_zone *zone, const int64_t *instants, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const int64_t at_s = instants[i] % (INT64_C(1) << 59);

		check_next(zone, at_s);
		check_find(zone, at_s);
		check_find(zone, at_s + sb_zone_offset_s(zone, at_s));
	}
}

static void check_file(fuzz_feed *feed)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	const int64_t instants[] = { fuzz_feed_int64(feed), 0, FUZZ_NOW_US / 1000000 };
	const sb_slice bytes = fuzz_feed_rest(feed);
	sb_zone *zone = NULL;
	const stepbus_status status =
		sb_zone_parse(fuzz_host(), bytes.data, bytes.len, &zone, &err);

	fuzz_check((status == STEPBUS_OK) == (zone != NULL));
	fuzz_check(status == STEPBUS_OK || (status == STEPBUS_EINVAL && err.message[0] != '\0'));
	if (zone != NULL)
		check_instants(zone, instants, 3);
	sb_zone_free(fuzz_host(), zone);
}

static void check_rule(fuzz_feed *feed)
{
	int64_t at_s = fuzz_feed_int64(feed) % (INT64_C(1) << 55), next_s;
	const sb_slice text = fuzz_feed_rest(feed);
	sb_zone_rule rule;

	if (!sb_zone_rule_parse(text, &rule))
		return;
	fuzz_check(rule.standard_s >= -90000 && rule.standard_s <= 90000);
	for (int i = 0; i < 8 && sb_zone_rule_next(&rule, at_s, &next_s); i++) {
		fuzz_check(next_s > at_s);
		fuzz_check(sb_zone_rule_offset_s(&rule, next_s) !=
			   sb_zone_rule_offset_s(&rule, next_s - 1));
		for (int part = 1; part < 16; part++)
			fuzz_check(sb_zone_rule_offset_s(&rule,
							 at_s + (next_s - 1 - at_s) / 16 * part) ==
				   sb_zone_rule_offset_s(&rule, at_s));
		at_s = next_s;
	}
}

/* What is there to be found is one file; nothing else is, whatever the name. */
static void check_name(fuzz_feed *feed)
{
	static char directory[] = "/dev/shm/fuzz_zone_XXXXXX";
	static bool is_made;
	stepbus_error err = STEPBUS_ERROR_INIT;
	const sb_slice name = fuzz_feed_rest(feed);
	sb_zone *zone = NULL;
	stepbus_status status;
	bool is_utc = name.len == 0 || sb_slice_is_equal(name, sb_slice_z("UTC"));

	if (!is_made)
		fuzz_check(mkdtemp(directory) != NULL && rmdir(directory) == 0);
	is_made = true;
	status = sb_zone_load(fuzz_host(), directory, name, &zone, &err);
	fuzz_check(zone == NULL);
	fuzz_check(is_utc ? status == STEPBUS_OK :
			    status == STEPBUS_EINVAL || status == STEPBUS_ENOTFOUND);
	if (status == STEPBUS_ENOTFOUND)
		fuzz_check(name.len <= SB_ZONE_NAME_LEN_MAX && name.data[0] != '/' &&
			   memchr(name.data, '.', name.len) == NULL &&
			   memchr(name.data, '\0', name.len) == NULL);
	/* The system's own zones, with names that are not made up: each of them can be read. */
	status = sb_zone_load(fuzz_host(), SB_ZONE_DIRECTORY, name, &zone, &err);
	if (zone != NULL)
		check_instants(zone, &(int64_t){ FUZZ_NOW_US / 1000000 }, 1);
	sb_zone_free(fuzz_host(), zone);
}

void fuzz_one(const uint8_t *bytes, size_t len)
{
	static void (*const checks[])(fuzz_feed * feed) = { check_file, check_rule, check_name };
	fuzz_feed feed;

	fuzz_feed_begin(&feed, bytes, len);
	checks[fuzz_feed_below(&feed, 3)](&feed);
	fuzz_feed_end(&feed);
	fuzz_host_check_empty();
}
