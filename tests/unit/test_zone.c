/* SPDX-License-Identifier: MIT */
#include "handlers/zone.h"

#include "handlers/civil.h"
#include "support/cmocka.h"
#include "support/host.h"
#include "support/tzif.h"

static int64_t at(int64_t year, int month, int day, int hour, int minute)
{
	return sb_civil_days(year, month, day) * SB_DAY_S + hour * SB_HOUR_S + minute * SB_MINUTE_S;
}

typedef struct offset_row {
	const char *zone;
	int64_t year;
	int month, day, hour, minute; /* UTC */
	int32_t offset_minutes;
} offset_row;

static void offsets_are_as_the_table_says(void **state)
{
	static const offset_row rows[] = {
		{ "UTC", 2026, 7, 1, 0, 0, 0 },
		{ "Berlin", 2026, 7, 1, 0, 0, 120 },
		{ "Berlin", 1900, 1, 1, 0, 0, 60 },
		/* Before the table, in it, and after it, where the rule holds. */
		{ "New_York", 2024, 7, 1, 0, 0, -300 },
		{ "New_York", 2025, 3, 9, 6, 59, -300 },
		{ "New_York", 2025, 3, 9, 7, 0, -240 },
		{ "New_York", 2025, 11, 2, 5, 59, -240 },
		{ "New_York", 2025, 11, 2, 6, 0, -300 },
		{ "New_York", 2026, 7, 1, 0, 0, -240 },
		{ "Kathmandu", 1985, 12, 31, 18, 29, 330 },
		{ "Kathmandu", 1985, 12, 31, 18, 30, 345 },
		{ "Kathmandu", 2126, 1, 1, 0, 0, 345 },
		{ "Sao_Paulo", 2018, 11, 4, 2, 59, -180 },
		{ "Sao_Paulo", 2018, 11, 4, 3, 0, -120 },
		{ "Sao_Paulo", 2026, 1, 1, 0, 0, -180 },
		{ "Casablanca", 2026, 2, 15, 1, 59, 60 },
		{ "Casablanca", 2026, 2, 15, 2, 0, 0 },
		{ "Casablanca", 2026, 3, 22, 2, 0, 60 },
		{ "Casablanca", 2030, 1, 1, 0, 0, 60 },
		{ "Apia", 2011, 12, 30, 9, 59, -600 },
		{ "Apia", 2011, 12, 30, 10, 0, 840 },
		{ "Apia", 2026, 1, 1, 0, 0, 840 },
		{ "Dublin", 2026, 1, 1, 0, 0, 0 },
		{ "Dublin", 2026, 7, 1, 0, 0, 60 },
	};
	test_host t;

	(void)state;
	test_host_init(&t);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const offset_row *row = &rows[i];
		sb_zone *zone = test_zone_new(&t.host, row->zone);
		int32_t offset_s = sb_zone_offset_s(
			zone, at(row->year, row->month, row->day, row->hour, row->minute));

		if (offset_s != row->offset_minutes * 60)
			fail_msg("row %zu: %s is at %d s", i, row->zone, offset_s);
		sb_zone_free(&t.host, zone);
	}
	test_host_end(&t);
}

typedef struct find_row {
	const char *zone;
	int64_t local_s;
	sb_zone_times times;
	int64_t first_s;
	int64_t last_s;
} find_row;

