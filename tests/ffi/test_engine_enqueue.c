/* SPDX-License-Identifier: MIT */
/* Enqueueing: what a spec may say, that all or none of a batch is kept, and how callers hear of it. */
#include <string.h>

#include "base/ids.h"
#include "support/engine_box.h"

static void ids_are_of_version_8_and_ascend(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_step_spec spec = test_box_spec("work", "1");
	stepbus_step_spec specs[5] = { spec, spec, spec, spec, spec };
	stepbus_enqueued out[5] = { { .size = sizeof *out } };
	uint8_t last[16] = { 0 };

	test_box_put(box, engine, &spec, last);
	box_ok(box, stepbus_step_enqueue(engine, specs, 5, out, &box->err));
	for (size_t i = 0; i < 5; i++) {
		char text[SB_ID_TEXT_LEN + 1];
		uint8_t again[16];

		assert_int_equal(out[i].step_id[6] >> 4, 8);
		assert_int_equal(out[i].step_id[8] >> 6, 2);
		assert_true(memcmp(out[i].step_id, last, 16) > 0);
		memcpy(last, out[i].step_id, 16);
		box_ok(box, stepbus_id_format(last, text, &box->err));
		box_ok(box, stepbus_id_parse(text, strlen(text), again, &box->err));
		assert_memory_equal(again, last, 16);
		assert_true(test_box_look(box, engine, again).is_there);
	}
}

static void the_ack_says_what_it_survives(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_step_spec spec = test_box_spec("work", "1");
	stepbus_enqueued out = { .size = sizeof out };

	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, &out, &box->err));
	assert_int_equal(out.durability,
			 box->is_on_disk ? STEPBUS_DURABILITY_PROCESS : STEPBUS_DURABILITY_MEMORY);
	assert_int_equal(out.is_existing, 0);
	assert_int_equal(out.size, sizeof out);
}

/* Fills what the next call will find on its stack. */
static void __attribute__((noinline)) spoil_the_stack(void)
{
	volatile unsigned char bytes[16384];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = 0xA5;
}

static void an_enqueue_does_not_ask_what_the_stack_held_before(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_step_spec spec = test_box_spec("work", "1");

	for (int i = 0; i < 3; i++) {
		spoil_the_stack();
		box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	}
}

static void disk_is_what_a_file_promises_by_default(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"durability\":\"disk\"");
	const stepbus_step_spec spec = test_box_spec("work", "1");
	stepbus_enqueued out = { .size = sizeof out };

	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, &out, &box->err));
	assert_int_equal(out.durability, STEPBUS_DURABILITY_DISK);
}

static void a_refused_spec_in_the_middle_leaves_nothing(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_step_spec good = test_box_spec("work", "1");
	const stepbus_handler_spec narrow = { .permitted_queues = "mail",
					      .permitted_queues_len = 4 };
	stepbus_step_spec specs[3] = { good, good, good };

	/* Refused by what the spec says, and by what the registry says of it. */
	specs[1].priority = -1;
	box_refused(box, STEPBUS_EINVAL, "step 1: priority",
		    stepbus_step_enqueue(engine, specs, 3, NULL, &box->err));
	(void)test_box_handle(box, engine, "narrow", test_act_echo, &narrow);
	specs[1] = test_box_spec("narrow", "1");
	box_refused(box, STEPBUS_EINVAL, "step 1: handler 'narrow' may not run in queue 'default'",
		    stepbus_step_enqueue(engine, specs, 3, NULL, &box->err));
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), 0);
	box_ok(box, stepbus_step_enqueue(engine, &good, 1, NULL, &box->err));
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), 1);
}

static void counts_are_from_1_to_100000(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_step_spec spec = test_box_spec("work", "1");

	box_refused(box, STEPBUS_EINVAL, "count is 0",
		    stepbus_step_enqueue(engine, &spec, 0, NULL, &box->err));
	box_refused(box, STEPBUS_EINVAL, "count is 100001",
		    stepbus_step_enqueue(engine, &spec, 100001, NULL, &box->err));
	box_refused(box, STEPBUS_EINVAL, "count",
		    stepbus_step_enqueue(engine, &spec, SIZE_MAX, NULL, &box->err));
	box_refused(box, STEPBUS_EINVAL, "specs",
		    stepbus_step_enqueue(engine, NULL, 1, NULL, &box->err));
	box_refused(box, STEPBUS_EINVAL, "engine",
		    stepbus_step_enqueue(NULL, &spec, 1, NULL, &box->err));
}

