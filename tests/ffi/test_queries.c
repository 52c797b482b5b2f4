/* SPDX-License-Identifier: MIT */
/* What the functions that only look tell of steps, queues, workers and the engine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/station.h"

enum { STEP_COUNT = 2500, PAGE_LEN = 250 };

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

static void a_step_is_described_as_it_was_enqueued(void **state)
{
	stepbus_step_spec spec = test_station_spec("report", "{\"year\": 2026}");
	uint8_t id[16];
	cJSON *info;

	(void)state;
	spec.queue = "mail";
	spec.queue_len = 4;
	spec.tags = "red, big";
	spec.tags_len = 8;
	spec.idempotency_key = "once";
	spec.idempotency_key_len = 4;
	spec.unique_key = "\xff\x01";
	spec.unique_key_len = 2;
	spec.unique_scope = STEPBUS_UNIQUE_QUEUE | STEPBUS_UNIQUE_HANDLER;
	spec.run_at_us = s.now_us + 60000000;
	spec.attempt_timeout_ms = 1500;
	spec.retry_kind = STEPBUS_RETRY_FIBONACCI;
	spec.attempt_count_max = 7;
	test_station_enqueue(&s, &spec, id);
	info = test_station_info(&s, id);
	assert_int_equal(strlen(test_answer_text(info, "step_id")), 36);
	assert_string_equal(test_answer_text(info, "state"), "scheduled");
	assert_string_equal(test_answer_text(info, "handler"), "report");
	assert_string_equal(test_answer_text(info, "handler_namespace"), "default");
	assert_true(test_answer_is_null(info, "handler_version"));
	assert_string_equal(test_answer_text(info, "queue"), "mail");
	assert_string_equal(test_answer_text(info, "input"), "{\"year\": 2026}");
	assert_int_equal(test_answer_int(info, "input_len"), 14);
	assert_string_equal(test_answer_text(info, "created_at"), "2026-11-21T10:30:45.123456Z");
	assert_string_equal(test_answer_text(info, "run_at"), "2026-11-21T10:31:45.123456Z");
	assert_string_equal(test_answer_text(info, "due_at"), "2026-11-21T10:31:45.123456Z");
	assert_string_equal(test_answer_text(info, "idempotency_key"), "once");
	assert_string_equal(test_answer_text(info, "unique_key_base64"), "/wE=");
	assert_int_equal(test_answer_int(info, "attempt_timeout_ms"), 1500);
	assert_true(test_answer_is_null(info, "total_timeout_ms"));
	assert_true(test_answer_is_null(info, "token"));
	assert_true(test_answer_is_null(info, "result"));
	assert_true(test_answer_is_null(info, "last_error"));
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(info, "tags")), 2);
	assert_string_equal(test_answer_text(cJSON_GetObjectItem(info, "retry"), "kind"),
			    "fibonacci");
	cJSON_Delete(info);
}

static void bytes_that_are_no_text_are_base64(void **state)
{
	static const char *const inputs[] = { "\xff", "ab\xff", "\xff\xfe\xfd\xfc" };
	static const char *const wanted[] = { "/w==", "YWL/", "//79/A==" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		stepbus_step_spec spec = test_station_spec("echo", inputs[i]);
		uint8_t id[16];
		cJSON *info;

		test_station_enqueue(&s, &spec, id);
		info = test_station_info(&s, id);
		assert_false(test_answer_has(info, "input"));
		assert_string_equal(test_answer_text(info, "input_base64"), wanted[i]);
		cJSON_Delete(info);
	}
}

static void a_large_input_is_whole_in_the_description_and_absent_in_the_list(void **state)
{
	static char input[300001];
	stepbus_step_spec spec;
	uint8_t id[16];
	cJSON *info, *list;
	const cJSON *step;

	(void)state;
	memset(input, 'x', sizeof input - 1);
	input[5] = '\n';
	spec = test_station_spec("echo", input);
	test_station_enqueue(&s, &spec, id);
	info = test_station_info(&s, id);
	assert_string_equal(test_answer_text(info, "input"), input);
	cJSON_Delete(info);
	list = test_station_list(&s, "");
	step = cJSON_GetArrayItem(cJSON_GetObjectItem(list, "steps"), 0);
	assert_int_equal(test_answer_int(step, "input_len"), 300000);
	assert_false(test_answer_has(step, "input"));
	cJSON_Delete(list);
}

static void a_result_and_its_attempt_are_told(void **state)
{
	stepbus_step_spec spec = test_station_spec("echo", "[1,2]");
	uint8_t id[16];
	cJSON *info, *attempts;
	const cJSON *attempt;

	(void)state;
	test_station_work(&s);
	test_station_enqueue(&s, &spec, id);
	test_station_await(&s, 1);
	info = test_station_info(&s, id);
	attempts = test_station_attempts(&s, id);
	attempt = cJSON_GetArrayItem(attempts, 0);
	assert_string_equal(test_answer_text(info, "state"), "completed");
	assert_string_equal(test_answer_text(info, "result"), "[1,2]");
	assert_string_equal(test_answer_text(info, "worker"), "w");
	assert_int_equal(test_answer_int(info, "attempt_count"), 1);
	assert_int_equal(cJSON_GetArraySize(attempts), 1);
	assert_string_equal(test_answer_text(attempt, "outcome"), "success");
	assert_string_equal(test_answer_text(attempt, "token"), test_answer_text(info, "token"));
	assert_string_equal(test_answer_text(attempt, "worker"), "w");
	cJSON_Delete(attempts);
	cJSON_Delete(info);
}

static void a_failure_is_told_of_the_step_and_of_its_attempt(void **state)
{
	stepbus_step_spec spec = test_station_spec("fail", "no \"paper\"");
	uint8_t id[16];
	cJSON *info, *attempts;
	const cJSON *attempt, *error;

	(void)state;
	test_station_work(&s);
	test_station_enqueue(&s, &spec, id);
	test_station_await(&s, 1);
	info = test_station_info(&s, id);
	attempts = test_station_attempts(&s, id);
	attempt = cJSON_GetArrayItem(attempts, 0);
	error = cJSON_GetObjectItem(info, "last_error");
	assert_string_equal(test_answer_text(info, "state"), "failed");
	assert_string_equal(test_answer_text(error, "message"), "no \"paper\"");
	assert_string_equal(test_answer_text(error, "error_code"), "E7");
	assert_int_equal(cJSON_GetArraySize(attempts), 1);
	assert_string_equal(test_answer_text(attempt, "outcome"), "failure");
	assert_string_equal(test_answer_text(attempt, "error_type"), "handler_error");
	assert_int_equal(test_answer_int(attempt, "number"), 1);
	assert_false(test_answer_bool(attempt, "is_retryable"));
	assert_false(test_answer_bool(attempt, "is_retried"));
	assert_true(test_answer_is_null(attempt, "retry_at"));
	cJSON_Delete(attempts);
	cJSON_Delete(info);
}

static void a_step_of_another_store_is_not_found(void **state)
{
	const uint8_t id[16] = { 0, 0, 0, 0, 0, 1, 0x80, 1, 0x80 };
	stepbus_text *text = NULL;

	(void)state;
	assert_int_equal(stepbus_step_info(s.engine, id, &text, &s.err), STEPBUS_ENOTFOUND);
	assert_non_null(strstr(s.err.message, "00000000-0001-8001-8000-000000000000"));
	assert_int_equal(stepbus_step_attempts(s.engine, id, &text, &s.err), STEPBUS_ENOTFOUND);
	assert_null(text);
}

static void enqueue_many(const char *handler, const char *queue, size_t count, int64_t *next)
{
	stepbus_step_spec specs[PAGE_LEN];
	char inputs[PAGE_LEN][24];

	for (size_t i = 0; i < count; i++) {
		(void)snprintf(inputs[i], sizeof inputs[i], "%lld", (long long)(*next)++);
		specs[i] = test_station_spec(handler, inputs[i]);
		specs[i].queue = queue;
		specs[i].queue_len = strlen(queue);
		specs[i].correlation_id = inputs[i];
		specs[i].correlation_id_len = strlen(inputs[i]);
	}
	station_ok(&s, stepbus_step_enqueue(s.engine, specs, count, NULL, &s.err));
}

/* One page; false: it was the last. Counts each step by the number it was enqueued with. */
static bool read_page(const char *order, char *cursor, size_t len, uint8_t *seen)
{
	char filter[256];
	const cJSON *step;
	cJSON *page;
	bool has_more;

	(void)snprintf(filter, sizeof filter, "{\"order\":\"%s\",\"limit\":%d%s%s%s}", order,
		       PAGE_LEN, *cursor != '\0' ? ",\"cursor\":\"" : "", cursor,
		       *cursor != '\0' ? "\"" : "");
	page = test_station_list(&s, filter);
	cJSON_ArrayForEach(step, cJSON_GetObjectItem(page, "steps"))
	{
		long number = strtol(test_answer_text(step, "correlation_id"), NULL, 10);

		if (number < STEP_COUNT)
			seen[number]++;
	}
	has_more = !test_answer_is_null(page, "cursor");
	if (has_more)
		(void)snprintf(cursor, len, "%s", test_answer_text(page, "cursor"));
	cJSON_Delete(page);
	return has_more;
}

