/* SPDX-License-Identifier: MIT */
/* What the process of a life does. */
#include "torture/kill/roles.h"

#include <stdio.h>
#include <string.h>

#include "torture/history/observer.h"
#include "torture/kill/behave.h"
#include "torture/kill/points.h"

enum { STEP_COUNT = 4, TEXT_LEN = 32, AWAIT_MS = 60000 };

/* One that succeeds, one that comes on in steps, one that fails twice, one with a key. */
static bool enqueue(stepbus *engine, const role_options *options, stepbus_enqueued *out)
{
	static const int64_t behaviours[STEP_COUNT] = { 0, BEHAVIOUR_CHECKPOINT,
							BEHAVIOUR_FAIL_TWICE, 1 };
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_step_spec specs[STEP_COUNT];
	char inputs[STEP_COUNT][TEXT_LEN];
	int64_t nonces[STEP_COUNT];
	stepbus_status status;

	for (int i = 0; i < STEP_COUNT; i++) {
		nonces[i] = (int64_t)options->process * NONCES_PER_PROCESS + 10 * i + behaviours[i];
		(void)snprintf(inputs[i], TEXT_LEN, "n%ld ", nonces[i]);
		specs[i] = (stepbus_step_spec){ .size = sizeof specs[i],
						.handler_name = ROLE_WORK,
						.handler_name_len = 4,
						.input = inputs[i],
						.input_len = strlen(inputs[i]) };
		if (i == 3) {
			specs[i].idempotency_key = "k1";
			specs[i].idempotency_key_len = 2;
		}
		observer_note(LOG_INVOKED, nonces[i], i == 3 ? 1 : -1, 0, ATTEMPT_COUNT_MAX);
	}
	out[0].size = sizeof out[0];
	status = stepbus_step_enqueue(engine, specs, STEP_COUNT, out, &err);
	if (status != STEPBUS_OK) {
		observer_fail("enqueue", status, err.message);
		return false;
	}
	for (int i = 0; i < STEP_COUNT; i++)
		observer_note(LOG_ENQUEUED, nonces[i], i == 3 ? 1 : -1,
			      observer_id_of_bytes(out[i].step_id), out[i].is_existing);
	return true;
}

static bool is_all_final(stepbus *engine)
{
	static const char filter[] =
		"{\"state\":[\"waiting\",\"scheduled\",\"ready\",\"parked\",\"running\"]}";
	uint64_t count = 1;

	return stepbus_step_count(engine, STEPBUS_TEXT(filter), &count, NULL) == STEPBUS_OK &&
	       count == 0;
}

int role_life(const role_options *options)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_enqueued out[STEP_COUNT] = { 0 };
	stepbus *engine = role_open(options);
	stepbus_status status;

	if (engine == NULL)
		return 1;
	status = role_serve(engine, options, &err);
	if (status != STEPBUS_OK) {
		observer_fail("start a worker", status, err.message);
		return 1;
	}
	if (!enqueue(engine, options, out))
		return 1;
	for (int waited_ms = 0; !is_all_final(engine); waited_ms += 5) {
		if (waited_ms > AWAIT_MS)
			return 1;
		role_pause_us(5000);
	}
	role_close(engine, true);
	return 0;
}
