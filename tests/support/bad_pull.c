/* SPDX-License-Identifier: MIT */
/* Bad input for pull workers, and for what is asked of steps that nobody has polled. */
#include <string.h>

#include "support/bad_input.h"

static stepbus_worker *start(test_bad *b, const char *config)
{
	stepbus_worker *worker = NULL;

	assert_int_equal(stepbus_worker_start(b->engine, config, strlen(config), &worker, NULL),
			 STEPBUS_OK);
	return worker;
}

/* How a poll may be called. */
typedef struct call {
	stepbus_worker *worker;
	uint32_t size;
	size_t count_max;
	int64_t timeout_ms;
} call;

static stepbus_status poll(const call *c, stepbus_error *err)
{
	stepbus_step_event events[2] = { { .size = c->size } };
	size_t count = 9;
	stepbus_status status =
		stepbus_poll(c->worker, events, c->count_max, c->timeout_ms, &count, err);

	assert_int_equal(count, 0);
	return status;
}

static void try_poll(const call *good)
{
	static const uint32_t sizes[] = { 0, 1, 8, 199, 201, 4104, UINT32_MAX };
	static const int64_t times[] = { -2, INT64_MIN };
	call c = *good;

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		c.size = sizes[i];
		BAD(STEPBUS_EINVAL, poll(&c, err));
	}
	c = *good;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		c.timeout_ms = times[i];
		BAD(STEPBUS_EINVAL, poll(&c, err));
	}
	c = *good;
	c.count_max = 0;
	BAD(STEPBUS_EINVAL, poll(&c, err));
	c.count_max = SIZE_MAX;
	BAD(STEPBUS_EINVAL, poll(&c, err));
	c = *good;
	c.worker = NULL;
	BAD(STEPBUS_EINVAL, poll(&c, err));
}

static void poll_row(test_bad *b)
{
	stepbus_worker *pulled = start(b, "{\"pull\":true}");
	stepbus_worker *pooled = start(b, "{}");
	call good = { .worker = pulled, .size = sizeof(stepbus_step_event), .count_max = 1 };
	stepbus_step_event event = { .size = sizeof event };
	size_t count = 0;

	try_poll(&good);
	BAD(STEPBUS_EINVAL, stepbus_poll(pulled, NULL, 1, 0, &count, err));
	BAD(STEPBUS_EINVAL, stepbus_poll(pulled, &event, 1, 0, NULL, err));
	BAD(STEPBUS_ETIMEDOUT, poll(&good, err));
	good.worker = pooled;
	BAD(STEPBUS_EINVAL, poll(&good, err));
	assert_int_equal(stepbus_worker_stop(pulled, -1, NULL, NULL), STEPBUS_OK);
	good.worker = pulled;
	BAD(STEPBUS_ESHUTDOWN, poll(&good, err));
}

static void wake_fd(test_bad *b)
{
	static const int32_t kinds[] = { 0, -1, 3, INT32_MIN, INT32_MAX };
	stepbus_worker *pulled = start(b, "{\"pull\":true}");
	stepbus_worker *pooled = start(b, "{}");
	int32_t fd = -7;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		BAD(STEPBUS_EINVAL, stepbus_wake_fd(pulled, kinds[i], &fd, err));
	BAD(STEPBUS_EINVAL, stepbus_wake_fd(NULL, STEPBUS_WAKE_EVENTFD, &fd, err));
	BAD(STEPBUS_EINVAL, stepbus_wake_fd(pooled, STEPBUS_WAKE_EVENTFD, &fd, err));
	BAD(STEPBUS_EINVAL, stepbus_wake_fd(pulled, STEPBUS_WAKE_EVENTFD, NULL, err));
	assert_int_equal(fd, -7);
	BAD(STEPBUS_OK, stepbus_wake_fd(pulled, STEPBUS_WAKE_SOCKET, &fd, err));
	BAD(STEPBUS_EINVAL, stepbus_wake_fd(pulled, STEPBUS_WAKE_EVENTFD, &fd, err));
}

