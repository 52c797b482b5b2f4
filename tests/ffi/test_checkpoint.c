/* SPDX-License-Identifier: MIT */
/*
 * How far a step has come: handlers and hosts keep it, whoever runs the step next goes on from it, and
 * it is charged to nobody.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/ids.h"
#include "support/answer.h"
#include "support/engine_box.h"

enum { MS = 1000, ROUNDS = 5 };

static stepbus *open_with_worker(test_box *box, const char *keys)
{
	stepbus *engine = test_box_open(box, keys);

	(void)test_box_work(box, engine, "\"pool_size\":1");
	return engine;
}

static stepbus_status give_checkpoint(stepbus_result *result, const char *cursor, const char *sum,
				      uint64_t items)
{
	const stepbus_checkpoint_spec checkpoint = { .size = sizeof checkpoint,
						     .items_processed = items,
						     .cursor = cursor,
						     .cursor_len = strlen(cursor),
						     .partial_result = sum,
						     .partial_result_len = strlen(sum) };

	return stepbus_result_checkpoint(result, &checkpoint, NULL);
}

static uint32_t number_in(const void *data, size_t len)
{
	char text[16] = "";

	if (len > 0 && len < sizeof text)
		memcpy(text, data, len);
	return (uint32_t)strtoul(text, NULL, 10);
}

/* Counts to ROUNDS, one in each attempt, and adds an x to the partial result each time. */
static int32_t act_count(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	uint32_t round = number_in(step->cursor, step->cursor_len);
	char cursor[16], sum[ROUNDS + 1] = "";

	(void)h;
	if (step->retry_count != 0 || step->items_processed != 10 * (uint64_t)round ||
	    step->partial_result_len != round || round >= ROUNDS)
		return STEPBUS_EINVAL;
	if (round > 0)
		memcpy(sum, step->partial_result, round);
	sum[round++] = 'x';
	if (round == ROUNDS)
		return stepbus_result_success(result, sum, round, NULL);
	(void)snprintf(cursor, sizeof cursor, "%u", round);
	return give_checkpoint(result, cursor, sum, 10 * (uint64_t)round);
}

/* Of the store itself. */
static bool has_checkpoint(test_box *box, stepbus *engine, const uint8_t step_id[16])
{
	sb_store *store = engine->store;
	sb_checkpoint_row row;
	stepbus_status status;

	sb_writer_lead(&engine->writer);
	box_ok(box, store->type->begin(store, &box->err));
	status = store->type->checkpoint_read(store, sb_id_to_row(step_id, store->tag), &row, NULL);
	store->type->rollback(store);
	sb_writer_yield(&engine->writer);
	return status == STEPBUS_OK;
}

static void a_handler_goes_on_from_its_checkpoint_uncharged(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, NULL);
	stepbus_step_spec spec = test_box_spec("work", "");
	uint8_t id[16];
	test_look look;

	(void)test_box_handle(box, engine, "work", act_count, NULL);
	spec.attempt_count_max = 1;
	test_box_put(box, engine, &spec, id);
	test_box_await_notes(box, "step.completed", 1);
	assert_int_equal(test_box_run_count(box), ROUNDS);
	for (size_t i = 1; i < ROUNDS; i++)
		assert_true(box->runs[i].token > box->runs[i - 1].token);
	look = test_box_look(box, engine, id);
	assert_int_equal(look.status.state, SB_STEP_COMPLETED);
	assert_int_equal(look.status.attempt_count, 1);
	assert_int_equal(look.status.checkpoint_count, 0);
	assert_int_equal(look.attempt_count, 1);
	assert_int_equal(look.result_len, ROUNDS);
	assert_memory_equal(look.result, "xxxxx", ROUNDS);
	assert_false(has_checkpoint(box, engine, id));
}

static int32_t act_put_off(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	if (atomic_load(&h->run_count) == 1)
		return stepbus_result_snooze(result, 0, NULL);
	return act_count(h, context, result);
}