static void check_paging(const char *order)
{
	static uint8_t seen[STEP_COUNT];
	char cursor[64] = "";
	int64_t next = 0;
	int page_count = 1;

	memset(seen, 0, sizeof seen);
	for (int i = 0; i < STEP_COUNT / PAGE_LEN; i++)
		enqueue_many("none", "bulk", PAGE_LEN, &next);
	while (read_page(order, cursor, sizeof cursor, seen)) {
		/* Oldest first, what is added comes at the end: so fewer than a page holds. */
		if (page_count++ < 20)
			enqueue_many("none", "bulk", 30, &next);
	}
	for (size_t i = 0; i < STEP_COUNT; i++)
		if (seen[i] != 1)
			fail_msg("step %zu was shown %u times", i, seen[i]);
}

static void paging_from_the_newest_shows_each_step_once_while_others_come(void **state)
{
	(void)state;
	check_paging("newest");
}

static void paging_from_the_oldest_shows_each_step_once_while_others_come(void **state)
{
	(void)state;
	check_paging("oldest");
}

static void a_full_last_page_has_no_cursor(void **state)
{
	int64_t next = 0;
	cJSON *page;

	(void)state;
	enqueue_many("none", "bulk", 3, &next);
	page = test_station_list(&s, "{\"limit\":3}");
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(page, "steps")), 3);
	assert_true(test_answer_is_null(page, "cursor"));
	cJSON_Delete(page);
	page = test_station_list(&s, "{\"limit\":2}");
	assert_false(test_answer_is_null(page, "cursor"));
	cJSON_Delete(page);
}

