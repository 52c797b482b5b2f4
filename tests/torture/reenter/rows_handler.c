/* SPDX-License-Identifier: MIT */
/* Of a running handler: its context and its result, which are valid during its call. */
#include "torture/reenter/rows.h"

CALL(context_step)
{
	(void)err;
	return row_verdict(stepbus_context_step(w->context) != NULL);
}

CALL(context_dependency)
{
	const stepbus_dependency *dependency = NULL;

	return stepbus_context_dependency(w->context, "none", 4, &dependency, err);
}

CALL(context_is_retry)
{
	(void)err;
	return row_verdict(stepbus_context_is_retry(w->context) == 0);
}

CALL(context_check)
{
	(void)err;
	return stepbus_context_check(w->context);
}

CALL(result_success)
{
	return stepbus_result_success(w->result, "x", 1, err);
}

CALL(result_failure)
{
	const stepbus_failure failure = {
		.size = sizeof failure, .retry_after_ms = -1, .message = "no", .message_len = 2
	};

	return stepbus_result_failure(w->result, &failure, err);
}

CALL(result_snooze)
{
	return stepbus_result_snooze(w->result, 3600000, err);
}

CALL(result_checkpoint)
{
	const stepbus_checkpoint_spec checkpoint = { .size = sizeof checkpoint };
	stepbus_status status = stepbus_result_checkpoint(w->result, &checkpoint, err);

	/* Else the step would come again at once, for ever. */
	return status == STEPBUS_OK ? stepbus_result_snooze(w->result, 3600000, err) : status;
}

CALL(result_set_content_type)
{
	return stepbus_result_set_content_type(w->result, "text/plain", 10, err);
}

CALL(result_set_metadata)
{
	return stepbus_result_set_metadata(w->result, "{}", 2, err);
}

#define LACKS                                                                                    \
	{                                                                                        \
		ROW_IS(STEPBUS_ENOTFOUND), ROW_IS(STEPBUS_ENOTFOUND), ROW_IS(STEPBUS_ENOTFOUND), \
			0, 0, ROW_IS(STEPBUS_ENOTFOUND)                                          \
	}
/* It is told of the stop. */
#define TOLD                                           \
	{                                              \
		ROW_OK, ROW_OK, ROW_OVER, 0, 0, ROW_OK \
	}

static const row rows[] = {
	{ "stepbus_context_step", context_step, ROW_CONTEXT, ROW_HANDLER, { { 0 } }, NULL },
	{ "stepbus_context_dependency", context_dependency, ROW_CONTEXT, LACKS, { { 0 } }, NULL },
	{ "stepbus_context_is_retry", context_is_retry, ROW_CONTEXT, ROW_HANDLER, { { 0 } }, NULL },
	{ "stepbus_context_check", context_check, ROW_CONTEXT, TOLD, { { 0 } }, NULL },
	{ "stepbus_result_success", result_success, ROW_CONTEXT, ROW_HANDLER, { { 0 } }, NULL },
	{ "stepbus_result_failure", result_failure, ROW_CONTEXT, ROW_HANDLER, { { 0 } }, NULL },
	{ "stepbus_result_snooze", result_snooze, ROW_CONTEXT, ROW_HANDLER, { { 0 } }, NULL },
	{ "stepbus_result_checkpoint",
	  result_checkpoint,
	  ROW_CONTEXT,
	  ROW_HANDLER,
	  { { 0 } },
	  NULL },
	{ "stepbus_result_set_content_type",
	  result_set_content_type,
	  ROW_CONTEXT,
	  ROW_HANDLER,
	  { { 0 } },
	  NULL },
	{ "stepbus_result_set_metadata",
	  result_set_metadata,
	  ROW_CONTEXT,
	  ROW_HANDLER,
	  { { 0 } },
	  NULL },
};

const row_table rows_handler = { rows, sizeof rows / sizeof *rows };
