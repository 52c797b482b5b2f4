/* SPDX-License-Identifier: MIT */
/* Bad input for what puts steps in and takes their results in. */
#include <string.h>

#include "support/bad_input.h"

enum { SPOILED_COUNT = 48 };

static stepbus_step_spec good_spec(void)
{
	return (stepbus_step_spec){ .size = sizeof(stepbus_step_spec),
				    .handler_name = "nobody",
				    .handler_name_len = 6 };
}

static stepbus_status enqueue(test_bad *b, const stepbus_step_spec *spec, stepbus_error *err)
{
	return stepbus_step_enqueue(b->engine, spec, 1, NULL, err);
}

static void never_done(void *user_data, stepbus_status status, const stepbus_enqueued *results,
		       size_t count, const stepbus_error *err)
{
	(void)status;
	(void)results;
	(void)count;
	(void)err;
	test_bad_destroy(user_data);
}

static stepbus_status enqueue_async(test_bad *b, const stepbus_step_spec *spec, stepbus_error *err)
{
	return stepbus_step_enqueue_async(b->engine, spec, 1, never_done, b, err);
}

/* A text of a spec, how long it may be, and of which kind it is. */
typedef struct field {
	size_t data_offset;
	size_t len_offset;
	size_t len_max;
	enum { NAME, TEXT, BYTES } kind;
} field;

#define FIELD(member, max, kind)                                                                \
	{                                                                                       \
		offsetof(stepbus_step_spec, member), offsetof(stepbus_step_spec, member##_len), \
			max, kind                                                               \
	}

static const field fields[] = {
	FIELD(handler_name, 128, NAME),
	FIELD(handler_namespace, 128, NAME),
	FIELD(queue, 128, NAME),
	FIELD(caller, 128, NAME),
	FIELD(handler_version, 64, TEXT),
	FIELD(step_name, 128, TEXT),
	FIELD(content_type, 128, TEXT),
	FIELD(correlation_id, 1024, TEXT),
	FIELD(traceparent, 1024, TEXT),
	FIELD(step_config, 65536, TEXT),
	FIELD(tags, 4096, TEXT),
	FIELD(concurrency_key, 256, BYTES),
	FIELD(idempotency_key, 256, BYTES),
	FIELD(unique_key, 256, BYTES),
	FIELD(input, 1048576, BYTES),
};

static stepbus_step_spec with_text(const field *f, const char *data, size_t len)
{
	stepbus_step_spec spec = good_spec();

	memcpy((char *)&spec + f->data_offset, &data, sizeof data);
	memcpy((char *)&spec + f->len_offset, &len, sizeof len);
	return spec;
}

static void try_text(test_bad *b, const field *f, const char *data, size_t len)
{
	const stepbus_step_spec spec = with_text(f, data, len);

	BAD(STEPBUS_EINVAL, enqueue(b, &spec, err));
	BAD(STEPBUS_EINVAL, enqueue_async(b, &spec, err));
}

static void try_texts(test_bad *b)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		const field *f = &fields[i];

		try_text(b, f, NULL, 1);
		try_text(b, f, NULL, SIZE_MAX);
		try_text(b, f, test_bad_long(), f->len_max + 1);
		try_text(b, f, test_bad_long(), BAD_LONG_LEN);
		if (f->kind == BYTES)
			continue;
		try_text(b, f, "\xff\xfe", 2);
		try_text(b, f, "\xc0\xaf", 2);
		try_text(b, f, "a\0b", 3);
		try_text(b, f, "\0", 1);
		if (f->kind == NAME)
			try_text(b, f, "a b", 3);
	}
}

static void try_configs(test_bad *b)
{
	static const char *const wrong[] = { "[]", "1", "null", "{", "{}{}", "{a:1}", " " };
	stepbus_step_spec spec = good_spec();

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		spec.step_config = wrong[i];
		spec.step_config_len = strlen(wrong[i]);
		BAD(STEPBUS_EINVAL, enqueue(b, &spec, err));
	}
	spec.step_config = "{}";
	spec.step_config_len = 2;
	BAD(STEPBUS_OK, enqueue(b, &spec, err));
}