static void add_versions(void)
{
	static const char *const versions[] = { "", "1.0.0", "2.0.0" };

	for (size_t i = 0; i < 3; i++) {
		stepbus_step_spec spec = test_station_spec("report", "");

		spec.handler_version = versions[i];
		spec.handler_version_len = strlen(versions[i]);
		if (i == 2) {
			spec.handler_namespace = "other";
			spec.handler_namespace_len = 5;
		}
		test_station_enqueue(&s, &spec, NULL);
	}
}

static void filters_choose_by_each_of_their_keys(void **state)
{
	static const struct {
		const char *filter;
		uint64_t count;
	} rows[] = {
		{ "", 8 },
		{ "{}", 8 },
		{ "{\"state\":\"ready\"}", 8 },
		{ "{\"state\":[\"ready\",\"failed\"]}", 8 },
		{ "{\"state\":\"running\"}", 0 },
		{ "{\"queue\":\"bulk\"}", 5 },
		{ "{\"queue\":\"nowhere\"}", 0 },
		{ "{\"handler\":\"report\"}", 3 },
		{ "{\"handler\":\"report\",\"handler_namespace\":\"other\"}", 1 },
		{ "{\"handler_namespace\":\"other\"}", 1 },
		{ "{\"handler_namespace\":\"default\"}", 7 },
		{ "{\"handler\":\"unknown\"}", 0 },
		{ "{\"correlation_id\":\"4\"}", 1 },
		{ "{\"correlation_id\":\"4\",\"handler\":\"report\"}", 0 },
		{ "{\"tag\":\"red\"}", 0 },
		{ "{\"tag\":\"red\",\"handler\":\"none\"}", 0 },
		{ "{\"created_from\":\"2026-11-21T10:30:45.123456Z\"}", 8 },
		{ "{\"created_to\":\"2026-11-21T10:30:45.123456Z\"}", 0 },
		{ "{\"created_from\":\"2026-11-21T10:30:45.123456Z\",\"handler\":\"report\"}", 3 },
	};
	int64_t next = 0;

	(void)state;
	enqueue_many("none", "bulk", 5, &next);
	add_versions();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		cJSON *page = test_station_list(&s, rows[i].filter);
		int listed = cJSON_GetArraySize(cJSON_GetObjectItem(page, "steps"));

		if (test_station_count(&s, rows[i].filter) != rows[i].count ||
		    listed != (int)rows[i].count)
			fail_msg("%s: %d listed, %d wanted", rows[i].filter, listed,
				 (int)rows[i].count);
		cJSON_Delete(page);
	}
}

