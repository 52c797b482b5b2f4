/* SPDX-License-Identifier: MIT */
#include "torture/faults/life.h"

#include <inttypes.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "handlers/engine.h"
#include "store/sqlite_store.h"
#include "support/slowness.h"

enum { BATCH = 3, POLL_MAX = 4, CLOSE_MAX_MS = 5000 };

int64_t life_now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t life_elapsed_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t elapsed_ns(void *user_data)
{
	const life *l = user_data;
	int64_t extra = l->extra_ns != NULL ? l->extra_ns() : 0;

	return life_elapsed_us() * 1000 * LIFE_TIME_FACTOR + extra;
}

static void count_record(void *user_data, int32_t level, const char *text, size_t len)
{
	life *l = user_data;

	(void)level;
	(void)text;
	(void)len;
	atomic_fetch_add(&l->record->log_count, 1);
}

/* Counts what a call that changes something was told. begun_us: when it was called. */
static void note(life *l, stepbus_status status, int64_t begun_us)
{
	if (status == STEPBUS_OK) {
		atomic_store(&l->record->ok_begun_us, begun_us);
		atomic_fetch_add(&l->record->acknowledged_count, 1);
	} else {
		atomic_fetch_add(&l->record->failed_count, 1);
	}
}

static int32_t serve(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	life *l = instance;
	char text[48];
	int place = record_place_of(l->record, step->input, step->input_len);
	int len = snprintf(text, sizeof text, "t%" PRIu64, step->token);

	if (place >= 0 &&
	    atomic_exchange(&l->record->steps[place].run_token, step->token) >= step->token)
		record_complain(l->record, "an attempt of step n%d ran twice", place);
	if (place >= 0)
		atomic_fetch_add(&l->record->run_count, 1);
	return stepbus_result_success(result, text, (size_t)len, NULL) != STEPBUS_OK;
}

static int32_t hear(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	life *l = user_data;
	const stepbus_completion *completion = NULL;

	(void)event_id;
	if (stepbus_payload_completion(payload, len, &completion, NULL) != STEPBUS_OK ||
	    completion->outcome != STEPBUS_OUTCOME_SUCCESS)
		return 0;
	for (uint32_t i = 0; i < atomic_load(&l->record->step_count); i++)
		if (memcmp(l->record->steps[i].id, completion->step_id, 16) == 0)
			atomic_fetch_add(&l->record->steps[i].event_count, 1);
	return 0;
}

static stepbus_status equip(life *l)
{
	const stepbus_handler_spec pulled = { .size = sizeof pulled,
					      .flags = STEPBUS_HANDLER_PULLED,
					      .name = "pulled",
					      .name_len = 6 };
	const stepbus_handler_spec called = { .size = sizeof called,
					      .name = "called",
					      .name_len = 6,
					      .call = serve,
					      .user_data = l };
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = hear,
						    .user_data = l };
	stepbus_registry *registry = stepbus_engine_registry(l->engine);
	stepbus_status status = stepbus_registry_register(registry, &pulled, &l->err);

	if (status == STEPBUS_OK)
		status = stepbus_registry_register(registry, &called, &l->err);
	if (status == STEPBUS_OK)
		status = stepbus_bridge_subscribe(stepbus_engine_bridge(l->engine),
						  STEPBUS_TEXT(STEPBUS_EVENT_STEP_COMPLETION_SENT),
						  &subscription, NULL, &l->err);
	return status;
}

static stepbus_status open_engine(life *l)
{
	const stepbus_host host = {
		.size = sizeof host, .user_data = l, .log = count_record, .elapsed_ns = elapsed_ns
	};
	char config[640];
	int len = snprintf(config, sizeof config,
			   "{\"store\":\"sqlite:%s\",\"lease_ms\":%d,\"heartbeat_ms\":%d,"
			   "\"poll_ms\":%d,\"busy_timeout_ms\":2,\"retry\":{\"base_ms\":1}}",
			   l->path, LIFE_LEASE_MS, LIFE_HEARTBEAT_MS, LIFE_POLL_MS);
	const stepbus_options options = {
		.size = sizeof options, .config = config, .config_len = (size_t)len, .host = &host
	};

	return stepbus_open(&options, &l->engine, &l->err);
}