static void structs_of_another_size_are_refused(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_step_spec spec = test_box_spec("work", "1");
	stepbus_enqueued out = { .size = 0 };

	box_refused(box, STEPBUS_EINVAL, "stepbus_enqueued",
		    stepbus_step_enqueue(engine, &spec, 1, &out, &box->err));
	spec.size = 0;
	box_refused(box, STEPBUS_EINVAL, "stepbus_step_spec",
		    stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	spec.size = sizeof spec - 1;
	box_refused(box, STEPBUS_EINVAL, "stepbus_step_spec",
		    stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	spec = test_box_spec("work", "1");
	spec.flags = 1;
	box_refused(box, STEPBUS_EINVAL, "flags",
		    stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
}

/* Fields of text: where they are, how long they may be, and of what. */
typedef struct text_field {
	const char *name;
	size_t data_offset;
	size_t len_offset;
	size_t len_max;
	enum { IS_NAME, IS_TEXT, IS_JSON, IS_BYTES } kind;
} text_field;

#define TEXT_FIELD(member, max, kind)                                        \
	{                                                                    \
#member, offsetof(stepbus_step_spec, member),                \
			offsetof(stepbus_step_spec, member##_len), max, kind \
	}

static const text_field text_fields[] = {
	TEXT_FIELD(handler_name, 128, IS_NAME),
	TEXT_FIELD(handler_namespace, 128, IS_NAME),
	TEXT_FIELD(handler_version, 64, IS_TEXT),
	TEXT_FIELD(queue, 128, IS_NAME),
	TEXT_FIELD(caller, 128, IS_NAME),
	TEXT_FIELD(step_name, 128, IS_TEXT),
	TEXT_FIELD(content_type, 128, IS_TEXT),
	TEXT_FIELD(correlation_id, 1024, IS_TEXT),
	TEXT_FIELD(traceparent, 1024, IS_TEXT),
	TEXT_FIELD(step_config, 65536, IS_JSON),
	TEXT_FIELD(tags, 4096, IS_TEXT),
	TEXT_FIELD(concurrency_key, 256, IS_BYTES),
	TEXT_FIELD(idempotency_key, 256, IS_BYTES),
	TEXT_FIELD(unique_key, 256, IS_BYTES),
	TEXT_FIELD(input, 1048576, IS_BYTES),
};

static char filler[1048577];

/* As many bytes of what the field takes. */
static const char *fill(const text_field *field, size_t len)
{
	memset(filler, field->kind == IS_JSON ? ' ' : 'a', sizeof filler);
	if (field->kind == IS_JSON) {
		filler[0] = '{';
		filler[len - 1] = '}';
	}
	return filler;
}

static stepbus_status try_text(test_box *box, const text_field *field, const void *data, size_t len)
{
	stepbus_step_spec spec = test_box_spec("work", "1");

	memcpy((char *)&spec + field->data_offset, &data, sizeof data);
	memcpy((char *)&spec + field->len_offset, &len, sizeof len);
	return stepbus_step_enqueue(box->engine, &spec, 1, NULL, &box->err);
}

static void texts_reach_to_their_limit_and_not_beyond(void **state)
{
	test_box *box = *state;

	(void)test_box_open(box, NULL);
	for (size_t i = 0; i < sizeof text_fields / sizeof *text_fields; i++) {
		const text_field *field = &text_fields[i];

		const size_t most = field->len_max;

		box_ok(box, try_text(box, field, fill(field, 2), 2));
		box_ok(box, try_text(box, field, fill(field, most), most));
		box_refused(box, STEPBUS_EINVAL, field->name,
			    try_text(box, field, fill(field, most + 1), most + 1));
		box_refused(box, STEPBUS_EINVAL, field->name,
			    try_text(box, field, filler, SIZE_MAX));
		box_refused(box, STEPBUS_EINVAL, field->name, try_text(box, field, NULL, 1));
		if (strcmp(field->name, "handler_name") != 0)
			box_ok(box, try_text(box, field, NULL, 0));
	}
}

static void texts_are_names_or_utf8_or_any_bytes(void **state)
{
	static const struct sample {
		const char *data;
		size_t len;
		bool is_utf8;
	} samples[] = { { "\xff", 1, false },         { "a\0b", 3, false },    { "\xc3", 1, false },
			{ "\xed\xa0\x80", 3, false }, { "\xc3\xa4", 2, true }, { " ", 1, true } };
	test_box *box = *state;

	(void)test_box_open(box, NULL);
	for (size_t i = 0; i < sizeof text_fields / sizeof *text_fields; i++)
		for (size_t s = 0; s < sizeof samples / sizeof *samples; s++) {
			const text_field *field = &text_fields[i];
			stepbus_status status =
				try_text(box, field, samples[s].data, samples[s].len);

			if (field->kind == IS_BYTES ||
			    (field->kind == IS_TEXT && samples[s].is_utf8))
				box_ok(box, status);
			else
				box_refused(box, STEPBUS_EINVAL, field->name, status);
		}
}

typedef struct number_field {
	const char *name;
	size_t offset;
	size_t len;
	int64_t max;
} number_field;

#define NUMBER_FIELD(member, max)                                   \
	{                                                           \
#member, offsetof(stepbus_step_spec, member),       \
			sizeof((stepbus_step_spec *)0)->member, max \
	}

static const int64_t ten_years_ms = 10LL * 366 * 24 * 3600 * 1000;

static const number_field number_fields[] = {
	NUMBER_FIELD(delay_ms, ten_years_ms),
	NUMBER_FIELD(wait_timeout_ms, ten_years_ms),
	NUMBER_FIELD(attempt_timeout_ms, ten_years_ms),
	NUMBER_FIELD(total_timeout_ms, ten_years_ms),
	NUMBER_FIELD(retry_base_ms, ten_years_ms),
	NUMBER_FIELD(retry_cap_ms, ten_years_ms),
	NUMBER_FIELD(unique_period_ms, ten_years_ms),
	NUMBER_FIELD(run_at_us, INT64_MAX),
	NUMBER_FIELD(unique_scope, 3),
	NUMBER_FIELD(unique_states, 1022),
	NUMBER_FIELD(retry_kind, STEPBUS_RETRY_FIBONACCI),
	NUMBER_FIELD(jitter_percent, 100),
	NUMBER_FIELD(priority, 10000),
};

static stepbus_status try_number(test_box *box, const number_field *field, int64_t value)
{
	stepbus_step_spec spec = test_box_spec("work", "1");
	int32_t narrow = (int32_t)value;

	/* What is not said has no period. */
	spec.unique_key = "k";
	spec.unique_key_len = 1;
	if (field->len == sizeof value)
		memcpy((char *)&spec + field->offset, &value, sizeof value);
	else
		memcpy((char *)&spec + field->offset, &narrow, sizeof narrow);
	return stepbus_step_enqueue(box->engine, &spec, 1, NULL, &box->err);
}

static void numbers_reach_to_their_limit_and_not_beyond(void **state)
{
	test_box *box = *state;

	(void)test_box_open(box, NULL);
	for (size_t i = 0; i < sizeof number_fields / sizeof *number_fields; i++) {
		const number_field *field = &number_fields[i];

		box_ok(box, try_number(box, field, 0));
		box_ok(box, try_number(box, field, field->max));
		box_refused(box, STEPBUS_EINVAL, field->name, try_number(box, field, -1));
		if (field->max < INT64_MAX)
			box_refused(box, STEPBUS_EINVAL, field->name,
				    try_number(box, field, field->max + 1));
		if (field->len == sizeof(int64_t))
			box_refused(box, STEPBUS_EINVAL, field->name,
				    try_number(box, field, INT64_MIN));
	}
}

static void all_times_at_their_limit_at_once_do_not_overflow(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_step_spec spec = test_box_spec("work", "1");
	uint8_t id[16];

	spec.run_at_us = INT64_MAX;
	spec.wait_timeout_ms = ten_years_ms;
	spec.attempt_timeout_ms = ten_years_ms;
	spec.total_timeout_ms = ten_years_ms;
	test_box_put(box, engine, &spec, id);
	assert_int_equal(test_box_look(box, engine, id).status.due_at_us, INT64_MAX);
	assert_int_equal(test_box_look(box, engine, id).status.deadline_at_us, INT64_MAX);
	test_box_await_notes(box, "step.execution_requested", 1);
}

static void payload_len_max_is_the_engines(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"payload_len_max\":4");
	stepbus_step_spec spec = test_box_spec("work", "1234");

	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	spec.input = "12345";
	spec.input_len = 5;
	box_refused(box, STEPBUS_EINVAL, "payload_len_max",
		    stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
}

static void async_calls_back_once_each_in_order(void **state)
{
	enum { COUNT = 100 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_step_spec spec = test_box_spec("work", "1");
	const stepbus_handler_spec narrow = { .permitted_queues = "mail",
					      .permitted_queues_len = 4 };

	(void)test_box_handle(box, engine, "narrow", test_act_echo, &narrow);
	for (int i = 0; i < COUNT; i++) {
		/* Every third one is refused, but only when it is looked at. */
		spec = test_box_spec(i % 3 == 2 ? "narrow" : "work", "1");
		box_ok(box, stepbus_step_enqueue_async(engine, &spec, 1, test_box_enqueued, box,
						       &box->err));
	}
	test_box_await_answers(box, COUNT);
	box_ok(box, stepbus_stop(engine, -1, NULL, &box->err));
	assert_int_equal(box->answered_count, COUNT);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(box->answers[i], i % 3 == 2 ? STEPBUS_EINVAL : STEPBUS_OK);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), COUNT - COUNT / 3);
}

static void async_is_refused_when_queue_count_max_wait(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"queue_count_max\":3");
	const stepbus_step_spec spec = test_box_spec("work", "1");
	stepbus_status status = STEPBUS_OK;
	int count = 0;

	/* Nothing is written while somebody else leads; the engine's own sweep may wait, too. */
	sb_writer_lead(&engine->writer);
	while (status == STEPBUS_OK && count < 10) {
		status = stepbus_step_enqueue_async(engine, &spec, 1, test_box_enqueued, box,
						    &box->err);
		count += status == STEPBUS_OK;
	}
	sb_writer_yield(&engine->writer);
	box_refused(box, STEPBUS_EFULL, "queue_count_max", status);
	assert_in_range(count, 2, 3);
	test_box_await_answers(box, count);
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	assert_int_equal(box->answered_count, count);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), count + 1);
}

