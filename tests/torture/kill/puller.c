/* SPDX-License-Identifier: MIT */
#include "torture/kill/roles.h"

#include <stdio.h>
#include <string.h>

#include "torture/history/observer.h"
#include "torture/kill/behave.h"

enum { BATCH_MAX = 8 };

/* What was polled in one call. */
typedef struct batch {
	size_t count;
	stepbus_step_event events[BATCH_MAX];
	deed deeds[BATCH_MAX];
	stepbus_completion answers[BATCH_MAX];
	stepbus_status each[BATCH_MAX];
	int64_t ids[BATCH_MAX]; /* an event's memory is gone when it is answered */
	int64_t tokens[BATCH_MAX];
	int64_t called_us[BATCH_MAX]; /* when the first call was made that may have answered it */
} batch;

static void write_answer(const stepbus_step_event *step, const deed *d, stepbus_completion *answer)
{
	static const char message[] = "as it was told to";

	*answer = (stepbus_completion){ .size = sizeof *answer,
					.outcome = d->outcome,
					.token = step->token,
					.retry_after_ms = -1,
					.is_retryable = d->is_retryable };
	memcpy(answer->step_id, step->step_id, sizeof answer->step_id);
	if (d->outcome == STEPBUS_OUTCOME_SUCCESS) {
		answer->result = d->text;
		answer->result_len = d->len;
	}
	if (d->outcome == STEPBUS_OUTCOME_FAILURE) {
		answer->error_message = message;
		answer->error_message_len = sizeof message - 1;
		answer->error_type = "told";
		answer->error_type_len = 4;
	}
	if (d->outcome == STEPBUS_OUTCOME_SNOOZE)
		answer->retry_after_ms = 10;
	if (d->outcome == STEPBUS_OUTCOME_CHECKPOINT) {
		answer->items_processed = d->items;
		answer->cursor = d->cursor;
		answer->cursor_len = d->cursor_len;
	}
}

/* One in four says that it lives; whoever hears that it is in vain answers all the same. */
static void beat(stepbus *engine, const stepbus_step_event *step, int64_t nonce)
{
	int64_t called_us = observer_now_us();

	if (nonce / 10 % 4 == 0 &&
	    stepbus_heartbeat(engine, step->step_id, step->token, NULL) == STEPBUS_OK)
		observer_note(LOG_BEAT, observer_id_of_bytes(step->step_id), (int64_t)step->token,
			      BEAT_HEARTBEAT, called_us);
}

static void run(stepbus *engine, batch *b)
{
	int64_t nonces[BATCH_MAX];

	for (size_t i = 0; i < b->count; i++)
		nonces[i] = behave_begin(&b->events[i]);
	for (size_t i = 0; i < b->count; i++) {
		b->ids[i] = observer_id_of_bytes(b->events[i].step_id);
		b->tokens[i] = (int64_t)b->events[i].token;
		beat(engine, &b->events[i], nonces[i]);
		behave(&b->events[i], nonces[i], &b->deeds[i]);
		write_answer(&b->events[i], &b->deeds[i], &b->answers[i]);
	}
	for (size_t i = 0; i < b->count; i++)
		behave_end(&b->events[i], &b->deeds[i]);
}

static bool is_settled(stepbus_status status)
{
	return status != STEPBUS_EBUSY && status != STEPBUS_ENOMEM && status != STEPBUS_ENOSPACE &&
	       status != STEPBUS_ESTORE;
}

/* What a refusal may be, where processes are killed and stopped, and steps cancelled. */
static bool is_allowed(stepbus_status status)
{
	return !is_settled(status) || status == STEPBUS_OK || status == STEPBUS_ESTALE ||
	       status == STEPBUS_ECANCELLED || status == STEPBUS_EALREADY;
}

static void note_answer(const batch *b, size_t i, stepbus_status status)
{
	int outcome = b->deeds[i].outcome;

	observer_note(LOG_ANSWERED, b->ids[i], b->tokens[i], status, b->called_us[i]);
	if (status == STEPBUS_OK && outcome == STEPBUS_OUTCOME_RELEASE)
		observer_note(LOG_BEAT, b->ids[i], b->tokens[i], BEAT_RELEASE, b->called_us[i]);
	if (status == STEPBUS_OK && outcome == STEPBUS_OUTCOME_CHECKPOINT)
		observer_note(LOG_BEAT, b->ids[i], b->tokens[i], BEAT_CHECKPOINT, b->called_us[i]);
	if (!is_allowed(status))
		observer_fail("answer a step", status, "");
}