bool life_open(life *l)
{
	l->err = (stepbus_error)STEPBUS_ERROR_INIT;
	l->engine = NULL;
	l->puller = NULL;
	l->pool = NULL;
	l->held_count = 0;
	l->status = open_engine(l);
	if (l->status != STEPBUS_OK) {
		if (l->err.message[0] == '\0')
			record_complain(l->record, "opening failed without a word (%d)", l->status);
		return false;
	}
	l->status = equip(l);
	/* A worker that cannot be enlisted is tried again by life_act. */
	return l->status == STEPBUS_OK;
}

bool life_make_store(const char *path)
{
	record *r = record_new();
	life l = { .path = path, .record = r };
	bool is_made = r != NULL && life_open(&l);

	stepbus_close(l.engine);
	if (r != NULL)
		record_free(r);
	return is_made;
}

static void start_workers(life *l)
{
	if (l->puller == NULL)
		(void)stepbus_worker_start(
			l->engine,
			STEPBUS_TEXT("{\"id\":\"puller\",\"pull\":true,\"block_size\":4,"
				     "\"queues\":[\"pull\"]}"),
			&l->puller, &l->err);
	if (l->has_pool && l->pool == NULL)
		(void)stepbus_worker_start(l->engine,
					   STEPBUS_TEXT("{\"id\":\"pool\",\"pool_size\":1,"
							"\"queues\":[\"call\"]}"),
					   &l->pool, &l->err);
}

static stepbus_step_spec spec_of(const life *l, const char *queue, char *input, uint32_t number)
{
	static char bigs[BATCH][LIFE_BIG_LEN];
	char *big = bigs[number];
	bool is_pull = strcmp(queue, "pull") == 0;
	stepbus_step_spec spec = { .size = sizeof spec,
				   .handler_name = is_pull ? "pulled" : "called",
				   .handler_name_len = 6,
				   .queue = queue,
				   .queue_len = strlen(queue),
				   .input = input,
				   .input_len = strlen(input) };

	if (!l->is_big)
		return spec;
	/* Only one thread enqueues. */
	(void)snprintf(big, LIFE_BIG_LEN, "%s %*s", input, LIFE_BIG_LEN / 2, "");
	spec.input = big;
	spec.input_len = strlen(big);
	return spec;
}

stepbus_status life_enqueue(life *l, const char *queue, uint32_t count)
{
	stepbus_step_spec specs[BATCH];
	stepbus_enqueued out[BATCH] = { { .size = sizeof out[0] } };
	char inputs[BATCH][RECORD_INPUT_LEN];
	int places[BATCH];
	int64_t begun_us = life_now_us();
	stepbus_status status;

	for (uint32_t i = 0; i < count; i++) {
		places[i] = record_begin_step(l->record, inputs[i]);
		if (places[i] < 0)
			return STEPBUS_ELIMIT;
		specs[i] = spec_of(l, queue, inputs[i], i);
	}
	status = stepbus_step_enqueue(l->engine, specs, count, out, &l->err);
	note(l, status, begun_us);
	for (uint32_t i = 0; i < count; i++) {
		record_step *step = &l->record->steps[places[i]];

		if (status == STEPBUS_OK)
			memcpy(step->id, out[i].step_id, sizeof step->id);
		atomic_store(&step->enqueued, record_said_of(status));
	}
	return status;
}

