/* SPDX-License-Identifier: MIT */
/* Cron entries through the public header: what is enqueued when, however many processes look. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/moment.h"
#include "support/station.h"

enum { FIRING_MAX = 16, SECOND_COUNT = 1500, CHILD_COUNT = 3 };

#define S INT64_C(1000000)

static bool is_in_memory;
static test_station s;

static int open_station(void **state)
{
	(void)state;
	test_station_open(&s, is_in_memory, NULL);
	return 0;
}

static int close_station(void **state)
{
	(void)state;
	test_station_close(&s);
	return 0;
}

static void set(const char *entry)
{
	station_ok(&s, stepbus_cron_set(s.engine, entry, strlen(entry), &s.err));
}

static void set_clock(const char *moment)
{
	atomic_store(&s.now_us, test_moment(moment));
	station_ok(&s, stepbus_engine_wake(s.engine, &s.err));
}

static cJSON *list_entries(stepbus *engine)
{
	stepbus_text *text = NULL;

	station_ok(&s, stepbus_cron_list(engine, &text, &s.err));
	return test_answer_take(text);
}

/* Whether no entry that is not paused is due: what was due has then been enqueued. */
static bool is_idle(stepbus *engine)
{
	cJSON *entries = list_entries(engine);
	const cJSON *entry;
	bool is_due = false;

	cJSON_ArrayForEach(entry, entries)
	{
		char now[32];

		if (test_answer_bool(entry, "is_paused") || test_answer_is_null(entry, "next_at"))
			continue;
		sb_clock_format(atomic_load(&s.now_us), now);
		is_due = is_due || strcmp(test_answer_text(entry, "next_at"), now) <= 0;
	}
	cJSON_Delete(entries);
	return !is_due;
}

static void await_idle(stepbus *engine)
{
	while (!is_idle(engine))
		sched_yield();
}

/* The times of all steps of an entry, oldest first, as its steps' keys have them. */
static size_t read_times(const char *name, char times[FIRING_MAX][32])
{
	cJSON *page = test_station_list(&s, "{\"order\":\"oldest\"}");
	size_t count = 0, len = strlen(name);
	const cJSON *step;

	cJSON_ArrayForEach(step, cJSON_GetObjectItem(page, "steps"))
	{
		const char *key = test_answer_text(step, "correlation_id");

		assert_int_equal(strncmp(key, "cron:", 5), 0);
		if (strncmp(key + 5, name, len) != 0 || key[5 + len] != ':')
			continue;
		assert_true(count < FIRING_MAX);
		(void)snprintf(times[count++], 32, "%s", key + 6 + len);
	}
	cJSON_Delete(page);
	return count;
}

/* wanted ends in NULL; each is as "2026-03-29T01:00:00". */
static void assert_times(const char *name, const char *const *wanted)
{
	char times[FIRING_MAX][32];
	size_t count = read_times(name, times), i;

	for (i = 0; i < count && wanted[i] != NULL; i++)
		if (strncmp(times[i], wanted[i], 19) != 0)
			fail_msg("%s: %s, wanted %s", name, times[i], wanted[i]);
	if (i != count || wanted[i] != NULL)
		fail_msg("%s: %zu times", name, count);
}

static void each_night_fires_once_over_both_changes_of_the_clocks(void **state)
{
	static const char *const times[] = { "2026-03-28T01:30:00", "2026-03-29T01:00:00",
					     "2026-03-30T00:30:00", NULL };
	static const char *const autumn_times[] = { "2026-03-28T01:30:00",
						    "2026-03-29T01:00:00",
						    "2026-03-30T00:30:00",
						    "2026-10-24T00:30:00",
						    "2026-10-25T00:30:00",
						    "2026-10-26T01:30:00",
						    NULL };

	(void)state;
	test_station_work(&s);
	set_clock("2026-03-28 00:00:00");
	set("{\"name\":\"night\",\"expression\":\"30 2 * * *\",\"zone\":\"Europe/Berlin\","
	    "\"catch_up\":\"none\",\"step\":{\"handler\":\"echo\"}}");
	set_clock("2026-03-28 01:29:59");
	set_clock("2026-03-28 01:30:00");
	test_station_await(&s, 1);
	set_clock("2026-03-29 00:59:59");
	set_clock("2026-03-29 01:00:00");
	test_station_await(&s, 1);
	set_clock("2026-03-30 00:29:59");
	set_clock("2026-03-30 00:30:02");
	test_station_await(&s, 1);
	assert_times("night", times);
	set_clock("2026-10-24 00:00:00");
	await_idle(s.engine);
	set_clock("2026-10-24 00:30:00");
	test_station_await(&s, 1);
	set_clock("2026-10-25 00:30:00");
	test_station_await(&s, 1);
	set_clock("2026-10-25 01:30:00");
	set_clock("2026-10-26 01:30:00");
	test_station_await(&s, 1);
	await_idle(s.engine);
	assert_times("night", autumn_times);
}

