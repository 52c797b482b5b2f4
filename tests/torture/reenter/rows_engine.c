/* SPDX-License-Identifier: MIT */
/* Of an engine: opening, ending, workers, and steps on their way in and out. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "torture/reenter/rows.h"

enum { CONFIG_LEN = 512 };

static const stepbus_step_spec quick = { .size = sizeof quick,
					 .handler_name = "quick",
					 .handler_name_len = 5 };

/* Of the same kind as the world's, on another file. */
CALL(open_another)
{
	char config[CONFIG_LEN];
	int len = snprintf(config, sizeof config, "{\"store\":\"%s%s%s\"}",
			   w->is_in_memory ? "memory:" : "sqlite:", w->is_in_memory ? "" : w->path,
			   w->is_in_memory ? "" : ".other");
	const stepbus_options options = { .size = sizeof options,
					  .config = config,
					  .config_len = (size_t)len };
	stepbus *engine = NULL;
	stepbus_status status = stepbus_open(&options, &engine, err);

	stepbus_close(engine);
	return status;
}

CALL(stop)
{
	return stepbus_stop(w->engine, w->patience_ms, NULL, err);
}

CALL(close_it)
{
	(void)err;
	stepbus_close(w->engine);
	if (w->is_inside || stepbus_bridge_is_active(w->own) == 0)
		return STEPBUS_OK;
	w->engine = NULL;
	w->bridge = w->own;
	return STEPBUS_OK;
}

CALL(engine_bridge)
{
	(void)err;
	return row_verdict(stepbus_engine_bridge(w->engine) != NULL);
}

CALL(engine_registry)
{
	(void)err;
	return row_verdict(stepbus_engine_registry(w->engine) == w->registry);
}

CALL(engine_stats)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_engine_stats(w->engine, &text, err);

	return row_take_text(text, status);
}

CALL(engine_wake)
{
	return stepbus_engine_wake(w->engine, err);
}

CALL(step_enqueue)
{
	return stepbus_step_enqueue(w->engine, &quick, 1, NULL, err);
}

CALL(step_enqueue_async)
{
	return stepbus_step_enqueue_async(w->engine, &quick, 1, NULL, NULL, err);
}

CALL(step_enqueue_in)
{
	return stepbus_step_enqueue_in(w->engine, w->connection, "main", 4, &quick, 1, NULL, err);
}

CALL(complete)
{
	stepbus_completion completion = { .size = sizeof completion,
					  .outcome = STEPBUS_OUTCOME_SUCCESS,
					  .token = w->polled.token,
					  .retry_after_ms = -1 };

	memcpy(completion.step_id, w->polled.step_id, 16);
	return stepbus_complete(w->engine, &completion, 1, NULL, err);
}

CALL(step_await)
{
	stepbus_outcome *outcome = NULL;
	stepbus_status status = stepbus_step_await(w->engine, w->open_id, 50, &outcome, err);

	stepbus_outcome_free(outcome);
	return status;
}

CALL(worker_start)
{
	stepbus_worker *worker = NULL;

	return stepbus_worker_start(w->engine, STEPBUS_TEXT("{\"pool_size\":1}"), &worker, err);
}

CALL(worker_stop)
{
	return stepbus_worker_stop(w->pull, w->patience_ms, NULL, err);
}

CALL(worker_free)
{
	(void)err;
	stepbus_worker_free(w->pull);
	return STEPBUS_OK;
}

CALL(worker_list)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_worker_list(w->engine, &text, err);

	return row_take_text(text, status);
}

#define REENTRANT ROW_IS(STEPBUS_EREENTRANT)
#define STALE ROW_IS(STEPBUS_ESTALE)
#define TOO_LATE ROW_IS(STEPBUS_ETIMEDOUT)

/* The host has polled a step and not answered it: a stop waits for that as long as it may. */
#define STOPS                                                      \
	{                                                          \
		TOO_LATE, REENTRANT, TOO_LATE, ROW_OK, 0, ROW_GONE \
	}
/* Its step is polled: a stop of it abandons that. */
#define ENDS                                              \
	{                                                 \
		ROW_OK, ROW_OK, ROW_OK, ROW_OK, 0, ROW_OK \
	}
/* A step that was polled may still be answered while the worker stops, and not when it was. */
#define ANSWERS                                               \
	{                                                     \
		ROW_OK, ROW_OK, ROW_OK, ROW_OVER, 0, ROW_GONE \
	}
/* A new engine is none of the one that ends; but SQLite does not survive a fork. */
#define OPENS                                                    \
	{                                                        \
		ROW_OK, ROW_OK, ROW_OK, ROW_OK, ROW_OK, ROW_GONE \
	}
/* One of the steps is not final. */
#define WAITS                                                       \
	{                                                           \
		TOO_LATE, TOO_LATE, ROW_OVER, ROW_OVER, 0, ROW_GONE \
	}

static const row rows[] = {
	{ "stepbus_open", open_another, 0, OPENS, { { 0 } }, NULL },
	{ "stepbus_stop", stop, ROW_SPOILS, STOPS, { { PLACE_IN_CLOSE, REENTRANT } }, NULL },
	{ "stepbus_close",
	  close_it,
	  ROW_SPOILS,
	  ROW_ANYWHERE,
	  { { PLACE_BESIDE_STOP, 0 }, { PLACE_BESIDE_CLOSE, 0 }, { PLACE_CLOSED, 0 } },
	  "no other thread may use the engine from stepbus_close on" },
	{ "stepbus_engine_bridge",
	  engine_bridge,
	  ROW_PURE,
	  { ROW_OK, ROW_OK, ROW_OK, ROW_OK, 0, ROW_OK },
	  { { 0 } },
	  NULL },
	{ "stepbus_engine_registry",
	  engine_registry,
	  ROW_PURE,
	  { ROW_OK, ROW_OK, ROW_OK, ROW_OK, 0, ROW_OK },
	  { { 0 } },
	  NULL },
	{ "stepbus_engine_stats", engine_stats, 0, ROW_READ, { { 0 } }, NULL },
	{ "stepbus_engine_wake", engine_wake, 0, ROW_READ, { { 0 } }, NULL },
	{ "stepbus_step_enqueue", step_enqueue, 0, ROW_WRITE, { { 0 } }, NULL },
	{ "stepbus_step_enqueue_async", step_enqueue_async, 0, ROW_WRITE, { { 0 } }, NULL },
	{ "stepbus_step_enqueue_in", step_enqueue_in, 0, ROW_WRITE, { { 0 } }, NULL },
	{ "stepbus_complete",
	  complete,
	  0,
	  ANSWERS,
	  { { PLACE_IN_CLOSE, ROW_OK | STALE | ROW_OVER } },
	  NULL },
	{ "stepbus_step_await", step_await, 0, WAITS, { { 0 } }, NULL },
	{ "stepbus_worker_start", worker_start, 0, ROW_WRITE, { { 0 } }, NULL },
	{ "stepbus_worker_stop", worker_stop, ROW_WORKER, STOPS, { { 0 } }, NULL },
	{ "stepbus_worker_free", worker_free, ROW_WORKER, ENDS, { { 0 } }, NULL },
	{ "stepbus_worker_list", worker_list, 0, ROW_READ, { { 0 } }, NULL },
};

const row_table rows_engine = { rows, sizeof rows / sizeof *rows };
