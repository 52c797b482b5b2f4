/* SPDX-License-Identifier: MIT */
/* What the bridge of an engine tells of each step: all of it, in order, and after it is durable. */
#include <sqlite3.h>
#include <string.h>

#include "base/ids.h"
#include "support/answer.h"
#include "support/engine_box.h"

enum { SECOND = 1000000 };

static const char one_retry[] = "\"retry\":{\"kind\":\"fixed\",\"base_ms\":1000,"
				"\"jitter_percent\":0,\"attempt_count_max\":2}";

static stepbus *open_with_worker(test_box *box)
{
	stepbus *engine = test_box_open(box, one_retry);

	(void)test_box_work(box, engine, "\"pool_size\":1");
	return engine;
}

static void put(test_box *box, stepbus *engine, const char *handler, uint8_t id[16])
{
	const stepbus_step_spec spec = test_box_spec(handler, "in");

	test_box_put(box, engine, &spec, id);
}

static void a_success_is_told(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box);
	uint8_t id[16];

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	put(box, engine, "work", id);
	test_box_await_notes(box, "step.completed", 1);
	assert_string_equal(test_box_story(box, id),
			    "step.execution_requested step.started step.completion.sent "
			    "step.completed");
}

static void a_failure_and_its_retry_are_told(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box);
	uint8_t id[16];

	(void)test_box_handle(box, engine, "work", test_act_fail, NULL);
	put(box, engine, "work", id);
	test_box_await_notes(box, "step.retry_requested", 1);
	test_box_advance(box, SECOND);
	test_box_await_notes(box, "observability.step.max_retries_reached", 1);
	assert_string_equal(test_box_story(box, id),
			    "step.execution_requested step.started step.completion.sent "
			    "step.failed step.retry_requested step.started "
			    "step.completion.sent step.failed "
			    "observability.step.max_retries_reached");
}

static void a_failure_for_good_is_told(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box);
	uint8_t ids[2][16];

	(void)test_box_handle(box, engine, "work", test_act_fail_for_good, NULL);
	put(box, engine, "work", ids[0]);
	put(box, engine, "missing", ids[1]);
	test_box_await_notes(box, "step.failed", 2);
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(test_box_story(box, ids[i]),
				    "step.execution_requested step.started step.completion.sent "
				    "step.failed");
}

static int32_t act_snooze_once(test_handler *h, const stepbus_context *context,
			       stepbus_result *result)
{
	if (atomic_load(&h->run_count) == 1)
		return stepbus_result_snooze(result, 1000, NULL);
	return test_act_echo(h, context, result);
}

static void a_snooze_is_told(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box);
	uint8_t id[16];

	(void)test_box_handle(box, engine, "work", act_snooze_once, NULL);
	put(box, engine, "work", id);
	test_box_await_notes(box, "step.snoozed", 1);
	test_box_advance(box, SECOND);
	test_box_await_notes(box, "step.completed", 1);
	assert_string_equal(test_box_story(box, id),
			    "step.execution_requested step.started step.completion.sent "
			    "step.snoozed step.started step.completion.sent step.completed");
}

static void timeouts_are_told(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, one_retry);
	stepbus_step_spec spec = test_box_spec("work", "in");
	uint8_t ids[2][16];

	(void)test_box_handle(box, engine, "work", test_act_wait, NULL);
	(void)test_box_work(box, engine, "\"queues\":[\"default\"]");
	spec.attempt_timeout_ms = 1000;
	spec.attempt_count_max = 1;
	test_box_put(box, engine, &spec, ids[0]);
	test_box_await_waiting(box, 1);
	spec.attempt_timeout_ms = 0;
	spec.wait_timeout_ms = 1500;
	spec.delay_ms = 500;
	spec.queue = "nobodys";
	spec.queue_len = 7;
	test_box_put(box, engine, &spec, ids[1]);
	test_box_advance(box, SECOND);
	test_box_await_notes(box, "step.failed", 1);
	test_box_advance(box, SECOND);
	test_box_await_notes(box, "step.failed", 2);
	assert_string_equal(test_box_story(box, ids[0]),
			    "step.execution_requested step.started step.completion.sent "
			    "step.failed observability.step.max_retries_reached");
	assert_string_equal(test_box_story(box, ids[1]), "step.execution_requested step.failed");
	test_box_open_gate(box);
}

/* What hosts read out of these events; the catalog promises them. */
static void payloads_say_what_the_catalog_promises(void **state)
{
	static const char *const names[] = {
		"step.execution_requested", "step.started",   "step.failed",
		"step.retry_requested",     "step.completed", "worker.started"
	};
	test_box *box = *state;
	stepbus *engine = open_with_worker(box);
	uint8_t id[16];

	(void)test_box_handle(box, engine, "fail", test_act_fail, NULL);
	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	put(box, engine, "fail", id);
	test_box_await_notes(box, "step.retry_requested", 1);
	put(box, engine, "work", id);
	test_box_await_notes(box, "step.completed", 1);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		stepbus_text *text = NULL;
		cJSON *entry, *payload;
		const cJSON *required;

		box_ok(box, stepbus_catalog_explain(stepbus_engine_bridge(engine), names[i],
						    strlen(names[i]), &text, &box->err));
		entry = test_answer_take(text);
		payload = cJSON_Parse(test_box_note(box, names[i], 0)->text);
		assert_non_null(payload);
		cJSON_ArrayForEach(
			required,
			cJSON_GetObjectItem(
				cJSON_GetObjectItem(entry, "schema"),
				"required")) if (!test_answer_has(payload, required->valuestring))
			fail_msg("%s has no %s", names[i], required->valuestring);
		cJSON_Delete(payload);
		cJSON_Delete(entry);
	}
}