static void what_is_no_failure_counts_as_none(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, NULL);
	const stepbus_handler_key key = { .size = sizeof key, .name = "work", .name_len = 4 };
	stepbus_text *text = NULL;
	const cJSON *stats;
	cJSON *info;

	(void)test_box_handle(box, engine, "work", act_put_off, NULL);
	test_box_add(box, engine, "work", "");
	test_box_await_notes(box, "step.completed", 1);
	box_ok(box, stepbus_registry_info(stepbus_engine_registry(engine), &key, &text, &box->err));
	info = test_answer_take(text);
	stats = cJSON_GetObjectItem(info, "stats");
	assert_int_equal(test_answer_int(stats, "runs"), 1 + ROUNDS);
	assert_int_equal(test_answer_int(stats, "failures"), 0);
	cJSON_Delete(info);
}

/* One checkpoint, one failure, and the rest. */
static int32_t act_stumble(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);

	if (step->cursor_len == 0)
		return give_checkpoint(result, "7", "so far", 7);
	if (atomic_load(&h->run_count) == 2)
		return test_act_fail(h, context, result);
	return stepbus_result_success(result, step->partial_result, step->partial_result_len, NULL);
}

static void a_retry_goes_on_from_the_checkpoint_too(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, NULL);
	stepbus_step_spec spec = test_box_spec("work", "");
	uint8_t id[16];
	test_look look;

	(void)test_box_handle(box, engine, "work", act_stumble, NULL);
	spec.retry_kind = STEPBUS_RETRY_FIXED;
	spec.retry_base_ms = 100;
	test_box_put(box, engine, &spec, id);
	test_box_await_notes(box, "step.retry_requested", 1);
	test_box_advance(box, 1000 * MS);
	test_box_await_notes(box, "step.completed", 1);
	look = test_box_look(box, engine, id);
	assert_int_equal(look.status.attempt_count, 2);
	assert_memory_equal(look.result, "so far", 6);
	assert_int_equal(test_box_run_count(box), 3);
}

static int32_t act_fail_behind(test_handler *h, const stepbus_context *context,
			       stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);

	if (step->cursor_len == 0)
		return give_checkpoint(result, "7", "so far", 7);
	if (atomic_load(&h->run_count) == 2)
		return test_act_fail_for_good(h, context, result);
	return stepbus_result_success(result, step->cursor, step->cursor_len, NULL);
}

static void a_step_that_is_redriven_goes_on_from_its_checkpoint(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, NULL);
	const stepbus_step_spec spec = test_box_spec("work", "");
	uint8_t id[16];

	(void)test_box_handle(box, engine, "work", act_fail_behind, NULL);
	test_box_put(box, engine, &spec, id);
	test_box_await_notes(box, "step.failed", 1);
	assert_true(has_checkpoint(box, engine, id));
	box_ok(box, stepbus_step_redrive(engine, id, &box->err));
	test_box_await_notes(box, "step.completed", 1);
	assert_memory_equal(test_box_look(box, engine, id).result, "7", 1);
	assert_false(has_checkpoint(box, engine, id));
}

enum { LARGE = 1024 * 1024 };

typedef struct bytes {
	unsigned char data[LARGE];
	size_t len;
	_Atomic(bool) is_same;
} bytes;

static int32_t act_keep_bytes(test_handler *h, const stepbus_context *context,
			      stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	bytes *b = h->object;
	const stepbus_checkpoint_spec checkpoint = { .size = sizeof checkpoint,
						     .items_processed = INT64_MAX,
						     .cursor = b->data,
						     .cursor_len = b->len,
						     .partial_result = b->data + 1,
						     .partial_result_len = b->len - 1 };

	if (step->items_processed == 0)
		return stepbus_result_checkpoint(result, &checkpoint, NULL);
	atomic_store(&b->is_same,
		     step->items_processed == INT64_MAX && step->cursor_len == b->len &&
			     memcmp(step->cursor, b->data, b->len) == 0 &&
			     step->partial_result_len == b->len - 1 &&
			     memcmp(step->partial_result, b->data + 1, b->len - 1) == 0);
	return stepbus_result_success(result, NULL, 0, NULL);
}

static void bytes_come_back_as_they_were(void **state)
{
	static bytes b;
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, NULL);
	test_handler *handler = test_box_handle(box, engine, "work", act_keep_bytes, NULL);
	size_t count = 0;

	for (size_t i = 0; i < sizeof b.data; i++)
		b.data[i] = (unsigned char)(i * 31 >> (i % 3));
	handler->object = &b;
	for (b.len = 2; b.len <= LARGE; b.len *= 32) {
		atomic_store(&b.is_same, false);
		test_box_add(box, engine, "work", "");
		test_box_await_notes(box, "step.completed", ++count);
		if (!atomic_load(&b.is_same))
			fail_msg("%zu bytes are others", b.len);
	}
}

