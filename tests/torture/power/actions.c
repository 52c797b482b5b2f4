/* SPDX-License-Identifier: MIT */
/* What the host of a workload does, one thing at a time. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "store/sqlite_store.h"
#include "torture/power/host.h"
#include "torture/power/image.h"
#include "torture/power/recorder.h"

enum { BATCH_MAX = 6, TEXT_LEN = 32, SHORT_MAX = 200, FAILED_ACTIONS = 3 };

static host_engine *any_engine(host *h)
{
	return &h->engines[host_draw(h, (uint64_t)h->engine_count)];
}

static void note(host *h, const host_engine *e, ack what)
{
	what.level = e->level;
	/* What was claimed before may be handed out behind it. */
	h->result->succeeded += h->was_failed && what.kind != ACK_CLAIMED;
	record_ack(h->record, what);
}

/* Bytes of a random length, most of them few, some more than a page has room for. */
static const void *any_bytes(host *h, size_t *len)
{
	*len = (size_t)host_draw(h, host_draw(h, 8) == 0 ? BYTES_MAX : SHORT_MAX);
	return h->bytes + host_draw(h, BYTES_MAX - *len);
}

static void know(host *h, const uint8_t id[16])
{
	size_t at = h->known_count < KNOWN_MAX ? h->known_count++ : host_draw(h, KNOWN_MAX);

	memcpy(h->known[at], id, 16);
}

/* What is enqueued in one call. */
typedef struct batch {
	size_t count, called;
	bool was_failed;
	host *host;
	host_engine *engine;
	stepbus_step_spec specs[BATCH_MAX];
	stepbus_enqueued out[BATCH_MAX];
	char keys[BATCH_MAX][TEXT_LEN];
} batch;

static void fill(host *h, batch *b, host_engine *e)
{
	static const char *const queues[] = { "", "slow", "other" };

	*b = (batch){ .count = 1 + (size_t)host_draw(h, BATCH_MAX),
		      .host = h,
		      .engine = e,
		      .was_failed = h->was_failed };
	for (size_t i = 0; i < b->count; i++) {
		stepbus_step_spec *s = &b->specs[i];

		*s = (stepbus_step_spec){ .size = sizeof *s, .handler_name_len = 4 };
		s->handler_name = host_draw(h, 3) == 0 ? "pool" : "pull";
		s->input = any_bytes(h, &s->input_len);
		s->queue = queues[host_draw(h, 3)];
		s->queue_len = strlen(s->queue);
		s->priority = 1 + (int32_t)host_draw(h, 4);
		s->delay_ms = host_draw(h, 5) == 0 ? (int64_t)host_draw(h, 2000) : 0;
		if (host_draw(h, 3) == 0) {
			(void)snprintf(b->keys[i], TEXT_LEN, "k%d", (int)host_draw(h, 40));
			s->idempotency_key = b->keys[i];
			s->idempotency_key_len = strlen(b->keys[i]);
			/* Whoever has the key first decides on the input: it must be one. */
			s->input_len = 16;
			s->input = h->bytes + 16;
		}
	}
	b->out[0].size = sizeof b->out[0];
	b->called = record_now(h->record);
}

static void note_batch(batch *b, const stepbus_enqueued *out, int level)
{
	bool is_lying = (b->host->options->flags & WORKLOAD_LYING) != 0;

	for (size_t i = 0; i < b->count; i++) {
		b->host->result->succeeded += b->was_failed;
		record_ack(b->host->record,
			   (ack){ .kind = ACK_ENQUEUED,
				  .level = level,
				  .called = b->called,
				  .at = is_lying ? b->called : 0,
				  .step = host_number(out[i].step_id),
				  .digest = image_hash_bytes(b->specs[i].input,
							     b->specs[i].input_len) });
	}
}

static void enqueue(host *h)
{
	host_engine *e = any_engine(h);
	batch b;

	fill(h, &b, e);
	if (!host_answered(h, "enqueue",
			   stepbus_step_enqueue(e->engine, b.specs, b.count, b.out, &h->err)))
		return;
	note_batch(&b, b.out, (int)b.out[0].durability);
	for (size_t i = 0; i < b.count; i++)
		know(h, b.out[i].step_id);
}

