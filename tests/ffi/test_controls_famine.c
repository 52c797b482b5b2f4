/* SPDX-License-Identifier: MIT */
/* Cancel, redrive, await, complete and queue settings where memory runs out, call by call. */
#include "support/workshop.h"

#include "support/host.h"
#include "support/spec.h"

typedef stepbus_status (*act)(stepbus *engine, const uint8_t *id, stepbus_error *err);

static stepbus_status cancel(stepbus *engine, const uint8_t *id, stepbus_error *err)
{
	return stepbus_step_cancel(engine, id, err);
}

static stepbus_status redrive(stepbus *engine, const uint8_t *id, stepbus_error *err)
{
	stepbus_status status = stepbus_step_cancel(engine, id, err);

	return status == STEPBUS_OK ? stepbus_step_redrive(engine, id, err) : status;
}

static stepbus_status redrive_all(stepbus *engine, const uint8_t *id, stepbus_error *err)
{
	static const char filter[] = "{\"queue\":\"default\",\"state\":\"cancelled\"}";
	uint64_t count = 0;
	stepbus_status status = stepbus_step_cancel(engine, id, err);

	if (status == STEPBUS_OK)
		status = stepbus_step_redrive_all(engine, filter, strlen(filter), &count, err);
	return status == STEPBUS_OK && count != 1 ? STEPBUS_ESYSTEM : status;
}

static stepbus_status await_end(stepbus *engine, const uint8_t *id, stepbus_error *err)
{
	stepbus_outcome *outcome = NULL;
	stepbus_status status = stepbus_step_cancel(engine, id, err);

	if (status == STEPBUS_OK)
		status = stepbus_step_await(engine, id, 0, &outcome, err);
	stepbus_outcome_free(outcome);
	return status;
}

static stepbus_status set_queue(stepbus *engine, const uint8_t *id, stepbus_error *err)
{
	static const char settings[] = "{\"rate_count\":5,\"key_concurrency_max\":2}";
	stepbus_status status =
		stepbus_queue_set(engine, "new", 3, settings, strlen(settings), err);

	(void)id;
	if (status == STEPBUS_OK)
		status = stepbus_queue_pause(engine, "new", 3, err);
	return status == STEPBUS_OK ? stepbus_queue_resume(engine, "new", 3, err) : status;
}

static const act acts[] = { cancel, redrive, redrive_all, await_end, set_queue };

/* Which act the scenario tries, and how many ended in another way than well or for want of memory. */
static act tried;
static int strange_count;

/* In memory and without a worker, so that nothing else allocates meanwhile but the clockwork. */
static stepbus_status try_act(test_host *t, stepbus_error *err)
{
	static const char config[] = "{\"store\":\"memory:\"}";
	const stepbus_options options = { .size = sizeof options,
					  .config = config,
					  .config_len = sizeof config - 1,
					  .host = &t->host };
	const stepbus_step_spec spec = test_workshop_spec("ok");
	stepbus_enqueued out = { .size = sizeof out };
	stepbus *engine = NULL;
	stepbus_status status = stepbus_open(&options, &engine, err);

	if (status == STEPBUS_OK)
		status = stepbus_step_enqueue(engine, &spec, 1, &out, err);
	if (status == STEPBUS_OK)
		status = tried(engine, out.step_id, err);
	stepbus_close(engine);
	strange_count += status != STEPBUS_OK && status != STEPBUS_ENOMEM;
	return status;
}

/* What a transaction lacks memory for is tried again by itself, so some failures are survived. */
static void whatever_fails_to_allocate_is_done_or_told(void **state)
{
	const test_scenario scenario = { "controls", try_act, true };

	(void)state;
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
		tried = acts[i];
		assert_true(test_fail_each_allocation(&scenario) > 0);
		assert_int_equal(strange_count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_fails_to_allocate_is_done_or_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