static void local_times_are_found_as_the_table_says(void **state)
{
	const find_row rows[] = {
		{ "UTC", at(2026, 3, 29, 2, 30), SB_ZONE_ONCE, at(2026, 3, 29, 2, 30),
		  at(2026, 3, 29, 2, 30) },
		{ "Berlin", at(2026, 3, 29, 1, 59), SB_ZONE_ONCE, at(2026, 3, 29, 0, 59),
		  at(2026, 3, 29, 0, 59) },
		{ "Berlin", at(2026, 3, 29, 2, 0), SB_ZONE_NEVER, at(2026, 3, 29, 1, 0),
		  at(2026, 3, 29, 1, 0) },
		{ "Berlin", at(2026, 3, 29, 2, 59), SB_ZONE_NEVER, at(2026, 3, 29, 1, 0),
		  at(2026, 3, 29, 1, 0) },
		{ "Berlin", at(2026, 3, 29, 3, 0), SB_ZONE_ONCE, at(2026, 3, 29, 1, 0),
		  at(2026, 3, 29, 1, 0) },
		{ "Berlin", at(2026, 10, 25, 1, 59), SB_ZONE_ONCE, at(2026, 10, 24, 23, 59),
		  at(2026, 10, 24, 23, 59) },
		{ "Berlin", at(2026, 10, 25, 2, 0), SB_ZONE_TWICE, at(2026, 10, 25, 0, 0),
		  at(2026, 10, 25, 1, 0) },
		{ "Berlin", at(2026, 10, 25, 2, 59), SB_ZONE_TWICE, at(2026, 10, 25, 0, 59),
		  at(2026, 10, 25, 1, 59) },
		{ "Berlin", at(2026, 10, 25, 3, 0), SB_ZONE_ONCE, at(2026, 10, 25, 2, 0),
		  at(2026, 10, 25, 2, 0) },
		{ "New_York", at(2026, 11, 1, 1, 30), SB_ZONE_TWICE, at(2026, 11, 1, 5, 30),
		  at(2026, 11, 1, 6, 30) },
		/* Half an hour. */
		{ "Lord_Howe", at(2026, 4, 5, 1, 29), SB_ZONE_ONCE, at(2026, 4, 4, 14, 29),
		  at(2026, 4, 4, 14, 29) },
		{ "Lord_Howe", at(2026, 4, 5, 1, 30), SB_ZONE_TWICE, at(2026, 4, 4, 14, 30),
		  at(2026, 4, 4, 15, 0) },
		{ "Lord_Howe", at(2026, 10, 4, 2, 15), SB_ZONE_NEVER, at(2026, 10, 3, 15, 30),
		  at(2026, 10, 3, 15, 30) },
		/* Midnight was skipped. */
		{ "Sao_Paulo", at(2018, 11, 4, 0, 0), SB_ZONE_NEVER, at(2018, 11, 4, 3, 0),
		  at(2018, 11, 4, 3, 0) },
		{ "Sao_Paulo", at(2019, 2, 16, 23, 30), SB_ZONE_TWICE, at(2019, 2, 17, 1, 30),
		  at(2019, 2, 17, 2, 30) },
		{ "Casablanca", at(2026, 2, 15, 2, 30), SB_ZONE_TWICE, at(2026, 2, 15, 1, 30),
		  at(2026, 2, 15, 2, 30) },
		{ "Casablanca", at(2026, 3, 22, 2, 30), SB_ZONE_NEVER, at(2026, 3, 22, 2, 0),
		  at(2026, 3, 22, 2, 0) },
		{ "Kathmandu", at(1986, 1, 1, 0, 14), SB_ZONE_NEVER, at(1985, 12, 31, 18, 30),
		  at(1985, 12, 31, 18, 30) },
		/* A whole day was skipped. */
		{ "Apia", at(2011, 12, 30, 12, 0), SB_ZONE_NEVER, at(2011, 12, 30, 10, 0),
		  at(2011, 12, 30, 10, 0) },
		{ "Apia", at(2011, 12, 29, 23, 59), SB_ZONE_ONCE, at(2011, 12, 30, 9, 59),
		  at(2011, 12, 30, 9, 59) },
		/* Skipped, and shown all the same. */
		{ "Fickle", at(2026, 1, 1, 1, 0), SB_ZONE_ONCE, at(2026, 1, 1, 2, 0),
		  at(2026, 1, 1, 2, 0) },
		{ "Fickle", at(2025, 12, 31, 23, 59), SB_ZONE_ONCE, at(2025, 12, 31, 23, 59),
		  at(2025, 12, 31, 23, 59) },
	};
	test_host t;

	(void)state;
	test_host_init(&t);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		sb_zone *zone = test_zone_new(&t.host, rows[i].zone);
		sb_zone_found found;

		sb_zone_find(zone, rows[i].local_s, &found);
		if (found.times != rows[i].times || found.first_s != rows[i].first_s ||
		    found.last_s != rows[i].last_s)
			fail_msg("row %zu: %s: kind %d, %lld to %lld", i, rows[i].zone, found.times,
				 (long long)found.first_s, (long long)found.last_s);
		sb_zone_free(&t.host, zone);
	}
	test_host_end(&t);
}

static void changes_follow_from_the_table_into_the_rule(void **state)
{
	static const int64_t changes[] = { 1741503600, 1762063200, 1772953200, 1793512800 };
	test_host t;
	sb_zone *zone;
	int64_t at_s = 0;

	(void)state;
	test_host_init(&t);
	zone = test_zone_new(&t.host, "New_York");
	for (size_t i = 0; i < 4; i++) {
		assert_true(sb_zone_next(zone, at_s, &at_s));
		assert_int_equal(at_s, changes[i]);
	}
	sb_zone_free(&t.host, zone);
	zone = test_zone_new(&t.host, "Apia");
	assert_false(sb_zone_next(zone, 1325239200, &at_s));
	assert_false(sb_zone_next(NULL, 0, &at_s));
	sb_zone_free(&t.host, zone);
	test_host_end(&t);
}

