/* SPDX-License-Identifier: MIT */
/* Bad input for what looks at steps. */
#include <string.h>

#include "support/bad_input.h"

static void step_info(test_bad *b)
{
	const uint8_t(*ids)[16] = test_bad_ids();
	stepbus_text *text = NULL;
	uint8_t id[16];

	test_bad_enqueue(b->engine, id);
	BAD(STEPBUS_EINVAL, stepbus_step_info(NULL, id, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_step_info(b->engine, NULL, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_step_info(b->engine, id, NULL, err));
	for (size_t i = 0; i < BAD_ID_COUNT; i++)
		BAD(STEPBUS_ENOTFOUND, stepbus_step_info(b->engine, ids[i], &text, err));
	assert_null(text);
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_step_info(b->engine, id, &text, NULL), STEPBUS_OK);
	stepbus_text_free(text);
}

static void step_attempts(test_bad *b)
{
	const uint8_t(*ids)[16] = test_bad_ids();
	stepbus_text *text = NULL;
	uint8_t id[16];

	test_bad_enqueue(b->engine, id);
	BAD(STEPBUS_EINVAL, stepbus_step_attempts(NULL, id, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_step_attempts(b->engine, NULL, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_step_attempts(b->engine, id, NULL, err));
	for (size_t i = 0; i < BAD_ID_COUNT; i++)
		BAD(STEPBUS_ENOTFOUND, stepbus_step_attempts(b->engine, ids[i], &text, err));
	assert_null(text);
}

static const char *const wrong_filters[] = {
	"{\"state\":\"done\"}",
	"{\"state\":[\"ready\",\"done\"]}",
	"{\"state\":5}",
	"{\"state\":null}",
	"{\"queue\":\"\"}",
	"{\"queue\":\"a b\"}",
	"{\"queue\":[]}",
	"{\"handler\":\"\\u0000\"}",
	"{\"handler_namespace\":{}}",
	"{\"tag\":\"a,b\"}",
	"{\"correlation_id\":\"\"}",
	"{\"created_from\":\"yesterday\"}",
	"{\"created_from\":-1}",
	"{\"created_from\":\"2026-01-02T00:00:00Z\",\"created_to\":\"2026-01-01T00:00:00Z\"}",
	"{\"order\":\"best\"}",
	"{\"limit\":0}",
	"{\"limit\":1001}",
	"{\"limit\":1e300}",
	"{\"limit\":\"10\"}",
	"{\"cursor\":\"\"}",
	"{\"cursor\":\"x\"}",
	"{\"cursor\":\"00000000-0000-0000-0000-000000000000\"}",
	"{\"cursor\":\"ffffffff-ffff-ffff-ffff-ffffffffffff\"}",
};

typedef stepbus_status (*query)(stepbus *engine, const char *filter, size_t len,
				stepbus_error *err);

static stepbus_status list(stepbus *engine, const char *filter, size_t len, stepbus_error *err)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_step_list(engine, filter, len, &text, err);

	assert_int_equal(text != NULL, status == STEPBUS_OK);
	stepbus_text_free(text);
	return status;
}

static stepbus_status count(stepbus *engine, const char *filter, size_t len, stepbus_error *err)
{
	uint64_t found = 4711;
	stepbus_status status = stepbus_step_count(engine, filter, len, &found, err);

	assert_int_equal(found == 4711, status != STEPBUS_OK);
	return status;
}

static void try_filters(test_bad *b, query ask)
{
	const test_bad_text *json = test_bad_json();

	for (size_t i = 0; i < BAD_JSON_COUNT; i++)
		BAD(STEPBUS_EINVAL, ask(b->engine, json[i].data, json[i].len, err));
	for (size_t i = 0; i < sizeof wrong_filters / sizeof *wrong_filters; i++)
		BAD(STEPBUS_EINVAL,
		    ask(b->engine, wrong_filters[i], strlen(wrong_filters[i]), err));
	BAD(STEPBUS_EINVAL, ask(NULL, "{}", 2, err));
	BAD(STEPBUS_EINVAL, ask(b->engine, NULL, 2, err));
	BAD(STEPBUS_OK, ask(b->engine, NULL, 0, err));
	BAD(STEPBUS_OK, ask(b->engine, "{\"queue\":\"no.such\"}", 19, err));
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	BAD(STEPBUS_OK, ask(b->engine, "{}", 2, err));
}

static void step_list(test_bad *b)
{
	BAD(STEPBUS_EINVAL, stepbus_step_list(b->engine, "{}", 2, NULL, err));
	try_filters(b, list);
}

static void step_count(test_bad *b)
{
	BAD(STEPBUS_EINVAL, stepbus_step_count(b->engine, "{}", 2, NULL, err));
	try_filters(b, count);
}

static const test_bad_row rows[] = {
	{ "stepbus_step_info", step_info },
	{ "stepbus_step_attempts", step_attempts },
	{ "stepbus_step_list", step_list },
	{ "stepbus_step_count", step_count },
};

const test_bad_rows test_bad_query = { rows, sizeof rows / sizeof *rows };
