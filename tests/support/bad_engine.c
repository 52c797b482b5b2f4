/* SPDX-License-Identifier: MIT */
/* Bad input for opening, stopping and asking an engine. */
#include <string.h>

#include "support/bad_input.h"

static stepbus_status open_engine(test_bad *b, const void *given, stepbus_error *err)
{
	stepbus *engine = NULL;
	stepbus_status status = stepbus_open(given, &engine, err);

	(void)b;
	assert_int_equal(engine != NULL, status == STEPBUS_OK);
	stepbus_close(engine);
	return status;
}

static stepbus_options good_options(void)
{
	return (stepbus_options){ .size = sizeof(stepbus_options),
				  .config = "{\"store\":\"memory:\"}",
				  .config_len = 19 };
}

static stepbus_status open_with_host(test_bad *b, const void *given, stepbus_error *err)
{
	stepbus_options options = good_options();

	options.host = given;
	return open_engine(b, &options, err);
}

static stepbus_status open_config(test_bad *b, const char *config, size_t len, stepbus_error *err)
{
	stepbus_options options = good_options();

	options.config = config;
	options.config_len = len;
	return open_engine(b, &options, err);
}

/* Well-formed, and each wrong in one place. */
static const char *const wrong_configs[] = {
	"{}",
	"{\"store\":1}",
	"{\"store\":null}",
	"{\"store\":\"\"}",
	"{\"store\":\"memory\"}",
	"{\"store\":\"memory:x\"}",
	"{\"store\":\"postgres:x\"}",
	"{\"store\":\"sqlite:\"}",
	"{\"store\":\"sqlite::memory:\"}",
	"{\"store\":\"sqlite:file:x?mode=memory\"}",
	"{\"store\":\"sqlite:a\\u0000b\"}",
	"{\"store\":\"memory:\",\"store\":\"memory:\"}",
	"{\"store\":\"memory:\",\"durability\":\"disk\"}",
	"{\"store\":\"memory:\",\"durability\":\"most\"}",
	"{\"store\":\"memory:\",\"lease_ms\":0}",
	"{\"store\":\"memory:\",\"lease_ms\":1e99}",
	"{\"store\":\"memory:\",\"lease_ms\":-1}",
	"{\"store\":\"memory:\",\"lease_ms\":30000.5}",
	"{\"store\":\"memory:\",\"lease_ms\":1000,\"heartbeat_ms\":501}",
	"{\"store\":\"memory:\",\"payload_len_max\":67108865}",
	"{\"store\":\"memory:\",\"strict_handlers\":1}",
	"{\"store\":\"memory:\",\"retention\":[]}",
	"{\"store\":\"memory:\",\"retention\":{\"completed_ms\":-2}}",
	"{\"store\":\"memory:\",\"retry\":{\"kind\":\"sometimes\"}}",
	"{\"store\":\"memory:\",\"queues\":[]}",
	"{\"store\":\"memory:\",\"queues\":{\"a b\":{}}}",
	"{\"store\":\"memory:\",\"queues\":{\"a\":{\"concurrency_max\":-1}}}",
	"{\"store\":\"memory:\",\"queues\":{\"a\":{\"no_such_key\":1}}}",
};

static void open_row(test_bad *b)
{
	const test_bad_text *json = test_bad_json();
	const stepbus_options good = good_options();
	const stepbus_host host = { .size = sizeof host };

	for (size_t i = 0; i < BAD_JSON_COUNT; i++)
		BAD(STEPBUS_EINVAL, open_config(b, json[i].data, json[i].len, err));
	for (size_t i = 0; i < sizeof wrong_configs / sizeof *wrong_configs; i++)
		BAD(STEPBUS_EINVAL,
		    open_config(b, wrong_configs[i], strlen(wrong_configs[i]), err));
	BAD(STEPBUS_EINVAL, open_config(b, NULL, 0, err));
	BAD(STEPBUS_EINVAL, open_config(b, NULL, 19, err));
	BAD(STEPBUS_EINVAL, open_config(b, "", 0, err));
	BAD(STEPBUS_EINVAL, open_engine(b, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_open(&good, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_open(NULL, NULL, err));
	BAD(STEPBUS_OK, open_engine(b, &good, err));
	test_bad_sizes(b, BAD_STRUCT(good, open_engine));
	test_bad_sizes(b, BAD_STRUCT(host, open_with_host));
	test_bad_flags(b, BAD_STRUCT(good, open_engine), offsetof(stepbus_options, flags), 0);
}

static void stop(test_bad *b)
{
	stepbus_text *unfinished = NULL;

	BAD(STEPBUS_EINVAL, stepbus_stop(NULL, 0, &unfinished, err));
	BAD(STEPBUS_EINVAL, stepbus_stop(b->engine, -2, &unfinished, err));
	BAD(STEPBUS_EINVAL, stepbus_stop(b->engine, INT64_MIN, NULL, err));
	assert_int_equal(stepbus_engine_wake(b->engine, NULL), STEPBUS_OK);
	/* Stopping twice is no mistake, and no time is too long where nothing runs. */
	BAD(STEPBUS_OK, stepbus_stop(b->engine, INT64_MAX, &unfinished, err));
	BAD(STEPBUS_OK, stepbus_stop(b->engine, -1, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_stop(b->engine, -2, NULL, err));
	assert_null(unfinished);
}

static void close_row(test_bad *b)
{
	stepbus_close(NULL);
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	/* The fixture closes it, stopped. */
}

static void engine_bridge(test_bad *b)
{
	assert_null(stepbus_engine_bridge(NULL));
	assert_non_null(stepbus_engine_bridge(b->engine));
}

static void engine_registry(test_bad *b)
{
	assert_null(stepbus_engine_registry(NULL));
	assert_non_null(stepbus_engine_registry(b->engine));
}

static void engine_stats(test_bad *b)
{
	stepbus_text *text = NULL;

	BAD(STEPBUS_EINVAL, stepbus_engine_stats(NULL, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_engine_stats(b->engine, NULL, err));
	assert_null(text);
	/* A stopped engine can still be asked. */
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_engine_stats(b->engine, &text, NULL), STEPBUS_OK);
	stepbus_text_free(text);
}

static void engine_wake(test_bad *b)
{
	BAD(STEPBUS_EINVAL, stepbus_engine_wake(NULL, err));
	BAD(STEPBUS_OK, stepbus_engine_wake(b->engine, err));
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	BAD(STEPBUS_OK, stepbus_engine_wake(b->engine, err));
}

static const test_bad_row rows[] = {
	{ "stepbus_open", open_row },
	{ "stepbus_stop", stop },
	{ "stepbus_close", close_row },
	{ "stepbus_engine_bridge", engine_bridge },
	{ "stepbus_engine_registry", engine_registry },
	{ "stepbus_engine_stats", engine_stats },
	{ "stepbus_engine_wake", engine_wake },
};

const test_bad_rows test_bad_engine = { rows, sizeof rows / sizeof *rows };
