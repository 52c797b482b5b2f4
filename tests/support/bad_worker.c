/* SPDX-License-Identifier: MIT */
/* Bad input for workers, which must also bear being stopped in any order. */
#include <string.h>

#include "support/bad_input.h"

static stepbus_status start(test_bad *b, const char *config, size_t len, stepbus_error *err)
{
	stepbus_worker *worker = NULL;
	stepbus_status status = stepbus_worker_start(b->engine, config, len, &worker, err);

	assert_int_equal(worker != NULL, status == STEPBUS_OK);
	stepbus_worker_free(worker);
	return status;
}

static const char *const wrong_configs[] = {
	"{\"id\":\"\"}",
	"{\"id\":1}",
	"{\"id\":null}",
	"{\"id\":\"a\\u0000b\"}",
	"{\"strategy\":\"random\"}",
	"{\"strategy\":1}",
	"{\"queues\":\"default\"}",
	"{\"queues\":{}}",
	"{\"queues\":[1]}",
	"{\"queues\":[\"\"]}",
	"{\"queues\":[\"a b\"]}",
	"{\"queues\":[\"a,b\"]}",
	"{\"capabilities\":[null]}",
	"{\"block_size\":0}",
	"{\"block_size\":10001}",
	"{\"block_size\":1.5}",
	"{\"pool_size\":0}",
	"{\"pool_size\":257}",
	"{\"pool_size\":-9223372036854775808}",
	"{\"age_share_percent\":101}",
	"{\"age_share_percent\":-1}",
	"{\"pull\":1}",
	"{\"pull\":true,\"pool_size\":2}",
	"{\"silence_timeout_ms\":1}",
	"{\"pull\":false,\"starvation_ms\":1}",
	"{\"metrics_period_ms\":1000}",
	"{\"pull\":true,\"silence_timeout_ms\":-1}",
	"{\"pull\":true,\"starvation_ms\":315619200001}",
	"{\"pull\":true,\"metrics_period_ms\":3600001}",
};

static void worker_start(test_bad *b)
{
	const test_bad_text *json = test_bad_json();
	stepbus_worker *worker = NULL;

	for (size_t i = 0; i < BAD_JSON_COUNT; i++)
		BAD(STEPBUS_EINVAL, start(b, json[i].data, json[i].len, err));
	for (size_t i = 0; i < sizeof wrong_configs / sizeof *wrong_configs; i++)
		BAD(STEPBUS_EINVAL, start(b, wrong_configs[i], strlen(wrong_configs[i]), err));
	BAD(STEPBUS_EINVAL, start(b, NULL, 2, err));
	BAD(STEPBUS_EINVAL, stepbus_worker_start(NULL, "{}", 2, &worker, err));
	BAD(STEPBUS_EINVAL, stepbus_worker_start(b->engine, "{}", 2, NULL, err));
	BAD(STEPBUS_OK, start(b, NULL, 0, err));
	BAD(STEPBUS_OK, start(b, "", 0, err));
	/* Two of one name are two workers. */
	BAD(STEPBUS_OK, start(b, "{\"id\":\"twin\"}", 13, err));
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	BAD(STEPBUS_ESHUTDOWN, start(b, "{}", 2, err));
	assert_null(worker);
}

static void worker_stop(test_bad *b)
{
	stepbus_worker *worker = NULL;
	stepbus_text *unfinished = NULL;

	BAD(STEPBUS_EINVAL, stepbus_worker_stop(NULL, 0, &unfinished, err));
	assert_int_equal(stepbus_worker_start(b->engine, NULL, 0, &worker, NULL), STEPBUS_OK);
	BAD(STEPBUS_EINVAL, stepbus_worker_stop(worker, -2, &unfinished, err));
	BAD(STEPBUS_EINVAL, stepbus_worker_stop(worker, INT64_MIN, NULL, err));
	BAD(STEPBUS_OK, stepbus_worker_stop(worker, INT64_MAX, &unfinished, err));
	BAD(STEPBUS_OK, stepbus_worker_stop(worker, 0, NULL, err));
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	BAD(STEPBUS_OK, stepbus_worker_stop(worker, -1, &unfinished, err));
	BAD(STEPBUS_EINVAL, stepbus_worker_stop(worker, -2, NULL, err));
	assert_null(unfinished);
	stepbus_worker_free(worker);
}

static void worker_free(test_bad *b)
{
	stepbus_worker *first = NULL, *second = NULL, *left = NULL;

	stepbus_worker_free(NULL);
	assert_int_equal(stepbus_worker_start(b->engine, NULL, 0, &first, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_worker_start(b->engine, NULL, 0, &second, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_worker_start(b->engine, NULL, 0, &left, NULL), STEPBUS_OK);
	stepbus_worker_free(second);
	assert_int_equal(stepbus_worker_stop(first, -1, NULL, NULL), STEPBUS_OK);
	stepbus_worker_free(first);
	/* The third goes with the engine. */
}

static void worker_list(test_bad *b)
{
	stepbus_text *text = NULL;

	BAD(STEPBUS_EINVAL, stepbus_worker_list(NULL, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_worker_list(b->engine, NULL, err));
	assert_null(text);
}

static const test_bad_row rows[] = {
	{ "stepbus_worker_start", worker_start },
	{ "stepbus_worker_stop", worker_stop },
	{ "stepbus_worker_free", worker_free },
	{ "stepbus_worker_list", worker_list },
};

const test_bad_rows test_bad_worker = { rows, sizeof rows / sizeof *rows };
