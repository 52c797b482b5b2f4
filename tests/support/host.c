/* SPDX-License-Identifier: MIT */
#include "support/host.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"

static test_host *current;

static bool is_to_fail(test_host *t)
{
	t->allocation_count++;
	if (t->fail_at == 0 || t->allocation_count < t->fail_at)
		return false;
	if (t->allocation_count > t->fail_at && !t->is_sticky)
		return false;
	t->failed_count++;
	return true;
}

static void *allocate(void *user_data, void *block, size_t len)
{
	test_host *t = user_data;
	void *result = NULL;

	pthread_mutex_lock(&t->lock);
	if (len == 0) {
		t->live_count--;
		free(block);
	} else if (!is_to_fail(t)) {
		t->live_count += block == NULL;
		result = realloc(block, len);
	}
	pthread_mutex_unlock(&t->lock);
	return result;
}

static void *cjson_malloc(size_t len)
{
	return allocate(current, NULL, len > 0 ? len : 1);
}

static void cjson_free(void *block)
{
	if (block != NULL)
		allocate(current, block, 0);
}

static void keep_log(void *user_data, int32_t level, const char *record, size_t len)
{
	test_host *t = user_data;

	(void)level;
	pthread_mutex_lock(&t->lock);
	t->log_count++;
	if (len >= sizeof t->log)
		len = sizeof t->log - 1;
	memcpy(t->log, record, len);
	t->log[len] = '\0';
	pthread_mutex_unlock(&t->lock);
}

static int64_t now_us(void *user_data)
{
	return ((test_host *)user_data)->now_us;
}

static int64_t elapsed_ns(void *user_data)
{
	return ((test_host *)user_data)->elapsed_ns;
}

/* Not random at all, so that a failing test fails again. */
static int32_t fill_random(void *user_data, void *bytes, size_t len)
{
	test_host *t = user_data;
	uint8_t *next = bytes;
	uint32_t state = 2463534242u;

	if (!t->has_random)
		return STEPBUS_ESYSTEM;
	for (size_t i = 0; i < len; i++) {
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		next[i] = (uint8_t)state;
	}
	return STEPBUS_OK;
}

void test_host_init(test_host *t)
{
	cJSON_Hooks hooks = { cjson_malloc, cjson_free };

	memset(t, 0, sizeof *t);
	pthread_mutex_init(&t->lock, NULL);
	t->now_us = INT64_C(1795257045123456);
	t->has_random = true;
	t->host = (stepbus_host){ .size = sizeof t->host,
				  .log_level = STEPBUS_LOG_DEBUG,
				  .user_data = t,
				  .allocate = allocate,
				  .log = keep_log,
				  .now_us = now_us,
				  .elapsed_ns = elapsed_ns,
				  .random = fill_random };
	current = t;
	cJSON_InitHooks(&hooks);
}

void test_host_end(test_host *t)
{
	cJSON_InitHooks(NULL);
	current = NULL;
	assert_int_equal(t->live_count, 0);
	pthread_mutex_destroy(&t->lock);
}

/* One run with the nth allocation failing. True: it got that far, so there may be a next. */
static bool run_failing(const test_scenario *scenario, size_t n, bool is_sticky)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status;
	size_t failed_count;
	test_host t;

	test_host_init(&t);
	t.fail_at = n;
	t.is_sticky = is_sticky;
	status = scenario->run(&t, &err);
	failed_count = t.failed_count;
	t.fail_at = 0;
	if (failed_count == 0 && status != STEPBUS_OK)
		fail_msg("%s: failed with %d though memory was there: %s", scenario->name, status,
			 err.message);
	if (failed_count > 0 && !scenario->is_any_status && status != STEPBUS_ENOMEM)
		fail_msg("%s: allocation %zu failed, and the status is %d: %s", scenario->name, n,
			 status, err.message);
	if (status != STEPBUS_OK && err.message[0] == '\0')
		fail_msg("%s: allocation %zu failed, and no message says so", scenario->name, n);
	if (t.live_count != 0)
		fail_msg("%s: allocation %zu failed, and %zu blocks leaked", scenario->name, n,
			 t.live_count);
	test_host_end(&t);
	return failed_count > 0;
}

size_t test_fail_each_allocation(const test_scenario *scenario)
{
	size_t count = 0;

	for (size_t n = 1; run_failing(scenario, n, false); n++)
		count++;
	for (size_t n = 1; run_failing(scenario, n, true); n++)
		count++;
	assert_true(count > 0);
	return count;
}