static stepbus_completion completion_of(const life_held *held, char text[48])
{
	stepbus_completion c = { .size = sizeof c, .token = held->token, .retry_after_ms = -1 };

	memcpy(c.step_id, held->step_id, sizeof c.step_id);
	switch (held->kind) {
	case 0:
		c.outcome = STEPBUS_OUTCOME_FAILURE;
		c.is_retryable = 1;
		c.error_type = "told";
		c.error_type_len = 4;
		c.error_message = "as it was told to";
		c.error_message_len = 17;
		break;
	case 1:
		c.outcome = STEPBUS_OUTCOME_CHECKPOINT;
		c.cursor = "here";
		c.cursor_len = 4;
		break;
	case 2:
		c.outcome = STEPBUS_OUTCOME_RELEASE;
		break;
	default:
		c.outcome = STEPBUS_OUTCOME_SUCCESS;
		c.result_len = (size_t)snprintf(text, 48, "t%" PRIu64, held->token);
		c.result = text;
		break;
	}
	return c;
}

/* Whether the step is the host's no more; what then was told is noted. */
static bool answer(life *l, const life_held *held, uint32_t *taken)
{
	int64_t begun_us = life_now_us();
	char text[48];
	stepbus_completion completion = completion_of(held, text);
	stepbus_status status = stepbus_complete(l->engine, &completion, 1, NULL, &l->err);
	record_step *step = &l->record->steps[held->place];

	note(l, status, begun_us);
	switch (status) {
	case STEPBUS_ENOMEM:
	case STEPBUS_EBUSY:
	case STEPBUS_ENOSPACE:
	case STEPBUS_EREADONLY:
	case STEPBUS_ECORRUPT:
	case STEPBUS_ESTORE:
		return false;
	case STEPBUS_EINVAL:
		record_complain(l->record, "an answer is not understood: %.300s", l->err.message);
		return true;
	case STEPBUS_OK:
		break;
	default:
		return true;
	}
	if (completion.outcome == STEPBUS_OUTCOME_SUCCESS) {
		++*taken;
		atomic_store(&step->ok_token, held->token);
		atomic_fetch_add(&step->ok_count, 1);
	}
	return true;
}

/* What is not taken stays held, and is tried again at the next turn. */
static uint32_t answer_all(life *l)
{
	uint32_t kept = 0, taken = 0;

	for (uint32_t i = 0; i < l->held_count; i++)
		if (!answer(l, &l->held[i], &taken))
			l->held[kept++] = l->held[i];
	l->held_count = kept;
	return taken;
}

static void hold(life *l, const stepbus_step_event *event, uint32_t kind)
{
	life_held *held = &l->held[l->held_count];

	held->place = record_place_of(l->record, event->input, event->input_len);
	held->token = event->token;
	held->kind = kind;
	memcpy(held->step_id, event->step_id, sizeof held->step_id);
	if (held->place < 0)
		record_complain(l->record, "a step was polled that nobody enqueued");
	else
		l->held_count++;
}

static uint32_t poll_and_answer(life *l, int64_t timeout_ms, bool is_drawn)
{
	stepbus_step_event events[POLL_MAX] = { { .size = sizeof events[0] } };
	size_t count = 0;

	start_workers(l);
	if (l->held_count > LIFE_HELD_MAX - POLL_MAX || l->puller == NULL)
		return answer_all(l);
	(void)stepbus_poll(l->puller, events, POLL_MAX, timeout_ms, &count, &l->err);
	for (size_t i = 0; i < count; i++)
		hold(l, &events[i], is_drawn ? draw_below(&l->draw, 8) : 7);
	return answer_all(l);
}

uint32_t life_drain(life *l, int64_t timeout_ms)
{
	int64_t until_us = life_elapsed_us() + timeout_ms * 1000;
	uint32_t taken = 0;

	while (life_elapsed_us() < until_us && taken == 0)
		taken += poll_and_answer(l, 5, false);
	return taken;
}

static void cancel(life *l)
{
	uint32_t count = atomic_load(&l->record->step_count);
	record_step *step;
	int64_t begun_us = life_now_us();
	stepbus_status status;

	if (count == 0)
		return;
	step = &l->record->steps[count - 1 - draw_below(&l->draw, count < 8 ? count : 8)];
	if (atomic_load(&step->enqueued) != SAID_OK)
		return;
	status = stepbus_step_cancel(l->engine, step->id, &l->err);
	if (status == STEPBUS_OK || status == STEPBUS_ESTORE)
		note(l, status, begun_us);
	if (status == STEPBUS_OK)
		atomic_store(&step->cancelled, SAID_OK);
}