static void an_interval_fires_in_both_passes_of_an_hour(void **state)
{
	static const char *const times[] = { "2026-10-25T00:00:00", "2026-10-25T00:30:00",
					     "2026-10-25T01:00:00", "2026-10-25T01:30:00",
					     "2026-10-25T02:00:00", NULL };

	(void)state;
	set_clock("2026-10-24 23:59:00");
	set("{\"name\":\"often\",\"expression\":\"*/30 * * * *\",\"zone\":\"Europe/Berlin\","
	    "\"catch_up\":\"all\",\"step\":{\"handler\":\"echo\"}}");
	set_clock("2026-10-25 02:10:00");
	await_idle(s.engine);
	assert_times("often", times);
}

static void what_was_missed_is_made_up_for_as_the_entry_says(void **state)
{
	static const char *const all[] = { "2026-11-22T09:00:00", "2026-11-23T09:00:00",
					   "2026-11-24T09:00:00", NULL };
	static const char *const one[] = { "2026-11-24T09:00:00", NULL };
	static const char *const none[] = { NULL };

	(void)state;
	set("{\"name\":\"all\",\"expression\":\"0 9 * * *\",\"catch_up\":\"all\","
	    "\"step\":{\"handler\":\"echo\"}}");
	set("{\"name\":\"one\",\"expression\":\"0 9 * * *\",\"step\":{\"handler\":\"echo\"}}");
	set("{\"name\":\"none\",\"expression\":\"0 9 * * *\",\"catch_up\":\"none\","
	    "\"step\":{\"handler\":\"echo\"}}");
	set_clock("2026-11-24 11:00:00");
	await_idle(s.engine);
	assert_times("all", all);
	assert_times("one", one);
	assert_times("none", none);
}

static void a_step_is_enqueued_as_the_entry_says(void **state)
{
	cJSON *page;
	const cJSON *step;

	(void)state;
	set("{\"name\":\"a\",\"expression\":\"@hourly\",\"step\":{\"handler\":\"echo\","
	    "\"handler_namespace\":\"billing\",\"handler_version\":\"1.2.0\",\"queue\":\"slow\","
	    "\"priority\":7,\"input\":{\"n\": 1e3},\"tags\":[\"red\",\"big\"],"
	    "\"step_name\":\"sum\",\"correlation_id\":\"mine\"}}");
	set_clock("2026-11-21 11:00:00");
	await_idle(s.engine);
	page = test_station_list(&s, "");
	step = cJSON_GetArrayItem(cJSON_GetObjectItem(page, "steps"), 0);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(page, "steps")), 1);
	assert_string_equal(test_answer_text(step, "handler_namespace"), "billing");
	assert_string_equal(test_answer_text(step, "handler_version"), "1.2.0");
	assert_string_equal(test_answer_text(step, "queue"), "slow");
	assert_int_equal(test_answer_int(step, "priority"), 7);
	assert_int_equal(test_answer_int(step, "input_len"), strlen("{\"n\": 1e3}"));
	assert_string_equal(test_answer_text(step, "step_name"), "sum");
	assert_string_equal(test_answer_text(step, "correlation_id"), "mine");
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(step, "tags")), 2);
	cJSON_Delete(page);
}

static void setting_an_entry_again_misses_nothing(void **state)
{
	static const char *const times[] = { "2026-11-21T11:00:00", NULL };
	static const char entry[] = "{\"name\":\"a\",\"expression\":\"0 11 * * *\","
				    "\"step\":{\"handler\":\"echo\"}}";

	(void)state;
	set(entry);
	/* The engine may look before the entry is set again, or after: it fires once. */
	atomic_store(&s.now_us, test_moment("2026-11-21 12:00:00"));
	set(entry);
	await_idle(s.engine);
	set(entry);
	await_idle(s.engine);
	assert_times("a", times);
}