static void async_copies_what_it_is_given(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	char handler[] = "work", input[] = "bytes", key[] = "key";
	stepbus_step_spec spec = test_box_spec(handler, input);
	stepbus_status status;

	spec.correlation_id = key;
	spec.correlation_id_len = 3;
	sb_writer_lead(&engine->writer);
	status = stepbus_step_enqueue_async(engine, &spec, 1, test_box_enqueued, box, &box->err);
	memset(handler, 'x', 4);
	memset(input, 'x', 5);
	memset(key, 'x', 3);
	memset(&spec, 0xFF, sizeof spec);
	sb_writer_yield(&engine->writer);
	box_ok(box, status);
	test_box_await_answers(box, 1);
	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	(void)test_box_work(box, engine, NULL);
	test_box_await_runs(box, 1);
	assert_string_equal(test_box_journal(box), "bytes");
}

static void what_waits_is_written_before_an_engine_closes(void **state)
{
	enum { COUNT = 200 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_step_spec spec = test_box_spec("work", "1");

	spec.delay_ms = 1000;
	for (int i = 0; i < COUNT; i++)
		box_ok(box, stepbus_step_enqueue_async(engine, &spec, 1, test_box_enqueued, box,
						       &box->err));
	test_box_close(box, engine);
	assert_int_equal(box->answered_count, COUNT);
	if (!box->is_on_disk)
		return;
	engine = test_box_open(box, NULL);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_SCHEDULED), COUNT);
}

