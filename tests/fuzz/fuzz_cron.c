/* SPDX-License-Identifier: MIT */
/*
 * Cron expressions and when they fire, in zones made of a rule and some changes. The C library's
 * calendar is the reference: what fires fits the fields, and nothing that fits is left out near the
 * instant that was asked from and near the one that was answered.
 *
 * An input: the expression and the rule on a line each, a byte of flags, the instant, changes.
 */
#include <stdlib.h>
#include <time.h>

#include "fuzz/feed.h"
#include "fuzz/host.h"
#include "handlers/cron_schedule.h"

enum { SEARCH_S = 400, CHANGE_COUNT_MAX = 4, TZIF_LEN = 1024, SECOND = 1000000 };

typedef struct writer {
	uint8_t bytes[TZIF_LEN];
	size_t len;
} writer;

static void put(writer *w, uint64_t number, unsigned len)
{
	while (len-- > 0)
		w->bytes[w->len++] = (uint8_t)(number >> (8 * len));
}

static void put_header(writer *w, uint32_t change_count, uint32_t type_count)
{
	memcpy(w->bytes + w->len, "TZif2", 5);
	w->len += 5;
	memset(w->bytes + w->len, 0, 15);
	w->len += 15;
	put(w, 0, 4);
	put(w, 0, 4);
	put(w, 0, 4);
	put(w, change_count, 4);
	put(w, type_count, 4);
	put(w, 0, 4);
}

static sb_zone *make_zone(fuzz_feed *feed, sb_slice rule, int64_t near_s)
{
	const uint32_t count = fuzz_feed_below(feed, CHANGE_COUNT_MAX + 1);
	stepbus_error err = STEPBUS_ERROR_INIT;
	int64_t at_s = near_s - 90000;
	sb_zone *zone = NULL;
	writer w = { .len = 0 };

	if (rule.len > 256 || (rule.len == 0 && count == 0))
		return NULL;
	put_header(&w, 0, 0);
	put_header(&w, count, count + 1);
	for (uint32_t i = 0; i < count; i++) {
		at_s += 1 + fuzz_feed_byte(feed) * 300;
		put(&w, (uint64_t)at_s, 8);
	}
	for (uint32_t i = 1; i <= count; i++)
		put(&w, i, 1);
	for (uint32_t i = 0; i <= count; i++) {
		put(&w, (uint32_t)((int8_t)fuzz_feed_byte(feed) * 700), 4);
		put(&w, 0, 2);
	}
	put(&w, '\n', 1);
	memcpy(w.bytes + w.len, rule.data, rule.len);
	w.len += rule.len;
	put(&w, '\n', 1);
	(void)sb_zone_parse(fuzz_host(), w.bytes, w.len, &zone, &err);
	return zone;
}

static bool fits(const sb_cron_expression *e, const sb_zone *zone, int64_t at_s)
{
	const time_t local = (time_t)(at_s + sb_zone_offset_s(zone, at_s));
	bool is_in_month, is_in_week;
	struct tm tm;

	fuzz_check(gmtime_r(&local, &tm) != NULL);
	is_in_month = (e->days >> tm.tm_mday & 1) != 0;
	is_in_week = (e->weekdays >> tm.tm_wday & 1) != 0;
	return (e->seconds >> tm.tm_sec & 1) != 0 && (e->minutes >> tm.tm_min & 1) != 0 &&
	       (e->hours >> tm.tm_hour & 1) != 0 && (e->months >> (tm.tm_mon + 1) & 1) != 0 &&
	       (e->is_either_day ? is_in_month || is_in_week : is_in_month && is_in_week);
}

/* Whether an expression fires then: by the two rules of docs/CRON.md. */
static bool fires(const sb_cron_expression *e, const sb_zone *zone, int64_t at_s)
{
	sb_zone_found found;

	if (!fits(e, zone, at_s))
		return false;
	if (e->is_interval)
		return true;
	sb_zone_find(zone, at_s + sb_zone_offset_s(zone, at_s), &found);
	return found.first_s == at_s;
}