static void what_is_shown_is_found_again(void **state)
{
	static const char *const names[] = { "UTC",        "Berlin",    "New_York",
					     "Kathmandu",  "Lord_Howe", "Sao_Paulo",
					     "Casablanca", "Apia",      "Dublin" };
	test_host t;

	(void)state;
	test_host_init(&t);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		sb_zone *zone = test_zone_new(&t.host, names[i]);

		for (int64_t at_s = at(2010, 1, 1, 0, 0); at_s < at(2030, 1, 1, 0, 0);
		     at_s += 17 * 60) {
			sb_zone_found found;

			sb_zone_find(zone, at_s + sb_zone_offset_s(zone, at_s), &found);
			assert_int_not_equal(found.times, SB_ZONE_NEVER);
			assert_true(found.first_s == at_s || found.last_s == at_s);
			assert_int_equal(found.first_s == found.last_s,
					 found.times == SB_ZONE_ONCE);
		}
		sb_zone_free(&t.host, zone);
	}
	test_host_end(&t);
}

static stepbus_status parse(test_host *t, const void *bytes, size_t len, sb_zone **zone)
{
	stepbus_error err = { .size = sizeof err };
	stepbus_status status = sb_zone_parse(&t->host, bytes, len, zone, &err);

	assert_int_equal(status == STEPBUS_OK, *zone != NULL);
	if (status != STEPBUS_OK)
		assert_true(err.message[0] != '\0');
	return status;
}

static void a_zone_that_is_cut_is_refused(void **state)
{
	uint8_t bytes[TEST_TZIF_LEN];
	size_t len = test_tzif_write(test_zone_named("New_York"), bytes);
	test_host t;
	sb_zone *zone;

	(void)state;
	test_host_init(&t);
	for (size_t i = 0; i < len; i++) {
		/* On the heap, so that a read beyond the end is seen. */
		uint8_t *cut = test_malloc(i + 1);

		memcpy(cut + 1, bytes, i);
		assert_int_equal(parse(&t, cut + 1, i, &zone), STEPBUS_EINVAL);
		test_free(cut);
	}
	assert_int_equal(parse(&t, bytes, len, &zone), STEPBUS_OK);
	sb_zone_free(&t.host, zone);
	test_host_end(&t);
}

/* Whatever it is read as, asking it must end and stay within bounds. */
static void ask(const sb_zone *zone)
{
	sb_zone_found found;
	int64_t at_s = -2000000000;

	for (int i = 0; i < 20 && sb_zone_next(zone, at_s, &at_s); i++) {
		(void)sb_zone_offset_s(zone, at_s);
		if (at_s < INT64_C(1) << 58 && at_s > -(INT64_C(1) << 58)) {
			sb_zone_find(zone, at_s, &found);
			assert_true(found.last_s >= found.first_s);
		}
	}
}

static void a_zone_with_any_byte_changed_does_no_harm(void **state)
{
	static const uint8_t values[] = { 0x00, 0x01, 0x7F, 0x80, 0xFF };
	uint8_t bytes[TEST_TZIF_LEN];
	size_t len = test_tzif_write(test_zone_named("New_York"), bytes);
	test_host t;
	sb_zone *zone;

	(void)state;
	test_host_init(&t);
	for (size_t i = 0; i < len; i++)
		for (size_t j = 0; j < sizeof values; j++) {
			uint8_t *changed = test_malloc(len);

			memcpy(changed, bytes, len);
			changed[i] = values[j];
			if (parse(&t, changed, len, &zone) == STEPBUS_OK) {
				ask(zone);
				sb_zone_free(&t.host, zone);
			}
			test_free(changed);
		}
	test_host_end(&t);
}

typedef struct hostile_row {
	size_t at; /* in the second block */
	uint8_t value;
	const char *message;
} hostile_row;

static void a_hostile_zone_is_refused_as_the_table_says(void **state)
{
	static const hostile_row rows[] = {
		{ 0, 'X', "the bytes are no TZif" },
		{ 20, 0xFF, "the TZif is cut off" },
		{ 28, 0xFF, "the TZif is cut off" },
		{ 32, 0xFF, "the TZif is cut off" },
		{ 36, 0xFF, "the TZif is cut off" },
		{ 40, 0xFF, "the TZif is cut off" },
		{ 39, 0, "the TZif has 0 local time types: 1 to 256 are allowed" },
		{ 44, 0x7F, "the TZif has a time past 2^59 s" },
		{ 44, 0x80, "the TZif has a time past 2^59 s" },
		{ 52, 0xFF, "the times of the TZif do not ascend" },
		{ 60, 3, "the TZif has no local time type 3" },
		{ 62, 0x7F,
		  "the TZif has a local time 2147465648 s from UTC: -89999 to 93599 is "
		  "allowed" },
		{ 84, 'X', "the TZif has no rule at its end" },
		{ 85, '1', "the TZif has a rule that cannot be read" },
	};
	uint8_t bytes[TEST_TZIF_LEN];
	size_t len = test_tzif_write(test_zone_named("New_York"), bytes);
	size_t second = 44 + 2 * 5 + 3 * 6 + 4;
	stepbus_error err = { .size = sizeof err };
	test_host t;
	sb_zone *zone;

	(void)state;
	test_host_init(&t);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t before = bytes[second + rows[i].at];

		bytes[second + rows[i].at] = rows[i].value;
		if (sb_zone_parse(&t.host, bytes, len, &zone, &err) != STEPBUS_EINVAL ||
		    strcmp(err.message, rows[i].message) != 0)
			fail_msg("row %zu: '%s' is not '%s'", i, err.message, rows[i].message);
		bytes[second + rows[i].at] = before;
	}
	assert_int_equal(sb_zone_parse(&t.host, bytes, SB_ZONE_LEN_MAX + 1, &zone, &err),
			 STEPBUS_EINVAL);
	assert_string_equal(err.message, "the TZif has 65537 bytes: 65536 are allowed");
	test_host_end(&t);
}