static void nothing_is_enqueued_after_a_stop(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_step_spec spec = test_box_spec("work", "1");

	box_ok(box, stepbus_stop(engine, -1, NULL, &box->err));
	box_refused(box, STEPBUS_ESHUTDOWN, "stopped",
		    stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	box_refused(box, STEPBUS_ESHUTDOWN, "stopped",
		    stepbus_step_enqueue_async(engine, &spec, 1, NULL, NULL, &box->err));
	box_ok(box, stepbus_stop(engine, 0, NULL, &box->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(ids_are_of_version_8_and_ascend),
		BOX_TEST(the_ack_says_what_it_survives),
		BOX_TEST(an_enqueue_does_not_ask_what_the_stack_held_before),
		BOX_TEST_ON_DISK(disk_is_what_a_file_promises_by_default),
		BOX_TEST(a_refused_spec_in_the_middle_leaves_nothing),
		BOX_TEST(counts_are_from_1_to_100000),
		BOX_TEST(structs_of_another_size_are_refused),
		BOX_TEST(texts_reach_to_their_limit_and_not_beyond),
		BOX_TEST(texts_are_names_or_utf8_or_any_bytes),
		BOX_TEST(numbers_reach_to_their_limit_and_not_beyond),
		BOX_TEST(all_times_at_their_limit_at_once_do_not_overflow),
		BOX_TEST(payload_len_max_is_the_engines),
		BOX_TEST(async_calls_back_once_each_in_order),
		BOX_TEST(async_is_refused_when_queue_count_max_wait),
		BOX_TEST(async_copies_what_it_is_given),
		BOX_TEST(what_waits_is_written_before_an_engine_closes),
		BOX_TEST(nothing_is_enqueued_after_a_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