static void other_times_begin_anew(void **state)
{
	static const char *const times[] = { NULL };
	cJSON *entries;

	(void)state;
	set("{\"name\":\"a\",\"expression\":\"0 11 * * *\",\"step\":{\"handler\":\"echo\"}}");
	set("{\"name\":\"a\",\"expression\":\"0 10 * * *\",\"step\":{\"handler\":\"echo\"}}");
	set_clock("2026-11-21 12:00:00");
	await_idle(s.engine);
	assert_times("a", times);
	entries = list_entries(s.engine);
	assert_int_equal(cJSON_GetArraySize(entries), 1);
	assert_string_equal(test_answer_text(cJSON_GetArrayItem(entries, 0), "next_at"),
			    "2026-11-22T10:00:00.000000Z");
	cJSON_Delete(entries);
}

static void a_pause_is_not_caught_up(void **state)
{
	static const char *const times[] = { "2026-11-24T09:00:00", NULL };

	(void)state;
	set("{\"name\":\"a\",\"expression\":\"0 9 * * *\",\"catch_up\":\"all\",\"paused\":true,"
	    "\"step\":{\"handler\":\"echo\"}}");
	set_clock("2026-11-23 11:00:00");
	set("{\"name\":\"a\",\"expression\":\"0 9 * * *\",\"catch_up\":\"all\","
	    "\"step\":{\"handler\":\"echo\"}}");
	set_clock("2026-11-24 09:00:01");
	await_idle(s.engine);
	assert_times("a", times);
}

static void a_time_fires_once_though_the_clock_is_put_back(void **state)
{
	static const char entry[] = "{\"name\":\"a\",\"expression\":\"0 11 * * *\","
				    "\"step\":{\"handler\":\"echo\"}}";
	static const char *const times[] = { "2026-11-21T11:00:00", NULL };

	(void)state;
	set(entry);
	set_clock("2026-11-21 11:00:00");
	await_idle(s.engine);
	set_clock("2026-11-21 10:00:00");
	station_ok(&s, stepbus_cron_remove(s.engine, "a", 1, &s.err));
	set(entry);
	set_clock("2026-11-21 11:00:01");
	await_idle(s.engine);
	assert_times("a", times);
}

static void an_entry_is_listed_as_it_was_set_until_it_is_removed(void **state)
{
	const cJSON *entry;
	cJSON *entries;

	(void)state;
	set("{\"name\":\"b\",\"expression\":\"0 3 * * *\",\"zone\":\"Europe/Berlin\","
	    "\"step\":{\"handler\":\"echo\",\"input\":[1,2]}}");
	set("{\"name\":\"a\",\"expression\":\"@daily\",\"step\":{\"handler\":\"echo\"}}");
	entries = list_entries(s.engine);
	assert_int_equal(cJSON_GetArraySize(entries), 2);
	entry = cJSON_GetArrayItem(entries, 1);
	assert_string_equal(test_answer_text(entry, "name"), "b");
	assert_string_equal(test_answer_text(entry, "expression"), "0 3 * * *");
	assert_string_equal(test_answer_text(entry, "zone"), "Europe/Berlin");
	assert_string_equal(test_answer_text(entry, "catch_up"), "one");
	assert_string_equal(test_answer_text(entry, "next_at"), "2026-11-22T02:00:00.000000Z");
	assert_true(test_answer_is_null(entry, "last_at"));
	assert_false(test_answer_bool(entry, "is_paused"));
	assert_string_equal(test_answer_text(cJSON_GetObjectItem(entry, "step"), "handler"),
			    "echo");
	cJSON_Delete(entries);
	station_ok(&s, stepbus_cron_remove(s.engine, "b", 1, &s.err));
	assert_int_equal(stepbus_cron_remove(s.engine, "b", 1, &s.err), STEPBUS_ENOTFOUND);
	entries = list_entries(s.engine);
	assert_int_equal(cJSON_GetArraySize(entries), 1);
	cJSON_Delete(entries);
}