/* A third of the batches is answered one by one, each by the function made for it. */
static stepbus_status answer_alone(stepbus *engine, const batch *b, size_t i)
{
	const stepbus_completion *c = &b->answers[i];
	const stepbus_checkpoint_spec far = { .size = sizeof far,
					      .token = c->token,
					      .items_processed = c->items_processed,
					      .cursor = c->cursor,
					      .cursor_len = c->cursor_len };
	stepbus_checkpoint_spec of = far;

	memcpy(of.step_id, c->step_id, sizeof of.step_id);
	if (c->outcome == STEPBUS_OUTCOME_RELEASE)
		return stepbus_release(engine, c->step_id, c->token, NULL);
	if (c->outcome == STEPBUS_OUTCOME_CHECKPOINT)
		return stepbus_checkpoint(engine, &of, NULL);
	return stepbus_complete(engine, c, 1, NULL, NULL);
}

/* Of a store that failed nobody knows what it kept: the call before may be the one that counts. */
static void answer_again(stepbus *engine, batch *b, size_t i)
{
	bool is_unsure = false;

	while (!is_settled(b->each[i])) {
		role_pause_us(10000);
		is_unsure = is_unsure || b->each[i] == STEPBUS_ESTORE;
		if (!is_unsure)
			b->called_us[i] = observer_now_us();
		b->each[i] = answer_alone(engine, b, i);
		note_answer(b, i, b->each[i]);
	}
}

static void answer(stepbus *engine, batch *b, bool is_alone)
{
	int64_t called_us = observer_now_us();
	size_t left = b->count;

	for (size_t i = 0; i < b->count; i++)
		b->called_us[i] = called_us;
	if (!is_alone)
		(void)stepbus_complete(engine, b->answers, b->count, b->each, NULL);
	for (size_t i = 0; i < b->count; i++) {
		if (is_alone) {
			b->called_us[i] = observer_now_us();
			b->each[i] = answer_alone(engine, b, i);
		}
		note_answer(b, i, b->each[i]);
		left -= is_settled(b->each[i]);
	}
	for (size_t i = 0; left > 0 && i < b->count; i++)
		if (!is_settled(b->each[i]))
			answer_again(engine, b, i);
}

static void serve(stepbus *engine, stepbus_worker *worker, uint32_t *random)
{
	while (!role_is_ended()) {
		batch b = { .count = 0 };
		stepbus_status status;

		b.events[0].size = sizeof b.events[0];
		status = stepbus_poll(worker, b.events, 1 + role_draw(random, BATCH_MAX), 50,
				      &b.count, NULL);
		if (status != STEPBUS_OK && status != STEPBUS_ETIMEDOUT)
			observer_fail("poll", status, "");
		if (b.count == 0)
			continue;
		run(engine, &b);
		/* Where it ends here, they are unanswered: abandoned, and for others. */
		if (role_draw(random, 64) == 0 && role_is_ended())
			return;
		answer(engine, &b, role_draw(random, 3) == 0);
	}
}

static stepbus_status begin_serving(stepbus *engine, const role_options *options,
				    stepbus_worker **worker, stepbus_error *err)
{
	const stepbus_handler_spec spec = { .size = sizeof spec,
					    .flags = STEPBUS_HANDLER_PULLED,
					    .name = ROLE_PULLED,
					    .name_len = 6 };
	char config[128];
	int len = snprintf(config, sizeof config,
			   "{\"id\":\"puller-%d\",\"block_size\":%d,\"pull\":true,"
			   "\"queues\":[\"pulled\"]}",
			   options->process, options->process % 2 == 0 ? 8 : 64);
	stepbus_status status =
		stepbus_registry_register(stepbus_engine_registry(engine), &spec, err);

	if (status == STEPBUS_OK)
		status = role_listen(engine, err);
	if (status == STEPBUS_OK)
		status = stepbus_worker_start(engine, config, (size_t)len, worker, err);
	return status;
}

int role_puller(const role_options *options)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	uint32_t random = (uint32_t)options->process * 2891336453U;
	stepbus *engine = role_open(options);
	stepbus_worker *worker = NULL;
	stepbus_status status;

	if (engine == NULL)
		return 1;
	status = begin_serving(engine, options, &worker, &err);
	if (status != STEPBUS_OK) {
		observer_fail("start a pull worker", status, err.message);
		return 1;
	}
	observer_note(LOG_READY, 0, 0, 0, 0);
	serve(engine, worker, &random);
	role_close(engine, false);
	return 0;
}