static void a_filter_that_says_nothing_known_is_refused(void **state)
{
	static const struct {
		const char *filter;
		const char *message;
	} rows[] = {
		{ "{\"stat\":\"ready\"}", "state" },
		{ "{\"state\":\"done\"}", "done" },
		{ "{\"limit\":0}", "limit" },
		{ "{\"limit\":1001}", "limit" },
		{ "{\"cursor\":\"abc\"}", "begin without one" },
		{ "{\"cursor\":\"00000000-0001-8001-8000-000000000000\"}", "begin without one" },
		{ "[]", "object" },
		{ "{", "" },
	};
	uint64_t count;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		stepbus_text *text = NULL;

		assert_int_equal(stepbus_step_list(s.engine, rows[i].filter, strlen(rows[i].filter),
						   &text, &s.err),
				 STEPBUS_EINVAL);
		if (strstr(s.err.message, rows[i].message) == NULL)
			fail_msg("'%s' is not in '%s'", rows[i].message, s.err.message);
		assert_int_equal(stepbus_step_count(s.engine, rows[i].filter,
						    strlen(rows[i].filter), &count, &s.err),
				 STEPBUS_EINVAL);
	}
}

static void queues_are_listed_with_their_steps_by_state(void **state)
{
	stepbus_step_spec later = test_station_spec("none", "");
	stepbus_text *text = NULL;
	int64_t next = 0;
	cJSON *queues;
	const cJSON *queue;

	(void)state;
	later.delay_ms = 60000;
	enqueue_many("none", "bulk", 5, &next);
	test_station_enqueue(&s, &later, NULL);
	station_ok(&s, stepbus_queue_list(s.engine, &text, &s.err));
	queues = test_answer_take(text);
	assert_int_equal(cJSON_GetArraySize(queues), 2);
	queue = cJSON_GetArrayItem(queues, 0);
	assert_string_equal(test_answer_text(queue, "name"), "bulk");
	assert_false(test_answer_bool(queue, "is_paused"));
	assert_true(test_answer_is_null(queue, "paused_at"));
	assert_true(test_answer_is_null(queue, "concurrency_max"));
	assert_int_equal(test_answer_int(cJSON_GetObjectItem(queue, "steps"), "ready"), 5);
	queue = cJSON_GetArrayItem(queues, 1);
	assert_string_equal(test_answer_text(queue, "name"), "default");
	assert_int_equal(test_answer_int(cJSON_GetObjectItem(queue, "steps"), "ready"), 0);
	assert_int_equal(test_answer_int(cJSON_GetObjectItem(queue, "steps"), "scheduled"), 1);
	cJSON_Delete(queues);
}

static cJSON *list_workers(stepbus *engine)
{
	stepbus_text *text = NULL;

	station_ok(&s, stepbus_worker_list(engine, &text, &s.err));
	return test_answer_take(text);
}