static void an_entry_that_could_not_fire_is_refused(void **state)
{
	static const struct {
		const char *entry;
		stepbus_status status;
		const char *message;
	} rows[] = {
		{ "{\"name\":\"a\",\"expression\":\"0 24 * * *\",\"step\":{\"handler\":\"e\"}}",
		  STEPBUS_EINVAL, "the hour at byte 3" },
		{ "{\"name\":\"a\",\"expression\":\"0 0 30 2 *\",\"step\":{\"handler\":\"e\"}}",
		  STEPBUS_EINVAL, "never fires" },
		{ "{\"name\":\"a\",\"expression\":\"@daily\",\"zone\":\"Europe/Atlantis\","
		  "\"step\":{\"handler\":\"e\"}}",
		  STEPBUS_ENOTFOUND, "Europe/Atlantis" },
		{ "{\"name\":\"a\",\"expression\":\"@daily\",\"zone\":\"/etc/passwd\","
		  "\"step\":{\"handler\":\"e\"}}",
		  STEPBUS_EINVAL, "/etc/passwd" },
		{ "{\"name\":\"a\",\"expression\":\"@daily\",\"step\":{}}", STEPBUS_EINVAL,
		  "handler" },
		{ "{\"name\":\"a\",\"expression\":\"@daily\"}", STEPBUS_EINVAL, "step" },
		{ "{\"expression\":\"@daily\",\"step\":{\"handler\":\"e\"}}", STEPBUS_EINVAL,
		  "name" },
		{ "{\"name\":\"a\",\"expression\":\"@daily\",\"step\":{\"handler\":\"e\","
		  "\"priority\":10001}}",
		  STEPBUS_EINVAL, "priority" },
		{ "{\"name\":\"a\",\"expression\":\"@daily\",\"catch_up\":\"some\","
		  "\"step\":{\"handler\":\"e\"}}",
		  STEPBUS_EINVAL, "catch_up" },
	};
	cJSON *entries;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(
			stepbus_cron_set(s.engine, rows[i].entry, strlen(rows[i].entry), &s.err),
			rows[i].status);
		if (strstr(s.err.message, rows[i].message) == NULL)
			fail_msg("'%s' is not in '%s'", rows[i].message, s.err.message);
	}
	entries = list_entries(s.engine);
	assert_int_equal(cJSON_GetArraySize(entries), 0);
	cJSON_Delete(entries);
}

static void an_entry_that_is_refused_does_not_hold_up_the_others(void **state)
{
	static const char *const times[] = { "2026-11-21T11:00:00", NULL };
	static const char *const none[] = { NULL };

	(void)state;
	test_station_close(&s);
	test_station_open(&s, is_in_memory, "\"strict_handlers\":true");
	test_station_work(&s);
	set("{\"name\":\"a\",\"expression\":\"@hourly\",\"step\":{\"handler\":\"nobody\"}}");
	set("{\"name\":\"b\",\"expression\":\"@hourly\",\"step\":{\"handler\":\"echo\"}}");
	set("{\"name\":\"c\",\"expression\":\"@hourly\",\"step\":{\"handler\":\"nobody\"}}");
	set_clock("2026-11-21 11:00:00");
	await_idle(s.engine);
	assert_times("a", none);
	assert_times("b", times);
	assert_times("c", none);
}

/* Each second from the first on has fired once. */
static void assert_each_second(size_t count)
{
	static const char first[] = "{\"order\":\"oldest\",\"limit\":1000}";
	char filter[128], wanted[32];
	size_t found = 0;
	int64_t at_us = test_moment("2026-11-21 10:30:46");

	(void)snprintf(filter, sizeof filter, "%s", first);
	for (bool has_more = true; has_more;) {
		cJSON *page = test_station_list(&s, filter);
		const cJSON *step;

		cJSON_ArrayForEach(step, cJSON_GetObjectItem(page, "steps"))
		{
			sb_clock_format(at_us + (int64_t)found++ * S, wanted);
			assert_string_equal(test_answer_text(step, "correlation_id") +
						    strlen("cron:tick:"),
					    wanted);
		}
		has_more = !test_answer_is_null(page, "cursor");
		if (has_more)
			(void)snprintf(filter, sizeof filter, "%.*s,\"cursor\":\"%s\"}",
				       (int)strlen(first) - 1, first,
				       test_answer_text(page, "cursor"));
		cJSON_Delete(page);
	}
	assert_int_equal(found, count);
}

