/* SPDX-License-Identifier: MIT */
/* Bad input for queues. */
#include <string.h>

#include "support/bad_input.h"

static const char *const wrong_settings[] = {
	"{\"concurrency_max\":-1}",      "{\"concurrency_max\":1000001}",
	"{\"concurrency_max\":\"1\"}",   "{\"key_concurrency_max\":1.5}",
	"{\"rate_count\":1000000001}",   "{\"rate_period_ms\":0}",
	"{\"rate_period_ms\":86400001}", "{\"paused\":1}",
	"{\"paused\":\"true\"}",         "{\"paused\":true,\"paused\":false}",
};

static void queue_set(test_bad *b)
{
	const test_bad_text *names = test_bad_names();
	const test_bad_text *json = test_bad_json();

	for (size_t i = 0; i < BAD_NAME_COUNT; i++)
		BAD(STEPBUS_EINVAL,
		    stepbus_queue_set(b->engine, names[i].data, names[i].len, "{}", 2, err));
	for (size_t i = 0; i < BAD_JSON_COUNT; i++)
		BAD(STEPBUS_EINVAL, stepbus_queue_set(b->engine, STEPBUS_TEXT("q"), json[i].data,
						      json[i].len, err));
	for (size_t i = 0; i < sizeof wrong_settings / sizeof *wrong_settings; i++)
		BAD(STEPBUS_EINVAL,
		    stepbus_queue_set(b->engine, STEPBUS_TEXT("q"), wrong_settings[i],
				      strlen(wrong_settings[i]), err));
	BAD(STEPBUS_EINVAL, stepbus_queue_set(NULL, STEPBUS_TEXT("q"), "{}", 2, err));
	BAD(STEPBUS_EINVAL, stepbus_queue_set(b->engine, STEPBUS_TEXT("q"), NULL, 0, err));
	BAD(STEPBUS_EINVAL, stepbus_queue_set(b->engine, STEPBUS_TEXT("q"), NULL, 2, err));
	BAD(STEPBUS_EINVAL, stepbus_queue_set(b->engine, STEPBUS_TEXT("q"), "", 0, err));
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	BAD(STEPBUS_ESHUTDOWN, stepbus_queue_set(b->engine, STEPBUS_TEXT("q"), "{}", 2, err));
}

typedef stepbus_status (*act)(stepbus *engine, const char *name, size_t len, stepbus_error *err);

static void try_names(test_bad *b, act change)
{
	const test_bad_text *names = test_bad_names();

	for (size_t i = 0; i < BAD_NAME_COUNT; i++)
		BAD(STEPBUS_EINVAL, change(b->engine, names[i].data, names[i].len, err));
	BAD(STEPBUS_EINVAL, change(NULL, STEPBUS_TEXT("q"), err));
	/* Twice is no mistake: BAD does it twice. */
	BAD(STEPBUS_OK, change(b->engine, STEPBUS_TEXT("q"), err));
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	BAD(STEPBUS_ESHUTDOWN, change(b->engine, STEPBUS_TEXT("q"), err));
}

static void queue_pause(test_bad *b)
{
	try_names(b, stepbus_queue_pause);
}

static void queue_resume(test_bad *b)
{
	try_names(b, stepbus_queue_resume);
}

static void queue_list(test_bad *b)
{
	stepbus_text *text = NULL;

	BAD(STEPBUS_EINVAL, stepbus_queue_list(NULL, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_queue_list(b->engine, NULL, err));
	assert_null(text);
}

static const test_bad_row rows[] = {
	{ "stepbus_queue_set", queue_set },
	{ "stepbus_queue_pause", queue_pause },
	{ "stepbus_queue_resume", queue_resume },
	{ "stepbus_queue_list", queue_list },
};

const test_bad_rows test_bad_queue = { rows, sizeof rows / sizeof *rows };