static void a_worker_is_listed_while_it_lives_and_afterwards(void **state)
{
	const stepbus_step_spec good = test_station_spec("echo", "");
	const stepbus_step_spec bad = test_station_spec("fail", "");
	cJSON *workers;
	const cJSON *worker;

	(void)state;
	test_station_work(&s);
	workers = list_workers(s.engine);
	worker = cJSON_GetArrayItem(workers, 0);
	assert_int_equal(cJSON_GetArraySize(workers), 1);
	assert_string_equal(test_answer_text(worker, "id"), "w");
	assert_string_equal(test_answer_text(worker, "strategy"), "priority");
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(worker, "capabilities")), 2);
	assert_true(test_answer_bool(worker, "is_active"));
	assert_int_equal(test_answer_int(worker, "seconds_since_heartbeat"), 0);
	assert_true(test_answer_is_null(worker, "success_rate"));
	assert_true(test_answer_is_null(worker, "stopped_at"));
	cJSON_Delete(workers);
	for (int i = 0; i < 3; i++)
		test_station_enqueue(&s, &good, NULL);
	test_station_enqueue(&s, &bad, NULL);
	test_station_await(&s, 4);
	station_ok(&s, stepbus_worker_stop(s.worker, -1, NULL, &s.err));
	workers = list_workers(s.engine);
	worker = cJSON_GetArrayItem(workers, 0);
	assert_false(test_answer_bool(worker, "is_active"));
	assert_false(test_answer_is_null(worker, "stopped_at"));
	assert_int_equal(test_answer_int(worker, "total_processed"), 4);
	assert_int_equal(test_answer_int(worker, "completed"), 3);
	assert_int_equal(test_answer_int(worker, "failed"), 1);
	assert_int_equal(test_answer_int(worker, "active_steps"), 0);
	assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(worker, "success_rate")) == 0.75);
	cJSON_Delete(workers);
}

static void the_engine_tells_how_it_does(void **state)
{
	stepbus_text *text = NULL;
	int64_t next = 0;
	const cJSON *store;
	cJSON *stats;

	(void)state;
	test_station_work(&s);
	enqueue_many("none", "bulk", 7, &next);
	test_station_await(&s, 7);
	station_ok(&s, stepbus_engine_stats(s.engine, &text, &s.err));
	stats = test_answer_take(text);
	store = cJSON_GetObjectItem(stats, "store");
	assert_true(test_answer_bool(stats, "is_healthy"));
	assert_string_equal(test_answer_text(store, "name"), is_in_memory ? "memory" : "sqlite");
	assert_string_equal(test_answer_text(store, "durability"),
			    is_in_memory ? "memory" : "disk");
	assert_true(test_answer_int(store, "commits") > 0);
	assert_true(test_answer_int(cJSON_GetObjectItem(stats, "writer"), "operations") > 0);
	assert_int_equal(test_answer_int(cJSON_GetObjectItem(stats, "steps"), "failed"), 7);
	assert_int_equal(test_answer_int(cJSON_GetObjectItem(stats, "workers"), "active"), 1);
	cJSON_Delete(stats);
}

static void what_was_done_can_be_looked_at_after_a_stop(void **state)
{
	stepbus_text *text = NULL;
	cJSON *stats;

	(void)state;
	station_ok(&s, stepbus_stop(s.engine, -1, NULL, &s.err));
	assert_int_equal(test_station_count(&s, ""), 0);
	station_ok(&s, stepbus_engine_stats(s.engine, &text, &s.err));
	stats = test_answer_take(text);
	assert_false(test_answer_bool(stats, "is_healthy"));
	cJSON_Delete(stats);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_station, close_station)

static int run_all(const char *store)
{
	const struct CMUnitTest tests[] = {
		TEST(a_step_is_described_as_it_was_enqueued),
		TEST(bytes_that_are_no_text_are_base64),
		TEST(a_large_input_is_whole_in_the_description_and_absent_in_the_list),
		TEST(a_result_and_its_attempt_are_told),
		TEST(a_failure_is_told_of_the_step_and_of_its_attempt),
		TEST(a_step_of_another_store_is_not_found),
		TEST(paging_from_the_newest_shows_each_step_once_while_others_come),
		TEST(paging_from_the_oldest_shows_each_step_once_while_others_come),
		TEST(a_full_last_page_has_no_cursor),
		TEST(filters_choose_by_each_of_their_keys),
		TEST(a_filter_that_says_nothing_known_is_refused),
		TEST(queues_are_listed_with_their_steps_by_state),
		TEST(a_worker_is_listed_while_it_lives_and_afterwards),
		TEST(the_engine_tells_how_it_does),
		TEST(what_was_done_can_be_looked_at_after_a_stop),
	};

	is_in_memory = strcmp(store, "memory") == 0;
	return cmocka_run_group_tests_name(store, tests, NULL, NULL);
}

int main(void)
{
	return run_all("memory") + run_all("sqlite");
}