static const size_t times[] = {
	offsetof(stepbus_step_spec, delay_ms),
	offsetof(stepbus_step_spec, wait_timeout_ms),
	offsetof(stepbus_step_spec, attempt_timeout_ms),
	offsetof(stepbus_step_spec, total_timeout_ms),
	offsetof(stepbus_step_spec, retry_base_ms),
	offsetof(stepbus_step_spec, retry_cap_ms),
	offsetof(stepbus_step_spec, unique_period_ms),
};

static void try_times(test_bad *b)
{
	static const int64_t wrong[] = { -1, INT64_MIN, INT64_MAX,
					 INT64_C(10) * 366 * 24 * 3600 * 1000 + 1 };

	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		for (size_t j = 0; j < sizeof wrong / sizeof *wrong; j++) {
			stepbus_step_spec spec = good_spec();

			memcpy((char *)&spec + times[i], &wrong[j], sizeof wrong[j]);
			BAD(STEPBUS_EINVAL, enqueue(b, &spec, err));
		}
}

static void try_numbers(test_bad *b)
{
	stepbus_step_spec spoiled[12];
	stepbus_step_spec last = good_spec();

	for (size_t i = 0; i < sizeof spoiled / sizeof *spoiled; i++)
		spoiled[i] = good_spec();
	spoiled[0].priority = -1;
	spoiled[1].priority = 10001;
	spoiled[2].priority = INT32_MIN;
	spoiled[3].retry_kind = UINT32_MAX;
	spoiled[4].retry_kind = 100;
	spoiled[5].jitter_percent = 101;
	spoiled[6].unique_scope = 4;
	spoiled[7].unique_states = 1;
	spoiled[8].unique_states = 1U << 10;
	spoiled[9].run_at_us = -1;
	spoiled[10].run_at_us = INT64_MIN;
	spoiled[11].flags = 1;
	for (size_t i = 0; i < sizeof spoiled / sizeof *spoiled; i++) {
		BAD(STEPBUS_EINVAL, enqueue(b, &spoiled[i], err));
		BAD(STEPBUS_EINVAL, enqueue_async(b, &spoiled[i], err));
	}
	last.priority = 10000;
	last.jitter_percent = 100;
	last.run_at_us = INT64_MAX;
	last.delay_ms = INT64_C(10) * 366 * 24 * 3600 * 1000;
	last.wait_timeout_ms = last.total_timeout_ms = last.delay_ms;
	BAD(STEPBUS_OK, enqueue(b, &last, err));
}

/* Elements of an array have the size that the library knows, and no other. */
static void try_sizes(test_bad *b)
{
	static const uint32_t wrong[] = {
		0, 1, 4, sizeof(stepbus_step_spec) - 8, sizeof(stepbus_step_spec) + 8, UINT32_MAX
	};
	stepbus_step_spec pair[2] = { good_spec(), good_spec() };

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		pair[1].size = wrong[i];
		BAD(STEPBUS_EINVAL, enqueue(b, &pair[1], err));
		BAD(STEPBUS_EINVAL, enqueue_async(b, &pair[1], err));
		BAD(STEPBUS_EINVAL, stepbus_step_enqueue(b->engine, pair, 2, NULL, err));
	}
}

static void try_results(test_bad *b)
{
	static const uint32_t wrong[] = { 0, 4, sizeof(stepbus_enqueued) - 4,
					  sizeof(stepbus_enqueued) + 8, UINT32_MAX };
	const stepbus_step_spec good = good_spec();

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		stepbus_enqueued out = { .size = wrong[i] };

		BAD(STEPBUS_EINVAL, stepbus_step_enqueue(b->engine, &good, 1, &out, err));
	}
}

