/* SPDX-License-Identifier: MIT */
/*
 * A host that runs its steps itself, as bindings of other languages do: it enqueues 1,000 of them, polls
 * them in batches, and answers each batch in one call.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stepbus.h>

enum { STEP_COUNT = 1000, BATCH_COUNT = 256 };

static stepbus_error err = STEPBUS_ERROR_INIT;

static void must(stepbus_status status)
{
	if (status == STEPBUS_OK)
		return;
	fprintf(stderr, "%s: %s\n", stepbus_status_name(status), err.message);
	exit(1);
}

static stepbus *open_engine(void)
{
	static const char config[] = "{\"store\":\"memory:\"}";
	stepbus_options options = { .size = sizeof options,
				    .config = config,
				    .config_len = sizeof config - 1 };
	stepbus_handler_spec echo = {
		.size = sizeof echo, .flags = STEPBUS_HANDLER_PULLED, .name = "echo", .name_len = 4
	};
	stepbus *engine;

	must(stepbus_open(&options, &engine, &err));
	must(stepbus_registry_register(stepbus_engine_registry(engine), &echo, &err));
	return engine;
}

static void enqueue_steps(stepbus *engine)
{
	static stepbus_step_spec specs[STEP_COUNT];

	for (size_t i = 0; i < STEP_COUNT; i++)
		specs[i] = (stepbus_step_spec){ .size = sizeof specs[i],
						.handler_name = "echo",
						.handler_name_len = 4,
						.input = "hello",
						.input_len = 5 };
	must(stepbus_step_enqueue(engine, specs, STEP_COUNT, NULL, &err));
}

/* Each step succeeds, and its result is its input. */
static stepbus_completion run(const stepbus_step_event *step)
{
	stepbus_completion completion = { .size = sizeof completion,
					  .outcome = STEPBUS_OUTCOME_SUCCESS,
					  .token = step->token,
					  .retry_after_ms = -1,
					  .result = step->input,
					  .result_len = step->input_len };

	memcpy(completion.step_id, step->step_id, sizeof completion.step_id);
	return completion;
}

static void run_steps(stepbus *engine, stepbus_worker *worker)
{
	static stepbus_step_event steps[BATCH_COUNT] = { { .size = sizeof *steps } };
	static stepbus_completion completions[BATCH_COUNT];
	size_t count;

	for (size_t done = 0; done < STEP_COUNT; done += count) {
		must(stepbus_poll(worker, steps, BATCH_COUNT, -1, &count, &err));
		for (size_t i = 0; i < count; i++)
			completions[i] = run(&steps[i]);
		must(stepbus_complete(engine, completions, count, NULL, &err));
	}
}

int main(void)
{
	stepbus *engine = open_engine();
	stepbus_worker *worker;
	uint64_t count;

	enqueue_steps(engine);
	must(stepbus_worker_start(engine, STEPBUS_TEXT("{\"pull\":true}"), &worker, &err));
	run_steps(engine, worker);
	must(stepbus_step_count(engine, STEPBUS_TEXT("{\"state\":\"completed\"}"), &count, &err));
	printf("%llu of %d steps are completed\n", (unsigned long long)count, STEP_COUNT);
	stepbus_close(engine);
	return count == STEP_COUNT ? 0 : 1;
}
