/* SPDX-License-Identifier: MIT */
#include "torture/kill/roles.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "torture/history/observer.h"

enum {
	BATCH_MAX = 8,
	KEY_COUNT = 5000,
	TEXT_LEN = 32,
	LONG_LEN = 6000,
	PAUSE_US = 20000,
	DELAY_MAX_MS = 400,
};

/* A batch: what is enqueued in one call. */
typedef struct batch {
	size_t count;
	int64_t nonces[BATCH_MAX];
	int64_t keys[BATCH_MAX];
	int64_t run_at_us[BATCH_MAX]; /* by the clock of the log */
	char inputs[BATCH_MAX][LONG_LEN];
	char key_texts[BATCH_MAX][TEXT_LEN];
	stepbus_step_spec specs[BATCH_MAX];
	stepbus_enqueued results[BATCH_MAX];
} batch;

static int64_t wall_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* One in sixteen is long, so that pages overflow. */
static void write_input(batch *b, size_t i, uint32_t *random)
{
	stepbus_step_spec *spec = &b->specs[i];
	int len = snprintf(b->inputs[i], LONG_LEN, "n%ld ", b->nonces[i]);

	if (role_draw(random, 16) == 0) {
		memset(b->inputs[i] + len, 'x', (size_t)(LONG_LEN - len));
		len = LONG_LEN;
	}
	spec->input = b->inputs[i];
	spec->content_type = "text/plain"; /* else other languages take it for JSON */
	spec->content_type_len = 10;
	spec->input_len = (size_t)len;
}

/* One in eight has to wait, by a delay or for a time. */
static void write_time(batch *b, size_t i, uint32_t *random)
{
	int64_t delay_ms = 1 + role_draw(random, DELAY_MAX_MS);
	uint32_t how = role_draw(random, 16);

	if (how > 1)
		return;
	/* Read first: by the clock of the log it is due no earlier. */
	b->run_at_us[i] = observer_now_us() + delay_ms * 1000;
	if (how == 0)
		b->specs[i].delay_ms = delay_ms;
	else
		b->specs[i].run_at_us = wall_us() + delay_ms * 1000;
}

static void write_key(batch *b, size_t i, uint32_t *random)
{
	b->keys[i] = -1;
	if (role_draw(random, 2) == 0)
		return;
	b->keys[i] = role_draw(random, KEY_COUNT);
	(void)snprintf(b->key_texts[i], TEXT_LEN, "k%ld", b->keys[i]);
	b->specs[i].idempotency_key = b->key_texts[i];
	b->specs[i].idempotency_key_len = strlen(b->key_texts[i]);
}

static void fill(batch *b, int64_t *next_nonce, uint32_t *random)
{
	b->count = 1 + role_draw(random, BATCH_MAX);
	for (size_t i = 0; i < b->count; i++) {
		bool is_pulled = role_draw(random, 2) == 0;
		const char *name = is_pulled ? ROLE_PULLED : ROLE_WORK;
		const char *queue = is_pulled ? "pulled" : "default";

		b->nonces[i] = (*next_nonce)++;
		b->run_at_us[i] = 0;
		b->specs[i] = (stepbus_step_spec){ .size = sizeof b->specs[i],
						   .handler_name = name,
						   .handler_name_len = strlen(name),
						   .queue = queue,
						   .queue_len = strlen(queue),
						   .priority = 1 + (int32_t)role_draw(random, 3) };
		write_input(b, i, random);
		write_time(b, i, random);
		write_key(b, i, random);
	}
	b->results[0].size = sizeof b->results[0];
}

static void enqueue(stepbus *engine, batch *b)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status;

	for (size_t i = 0; i < b->count; i++)
		observer_note(LOG_INVOKED, b->nonces[i], b->keys[i], b->run_at_us[i],
			      ATTEMPT_COUNT_MAX);
	status = stepbus_step_enqueue(engine, b->specs, b->count, b->results, &err);
	for (size_t i = 0; i < b->count; i++)
		if (status == STEPBUS_OK)
			observer_note(LOG_ENQUEUED, b->nonces[i], b->keys[i],
				      observer_id_of_bytes(b->results[i].step_id),
				      b->results[i].is_existing);
		else
			observer_note(LOG_UNSURE, b->nonces[i], status, 0, 0);
	if (status != STEPBUS_OK && status != STEPBUS_EBUSY)
		observer_fail("enqueue", status, err.message);
}

int role_enqueuer(const role_options *options)
{
	int64_t next_nonce = (int64_t)options->process * NONCES_PER_PROCESS;
	uint32_t random = (uint32_t)options->process * 2654435761U + 1;
	stepbus *engine = role_open(options);
	static batch b;

	if (engine == NULL)
		return 1;
	observer_note(LOG_READY, 0, 0, 0, 0);
	while (!role_is_ended()) {
		fill(&b, &next_nonce, &random);
		enqueue(engine, &b);
		role_pause_us(PAUSE_US);
	}
	role_close(engine, false);
	return 0;
}