static int32_t act_too_much(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	char cursor[65] = "";

	(void)h;
	(void)context;
	memset(cursor, 'c', sizeof cursor - 1);
	return give_checkpoint(result, cursor, "", 1);
}

static void a_cursor_that_is_too_large_fails_its_step(void **state)
{
	test_box *box = *state;
	stepbus *engine = open_with_worker(box, "\"payload_len_max\":63");

	(void)test_box_handle(box, engine, "work", act_too_much, NULL);
	test_box_add(box, engine, "work", "");
	test_box_await_notes(box, "step.failed", 1);
	assert_string_equal(test_box_note(box, "step.completion.sent", 0)->error_type,
			    "result_too_large");
}

/* Starts a step that waits at the gate, and gives what completes it. */
static stepbus_checkpoint_spec start(test_box *box, stepbus *engine)
{
	const stepbus_step_spec spec = test_box_spec("work", "");
	stepbus_checkpoint_spec c = { .size = sizeof c,
				      .items_processed = 3,
				      .cursor = "here",
				      .cursor_len = 4,
				      .partial_result = "sum",
				      .partial_result_len = 3 };
	size_t count = test_box_run_count(box);

	test_box_put(box, engine, &spec, c.step_id);
	test_box_await_runs(box, count + 1);
	c.token = box->runs[count].token;
	return c;
}

static void assert_refused_but_same(test_box *box, stepbus *engine, stepbus_checkpoint_spec c,
				    stepbus_status refusal)
{
	box_ok(box, stepbus_checkpoint(engine, &c, &box->err));
	c.cursor_len--;
	assert_int_equal(stepbus_checkpoint(engine, &c, &box->err), refusal);
	c.cursor_len++;
	c.partial_result_len--;
	assert_int_equal(stepbus_checkpoint(engine, &c, &box->err), refusal);
	c.partial_result_len++;
	c.items_processed++;
	assert_int_equal(stepbus_checkpoint(engine, &c, &box->err), refusal);
	assert_string_not_equal(box->err.message, "");
}

static void the_same_checkpoint_again_is_fine(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_checkpoint_spec c;

	(void)test_box_handle(box, engine, "work", test_act_wait, NULL);
	(void)test_box_work(box, engine, NULL);
	c = start(box, engine);
	box_ok(box, stepbus_queue_pause(engine, "default", 7, &box->err));
	box_ok(box, stepbus_checkpoint(engine, &c, &box->err));
	assert_int_equal(test_box_look(box, engine, c.step_id).status.state, SB_STEP_READY);
	assert_refused_but_same(box, engine, c, STEPBUS_EALREADY);
	assert_int_equal(test_box_look(box, engine, c.step_id).status.checkpoint_count, 1);
	/* Also when the next attempt is under way. */
	box_ok(box, stepbus_queue_resume(engine, "default", 7, &box->err));
	test_box_await_runs(box, 2);
	assert_refused_but_same(box, engine, c, STEPBUS_ESTALE);
	assert_int_equal(test_box_look(box, engine, c.step_id).status.state, SB_STEP_RUNNING);
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", 1);
}

static void a_checkpoint_that_comes_too_late_is_told_so(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_checkpoint_spec c, stranger = { .size = sizeof stranger, .step_id = { 1 } };

	(void)test_box_handle(box, engine, "work", test_act_wait, NULL);
	(void)test_box_work(box, engine, NULL);
	c = start(box, engine);
	c.token++;
	assert_int_equal(stepbus_checkpoint(engine, &c, &box->err), STEPBUS_ESTALE);
	c.token--;
	box_ok(box, stepbus_step_cancel(engine, c.step_id, &box->err));
	assert_int_equal(stepbus_checkpoint(engine, &c, &box->err), STEPBUS_ECANCELLED);
	assert_false(has_checkpoint(box, engine, c.step_id));
	assert_int_equal(stepbus_checkpoint(engine, &stranger, &box->err), STEPBUS_ENOTFOUND);
	c = start(box, engine);
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", 1);
	assert_int_equal(stepbus_checkpoint(engine, &c, &box->err), STEPBUS_EALREADY);
	assert_false(has_checkpoint(box, engine, c.step_id));
}

