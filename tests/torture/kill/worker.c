/* SPDX-License-Identifier: MIT */
#include "torture/kill/roles.h"

#include <stdio.h>

#include "torture/history/observer.h"
#include "torture/kill/behave.h"

static void end_with_failure(stepbus_result *result, uint32_t is_retryable)
{
	const stepbus_failure failure = { .size = sizeof failure,
					  .is_retryable = is_retryable,
					  .retry_after_ms = -1,
					  .message = "as it was told to",
					  .message_len = 17 };

	(void)stepbus_result_failure(result, &failure, NULL);
}

static void hand_in(stepbus_result *result, const deed *d)
{
	const stepbus_checkpoint_spec far = { .size = sizeof far,
					      .items_processed = d->items,
					      .cursor = d->cursor,
					      .cursor_len = d->cursor_len };

	switch (d->outcome) {
	case STEPBUS_OUTCOME_FAILURE:
		end_with_failure(result, d->is_retryable);
		break;
	case STEPBUS_OUTCOME_SNOOZE:
		(void)stepbus_result_snooze(result, 10, NULL);
		break;
	case STEPBUS_OUTCOME_CHECKPOINT:
		(void)stepbus_result_checkpoint(result, &far, NULL);
		break;
	default:
		(void)stepbus_result_success(result, d->text, d->len, NULL);
		break;
	}
}

static int32_t serve(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	int64_t nonce = behave_begin(step);
	deed d;

	(void)instance;
	behave(step, nonce, &d);
	hand_in(result, &d);
	behave_end(step, &d);
	return 0;
}

stepbus_status role_serve(stepbus *engine, const role_options *options, stepbus_error *err)
{
	static const char *const strategies[] = { "priority", "fifo", "lifo", "weighted_random" };
	static const uint32_t blocks[] = { 4, 64, 256 };
	const stepbus_handler_spec spec = {
		.size = sizeof spec, .name = ROLE_WORK, .name_len = 4, .call = serve
	};
	uint32_t random = (uint32_t)options->process * 747796405U;
	stepbus_worker *worker = NULL;
	char config[256];
	int len = snprintf(config, sizeof config,
			   "{\"id\":\"worker-%d\",\"block_size\":%u,\"pool_size\":%u,"
			   "\"strategy\":\"%s\",\"queues\":[\"default\"]}",
			   options->process, blocks[role_draw(&random, 3)],
			   1 + role_draw(&random, 3), strategies[role_draw(&random, 4)]);
	stepbus_status status =
		stepbus_registry_register(stepbus_engine_registry(engine), &spec, err);

	if (status == STEPBUS_OK)
		status = role_listen(engine, err);
	if (status == STEPBUS_OK)
		status = stepbus_worker_start(engine, config, (size_t)len, &worker, err);
	return status;
}

int role_worker(const role_options *options)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus *engine = role_open(options);
	stepbus_status status;

	if (engine == NULL)
		return 1;
	status = role_serve(engine, options, &err);
	if (status != STEPBUS_OK) {
		observer_fail("start a worker", status, err.message);
		return 1;
	}
	observer_note(LOG_READY, 0, 0, 0, 0);
	role_wait();
	role_close(engine, options->process % 2 == 0);
	return 0;
}
