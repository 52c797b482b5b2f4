/* SPDX-License-Identifier: MIT */
/* Bad input for what awaits steps, calls them off, and has them run again. */
#include <string.h>

#include "support/bad_input.h"

static void step_await(test_bad *b)
{
	const uint8_t(*ids)[16] = test_bad_ids();
	stepbus_outcome *outcome = NULL;
	uint8_t id[16];

	test_bad_enqueue(b->engine, id);
	BAD(STEPBUS_EINVAL, stepbus_step_await(NULL, id, 0, &outcome, err));
	BAD(STEPBUS_EINVAL, stepbus_step_await(b->engine, NULL, 0, &outcome, err));
	BAD(STEPBUS_EINVAL, stepbus_step_await(b->engine, id, 0, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_step_await(b->engine, id, -2, &outcome, err));
	BAD(STEPBUS_EINVAL, stepbus_step_await(b->engine, id, INT64_MIN, &outcome, err));
	/* Not even where it would wait for ever. */
	for (size_t i = 0; i < BAD_ID_COUNT; i++)
		BAD(STEPBUS_ENOTFOUND, stepbus_step_await(b->engine, ids[i], -1, &outcome, err));
	BAD(STEPBUS_ETIMEDOUT, stepbus_step_await(b->engine, id, 0, &outcome, err));
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	BAD(STEPBUS_ESHUTDOWN, stepbus_step_await(b->engine, id, -1, &outcome, err));
	assert_null(outcome);
}

static void outcome_completion(test_bad *b)
{
	(void)b;
	assert_null(stepbus_outcome_completion(NULL));
}

static void outcome_free(test_bad *b)
{
	(void)b;
	stepbus_outcome_free(NULL);
}

static void step_cancel(test_bad *b)
{
	const uint8_t(*ids)[16] = test_bad_ids();
	uint8_t id[16], other[16];

	test_bad_enqueue(b->engine, id);
	test_bad_enqueue(b->engine, other);
	BAD(STEPBUS_EINVAL, stepbus_step_cancel(NULL, id, err));
	BAD(STEPBUS_EINVAL, stepbus_step_cancel(b->engine, NULL, err));
	for (size_t i = 0; i < BAD_ID_COUNT; i++)
		BAD(STEPBUS_ENOTFOUND, stepbus_step_cancel(b->engine, ids[i], err));
	assert_int_equal(stepbus_step_cancel(b->engine, id, NULL), STEPBUS_OK);
	BAD(STEPBUS_EALREADY, stepbus_step_cancel(b->engine, id, err));
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	BAD(STEPBUS_ESHUTDOWN, stepbus_step_cancel(b->engine, other, err));
}

static void step_redrive(test_bad *b)
{
	const uint8_t(*ids)[16] = test_bad_ids();
	uint8_t id[16];

	test_bad_enqueue(b->engine, id);
	BAD(STEPBUS_EINVAL, stepbus_step_redrive(NULL, id, err));
	BAD(STEPBUS_EINVAL, stepbus_step_redrive(b->engine, NULL, err));
	for (size_t i = 0; i < BAD_ID_COUNT; i++)
		BAD(STEPBUS_ENOTFOUND, stepbus_step_redrive(b->engine, ids[i], err));
	BAD(STEPBUS_EALREADY, stepbus_step_redrive(b->engine, id, err));
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	BAD(STEPBUS_ESHUTDOWN, stepbus_step_redrive(b->engine, id, err));
}

static void step_redrive_all(test_bad *b)
{
	static const char *const wrong[] = { "{\"cursor\":\"x\"}", "{\"order\":\"newest\"}",
					     "{\"limit\":0}", "{\"state\":\"done\"}" };
	const test_bad_text *json = test_bad_json();
	uint64_t count = 0;

	for (size_t i = 0; i < BAD_JSON_COUNT; i++)
		BAD(STEPBUS_EINVAL,
		    stepbus_step_redrive_all(b->engine, json[i].data, json[i].len, &count, err));
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		BAD(STEPBUS_EINVAL,
		    stepbus_step_redrive_all(b->engine, wrong[i], strlen(wrong[i]), &count, err));
	BAD(STEPBUS_EINVAL, stepbus_step_redrive_all(NULL, NULL, 0, &count, err));
	BAD(STEPBUS_EINVAL, stepbus_step_redrive_all(b->engine, NULL, 2, &count, err));
	BAD(STEPBUS_EINVAL, stepbus_step_redrive_all(b->engine, NULL, 0, NULL, err));
	BAD(STEPBUS_OK, stepbus_step_redrive_all(b->engine, NULL, 0, &count, err));
	assert_int_equal(count, 0);
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	BAD(STEPBUS_ESHUTDOWN, stepbus_step_redrive_all(b->engine, NULL, 0, &count, err));
}

static const test_bad_row rows[] = {
	{ "stepbus_step_await", step_await },
	{ "stepbus_outcome_completion", outcome_completion },
	{ "stepbus_outcome_free", outcome_free },
	{ "stepbus_step_cancel", step_cancel },
	{ "stepbus_step_redrive", step_redrive },
	{ "stepbus_step_redrive_all", step_redrive_all },
};

const test_bad_rows test_bad_control = { rows, sizeof rows / sizeof *rows };