static void set_tick(void)
{
	set("{\"name\":\"tick\",\"expression\":\"* * * * * *\",\"catch_up\":\"all\","
	    "\"step\":{\"handler\":\"echo\"}}");
}

static void many_times_are_caught_up_in_order(void **state)
{
	(void)state;
	set_tick();
	test_station_advance(&s, SECOND_COUNT * S);
	await_idle(s.engine);
	assert_each_second(SECOND_COUNT);
}

static void two_engines_on_one_store_fire_each_time_once(void **state)
{
	stepbus *other;

	(void)state;
	other = test_station_second(&s);
	set_tick();
	for (int i = 0; i < 30; i++) {
		test_station_advance(&s, SECOND_COUNT / 30 * S);
		station_ok(&s, stepbus_engine_wake(other, &s.err));
	}
	await_idle(s.engine);
	await_idle(other);
	stepbus_close(other);
	assert_each_second(SECOND_COUNT);
}

/* In a child, which must not assert. */
static int look_until_idle(void)
{
	const stepbus_options options = { .size = sizeof options,
					  .config = s.config,
					  .config_len = strlen(s.config),
					  .host = &s.host };
	stepbus *engine = NULL;

	if (stepbus_open(&options, &engine, NULL) != STEPBUS_OK)
		return 1;
	for (int i = 0; i < 50; i++) {
		uint64_t count = 0;

		atomic_fetch_add(&s.now_us, SECOND_COUNT / 50 * S);
		if (stepbus_engine_wake(engine, NULL) != STEPBUS_OK ||
		    stepbus_step_count(engine, "", 0, &count, NULL) != STEPBUS_OK)
			return 1;
	}
	await_idle(engine);
	stepbus_close(engine);
	return 0;
}

static void several_processes_fire_each_time_once(void **state)
{
	pid_t children[CHILD_COUNT];

	(void)state;
	set_tick();
	test_station_stop(&s);
	for (int i = 0; i < CHILD_COUNT; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0)
			_exit(look_until_idle());
	}
	for (int i = 0; i < CHILD_COUNT; i++) {
		int status = -1;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	atomic_fetch_add(&s.now_us, SECOND_COUNT * S);
	test_station_start(&s);
	await_idle(s.engine);
	assert_each_second(SECOND_COUNT);
}

static void what_was_missed_while_nobody_was_there_fires_after_opening(void **state)
{
	static const char *const times[] = { "2026-11-22T11:00:00", NULL };

	(void)state;
	set("{\"name\":\"a\",\"expression\":\"0 11 * * *\",\"step\":{\"handler\":\"echo\"}}");
	test_station_stop(&s);
	atomic_store(&s.now_us, test_moment("2026-11-22 20:00:00"));
	test_station_start(&s);
	await_idle(s.engine);
	assert_times("a", times);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_station, close_station)

static int run_both(const char *store)
{
	const struct CMUnitTest tests[] = {
		TEST(each_night_fires_once_over_both_changes_of_the_clocks),
		TEST(an_interval_fires_in_both_passes_of_an_hour),
		TEST(what_was_missed_is_made_up_for_as_the_entry_says),
		TEST(a_step_is_enqueued_as_the_entry_says),
		TEST(setting_an_entry_again_misses_nothing),
		TEST(other_times_begin_anew),
		TEST(a_pause_is_not_caught_up),
		TEST(a_time_fires_once_though_the_clock_is_put_back),
		TEST(an_entry_is_listed_as_it_was_set_until_it_is_removed),
		TEST(an_entry_that_could_not_fire_is_refused),
		TEST(an_entry_that_is_refused_does_not_hold_up_the_others),
		TEST(many_times_are_caught_up_in_order),
	};

	is_in_memory = strcmp(store, "memory") == 0;
	return cmocka_run_group_tests_name(store, tests, NULL, NULL);
}

static int run_shared(void)
{
	const struct CMUnitTest tests[] = {
		TEST(two_engines_on_one_store_fire_each_time_once),
		TEST(several_processes_fire_each_time_once),
		TEST(what_was_missed_while_nobody_was_there_fires_after_opening),
	};

	is_in_memory = false;
	return cmocka_run_group_tests_name("sqlite, shared", tests, NULL, NULL);
}

int main(void)
{
	return run_both("memory") + run_both("sqlite") + run_shared();
}
