/* SPDX-License-Identifier: MIT */
/* Of an engine: what is asked of steps, queues and cron entries, and done to them. */
#include "torture/reenter/rows.h"

CALL(step_cancel)
{
	return stepbus_step_cancel(w->engine, w->open_id, err);
}

CALL(step_redrive)
{
	return stepbus_step_redrive(w->engine, w->done_id, err);
}

CALL(step_redrive_all)
{
	uint64_t count = 0;

	return stepbus_step_redrive_all(w->engine, NULL, 0, &count, err);
}

CALL(step_info)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_step_info(w->engine, w->done_id, &text, err);

	return row_take_text(text, status);
}

CALL(step_attempts)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_step_attempts(w->engine, w->done_id, &text, err);

	return row_take_text(text, status);
}

CALL(step_list)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_step_list(w->engine, NULL, 0, &text, err);

	return row_take_text(text, status);
}

CALL(step_count)
{
	uint64_t count = 0;

	return stepbus_step_count(w->engine, NULL, 0, &count, err);
}

CALL(queue_set)
{
	return stepbus_queue_set(w->engine, "other", 5, STEPBUS_TEXT("{\"concurrency_max\":3}"),
				 err);
}

CALL(queue_pause)
{
	return stepbus_queue_pause(w->engine, "other", 5, err);
}

CALL(queue_resume)
{
	return stepbus_queue_resume(w->engine, "other", 5, err);
}

CALL(queue_list)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_queue_list(w->engine, &text, err);

	return row_take_text(text, status);
}

CALL(cron_set)
{
	static const char entry[] = "{\"name\":\"n\",\"expression\":\"0 3 1 1 *\","
				    "\"step\":{\"handler\":\"quick\"}}";

	return stepbus_cron_set(w->engine, entry, sizeof entry - 1, err);
}

CALL(cron_remove)
{
	return stepbus_cron_remove(w->engine, "nobody", 6, err);
}

CALL(cron_list)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_cron_list(w->engine, &text, err);

	return row_take_text(text, status);
}

/* What is there to refuse is refused before the end of the engine is, or after. */
#define REFUSES(status)                                                         \
	{                                                                       \
		ROW_IS(status), ROW_IS(status), ROW_OVER, ROW_OVER, 0, ROW_GONE \
	}

static const row rows[] = {
	{ "stepbus_step_cancel", step_cancel, 0, ROW_WRITE, { { 0 } }, NULL },
	{ "stepbus_step_redrive", step_redrive, 0, REFUSES(STEPBUS_EALREADY), { { 0 } }, NULL },
	{ "stepbus_step_redrive_all", step_redrive_all, 0, ROW_WRITE, { { 0 } }, NULL },
	{ "stepbus_step_info", step_info, 0, ROW_READ, { { 0 } }, NULL },
	{ "stepbus_step_attempts", step_attempts, 0, ROW_READ, { { 0 } }, NULL },
	{ "stepbus_step_list", step_list, 0, ROW_READ, { { 0 } }, NULL },
	{ "stepbus_step_count", step_count, 0, ROW_READ, { { 0 } }, NULL },
	{ "stepbus_queue_set", queue_set, 0, ROW_WRITE, { { 0 } }, NULL },
	{ "stepbus_queue_pause", queue_pause, 0, ROW_WRITE, { { 0 } }, NULL },
	{ "stepbus_queue_resume", queue_resume, 0, ROW_WRITE, { { 0 } }, NULL },
	{ "stepbus_queue_list", queue_list, 0, ROW_READ, { { 0 } }, NULL },
	{ "stepbus_cron_set", cron_set, 0, ROW_WRITE, { { 0 } }, NULL },
	{ "stepbus_cron_remove", cron_remove, 0, REFUSES(STEPBUS_ENOTFOUND), { { 0 } }, NULL },
	{ "stepbus_cron_list", cron_list, 0, ROW_READ, { { 0 } }, NULL },
};

const row_table rows_control = { rows, sizeof rows / sizeof *rows };