/* The same key twice, the second time perhaps by another engine, which finds the step there. */
static void enqueue_again(host *h)
{
	batch b;

	fill(h, &b, any_engine(h));
	b.count = 1;
	(void)snprintf(b.keys[0], TEXT_LEN, "a%d", (int)host_draw(h, 1000000));
	b.specs[0].idempotency_key = b.keys[0];
	b.specs[0].idempotency_key_len = strlen(b.keys[0]);
	for (int i = 0; i < 2; i++) {
		b.called = record_now(h->record);
		if (host_answered(h, "enqueue",
				  stepbus_step_enqueue(any_engine(h)->engine, b.specs, 1, b.out,
						       &h->err)))
			note_batch(&b, b.out, (int)b.out[0].durability);
	}
}

static void hear_batch(void *user_data, stepbus_status status, const stepbus_enqueued *results,
		       size_t count, const stepbus_error *err)
{
	batch *b = user_data;

	(void)count;
	(void)err;
	if (status == STEPBUS_OK)
		note_batch(b, results, (int)results[0].durability);
	sb_release(&b->engine->engine->host, b);
}

static void enqueue_async(host *h)
{
	for (uint64_t left = 1 + host_draw(h, 3); left > 0; left--) {
		host_engine *e = any_engine(h);
		batch *b = sb_alloc(&e->engine->host, sizeof *b);

		fill(h, b, e);
		if (!host_answered(h, "enqueue_async",
				   stepbus_step_enqueue_async(e->engine, b->specs, b->count,
							      hear_batch, b, &h->err)))
			sb_release(&e->engine->host, b);
	}
}