static void assert_told(test_box *box, const stepbus_checkpoint_spec *c)
{
	const test_note *note = test_box_note(box, STEPBUS_EVENT_STEP_CHECKPOINT_YIELD_SENT, 0);
	char id[37], token[24];
	cJSON *json = cJSON_Parse(note->text);

	assert_non_null(json);
	(void)stepbus_id_format(c->step_id, id, NULL);
	(void)snprintf(token, sizeof token, "%llu", (unsigned long long)c->token);
	assert_string_equal(test_answer_text(json, "step_id"), id);
	assert_string_equal(test_answer_text(json, "token"), token);
	assert_string_equal(test_answer_text(json, "cursor"), "here");
	assert_int_equal(test_answer_int(json, "items_processed"), 3);
	assert_int_equal(test_answer_int(json, "partial_result_len"), 3);
	assert_int_equal(test_answer_int(json, "checkpoint_count"), 1);
	cJSON_Delete(json);
}

static void a_checkpoint_is_told_and_shown(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_text *text = NULL;
	stepbus_checkpoint_spec c;
	const cJSON *shown;
	cJSON *info;

	(void)test_box_handle(box, engine, "work", test_act_wait, NULL);
	(void)test_box_work(box, engine, NULL);
	c = start(box, engine);
	box_ok(box, stepbus_checkpoint(engine, &c, &box->err));
	test_box_await_notes(box, STEPBUS_EVENT_STEP_CHECKPOINT_YIELD_SENT, 1);
	assert_told(box, &c);
	assert_int_equal(test_box_note(box, STEPBUS_EVENT_STEP_COMPLETION_SENT, 0)->outcome,
			 STEPBUS_OUTCOME_CHECKPOINT);
	box_ok(box, stepbus_step_info(engine, c.step_id, &text, &box->err));
	info = test_answer_take(text);
	assert_int_equal(test_answer_int(info, "checkpoint_count"), 1);
	shown = cJSON_GetObjectItem(info, "checkpoint");
	assert_string_equal(test_answer_text(shown, "cursor"), "here");
	assert_string_equal(test_answer_text(shown, "partial_result"), "sum");
	assert_int_equal(test_answer_int(shown, "items_processed"), 3);
	assert_string_not_equal(test_answer_text(shown, "at"), "");
	cJSON_Delete(info);
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", 1);
	box_ok(box, stepbus_step_info(engine, c.step_id, &text, &box->err));
	info = test_answer_take(text);
	assert_true(test_answer_is_null(info, "checkpoint"));
	cJSON_Delete(info);
}

/* The places that one step holds go round while it makes checkpoints. */
static void a_checkpoint_gives_its_place_to_the_next(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	static const char limit[] = "{\"key_concurrency_max\":1}";
	stepbus_step_spec spec = test_box_spec("work", "");

	box_ok(box, stepbus_queue_set(engine, "default", 7, limit, strlen(limit), &box->err));
	(void)test_box_handle(box, engine, "work", act_count, NULL);
	spec.concurrency_key = "k";
	spec.concurrency_key_len = 1;
	for (int i = 0; i < 4; i++)
		box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	(void)test_box_work(box, engine, "\"pool_size\":4");
	test_box_await_notes(box, "step.completed", 4);
	assert_int_equal(test_box_run_count(box), (size_t)4 * ROUNDS);
}

static stepbus_step_event poll_one(test_box *box, stepbus_worker *worker)
{
	stepbus_step_event event = { .size = sizeof event };
	size_t count = 0;

	box_ok(box, stepbus_poll(worker, &event, 1, -1, &count, &box->err));
	assert_int_equal(count, 1);
	return event;
}

