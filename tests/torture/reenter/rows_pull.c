/* SPDX-License-Identifier: MIT */
/* Of pull workers, and of the step that one has handed out. */
#include <string.h>

#include "torture/reenter/rows.h"

CALL(poll_once)
{
	stepbus_step_event event = { .size = sizeof event };
	size_t count = 0;

	return stepbus_poll(w->pull, &event, 1, w->is_inside ? -1 : 20, &count, err);
}

CALL(wake_fd)
{
	int32_t fd = -1;

	return stepbus_wake_fd(w->pull, STEPBUS_WAKE_EVENTFD, &fd, err);
}

CALL(checkpoint)
{
	stepbus_checkpoint_spec spec = { .size = sizeof spec, .token = w->polled.token };

	memcpy(spec.step_id, w->polled.step_id, 16);
	return stepbus_checkpoint(w->engine, &spec, err);
}

CALL(release)
{
	return stepbus_release(w->engine, w->polled.step_id, w->polled.token, err);
}

CALL(heartbeat)
{
	return stepbus_heartbeat(w->engine, w->polled.step_id, w->polled.token, err);
}

CALL(step_is_cancelled)
{
	int32_t is_cancelled =
		stepbus_step_is_cancelled(w->engine, w->polled.step_id, w->polled.token);

	(void)err;
	return row_verdict(is_cancelled == 0 || is_cancelled == 1);
}

CALL(worker_metrics)
{
	stepbus_dispatch_metrics metrics = { .size = sizeof metrics };

	return stepbus_worker_metrics(w->pull, &metrics, err);
}

#define REENTRANT ROW_IS(STEPBUS_EREENTRANT)
#define STALE ROW_IS(STEPBUS_ESTALE)
#define TOO_LATE ROW_IS(STEPBUS_ETIMEDOUT)
#define LACKS ROW_IS(STEPBUS_ENOTFOUND)

#define POLLS                                                        \
	{                                                            \
		TOO_LATE, REENTRANT, ROW_OVER, ROW_OVER, 0, ROW_GONE \
	}
#define ANSWERS                                               \
	{                                                     \
		ROW_OK, ROW_OK, ROW_OK, ROW_OVER, 0, ROW_GONE \
	}
/* The worker that has handed it out is being freed at this moment, or was. */
#define MEANWHILE                                                 \
	{                                                         \
		{                                                 \
			PLACE_IN_CLOSE, ROW_OK | STALE | ROW_OVER \
		}                                                 \
	}
#define BEATS                                                \
	{                                                    \
		ROW_OK, ROW_OK, ROW_OVER, LACKS, 0, ROW_GONE \
	}

static const row rows[] = {
	{ "stepbus_poll", poll_once, ROW_WORKER, POLLS, { { 0 } }, NULL },
	{ "stepbus_wake_fd", wake_fd, ROW_WORKER, ROW_READ, { { 0 } }, NULL },
	{ "stepbus_checkpoint", checkpoint, 0, ANSWERS, MEANWHILE, NULL },
	{ "stepbus_release", release, 0, ANSWERS, MEANWHILE, NULL },
	{ "stepbus_heartbeat",
	  heartbeat,
	  0,
	  BEATS,
	  { { PLACE_IN_CLOSE, LACKS | STALE | ROW_OVER } },
	  NULL },
	{ "stepbus_step_is_cancelled",
	  step_is_cancelled,
	  0,
	  { ROW_OK, ROW_OK, ROW_OK, ROW_OK, 0, ROW_OK },
	  { { 0 } },
	  NULL },
	{ "stepbus_worker_metrics", worker_metrics, ROW_WORKER, ROW_READ, { { 0 } }, NULL },
};

const row_table rows_pull = { rows, sizeof rows / sizeof *rows };