static void leap_seconds_are_refused(void **state)
{
	uint8_t bytes[TEST_TZIF_LEN] = { 0 };
	size_t len = test_tzif_write(test_zone_named("Apia"), bytes);
	stepbus_error err = { .size = sizeof err };
	test_host t;
	sb_zone *zone;

	(void)state;
	test_host_init(&t);
	bytes[31] = 1;
	assert_int_equal(sb_zone_parse(&t.host, bytes, len + 8, &zone, &err), STEPBUS_EINVAL);
	assert_string_equal(err.message,
			    "the TZif counts leap seconds: take the zone without \"right/\"");
	test_host_end(&t);
}

/* The table ends elsewhere than the rule says: from its last change on, the rule is believed. */
static void a_rule_that_contradicts_the_table_wins_from_its_end_on(void **state)
{
	static const test_zone odd = { "odd", 0, { { 1000, 3600 } }, "XXX-2" };
	uint8_t bytes[TEST_TZIF_LEN];
	size_t len = test_tzif_write(&odd, bytes);
	int64_t next_s;
	test_host t;
	sb_zone *zone;

	(void)state;
	test_host_init(&t);
	assert_int_equal(parse(&t, bytes, len, &zone), STEPBUS_OK);
	assert_int_equal(sb_zone_offset_s(zone, 999), 0);
	assert_int_equal(sb_zone_offset_s(zone, 1000), 7200);
	assert_true(sb_zone_next(zone, 0, &next_s));
	assert_int_equal(next_s, 1000);
	assert_false(sb_zone_next(zone, 1000, &next_s));
	sb_zone_free(&t.host, zone);
	test_host_end(&t);
}

static stepbus_status parse_berlin(test_host *t, stepbus_error *err)
{
	uint8_t bytes[TEST_TZIF_LEN];
	size_t len = test_tzif_write(test_zone_named("Berlin"), bytes);
	sb_zone *zone;
	stepbus_status status = sb_zone_parse(&t->host, bytes, len, &zone, err);

	sb_zone_free(&t->host, zone);
	return status;
}

/* The rule says that the clocks stay as they were, where the table said that they change. */
static void a_change_that_the_rule_takes_back_is_none(void **state)
{
	const test_zone z = { "taken_back", 3600, { { 1000000, 7200 }, { 0, 0 } }, "CET-1" };
	uint8_t bytes[TEST_TZIF_LEN];
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_zone *zone = NULL;
	int64_t next_s;
	test_host t;

	(void)state;
	test_host_init(&t);
	assert_int_equal(sb_zone_parse(&t.host, bytes, test_tzif_write(&z, bytes), &zone, &err),
			 STEPBUS_OK);
	assert_int_equal(sb_zone_offset_s(zone, 999999), 3600);
	assert_int_equal(sb_zone_offset_s(zone, 1000000), 3600);
	assert_false(sb_zone_next(zone, 0, &next_s));
	sb_zone_free(&t.host, zone);
	test_host_end(&t);
}

static void running_out_of_memory_is_said(void **state)
{
	const test_scenario scenario = { "zone", parse_berlin, false };

	(void)state;
	assert_true(test_fail_each_allocation(&scenario) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offsets_are_as_the_table_says),
		cmocka_unit_test(local_times_are_found_as_the_table_says),
		cmocka_unit_test(changes_follow_from_the_table_into_the_rule),
		cmocka_unit_test(what_is_shown_is_found_again),
		cmocka_unit_test(a_zone_that_is_cut_is_refused),
		cmocka_unit_test(a_zone_with_any_byte_changed_does_no_harm),
		cmocka_unit_test(a_hostile_zone_is_refused_as_the_table_says),
		cmocka_unit_test(leap_seconds_are_refused),
		cmocka_unit_test(a_rule_that_contradicts_the_table_wins_from_its_end_on),
		cmocka_unit_test(a_change_that_the_rule_takes_back_is_none),
		cmocka_unit_test(running_out_of_memory_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