/* Together with a table of the host's own. */
static void enqueue_in(host *h)
{
	host_engine *e = &h->engines[0];
	sqlite3 *db = NULL;
	stepbus_status status = STEPBUS_EBUSY;
	batch b;

	fill(h, &b, e);
	if (sqlite3_open(h->options->path, &db) == SQLITE_OK) {
		(void)sqlite3_busy_timeout(db, 1000);
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		if (sqlite3_exec(
			    db,
			    e->level == STEPBUS_DURABILITY_DISK ||
					    (h->options->flags & WORKLOAD_NETWORK) != 0 ?
				    "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = EXTRA;"
				    "BEGIN IMMEDIATE" :
				    "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = NORMAL;"
				    "BEGIN IMMEDIATE",
			    NULL, NULL, NULL) == SQLITE_OK)
			status = stepbus_step_enqueue_in(e->engine, (struct sqlite3 *)db,
							 STEPBUS_TEXT("main"), b.specs, b.count,
							 b.out, &h->err);
	}
	if (host_answered(h, "enqueue_in", status) &&
	    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		note_batch(&b, b.out, e->level);
	(void)sqlite3_close(db);
	(void)stepbus_engine_wake(e->engine, NULL);
}

static void poll_steps(host *h)
{
	int number = (int)host_draw(h, (uint64_t)h->engine_count);
	stepbus_step_event events[4];
	size_t count = 0;

	events[0].size = sizeof events[0];
	if (h->held_count + 4 > HELD_MAX)
		h->held_count -= 4;
	(void)host_answered(h, "poll",
			    stepbus_poll(h->engines[number].puller, events, 1 + host_draw(h, 4), 5,
					 &count, &h->err));
	for (size_t i = 0; i < count; i++) {
		held_step *held = &h->held[h->held_count++];

		*held = (held_step){ .token = events[i].token, .engine = number };
		memcpy(held->id, events[i].step_id, 16);
		know(h, held->id);
		note(h, &h->engines[number],
		     (ack){ .kind = ACK_CLAIMED,
			    .step = host_number(held->id),
			    .token = (int64_t)held->token });
	}
}

static stepbus_completion any_answer(host *h, const held_step *held)
{
	static const int32_t outcomes[] = {
		STEPBUS_OUTCOME_SUCCESS, STEPBUS_OUTCOME_SUCCESS,    STEPBUS_OUTCOME_SUCCESS,
		STEPBUS_OUTCOME_FAILURE, STEPBUS_OUTCOME_FAILURE,    STEPBUS_OUTCOME_SNOOZE,
		STEPBUS_OUTCOME_RELEASE, STEPBUS_OUTCOME_CHECKPOINT,
	};
	stepbus_completion c = { .size = sizeof c, .token = held->token, .retry_after_ms = -1 };

	memcpy(c.step_id, held->id, 16);
	c.outcome = outcomes[host_draw(h, sizeof outcomes / sizeof *outcomes)];
	if (c.outcome == STEPBUS_OUTCOME_SUCCESS)
		c.result = any_bytes(h, &c.result_len);
	if (c.outcome == STEPBUS_OUTCOME_CHECKPOINT)
		c.cursor = any_bytes(h, &c.cursor_len);
	if (c.outcome == STEPBUS_OUTCOME_SNOOZE)
		c.retry_after_ms = 1 + (int64_t)host_draw(h, 500);
	if (c.outcome == STEPBUS_OUTCOME_FAILURE) {
		c.is_retryable = (uint32_t)host_draw(h, 2);
		c.error_type = "broken";
		c.error_type_len = 6;
	}
	return c;
}

static void note_answer(host *h, const host_engine *e, const stepbus_completion *c, size_t called)
{
	ack a = { .called = called,
		  .step = host_number(c->step_id),
		  .token = (int64_t)c->token,
		  .digest = image_hash_bytes(c->result, c->result_len) };

	a.kind = ACK_TRIED;
	if (c->outcome == STEPBUS_OUTCOME_SUCCESS)
		a.kind = ACK_SUCCEEDED;
	if (c->outcome == STEPBUS_OUTCOME_RELEASE)
		a.kind = ACK_RELEASED;
	if (c->outcome == STEPBUS_OUTCOME_CHECKPOINT) {
		a.kind = ACK_CHECKPOINT;
		a.digest = image_hash_bytes(c->cursor, c->cursor_len);
	}
	note(h, e, a);
}

/* One to three polled steps of one engine in one call. */
static void answer(host *h)
{
	stepbus_completion answers[3];
	stepbus_status each[3];
	size_t count = 0, called = record_now(h->record), wanted = 1 + host_draw(h, 3);
	const host_engine *e;
	int number;

	if (h->held_count == 0)
		return;
	number = h->held[h->held_count - 1].engine;
	e = &h->engines[number];
	while (count < wanted && h->held_count > 0 && h->held[h->held_count - 1].engine == number)
		answers[count++] = any_answer(h, &h->held[--h->held_count]);
	(void)host_answered(h, "complete",
			    stepbus_complete(e->engine, answers, count, each, &h->err));
	for (size_t i = 0; i < count; i++)
		if (each[i] == STEPBUS_OK)
			note_answer(h, e, &answers[i], called);
}

static void cancel(host *h)
{
	const host_engine *e = any_engine(h);
	const uint8_t *id = h->known[host_draw(h, h->known_count + 1) % KNOWN_MAX];
	size_t called = record_now(h->record);

	if (h->known_count > 0 &&
	    host_answered(h, "cancel", stepbus_step_cancel(e->engine, id, &h->err)))
		note(h, e,
		     (ack){ .kind = ACK_CANCELLED, .called = called, .step = host_number(id) });
}

/* Step 0: all of them. */
static void note_redrive(host *h, const host_engine *e, bool is_done, size_t called, int64_t step)
{
	ack a = { .kind = ACK_REDRIVEN, .called = called, .step = step };

	if (is_done) {
		note(h, e, a);
	} else if (recorder_has_failed()) {
		a.kind = ACK_MAYBE_REDRIVEN;
		record_ack(h->record, a);
	}
}

static void redrive(host *h)
{
	const host_engine *e = any_engine(h);
	const uint8_t *id = h->known[host_draw(h, h->known_count + 1) % KNOWN_MAX];
	size_t called = record_now(h->record);

	if (h->known_count > 0)
		note_redrive(
			h, e,
			host_answered(h, "redrive", stepbus_step_redrive(e->engine, id, &h->err)),
			called, host_number(id));
}

static void redrive_all(host *h)
{
	static const char failed[] = "{\"state\":\"failed\"}";
	const host_engine *e = any_engine(h);
	size_t called = record_now(h->record);
	uint64_t count = 0;
	bool is_done = host_answered(
		h, "redrive_all",
		stepbus_step_redrive_all(e->engine, STEPBUS_TEXT(failed), &count, &h->err));

	/* Of none, nothing is promised. */
	if (!is_done || count > 0)
		note_redrive(h, e, is_done, called, 0);
}

static void set_queue(host *h)
{
	const host_engine *e = any_engine(h);
	bool is_pause = host_draw(h, 3) == 0;
	size_t called = record_now(h->record);
	stepbus_status status =
		is_pause ? stepbus_queue_pause(e->engine, STEPBUS_TEXT("slow"), &h->err) :
			   stepbus_queue_resume(e->engine, STEPBUS_TEXT("slow"), &h->err);

	if (host_answered(h, "set a queue", status))
		note(h, e,
		     (ack){ .kind = is_pause ? ACK_PAUSED : ACK_RESUMED,
			    .called = called,
			    .digest = image_hash_bytes("slow", 4) });
}

static void set_cron(host *h)
{
	static const char entry[] = "{\"name\":\"often\",\"expression\":\"* * * * *\","
				    "\"step\":{\"handler\":\"pull\"}}";
	const host_engine *e = any_engine(h);
	bool is_set = host_draw(h, 3) != 0;
	size_t called = record_now(h->record);
	stepbus_status status =
		is_set ? stepbus_cron_set(e->engine, STEPBUS_TEXT(entry), &h->err) :
			 stepbus_cron_remove(e->engine, STEPBUS_TEXT("often"), &h->err);

	if (host_answered(h, "set a cron entry", status))
		note(h, e,
		     (ack){ .kind = is_set ? ACK_CRON_SET : ACK_CRON_REMOVED,
			    .called = called,
			    .digest = image_hash_bytes("often", 5) });
}

/* Mostly a little; now and then so much that leases and retention run out. */
static void pass_time(host *h)
{
	int64_t ms = 1 + (int64_t)host_draw(h, host_draw(h, 6) == 0 ? 90000 : 3000);

	(void)stepbus_clock_advance(h->clock, ms, NULL);
	for (int i = 0; i < h->engine_count; i++)
		(void)stepbus_engine_wake(h->engines[i].engine, NULL);
}

/* The engine's own checkpoint, earlier than its log would make it. */
static void checkpoint_log(host *h)
{
	stepbus *engine = any_engine(h)->engine;
	sb_wal *wal = &sb_sqlite_store_of(engine->store)->wal;

	sb_writer_lead(&engine->writer);
	wal->page_count_next = wal->page_count;
	sb_writer_yield(&engine->writer);
	enqueue(h);
}

static void open_again(host *h)
{
	(void)host_reopen(h);
}

void host_act(host *h)
{
	static const struct {
		unsigned weight;
		void (*act)(host *h);
	} actions[] = {
		{ 18, enqueue },       { 4, enqueue_again }, { 5, enqueue_async },
		{ 5, enqueue_in },     { 16, poll_steps },   { 24, answer },
		{ 4, cancel },         { 4, redrive },       { 1, redrive_all },
		{ 3, set_queue },      { 3, set_cron },      { 7, pass_time },
		{ 4, checkpoint_log }, { 2, open_again },
	};
	unsigned at = (unsigned)host_draw(h, 100);

	h->was_failed = recorder_has_failed();
	if (h->was_failed && (h->options->flags & WORKLOAD_ANEW) != 0 &&
	    ++h->failed_actions > FAILED_ACTIONS)
		(void)host_open_anew(h);
	/*
	 * Where a sync is to fail the old handle stays, to see what it still says; and it must be
	 * the engine's own, not the host's.
	 */
	if (h->options->fail_sync > 0 && (at >= 98 || (at >= 27 && at < 32)))
		return;
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
		if (at < actions[i].weight) {
			actions[i].act(h);
			return;
		}
		at -= actions[i].weight;
	}
}