static void check_quiet(const sb_cron_expression *e, const sb_zone *zone, int64_t from_s,
			int64_t end_s)
{
	for (int64_t at_s = from_s; at_s < end_s; at_s++)
		if (fires(e, zone, at_s))
			fuzz_fail(__FILE__, __LINE__, "%lld was left out", (long long)at_s);
}

static void check_next(const sb_cron_expression *e, const sb_zone *zone, int64_t after_us)
{
	const int64_t after_s = after_us / SECOND - (after_us % SECOND < 0);
	int64_t next_us, next_s, near_s, far_s;
	bool is_behind_gap;

	if (!sb_cron_next(e, zone, after_us, &next_us)) {
		check_quiet(e, zone, after_s + 1, after_s + SEARCH_S);
		return;
	}
	next_s = next_us / SECOND;
	fuzz_check(next_us > after_us && next_us % SECOND == 0);
	is_behind_gap = !e->is_interval &&
			sb_zone_offset_s(zone, next_s) > sb_zone_offset_s(zone, next_s - 1);
	fuzz_check(is_behind_gap || fires(e, zone, next_s));
	near_s = next_s - after_s > SEARCH_S ? after_s + SEARCH_S : next_s;
	check_quiet(e, zone, after_s + 1, near_s);
	far_s = next_s - near_s > SEARCH_S ? next_s - SEARCH_S : near_s;
	check_quiet(e, zone, far_s, next_s);
}

static void check_due(const sb_cron_expression *e, const sb_zone *zone, fuzz_feed *feed,
		      int64_t next_at_us)
{
	enum { MAX = 16 };
	sb_cron_schedule schedule = {
		e, zone, (sb_cron_catch_up)fuzz_feed_below(feed, SB_CRON_CATCH_UP_COUNT),
		fuzz_feed_byte(feed) * (int64_t)SECOND, next_at_us
	};
	const int64_t now_us = next_at_us + (int64_t)(fuzz_feed_int64(feed) & 0xFFFFFFFFFF) * 10;
	int64_t times_us[MAX], check_us;
	const size_t count = sb_cron_due(&schedule, now_us, times_us, MAX);

	for (size_t i = 0; i < count; i++) {
		fuzz_check(times_us[i] >= next_at_us && times_us[i] <= now_us);
		fuzz_check(i == 0 || times_us[i] > times_us[i - 1]);
		fuzz_check(sb_cron_next(e, zone, times_us[i] - 1, &check_us) &&
			   check_us == times_us[i]);
	}
	if (schedule.catch_up == SB_CRON_CATCH_UP_ALL && count == MAX)
		return;
	fuzz_check(count <= 1 || schedule.catch_up == SB_CRON_CATCH_UP_ALL);
	fuzz_check(schedule.next_at_us == 0 || schedule.next_at_us > now_us || next_at_us <= 0);
	/* The one that is made up for is the latest. */
	if (schedule.catch_up == SB_CRON_CATCH_UP_ONE && count == 1 &&
	    sb_cron_next(e, zone, times_us[0], &check_us))
		fuzz_check(check_us > now_us);
}

void fuzz_one(const uint8_t *bytes, size_t len)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_cron_expression expression;
	fuzz_feed feed;
	sb_slice text, rule;
	sb_zone *zone;
	int64_t after_us;

	fuzz_feed_begin(&feed, bytes, len);
	text = fuzz_feed_line(&feed);
	rule = fuzz_feed_line(&feed);
	if (sb_cron_parse(text, &expression, &err) == STEPBUS_OK) {
		after_us = (fuzz_feed_bool(&feed) ? FUZZ_NOW_US : 0) +
			   fuzz_feed_int64(&feed) % (INT64_C(1) << 57);
		zone = make_zone(&feed, rule, after_us / SECOND);
		check_next(&expression, zone, after_us);
		check_due(&expression, zone, &feed, after_us);
		sb_zone_free(fuzz_host(), zone);
	} else {
		fuzz_check(strstr(err.message, "cannot read the cron expression") != NULL);
	}
	fuzz_feed_end(&feed);
	fuzz_host_check_empty();
}