static uint64_t count_steps(stepbus *engine)
{
	uint64_t count = 0;

	assert_int_equal(stepbus_step_count(engine, NULL, 0, &count, NULL), STEPBUS_OK);
	return count;
}

static void step_enqueue(test_bad *b)
{
	const stepbus_step_spec good = good_spec();
	const stepbus_step_spec pair[2] = { good, with_text(&fields[0], NULL, 0) };
	uint64_t before;

	try_texts(b);
	try_configs(b);
	try_times(b);
	try_numbers(b);
	before = count_steps(b->engine);
	try_sizes(b);
	try_results(b);
	BAD(STEPBUS_EINVAL, stepbus_step_enqueue(NULL, &good, 1, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_step_enqueue(b->engine, NULL, 1, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_step_enqueue(b->engine, &good, 0, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_step_enqueue(b->engine, &good, 100001, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_step_enqueue(b->engine, &good, SIZE_MAX, NULL, err));
	/* All or none. */
	BAD(STEPBUS_EINVAL, stepbus_step_enqueue(b->engine, pair, 2, NULL, err));
	assert_int_equal(count_steps(b->engine), before);
	assert_int_equal(b->destroyed, 0);
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	BAD(STEPBUS_ESHUTDOWN, enqueue(b, &good, err));
}

static void step_enqueue_async(test_bad *b)
{
	const stepbus_step_spec good = good_spec();
	const stepbus_step_spec nameless = with_text(&fields[0], "", 0);

	BAD(STEPBUS_EINVAL, stepbus_step_enqueue_async(NULL, &good, 1, never_done, b, err));
	BAD(STEPBUS_EINVAL, stepbus_step_enqueue_async(b->engine, NULL, 1, never_done, b, err));
	BAD(STEPBUS_EINVAL, stepbus_step_enqueue_async(b->engine, &good, 0, never_done, b, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_step_enqueue_async(b->engine, &good, 100001, never_done, b, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_step_enqueue_async(b->engine, &good, SIZE_MAX, never_done, b, err));
	BAD(STEPBUS_EINVAL, enqueue_async(b, &nameless, err));
	BAD(STEPBUS_OK, stepbus_step_enqueue_async(b->engine, &good, 1, NULL, NULL, err));
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	BAD(STEPBUS_ESHUTDOWN, enqueue_async(b, &good, err));
	assert_int_equal(b->destroyed, 0);
}

static stepbus_completion good_completion(const uint8_t id[16])
{
	stepbus_completion c = { .size = sizeof c,
				 .outcome = STEPBUS_OUTCOME_SUCCESS,
				 .token = 1,
				 .retry_after_ms = -1 };

	memcpy(c.step_id, id, sizeof c.step_id);
	return c;
}

static void try_outcomes(test_bad *b, const stepbus_completion *good)
{
	static const int32_t outcomes[] = {
		0,         -1,       STEPBUS_OUTCOME_CANCELLED, STEPBUS_OUTCOME_QUARANTINED, 100,
		INT32_MIN, INT32_MAX
	};
	stepbus_completion c = *good;

	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
		c.outcome = outcomes[i];
		BAD(STEPBUS_EINVAL, stepbus_complete(b->engine, &c, 1, NULL, err));
	}
	/* A failure without a type. */
	c.outcome = STEPBUS_OUTCOME_FAILURE;
	BAD(STEPBUS_EINVAL, stepbus_complete(b->engine, &c, 1, NULL, err));
}

static void try_completion_texts(test_bad *b, const stepbus_completion *good)
{
	stepbus_completion spoiled[13];

	for (size_t i = 0; i < sizeof spoiled / sizeof *spoiled; i++)
		spoiled[i] = *good;
	spoiled[0].correlation_id_len = 1;
	spoiled[1].handler_name_len = 1;
	spoiled[2].handler_version_len = 1;
	spoiled[3].worker_id_len = 1;
	spoiled[4].result_len = SIZE_MAX;
	spoiled[5].content_type_len = 1;
	spoiled[6].error_type_len = 1;
	spoiled[7].error_message_len = 1;
	spoiled[8].error_code_len = 1;
	spoiled[9].metadata_len = 1;
	spoiled[10].backtrace_len = 1;
	spoiled[11].cursor_len = 1;
	spoiled[12].items_processed = UINT64_MAX;
	for (size_t i = 0; i < sizeof spoiled / sizeof *spoiled; i++)
		BAD(STEPBUS_EINVAL, stepbus_complete(b->engine, &spoiled[i], 1, NULL, err));
}

static void complete(test_bad *b)
{
	static const uint32_t wrong[] = { 0, 4, 224, 236, 65536, UINT32_MAX };
	const uint8_t(*ids)[16] = test_bad_ids();
	stepbus_completion c;
	uint8_t id[16];

	test_bad_enqueue(b->engine, id);
	c = good_completion(id);
	BAD(STEPBUS_EINVAL, stepbus_complete(NULL, &c, 1, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_complete(b->engine, NULL, 1, NULL, err));
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		static union {
			stepbus_completion c;
			char room[65536];
		} given;

		given.c = c;
		given.c.size = wrong[i];
		if (wrong[i] != UINT32_MAX && wrong[i] != 65536)
			BAD(STEPBUS_EINVAL, stepbus_complete(b->engine, &given.c, 1, NULL, err));
	}
	try_outcomes(b, &c);
	try_completion_texts(b, &c);
	/* Nobody has claimed it. */
	BAD(STEPBUS_ESTALE, stepbus_complete(b->engine, &c, 1, NULL, err));
	for (size_t i = 0; i < BAD_ID_COUNT; i++) {
		c = good_completion(ids[i]);
		BAD(STEPBUS_ENOTFOUND, stepbus_complete(b->engine, &c, 1, NULL, err));
	}
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	BAD(STEPBUS_ESHUTDOWN, stepbus_complete(b->engine, &c, 1, NULL, err));
}

static void checkpoint(test_bad *b)
{
	stepbus_checkpoint_spec good = { .size = sizeof good, .token = 1 };
	stepbus_checkpoint_spec bad[6];
	const uint8_t(*ids)[16] = test_bad_ids();

	test_bad_enqueue(b->engine, good.step_id);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		bad[i] = good;
	bad[0].reserved = 1;
	bad[1].cursor_len = 1;
	bad[2].partial_result_len = SIZE_MAX;
	bad[3].items_processed = (uint64_t)INT64_MAX + 1;
	bad[4].cursor = test_bad_long();
	bad[4].cursor_len = BAD_LONG_LEN;
	bad[5].partial_result = test_bad_long();
	bad[5].partial_result_len = BAD_LONG_LEN;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		BAD(STEPBUS_EINVAL, stepbus_checkpoint(b->engine, &bad[i], err));
	BAD(STEPBUS_EINVAL, stepbus_checkpoint(NULL, &good, err));
	BAD(STEPBUS_EINVAL, stepbus_checkpoint(b->engine, NULL, err));
	BAD(STEPBUS_ESTALE, stepbus_checkpoint(b->engine, &good, err));
	for (uint32_t size = 0; size < 8; size++) {
		good.size = size;
		BAD(STEPBUS_EINVAL, stepbus_checkpoint(b->engine, &good, err));
	}
	good.size = sizeof good;
	for (size_t i = 0; i < BAD_ID_COUNT; i++) {
		memcpy(good.step_id, ids[i], sizeof good.step_id);
		BAD(STEPBUS_ENOTFOUND, stepbus_checkpoint(b->engine, &good, err));
	}
}

static const test_bad_row rows[] = {
	{ "stepbus_step_enqueue", step_enqueue },
	{ "stepbus_step_enqueue_async", step_enqueue_async },
	{ "stepbus_complete", complete },
	{ "stepbus_checkpoint", checkpoint },
};

const test_bad_rows test_bad_step = { rows, sizeof rows / sizeof *rows };