static void a_host_that_polls_goes_on_from_its_checkpoint(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_handler_spec pulled = { .size = sizeof pulled,
					      .flags = STEPBUS_HANDLER_PULLED,
					      .name = "work",
					      .name_len = 4 };
	stepbus_checkpoint_spec c = { .size = sizeof c, .cursor = "1", .cursor_len = 1 };
	stepbus_completion done = { .size = sizeof done,
				    .outcome = STEPBUS_OUTCOME_SUCCESS,
				    .retry_after_ms = -1 };
	stepbus_step_event event;
	stepbus_worker *worker;

	box_ok(box, stepbus_registry_register(stepbus_engine_registry(engine), &pulled, &box->err));
	worker = test_box_work(box, engine, "\"pull\":true");
	test_box_add(box, engine, "work", "");
	event = poll_one(box, worker);
	assert_int_equal(event.cursor_len, 0);
	for (uint64_t i = 1; i <= 3; i++) {
		memcpy(c.step_id, event.step_id, sizeof c.step_id);
		c.token = event.token;
		c.items_processed = i;
		box_ok(box, stepbus_checkpoint(engine, &c, &box->err));
		event = poll_one(box, worker);
		assert_true(event.token > c.token);
		assert_int_equal(event.cursor_len, 1);
		assert_memory_equal(event.cursor, "1", 1);
		assert_int_equal(event.items_processed, i);
		assert_int_equal(event.retry_count, 0);
		/* The answer was lost on its way, perhaps. */
		box_ok(box, stepbus_checkpoint(engine, &c, &box->err));
		c.cursor_len = 0;
		assert_int_equal(stepbus_checkpoint(engine, &c, &box->err), STEPBUS_ESTALE);
		c.cursor_len = 1;
	}
	memcpy(done.step_id, event.step_id, sizeof done.step_id);
	done.token = event.token;
	box_ok(box, stepbus_complete(engine, &done, 1, NULL, &box->err));
	assert_int_equal(stepbus_checkpoint(engine, &c, &box->err), STEPBUS_ESTALE);
	assert_false(has_checkpoint(box, engine, done.step_id));
	test_box_await_notes(box, STEPBUS_EVENT_STEP_CHECKPOINT_YIELD_SENT, 3);
}

static int32_t act_walk(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	uint32_t round = number_in(step->cursor, step->cursor_len);
	char cursor[16];

	(void)h;
	if (round == 20)
		return stepbus_result_success(result, step->cursor, step->cursor_len, NULL);
	(void)snprintf(cursor, sizeof cursor, "%u", round + 1);
	return give_checkpoint(result, cursor, "", 0);
}

static bool is_all_done(test_box *box, stepbus *engine)
{
	return test_box_count_state(box, engine, SB_STEP_COMPLETED) == 10;
}

static void checkpoints_survive_a_lack_of_memory(void **state)
{
	static const char patient[] = "\"poll_ms\":10,\"retry\":{\"kind\":\"fixed\",\"base_ms\":1,"
				      "\"attempt_count_max\":1000}";
	const time_t until = time(NULL) + TEST_BOX_LIMIT_S;
	test_box *box = *state;
	stepbus *engine;

	box->is_deaf = true;
	engine = test_box_open(box, patient);
	(void)test_box_handle(box, engine, "work", act_walk, NULL);
	for (int i = 0; i < 10; i++)
		test_box_add(box, engine, "work", "");
	(void)test_box_work(box, engine, "\"pool_size\":2");
	atomic_store(&box->famine_percent, 10);
	for (int i = 0; i < 2000 && atomic_load(&box->starved_count) < 200; i++)
		(void)stepbus_engine_wake(engine, NULL);
	atomic_store(&box->famine_percent, 0);
	while (!is_all_done(box, engine) && time(NULL) < until)
		test_box_advance(box, 20 * MS);
	assert_true(is_all_done(box, engine));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(a_handler_goes_on_from_its_checkpoint_uncharged),
		BOX_TEST(what_is_no_failure_counts_as_none),
		BOX_TEST(a_retry_goes_on_from_the_checkpoint_too),
		BOX_TEST(a_step_that_is_redriven_goes_on_from_its_checkpoint),
		BOX_TEST(bytes_come_back_as_they_were),
		BOX_TEST(a_cursor_that_is_too_large_fails_its_step),
		BOX_TEST(the_same_checkpoint_again_is_fine),
		BOX_TEST(a_checkpoint_that_comes_too_late_is_told_so),
		BOX_TEST(a_checkpoint_is_told_and_shown),
		BOX_TEST(a_checkpoint_gives_its_place_to_the_next),
		BOX_TEST(a_host_that_polls_goes_on_from_its_checkpoint),
		BOX_TEST(checkpoints_survive_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
