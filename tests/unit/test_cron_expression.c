/* SPDX-License-Identifier: MIT */
#include "handlers/cron_expression.h"

#include "support/cmocka.h"

#define ALL_60 ((UINT64_C(1) << 60) - 1)
#define ALL_HOURS 0xFFFFFFU
#define ALL_DAYS 0xFFFFFFFEU
#define ALL_MONTHS 0x1FFEU
#define ALL_WEEK 0x7FU

typedef struct read_row {
	const char *text;
	sb_cron_expression expected;
} read_row;

static void expressions_are_read_as_the_table_says(void **state)
{
	static const read_row rows[] = {
		{ "* * * * *",
		  { 1, ALL_60, ALL_HOURS, ALL_DAYS, ALL_MONTHS, ALL_WEEK, false, true } },
		{ "* * * * * *",
		  { ALL_60, ALL_60, ALL_HOURS, ALL_DAYS, ALL_MONTHS, ALL_WEEK, false, true } },
		{ "\t 0  0\t* * * ", { 1, 1, 1, ALL_DAYS, ALL_MONTHS, ALL_WEEK, false, false } },
		{ "30 5 0 1 1 *", { 1 << 30, 1 << 5, 1, 2, 2, ALL_WEEK, false, false } },
		{ "1,3,5-7 0 * * *", { 1, 0xEA, 1, ALL_DAYS, ALL_MONTHS, ALL_WEEK, false, false } },
		{ "*/15 0 * * *",
		  { 1, 1 | 1 << 15 | 1 << 30 | UINT64_C(1) << 45, 1, ALL_DAYS, ALL_MONTHS, ALL_WEEK,
		    false, true } },
		{ "0 */6 * * *", { 1, 1, 0x41041, ALL_DAYS, ALL_MONTHS, ALL_WEEK, false, true } },
		{ "50/5 0 * * *",
		  { 1, UINT64_C(1) << 50 | UINT64_C(1) << 55, 1, ALL_DAYS, ALL_MONTHS, ALL_WEEK,
		    false, false } },
		{ "10-20/5 0 * * *",
		  { 1, 1 << 10 | 1 << 15 | 1 << 20, 1, ALL_DAYS, ALL_MONTHS, ALL_WEEK, false,
		    false } },
		{ "0 0 1,31 * *", { 1, 1, 1, 0x80000002, ALL_MONTHS, ALL_WEEK, false, false } },
		{ "0 0 * jan,DEC *", { 1, 1, 1, ALL_DAYS, 0x1002, ALL_WEEK, false, false } },
		{ "0 0 * Mar-may *", { 1, 1, 1, ALL_DAYS, 0x38, ALL_WEEK, false, false } },
		{ "0 0 * * mon-fri", { 1, 1, 1, ALL_DAYS, ALL_MONTHS, 0x3E, false, false } },
		{ "0 0 * * 0", { 1, 1, 1, ALL_DAYS, ALL_MONTHS, 1, false, false } },
		{ "0 0 * * 7", { 1, 1, 1, ALL_DAYS, ALL_MONTHS, 1, false, false } },
		{ "0 0 * * 5-7", { 1, 1, 1, ALL_DAYS, ALL_MONTHS, 0x61, false, false } },
		{ "0 0 * * sat-sun", { 1, 1, 1, ALL_DAYS, ALL_MONTHS, 0x41, false, false } },
		{ "0 0 * * sun-sun", { 1, 1, 1, ALL_DAYS, ALL_MONTHS, 1, false, false } },
		{ "0 0 * * sun-tue", { 1, 1, 1, ALL_DAYS, ALL_MONTHS, 7, false, false } },
		{ "0 0 * * 0-7", { 1, 1, 1, ALL_DAYS, ALL_MONTHS, ALL_WEEK, false, false } },
		{ "0 0 * * 7/2", { 1, 1, 1, ALL_DAYS, ALL_MONTHS, 0x55, false, false } },
		{ "0 0 * * */2", { 1, 1, 1, ALL_DAYS, ALL_MONTHS, 0x55, false, false } },
		{ "0 0 13 * 5", { 1, 1, 1, 1 << 13, ALL_MONTHS, 1 << 5, true, false } },
		{ "0 0 */2 * 5", { 1, 1, 1, 0xAAAAAAAA, ALL_MONTHS, 1 << 5, false, false } },
		{ "0 0 1-31 * 5", { 1, 1, 1, ALL_DAYS, ALL_MONTHS, 1 << 5, true, false } },
		{ "@hourly", { 1, 1, ALL_HOURS, ALL_DAYS, ALL_MONTHS, ALL_WEEK, false, true } },
		{ " @Daily ", { 1, 1, 1, ALL_DAYS, ALL_MONTHS, ALL_WEEK, false, false } },
		{ "@midnight", { 1, 1, 1, ALL_DAYS, ALL_MONTHS, ALL_WEEK, false, false } },
		{ "@weekly", { 1, 1, 1, ALL_DAYS, ALL_MONTHS, 1, false, false } },
		{ "@monthly", { 1, 1, 1, 2, ALL_MONTHS, ALL_WEEK, false, false } },
		{ "@yearly", { 1, 1, 1, 2, 2, ALL_WEEK, false, false } },
		{ "@annually", { 1, 1, 1, 2, 2, ALL_WEEK, false, false } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const sb_cron_expression *expected = &rows[i].expected;
		stepbus_error err = { .size = sizeof err };
		sb_cron_expression got;

		if (sb_cron_parse(sb_slice_z(rows[i].text), &got, &err) != STEPBUS_OK)
			fail_msg("%s", err.message);
		if (got.seconds != expected->seconds || got.minutes != expected->minutes ||
		    got.hours != expected->hours || got.days != expected->days ||
		    got.months != expected->months || got.weekdays != expected->weekdays)
			fail_msg("'%s': %llx %llx %x %x %x %x", rows[i].text,
				 (unsigned long long)got.seconds, (unsigned long long)got.minutes,
				 got.hours, got.days, got.months, got.weekdays);
		if (got.is_either_day != expected->is_either_day ||
		    got.is_interval != expected->is_interval)
			fail_msg("'%s': %d %d", rows[i].text, got.is_either_day, got.is_interval);
	}
}

typedef struct refused_row {
	const char *text;
	const char *message; /* behind "cannot read the cron expression '...': " */
} refused_row;

#define WANTED \
	"5 (minute, hour, day of month, month, day of week) or 6 (second in front) are wanted"
#define NEXT "',', '-', '/' or the next field is allowed there"

static void what_is_no_expression_is_refused_as_the_table_says(void **state)
{
	static const refused_row rows[] = {
		{ "", "it has 0 fields: " WANTED },
		{ "   ", "it has 0 fields: " WANTED },
		{ "* * * *", "it has 4 fields: " WANTED },
		{ "* * * * * * *", "it has 7 fields: " WANTED },
		{ "60 * * * *", "the minute at byte 1 has the value 60: 0 to 59 is allowed" },
		{ "0 24 * * *", "the hour at byte 3 has the value 24: 0 to 23 is allowed" },
		{ "0 0 0 * *", "the day of month at byte 5 has the value 0: 1 to 31 is allowed" },
		{ "0 0 32 * *", "the day of month at byte 5 has the value 32: 1 to 31 is allowed" },
		{ "0 0 1 13 *", "the month at byte 7 has the value 13: 1 to 12 is allowed" },
		{ "0 0 1 0 *", "the month at byte 7 has the value 0: 1 to 12 is allowed" },
		{ "0 0 1 1 8", "the day of week at byte 9 has the value 8: 0 to 7 is allowed" },
		{ "60 0 0 1 1 *", "the second at byte 1 has the value 60: 0 to 59 is allowed" },
		{ "1,2,99 * * * *", "the minute at byte 5 has the value 99: 0 to 59 is allowed" },
		{ "99999999999999999999 * * * *",
		  "the minute at byte 1 has the value 9999: 0 to 59 is allowed" },
		{ "5-3 * * * *",
		  "the minute at byte 1 has the range 5-3, which ends before it begins" },
		{ "0 0 * * fri-mon",
		  "the day of week at byte 9 has the range 5-1, which ends before it begins" },
		{ "*/0 * * * *", "the minute at byte 3 has the step 0: 1 to 59 is allowed" },
		{ "*/90 * * * *", "the minute at byte 3 has the step 90: 1 to 59 is allowed" },
		{ "*/ * * * *", "the minute ends at byte 2: a number is missing" },
		{ "*/a * * * *", "the minute has 'a' at byte 3: a number is allowed there" },
		{ "1- * * * *", "the minute ends at byte 2: a number is missing" },
		{ "1, * * * *", "the minute ends at byte 2: a number is missing" },
		{ ",1 * * * *", "the minute has ',' at byte 1: a number is allowed there" },
		{ "-1 * * * *", "the minute has '-' at byte 1: a number is allowed there" },
		{ "1x * * * *", "the minute has 'x' at byte 2: " NEXT },
		{ "** * * * *", "the minute has '*' at byte 2: " NEXT },
		{ "*-5 * * * *", "the minute has '-' at byte 2: " NEXT },
		{ "1-5-7 * * * *", "the minute has '-' at byte 4: " NEXT },
		{ "0 0 ? * *", "the day of month has '?' at byte 5: a number is allowed there" },
		{ "0 0 L * *", "the day of month has 'L' at byte 5: a number is allowed there" },
		{ "0 0 * foo *",
		  "the month has 'f' at byte 7: a number or a name is allowed there" },
		{ "0 0 * ja *",
		  "the month has 'j' at byte 7: a number or a name is allowed there" },
		{ "0 0 * january *", "the month has 'u' at byte 10: " NEXT },
		{ "0 0 * * 1#2", "the day of week has '#' at byte 10: " NEXT },
		{ "@daily x * * *", "the minute has '@' at byte 1: a number is allowed there" },
		{ "@reboot",
		  "there is no '@reboot': @yearly, @annually, @monthly, @weekly, @daily, "
		  "@midnight and @hourly are allowed" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		stepbus_error err = { .size = sizeof err };
		sb_cron_expression got;
		const char *message;

		if (sb_cron_parse(sb_slice_z(rows[i].text), &got, &err) != STEPBUS_EINVAL)
			fail_msg("'%s' was read", rows[i].text);
		message = err.message + strlen("cannot read the cron expression '': ") +
			  strlen(rows[i].text);
		if (strcmp(message, rows[i].message) != 0)
			fail_msg("'%s': %s", rows[i].text, err.message);
	}
}

static void hostile_bytes_are_refused_and_shown(void **state)
{
	stepbus_error err = { .size = sizeof err };
	char text[SB_CRON_LEN_MAX + 1];
	sb_cron_expression got;

	(void)state;
	memset(text, ' ', sizeof text);
	memcpy(text, "* * * * *", 9);
	assert_int_equal(sb_cron_parse(sb_slice_of(text, SB_CRON_LEN_MAX), &got, &err), STEPBUS_OK);
	assert_int_equal(sb_cron_parse(sb_slice_of(text, sizeof text), &got, &err), STEPBUS_EINVAL);
	assert_non_null(strstr(err.message, "it has 257 bytes: 256 are allowed"));
	assert_int_equal(sb_cron_parse(sb_slice_of("0\0 0 * * *", 10), &got, &err), STEPBUS_EINVAL);
	assert_non_null(strstr(err.message, "the minute has '?' at byte 2"));
	assert_int_equal(sb_cron_parse(sb_slice_of("\xFF 0 * * *", 9), &got, &err), STEPBUS_EINVAL);
	assert_non_null(strstr(err.message, "the minute has '?' at byte 1"));
	assert_int_equal(sb_cron_parse(sb_slice_of(NULL, 0), &got, &err), STEPBUS_EINVAL);
	assert_int_equal(sb_cron_parse(sb_slice_of("@", 1), &got, NULL), STEPBUS_EINVAL);
}

/* On the heap, so that a read beyond the end is seen. */
static void bytes_behind_an_expression_are_not_read(void **state)
{
	static const char text[] = "*/5,1-10/2 0-23 1,2,31 jan-dec/2 mon-sun";

	(void)state;
	for (size_t len = 1; len < sizeof text - 1; len++) {
		char *cut = test_malloc(len);
		sb_cron_expression got;

		memcpy(cut, text, len);
		(void)sb_cron_parse(sb_slice_of(cut, len), &got, NULL);
		test_free(cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions_are_read_as_the_table_says),
		cmocka_unit_test(what_is_no_expression_is_refused_as_the_table_says),
		cmocka_unit_test(hostile_bytes_are_refused_and_shown),
		cmocka_unit_test(bytes_behind_an_expression_are_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