static _Atomic(int) early_count;

/* Asks the file itself, through a connection of its own, and the engine's reader. */
static void look_up(test_box *box, const test_note *note, const void *payload, size_t len)
{
	const sb_step_filter filter = { .states = 1U << SB_STEP_COMPLETED };
	int64_t id, count = 0;
	sqlite3_stmt *statement = NULL;
	sqlite3 *db = NULL;

	(void)payload;
	(void)len;
	if (strcmp(note->name, "step.completion.sent") != 0)
		return;
	id = sb_id_to_row(note->step_id, box->engine->store->tag);
	if (box->engine->store->type->step_count(box->engine->store, &filter, &count, NULL) !=
		    STEPBUS_OK ||
	    count == 0)
		atomic_fetch_add(&early_count, 1);
	if (!box->is_on_disk)
		return;
	if (sqlite3_open_v2(box->path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, "SELECT state FROM state WHERE id = ?", -1, &statement, NULL) !=
		    SQLITE_OK ||
	    sqlite3_bind_int64(statement, 1, id) != SQLITE_OK ||
	    sqlite3_step(statement) != SQLITE_ROW ||
	    sqlite3_column_int(statement, 0) != SB_STEP_COMPLETED)
		atomic_fetch_add(&early_count, 1);
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(db);
}

static void completions_are_told_when_they_are_durable(void **state)
{
	enum { COUNT = 50 };
	test_box *box = *state;
	stepbus *engine = open_with_worker(box);

	atomic_store(&early_count, 0);
	pthread_mutex_lock(&box->lock);
	box->on_note = look_up;
	pthread_mutex_unlock(&box->lock);
	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	for (int i = 0; i < COUNT; i++)
		test_box_add(box, engine, "work", "x");
	test_box_await_notes(box, "step.completion.sent", COUNT);
	test_box_close(box, engine);
	assert_int_equal(atomic_load(&early_count), 0);
}

static void the_story_of_each_of_many_steps_is_in_order(void **state)
{
	enum { COUNT = 100 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, one_retry);
	uint8_t ids[COUNT][16];

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	(void)test_box_work(box, engine, "\"block_size\":4,\"pool_size\":4");
	(void)test_box_work(box, engine, "\"block_size\":4,\"pool_size\":2");
	for (int i = 0; i < COUNT; i++)
		put(box, engine, "work", ids[i]);
	test_box_await_notes(box, "step.completed", COUNT);
	for (int i = 0; i < COUNT; i++)
		assert_string_equal(test_box_story(box, ids[i]),
				    "step.execution_requested step.started step.completion.sent "
				    "step.completed");
}

static int32_t refuse(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)event_id;
	(void)payload;
	(void)len;
	atomic_fetch_add((_Atomic(int) *)user_data, 1);
	return STEPBUS_EHANDLER;
}

static void a_subscriber_that_refuses_changes_nothing(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box);
	_Atomic(int) count = 0;
	const stepbus_subscription spec = {
		.size = sizeof spec, .priority = 100, .deliver = refuse, .user_data = &count
	};
	uint64_t subscription = 0;
	uint8_t id[16];

	box_ok(box, stepbus_bridge_subscribe(stepbus_engine_bridge(engine), "step.*", 6, &spec,
					     &subscription, &box->err));
	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	put(box, engine, "work", id);
	test_box_await_notes(box, "step.completed", 1);
	assert_int_equal(test_box_look(box, engine, id).status.state, SB_STEP_COMPLETED);
	assert_true(atomic_load(&count) >= 4);
	box_ok(box,
	       stepbus_bridge_unsubscribe(stepbus_engine_bridge(engine), subscription, &box->err));
}

static void workers_tell_of_themselves(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_worker *worker = test_box_work(box, engine, "\"id\":\"mailer\"");

	test_box_await_notes(box, "worker.started", 1);
	assert_non_null(strstr(test_box_note(box, "worker.started", 0)->text, "\"mailer\""));
	/* A third of the lease, which is an hour here. */
	test_box_advance(box, INT64_C(1200) * SECOND);
	test_box_await_notes(box, "worker.heartbeat", 1);
	stepbus_worker_free(worker);
	test_box_await_notes(box, "worker.stopped", 1);
	assert_int_equal(test_box_count_notes(box, "worker.shutdown.started"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(a_success_is_told),
		BOX_TEST(a_failure_and_its_retry_are_told),
		BOX_TEST(a_failure_for_good_is_told),
		BOX_TEST(a_snooze_is_told),
		BOX_TEST(timeouts_are_told),
		BOX_TEST(payloads_say_what_the_catalog_promises),
		BOX_TEST(completions_are_told_when_they_are_durable),
		BOX_TEST(the_story_of_each_of_many_steps_is_in_order),
		BOX_TEST(a_subscriber_that_refuses_changes_nothing),
		BOX_TEST(workers_tell_of_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
