/* SPDX-License-Identifier: MIT */
/* The exported functions of pull workers and of the steps that hosts have polled. */
#include "base/ids.h"
#include "ffi/arguments.h"
#include "handlers/dispatch.h"
#include "handlers/host_line.h"
#include "handlers/poll.h"
#include "handlers/polled.h"

enum { STRUCT_LEN_MAX = 4096, COUNT_MAX = 100000 };

/* What the first versions of the header knew of an event, and of metrics. */
static const size_t event_len_min = offsetof(stepbus_step_event, queue);
static const size_t metrics_len_min = offsetof(stepbus_dispatch_metrics, oldest_step_id) + 16;

static stepbus_status check_worker(const stepbus_worker *worker, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(worker, "worker", err);

	if (status == STEPBUS_OK)
		status = sb_engine_check(worker->engine, false, err);
	if (status == STEPBUS_OK && !worker->options.is_pull)
		return sb_fail(err, STEPBUS_EINVAL,
			       "the worker has a pool that runs its steps: start one with "
			       "{\"pull\":true}");
	return status;
}

static stepbus_status check_poll(const stepbus_worker *worker, const stepbus_step_event *events,
				 size_t count_max, int64_t timeout_ms, stepbus_error *err)
{
	stepbus_status status = check_worker(worker, err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(events, "events", err);
	if (status != STEPBUS_OK)
		return status;
	if (count_max == 0 || count_max > COUNT_MAX)
		return sb_fail(err, STEPBUS_EINVAL, "count_max is %zu: 1 to %d is allowed",
			       count_max, COUNT_MAX);
	if (events->size < event_len_min || events->size > STRUCT_LEN_MAX || events->size % 8 != 0)
		return sb_fail(err, STEPBUS_EINVAL,
			       "stepbus_step_event has size %u: set that of the first one to "
			       "sizeof(stepbus_step_event)",
			       events->size);
	if (timeout_ms < -1)
		return sb_fail(err, STEPBUS_EINVAL,
			       "timeout_ms is %lld: 0 does not wait, -1 waits without limit",
			       (long long)timeout_ms);
	if (sb_engine_is_inside(worker->engine))
		return sb_fail(err, STEPBUS_EREENTRANT,
			       "a worker cannot be polled from inside a callback of its engine");
	return STEPBUS_OK;
}

stepbus_status stepbus_poll(stepbus_worker *worker, stepbus_step_event *events, size_t count_max,
			    int64_t timeout_ms, size_t *count, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(count, "count", err);

	if (status != STEPBUS_OK)
		return status;
	*count = 0;
	status = check_poll(worker, events, count_max, timeout_ms, err);
	if (status != STEPBUS_OK)
		return status;
	return sb_poll(worker, &(sb_poll_room){ (char *)events, events->size, count_max },
		       timeout_ms, count, err);
}

stepbus_status stepbus_wake_fd(stepbus_worker *worker, int32_t kind, int32_t *fd,
			       stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = check_worker(worker, err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(fd, "fd", err);
	if (status != STEPBUS_OK)
		return status;
	if (kind != STEPBUS_WAKE_EVENTFD && kind != STEPBUS_WAKE_SOCKET)
		return sb_fail(err, STEPBUS_EINVAL, "kind is %d: use STEPBUS_WAKE_…", kind);
	return sb_host_line_open_wake(worker, kind, fd, err);
}

stepbus_status stepbus_worker_metrics(stepbus_worker *worker, stepbus_dispatch_metrics *out,
				      stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = check_worker(worker, err);
	stepbus_dispatch_metrics metrics;
	uint32_t size;

	if (status == STEPBUS_OK)
		status = sb_argument_check(out, "out", err);
	if (status != STEPBUS_OK)
		return status;
	size = out->size;
	if (size < metrics_len_min || size > STRUCT_LEN_MAX)
		return sb_fail(err, STEPBUS_EINVAL,
			       "stepbus_dispatch_metrics has size %u: set it to "
			       "sizeof(stepbus_dispatch_metrics)",
			       size);
	sb_dispatch_measure(worker, &metrics);
	memset(out, 0, size);
	memcpy(out, &metrics, size < sizeof metrics ? size : sizeof metrics);
	out->size = size;
	return STEPBUS_OK;
}

static stepbus_status check_step(const stepbus *engine, const uint8_t *step_id, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(engine, "engine", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(step_id, "step_id", err);
	return status == STEPBUS_OK ? sb_engine_check(engine, false, err) : status;
}

static sb_claimed_key key_of(const stepbus *engine, const uint8_t *step_id, uint64_t token)
{
	return (sb_claimed_key){ sb_id_to_row(step_id, engine->store->tag), (int64_t)token };
}

stepbus_status stepbus_heartbeat(stepbus *engine, const uint8_t *step_id, uint64_t token,
				 stepbus_error *err)
{
	stepbus_status status = check_step(engine, step_id, err);
	sb_claimed_key key;

	if (status != STEPBUS_OK)
		return status;
	key = key_of(engine, step_id, token);
	return sb_polled_notice(engine, &key, err);
}

int32_t stepbus_step_is_cancelled(stepbus *engine, const uint8_t *step_id, uint64_t token)
{
	sb_claimed_key key;

	if (check_step(engine, step_id, NULL) != STEPBUS_OK)
		return 1;
	key = key_of(engine, step_id, token);
	return sb_polled_is_in_vain(engine, &key);
}