/* A document that is there is whole. */
static void look(life *l, stepbus_status status, stepbus_text *text)
{
	if (status == STEPBUS_OK && (text == NULL || stepbus_text_len(text) < 2))
		record_complain(l->record, "a query succeeded without a document");
	if (status != STEPBUS_OK && text != NULL)
		record_complain(l->record, "a query failed, and gave a document");
	stepbus_text_free(text);
}

static void query(life *l)
{
	uint32_t count = atomic_load(&l->record->step_count);
	stepbus_text *text = NULL;
	stepbus_status status;

	switch (draw_below(&l->draw, 5)) {
	case 0:
		status = stepbus_step_list(l->engine, NULL, 0, &text, &l->err);
		break;
	case 1:
		status = stepbus_engine_stats(l->engine, &text, &l->err);
		break;
	case 2:
		status = stepbus_queue_list(l->engine, &text, &l->err);
		break;
	case 3:
		status = stepbus_worker_list(l->engine, &text, &l->err);
		break;
	default:
		if (count == 0)
			return;
		status = stepbus_step_info(l->engine, l->record->steps[count - 1].id, &text,
					   &l->err);
		break;
	}
	look(l, status, text);
}

static void pause_queue(life *l)
{
	int64_t begun_us = life_now_us();

	note(l, stepbus_queue_pause(l->engine, STEPBUS_TEXT("side"), &l->err), begun_us);
	begun_us = life_now_us();
	note(l, stepbus_queue_resume(l->engine, STEPBUS_TEXT("side"), &l->err), begun_us);
}

void life_act(life *l)
{
	switch (draw_below(&l->draw, 12)) {
	case 0:
	case 1:
	case 2:
		(void)life_enqueue(l, "pull", 1);
		break;
	case 3:
		(void)life_enqueue(l, "pull", BATCH);
		break;
	case 4:
		(void)life_enqueue(l, l->has_pool ? "call" : "pull", 2);
		break;
	case 5:
	case 6:
	case 7:
		(void)poll_and_answer(l, 3, true);
		break;
	case 8:
		cancel(l);
		break;
	case 9:
		pause_queue(l);
		break;
	default:
		query(l);
		break;
	}
}

static void check_connection(life *l, sb_connection *connection)
{
	if (connection->db == NULL)
		return;
	if (sqlite3_get_autocommit(connection->db) == 0)
		record_complain(l->record, "a transaction was left open");
	for (sqlite3_stmt *s = sqlite3_next_stmt(connection->db, NULL); s != NULL;
	     s = sqlite3_next_stmt(connection->db, s))
		if (sqlite3_stmt_busy(s) != 0 && s != connection->kept)
			record_complain(l->record, "a statement was left open: %.200s",
					sqlite3_sql(s));
}

void life_check_idle(life *l)
{
	sb_sqlite_store *store = sb_sqlite_store_of(l->engine->store);

	sb_writer_lead(&l->engine->writer);
	check_connection(l, &store->writer);
	sb_writer_yield(&l->engine->writer);
	(void)pthread_mutex_lock(&store->reader_lock);
	check_connection(l, &store->reader);
	(void)pthread_mutex_unlock(&store->reader_lock);
}

void life_close(life *l)
{
	int64_t begun_us = life_elapsed_us(), stopped_us;

	atomic_store(&l->record->is_released, 1);
	(void)stepbus_stop(l->engine, LIFE_STOP_MS, NULL, &l->err);
	stopped_us = life_elapsed_us();
	stepbus_close(l->engine);
	l->engine = NULL;
	if (life_elapsed_us() - begun_us > (int64_t)CLOSE_MAX_MS * 1000 * test_slowness())
		record_complain(l->record, "stopping took %" PRId64 " ms, closing %" PRId64 " ms",
				(stopped_us - begun_us) / 1000,
				(life_elapsed_us() - stopped_us) / 1000);
}
