/* SPDX-License-Identifier: MIT */
/* Of the library itself, of texts, ids, payloads and clocks: what depends on no object, or on a plain one. */
#include <string.h>

#include "torture/reenter/rows.h"

CALL(status_name)
{
	(void)w;
	(void)err;
	return row_verdict(strcmp(stepbus_status_name(STEPBUS_EFULL), "STEPBUS_EFULL") == 0);
}

CALL(version)
{
	(void)w;
	(void)err;
	return row_verdict(strcmp(stepbus_version(), STEPBUS_VERSION) == 0);
}

CALL(abi_version)
{
	(void)w;
	(void)err;
	return row_verdict(stepbus_abi_version() == STEPBUS_ABI_VERSION);
}

CALL(text_data)
{
	(void)err;
	return row_verdict(stepbus_text_data(w->text)[0] == '{');
}

CALL(text_len)
{
	(void)err;
	return row_verdict(stepbus_text_len(w->text) > 0);
}

CALL(text_free)
{
	(void)err;
	stepbus_text_free(w->text);
	w->text = NULL;
	return STEPBUS_OK;
}

CALL(build_info)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_build_info(&text, err);

	(void)w;
	return row_take_text(text, status);
}

CALL(id_new)
{
	uint8_t id[16];

	(void)w;
	return stepbus_id_new(id, err);
}

CALL(id_format)
{
	char text[37];

	return stepbus_id_format(w->done_id, text, err);
}

CALL(id_parse)
{
	static const char text[] = "018f0000-0000-7000-8000-000000000000";
	uint8_t id[16];

	(void)w;
	return stepbus_id_parse(text, 36, id, err);
}

CALL(payload_text)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_payload_text("{\"a\":\"b\"}", 9, "a", 1, &text, err);

	(void)w;
	return row_take_text(text, status);
}

CALL(payload_int)
{
	int64_t value = 0;

	(void)w;
	return stepbus_payload_int("{\"a\":7}", 7, "a", 1, &value, err);
}

CALL(payload_step_event)
{
	const stepbus_step_event *event = NULL;

	return stepbus_payload_step_event(&w->announced, sizeof w->announced, &event, err);
}

CALL(payload_completion)
{
	const stepbus_completion given = { .size = sizeof given,
					   .outcome = STEPBUS_OUTCOME_SUCCESS,
					   .retry_after_ms = -1 };
	const stepbus_completion *completion = NULL;

	(void)w;
	return stepbus_payload_completion(&given, sizeof given, &completion, err);
}

CALL(outcome_completion)
{
	(void)err;
	return row_verdict(stepbus_outcome_completion(w->outcome)->outcome ==
			   STEPBUS_OUTCOME_SUCCESS);
}

CALL(outcome_free)
{
	(void)err;
	stepbus_outcome_free(w->outcome);
	w->outcome = NULL;
	return STEPBUS_OK;
}

CALL(clock_new)
{
	stepbus_clock *clock = NULL;
	stepbus_status status = stepbus_clock_new(5, &clock, err);

	(void)w;
	stepbus_clock_free(clock);
	return status;
}

CALL(clock_free)
{
	(void)err;
	stepbus_clock_free(w->clock);
	w->clock = NULL;
	return STEPBUS_OK;
}

CALL(clock_lend)
{
	stepbus_host host = { .size = sizeof host };

	return stepbus_clock_lend(w->clock, &host, err);
}

CALL(clock_advance)
{
	return stepbus_clock_advance(w->clock, 1, err);
}

static const row rows[] = {
	{ "stepbus_status_name", status_name, ROW_PURE, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_version", version, ROW_PURE, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_abi_version", abi_version, ROW_PURE, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_text_data", text_data, ROW_PURE, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_text_len", text_len, ROW_PURE, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_text_free", text_free, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_build_info", build_info, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_id_new", id_new, ROW_PURE, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_id_format", id_format, ROW_PURE, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_id_parse", id_parse, ROW_PURE, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_payload_text", payload_text, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_payload_int", payload_int, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_payload_step_event",
	  payload_step_event,
	  ROW_PURE,
	  ROW_ANYWHERE,
	  { { 0 } },
	  NULL },
	{ "stepbus_payload_completion",
	  payload_completion,
	  ROW_PURE,
	  ROW_ANYWHERE,
	  { { 0 } },
	  NULL },
	{ "stepbus_outcome_completion",
	  outcome_completion,
	  ROW_PURE,
	  ROW_ANYWHERE,
	  { { 0 } },
	  NULL },
	{ "stepbus_outcome_free", outcome_free, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_clock_new", clock_new, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_clock_free", clock_free, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_clock_lend", clock_lend, ROW_PURE, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_clock_advance", clock_advance, 0, ROW_ANYWHERE, { { 0 } }, NULL },
};

const row_table rows_library = { rows, sizeof rows / sizeof *rows };