static void release(test_bad *b)
{
	const uint8_t(*ids)[16] = test_bad_ids();
	uint8_t id[16];

	test_bad_enqueue(b->engine, id);
	BAD(STEPBUS_EINVAL, stepbus_release(NULL, id, 1, err));
	BAD(STEPBUS_EINVAL, stepbus_release(b->engine, NULL, 1, err));
	BAD(STEPBUS_ESTALE, stepbus_release(b->engine, id, UINT64_MAX, err));
	for (size_t i = 0; i < BAD_ID_COUNT; i++)
		BAD(STEPBUS_ENOTFOUND, stepbus_release(b->engine, ids[i], 1, err));
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	BAD(STEPBUS_ESHUTDOWN, stepbus_release(b->engine, id, 1, err));
}

static void heartbeat(test_bad *b)
{
	const uint8_t(*ids)[16] = test_bad_ids();
	uint8_t id[16];

	test_bad_enqueue(b->engine, id);
	BAD(STEPBUS_EINVAL, stepbus_heartbeat(NULL, id, 1, err));
	BAD(STEPBUS_EINVAL, stepbus_heartbeat(b->engine, NULL, 1, err));
	BAD(STEPBUS_ENOTFOUND, stepbus_heartbeat(b->engine, id, 0, err));
	BAD(STEPBUS_ENOTFOUND, stepbus_heartbeat(b->engine, id, UINT64_MAX, err));
	for (size_t i = 0; i < BAD_ID_COUNT; i++)
		BAD(STEPBUS_ENOTFOUND, stepbus_heartbeat(b->engine, ids[i], 1, err));
}

static void step_is_cancelled(test_bad *b)
{
	const uint8_t(*ids)[16] = test_bad_ids();
	uint8_t id[16];

	test_bad_enqueue(b->engine, id);
	assert_int_equal(stepbus_step_is_cancelled(NULL, id, 1), 1);
	assert_int_equal(stepbus_step_is_cancelled(b->engine, NULL, 1), 1);
	assert_int_equal(stepbus_step_is_cancelled(b->engine, id, 1), 1);
	for (size_t i = 0; i < BAD_ID_COUNT; i++)
		assert_int_equal(stepbus_step_is_cancelled(b->engine, ids[i], 1), 1);
}

static void worker_metrics(test_bad *b)
{
	static const uint32_t sizes[] = { 0, 8, sizeof(stepbus_dispatch_metrics) - 1, 4097,
					  UINT32_MAX };
	stepbus_worker *pulled = start(b, "{\"pull\":true}");
	stepbus_worker *pooled = start(b, "{}");
	stepbus_dispatch_metrics metrics = { .size = sizeof metrics };

	BAD(STEPBUS_EINVAL, stepbus_worker_metrics(NULL, &metrics, err));
	BAD(STEPBUS_EINVAL, stepbus_worker_metrics(pooled, &metrics, err));
	BAD(STEPBUS_EINVAL, stepbus_worker_metrics(pulled, NULL, err));
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		metrics.size = sizes[i];
		BAD(STEPBUS_EINVAL, stepbus_worker_metrics(pulled, &metrics, err));
	}
	metrics.size = sizeof metrics;
	BAD(STEPBUS_OK, stepbus_worker_metrics(pulled, &metrics, err));
}

static const test_bad_row rows[] = {
	{ "stepbus_poll", poll_row },
	{ "stepbus_wake_fd", wake_fd },
	{ "stepbus_release", release },
	{ "stepbus_heartbeat", heartbeat },
	{ "stepbus_step_is_cancelled", step_is_cancelled },
	{ "stepbus_worker_metrics", worker_metrics },
};

const test_bad_rows test_bad_pull = { rows, sizeof rows / sizeof *rows };
