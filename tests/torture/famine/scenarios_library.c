/* SPDX-License-Identifier: MIT */
/* Texts, ids, payloads, clocks: what needs no object. And the faults that are planted. */
#include <string.h>

#include "torture/famine/world.h"

#define FAMINE_NOTES_CALLS
#include "torture/famine/calls.h"

static stepbus_status tell_build(famine_world *w)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_build_info(&text, &w->err);

	return famine_text(w, status, text);
}

static stepbus_status tell_names(famine_world *w)
{
	if (strcmp(stepbus_status_name(STEPBUS_ENOMEM), "STEPBUS_ENOMEM") != 0 ||
	    strcmp(stepbus_version(), STEPBUS_VERSION) != 0 ||
	    stepbus_abi_version() != STEPBUS_ABI_VERSION)
		famine_breach(w, "a name is not what it was");
	return STEPBUS_OK;
}

static stepbus_status make_ids(famine_world *w)
{
	uint8_t id[16], read[16];
	char text[37];

	FAMINE_TRY(stepbus_id_new(id, &w->err));
	FAMINE_TRY(stepbus_id_format(id, text, &w->err));
	FAMINE_TRY(stepbus_id_parse(text, 36, read, &w->err));
	if (memcmp(id, read, sizeof id) != 0)
		famine_breach(w, "an id is read as another");
	return STEPBUS_OK;
}

static const char payload[] = "{\"a\":{\"b\":[1,2,3]},\"name\":\"J\\u00fcrgen\",\"count\":42}";

static stepbus_status read_text(famine_world *w)
{
	stepbus_text *text = NULL;
	stepbus_status status =
		stepbus_payload_text(STEPBUS_TEXT(payload), STEPBUS_TEXT("name"), &text, &w->err);

	return famine_text(w, status, text);
}

static stepbus_status read_int(famine_world *w)
{
	int64_t value = -1;
	stepbus_status status =
		stepbus_payload_int(STEPBUS_TEXT(payload), STEPBUS_TEXT("count"), &value, &w->err);

	if (value != (status == STEPBUS_OK ? 42 : -1))
		famine_breach(w, "an integer is read as another");
	return status;
}

static stepbus_status read_structs(famine_world *w)
{
	const stepbus_step_event event = { .size = sizeof event,
					   .handler_name = "echo",
					   .handler_name_len = 4 };
	const stepbus_completion completion = { .size = sizeof completion,
						.outcome = STEPBUS_OUTCOME_SUCCESS };
	const stepbus_step_event *event_read = NULL;
	const stepbus_completion *completion_read = NULL;

	FAMINE_TRY(stepbus_payload_step_event(&event, sizeof event, &event_read, &w->err));
	return stepbus_payload_completion(&completion, sizeof completion, &completion_read,
					  &w->err);
}

static stepbus_status use_clock(famine_world *w)
{
	stepbus_clock *clock = NULL;
	stepbus_host host = { .size = sizeof host };
	stepbus_status status = stepbus_clock_new(1000000, &clock, &w->err);

	if (status == STEPBUS_OK)
		status = stepbus_clock_lend(clock, &host, &w->err);
	if (status == STEPBUS_OK)
		status = stepbus_clock_advance(clock, 10, &w->err);
	stepbus_clock_free(clock);
	return status;
}

static stepbus_clock *standing; /* made while there is memory */

static void make_clock(famine_world *w)
{
	if (stepbus_clock_new(1000000, &standing, &w->err) != STEPBUS_OK)
		famine_breach(w, "a clock cannot be made");
}

static stepbus_status move_clock(famine_world *w)
{
	stepbus_host host = { .size = sizeof host };

	FAMINE_TRY(stepbus_clock_lend(standing, &host, &w->err));
	FAMINE_TRY(stepbus_clock_advance(standing, 10, &w->err));
	if (host.now_us(host.user_data) != 1000000 + 10 * 1000)
		famine_breach(w, "a clock shows another time");
	stepbus_clock_free(standing);
	return STEPBUS_OK;
}

static const famine_scenario library[] = {
	{ "build info", 0, 0, tell_build, NULL, NULL },
	{ "build info, cold", FAMINE_COLD, 0, tell_build, NULL, NULL },
	{ "names and versions", 0, 0, tell_names, NULL, NULL },
	{ "ids", FAMINE_COLD, 0, make_ids, NULL, NULL },
	{ "payload text", 0, 0, read_text, NULL, NULL },
	{ "payload integer", 0, 0, read_int, NULL, NULL },
	{ "payload structs", 0, 0, read_structs, NULL, NULL },
	{ "clock", FAMINE_COLD, 0, use_clock, NULL, NULL },
	{ "clock, made before", 0, 0, move_clock, make_clock, NULL },
};
FAMINE_SCENARIOS(famine_library, library);
