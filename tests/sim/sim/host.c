/* SPDX-License-Identifier: MIT */
/* What the hosts of workers call: enqueues, polls, answers, heartbeats. */
#include <stdio.h>
#include <string.h>

#include "sim/sim/actions.h"
#include "sim/sim/chronicle.h"
#include "torture/history/observer.h"

enum { US_PER_MS = 1000, NS_PER_US = 1000, POLL_MAX = 4, TEXT_LEN = 32 };

/* A specification and the texts that it points at. */
typedef struct wish {
	stepbus_step_spec spec;
	char input[INPUT_LEN];
	char concurrency_key[TEXT_LEN], idempotency_key[TEXT_LEN], unique_key[TEXT_LEN];
} wish;

static void draw_retries(sim *s, sim_step *st)
{
	static const uint32_t kinds[] = { STEPBUS_RETRY_NONE, STEPBUS_RETRY_FIXED,
					  STEPBUS_RETRY_LINEAR, STEPBUS_RETRY_EXPONENTIAL,
					  STEPBUS_RETRY_FIBONACCI };

	st->retry_kind = kinds[sim_draw(s, sizeof kinds / sizeof *kinds)];
	st->attempt_count_max = 1 + (int)sim_draw(s, 4);
	st->retry_base_ms = 1 + (int64_t)sim_draw(s, 300);
	st->retry_cap_ms = st->retry_base_ms + (int64_t)sim_draw(s, 1000);
	st->jitter_percent = 1 + (int)sim_draw(s, 50);
}

static void draw_step(sim *s, sim_step *st, int64_t *delay_ms)
{
	st->queue = (int)sim_draw(s, QUEUE_COUNT);
	st->handler = (int)sim_draw(s, HANDLER_COUNT);
	st->priority = 1 + (int)sim_draw(s, 5) * 50;
	draw_retries(s, st);
	*delay_ms = sim_chance(s, 200) ? 1 + (int64_t)sim_draw(s, 2000) : 0;
	if (sim_chance(s, 100))
		st->attempt_timeout_ms = 200 + (int64_t)sim_draw(s, 3000);
	if (sim_chance(s, 50))
		st->total_timeout_ms = 2000 + (int64_t)sim_draw(s, 10000);
	if (sim_chance(s, 400))
		st->concurrency_key = (int)sim_draw(s, KEY_COUNT);
	if (sim_chance(s, 200))
		st->idempotency_key = (int)sim_draw(s, KEY_COUNT);
	if (sim_chance(s, 100))
		st->unique_key = (int)sim_draw(s, KEY_COUNT);
}

static void name_key(char text[TEXT_LEN], const char *kind, int key, const void **data, size_t *len)
{
	if (key < 0)
		return;
	(void)snprintf(text, TEXT_LEN, "%s%d", kind, key);
	*data = text;
	*len = strlen(text);
}

static void write_wish(const sim *s, const sim_step *st, int64_t delay_ms, wish *w)
{
	const char *queue = s->world.queues[st->queue].name;
	const char *handler = sim_handler_names[st->handler];

	sim_model_input(st->nonce, w->input);
	w->spec = (stepbus_step_spec){ .size = sizeof w->spec,
				       .handler_name = handler,
				       .handler_name_len = strlen(handler),
				       .queue = queue,
				       .queue_len = strlen(queue),
				       .input = w->input,
				       .input_len = strlen(w->input),
				       .priority = st->priority,
				       .delay_ms = delay_ms,
				       .attempt_timeout_ms = st->attempt_timeout_ms,
				       .total_timeout_ms = st->total_timeout_ms,
				       .retry_kind = st->retry_kind,
				       .retry_base_ms = st->retry_base_ms,
				       .retry_cap_ms = st->retry_cap_ms,
				       .jitter_percent = (uint32_t)st->jitter_percent,
				       .attempt_count_max = (uint32_t)st->attempt_count_max };
	name_key(w->concurrency_key, "c", st->concurrency_key, &w->spec.concurrency_key,
		 &w->spec.concurrency_key_len);
	name_key(w->idempotency_key, "i", st->idempotency_key, &w->spec.idempotency_key,
		 &w->spec.idempotency_key_len);
	name_key(w->unique_key, "u", st->unique_key, &w->spec.unique_key, &w->spec.unique_key_len);
}

/* Who has the idempotency key; -1: nobody. */
static int holder_of(const sim *s, int key, int before)
{
	for (int i = 0; i < before && key >= 0; i++)
		if (s->steps[i].is_there && s->steps[i].idempotency_key == key)
			return i;
	return -1;
}

/* The last one of a unique key that was open when this action began, or is so now. */
static bool is_unique_taken(const sim *s, int key, int64_t existing_row)
{
	for (int i = 0; i < s->step_count && key >= 0; i++)
		if (s->steps[i].unique_key == key && s->steps[i].row.id == existing_row)
			return true;
	return false;
}

static void judge_enqueued(sim *s, int step, const stepbus_enqueued *out)
{
	const sim_step *st = &s->steps[step];
	int existing = sim_model_find(s, out->step_id);
	int holder = holder_of(s, st->idempotency_key, step);

	sim_note(s, "enqueued", step, out->is_existing, existing);
	if (existing < 0) {
		sim_violate(s, step, "Q1", "it was acknowledged and is not in the store");
		return;
	}
	if (out->is_existing == 0) {
		if (existing != step)
			sim_violate(s, step, "Q1", "the id given for it is that of step %d",
				    existing);
		if (holder >= 0)
			sim_violate(s, step, "Q3", "step %d has its idempotency key", holder);
		return;
	}
	if (st->is_there)
		sim_violate(s, step, "Q3", "it was made though another one was given");
	if (existing != holder && !is_unique_taken(s, st->unique_key, s->steps[existing].row.id))
		sim_violate(s, step, "Q3", "step %d was given, which has none of its keys",
			    existing);
}

static int64_t row_of(const uint8_t id[16])
{
	int64_t row = 0;

	for (int i = 0; i < 6; i++)
		row = row << 8 | id[i];
	return row;
}

/* The checker knows of one kind of keys. */
static void chronicle_enqueued(sim *s, const sim_process *p, int step, stepbus_status status,
			       const stepbus_enqueued *out)
{
	const sim_step *st = &s->steps[step];
	int64_t row_id = row_of(out->step_id);

	if (status == STEPBUS_OK && sim_is_lying(s, SIM_LIE_NOTED_STEP))
		row_id += ROW_MAX;
	if (status == STEPBUS_OK && (out->is_existing == 0 || st->unique_key < 0))
		CHRONICLE(s, LOG_ENQUEUED, p, step, chronicle_key(s, st->idempotency_key), row_id,
			  out->is_existing);
	else
		CHRONICLE(s, LOG_UNSURE, p, step, status);
}

void sim_enqueue(sim *s, sim_process *p)
{
	int first = s->step_count, count = 1 + (int)sim_draw(s, sim_chance(s, 200) ? BATCH_MAX : 2);
	stepbus_step_spec specs[BATCH_MAX];
	stepbus_enqueued out[BATCH_MAX];
	stepbus_error err = STEPBUS_ERROR_INIT;
	wish wishes[BATCH_MAX];
	stepbus_status status;

	for (int i = 0; i < count; i++) {
		int step = sim_model_add_step(s);
		int64_t delay_ms;

		if (step < 0)
			return;
		draw_step(s, &s->steps[step], &delay_ms);
		sim_model_delay(s, &s->steps[step], delay_ms * US_PER_MS);
		write_wish(s, &s->steps[step], delay_ms, &wishes[i]);
		specs[i] = wishes[i].spec;
		CHRONICLE(s, LOG_GIVEN, p, step,
			  observer_digest(wishes[i].input, strlen(wishes[i].input)));
		CHRONICLE(s, LOG_INVOKED, p, step, chronicle_key(s, s->steps[step].idempotency_key),
			  0, s->steps[step].attempt_count_max);
		out[i] = (stepbus_enqueued){ .size = sizeof out[i] };
	}
	status = stepbus_step_enqueue(p->engine, specs, (size_t)count, out, &err);
	sim_note(s, "enqueue", -1, count, status);
	for (int i = 0; i < count; i++)
		chronicle_enqueued(s, p, first + i, status, &out[i]);
	s->is_enqueue_refused = status != STEPBUS_OK && status != STEPBUS_ESTORE;
	if (status != STEPBUS_OK && !sim_judge_is_excused(s, p, status))
		sim_violate(s, first, "enqueue", "status %d: %s", status, err.message);
	sim_model_end(s);
	if (status == STEPBUS_OK && sim_is_lying(s, SIM_LIE_LOST))
		out[0].step_id[5]++;
	for (int i = 0; i < count && status == STEPBUS_OK; i++)
		judge_enqueued(s, first + i, &out[i]);
}

static int draw_slot(sim *s, const sim_process *p)
{
	int slot = (int)sim_draw(s, (uint64_t)s->world.worker_count);

	return p->workers[slot] != NULL ? slot : -1;
}

static void take_in(sim *s, sim_process *p, int slot, stepbus_step_event *handed)
{
	if (sim_is_lying(s, SIM_LIE_OLD_TOKEN))
		handed->token--;
	if (handed->input_len > 1 && sim_is_lying(s, SIM_LIE_BYTES))
		handed->input_len--;
	sim_judge_poll(s, p, slot, handed);
	if (sim_is_lying(s, SIM_LIE_TWICE))
		sim_judge_poll(s, p, slot, handed);
}

static void poll_slot(sim *s, sim_process *p, int slot, size_t count_max)
{
	stepbus_step_event events[POLL_MAX] = { { .size = sizeof events[0] } };
	stepbus_error err = STEPBUS_ERROR_INIT;
	size_t count = 0;
	stepbus_status status = stepbus_poll(p->workers[slot], events, count_max, 0, &count, &err);

	if (status == STEPBUS_OK)
		sim_note(s, "poll", -1, slot, (int64_t)count);
	/* What it had to give back may have made room for a claim. */
	sim_model_end(s);
	if (status != STEPBUS_OK && status != STEPBUS_ETIMEDOUT)
		sim_violate(s, -1, "poll", "status %d: %s", status, err.message);
	for (size_t i = 0; i < count; i++)
		take_in(s, p, slot, &events[i]);
}

void sim_poll(sim *s, sim_process *p)
{
	int slot = draw_slot(s, p);

	if (slot >= 0)
		poll_slot(s, p, slot, 1 + sim_draw(s, POLL_MAX));
}

void sim_poll_all(sim *s, sim_process *p)
{
	for (int slot = 0; slot < WORKER_MAX; slot++)
		if (p->workers[slot] != NULL)
			poll_slot(s, p, slot, POLL_MAX);
}

/* One of the last that a host of this process has, or had before it was answered; -1: none. */
static int draw_polled(sim *s, const sim_process *p, bool has_answered)
{
	int found[64], count = 0;

	for (int i = s->attempt_count - 1; i >= 0 && count < 64; i--) {
		const sim_attempt *a = &s->attempts[i];

		if (a->is_polled && (!a->is_done || has_answered) && a->process == p->number &&
		    a->life == p->life)
			found[count++] = i;
	}
	return count > 0 ? found[sim_draw(s, (uint64_t)count)] : -1;
}

static void draw_answer(sim *s, int attempt, sim_answer *answer)
{
	uint64_t draw = sim_draw(s, 100);

	*answer = (sim_answer){ .attempt = attempt, .content = ++s->content, .retry_after_ms = -1 };
	if (draw < 50) {
		answer->outcome = STEPBUS_OUTCOME_SUCCESS;
	} else if (draw < 75) {
		answer->outcome = STEPBUS_OUTCOME_FAILURE;
		answer->is_retryable = draw < 70;
		if (draw < 55)
			answer->retry_after_ms = (int64_t)sim_draw(s, 1500);
	} else if (draw < 83) {
		answer->outcome = STEPBUS_OUTCOME_SNOOZE;
		answer->retry_after_ms = (int64_t)sim_draw(s, 1500);
	} else if (draw < 93) {
		answer->outcome = STEPBUS_OUTCOME_CHECKPOINT;
	} else {
		answer->outcome = STEPBUS_OUTCOME_RELEASE;
	}
}

/* The bytes that an answer says are made from its number. */
typedef struct answer_texts {
	char result[TEXT_LEN], cursor[TEXT_LEN];
} answer_texts;

static void write_answer(const sim *s, const sim_answer *answer, answer_texts *texts,
			 stepbus_completion *c)
{
	const sim_attempt *a = &s->attempts[answer->attempt];

	*c = (stepbus_completion){ .size = sizeof *c,
				   .outcome = answer->outcome,
				   .token = (uint64_t)a->token,
				   .retry_after_ms = answer->retry_after_ms,
				   .is_retryable = answer->is_retryable };
	memcpy(c->step_id, s->steps[a->step].id, sizeof c->step_id);
	(void)snprintf(texts->result, TEXT_LEN, "%d", answer->content);
	(void)snprintf(texts->cursor, TEXT_LEN, "c%d", answer->content);
	switch (answer->outcome) {
	case STEPBUS_OUTCOME_FAILURE:
		c->error_type = "sim";
		c->error_type_len = 3;
		c->error_message = texts->result;
		c->error_message_len = strlen(texts->result);
		break;
	case STEPBUS_OUTCOME_CHECKPOINT:
		c->cursor = texts->cursor;
		c->cursor_len = strlen(texts->cursor);
		c->items_processed = (uint64_t)answer->content;
		break;
	case STEPBUS_OUTCOME_SUCCESS:
		c->result = texts->result;
		c->result_len = strlen(texts->result);
		break;
	default:
		break;
	}
}

static bool is_settled(stepbus_status status)
{
	return status == STEPBUS_OK || status == STEPBUS_EALREADY || status == STEPBUS_ESTALE ||
	       status == STEPBUS_ETIMEDOUT || status == STEPBUS_ECANCELLED ||
	       status == STEPBUS_ENOTFOUND;
}

/* Where nothing came of it, anybody may answer otherwise next time, which the checker does not expect. */
static void chronicle_answer(sim *s, const sim_process *p, const sim_answer *answer,
			     stepbus_status status)
{
	const sim_attempt *a = &s->attempts[answer->attempt];
	int64_t row_id = s->steps[a->step].row.id;
	bool is_checkpoint = answer->outcome == STEPBUS_OUTCOME_CHECKPOINT;

	if (status != STEPBUS_OK)
		return;
	CHRONICLE(s, LOG_ENDED, p, row_id, a->token, answer->outcome,
		  is_checkpoint ? answer->content : 0);
	CHRONICLE(s, LOG_ANSWERED, p, row_id, a->token, status);
	if (is_checkpoint)
		CHRONICLE(s, LOG_BEAT, p, row_id, a->token, BEAT_CHECKPOINT, 0);
	if (answer->outcome == STEPBUS_OUTCOME_RELEASE)
		CHRONICLE(s, LOG_BEAT, p, row_id, a->token, BEAT_RELEASE, 0);
}

static void send(sim *s, sim_process *p, const sim_answer *answers, size_t count)
{
	stepbus_completion completions[BATCH_MAX] = { { 0 } };
	stepbus_status each[BATCH_MAX];
	stepbus_error err = STEPBUS_ERROR_INIT;
	answer_texts texts[BATCH_MAX];

	for (size_t i = 0; i < count; i++)
		write_answer(s, &answers[i], &texts[i], &completions[i]);
	(void)stepbus_complete(p->engine, completions, count, each, &err);
	for (size_t i = 0; i < count; i++) {
		sim_attempt *a = &s->attempts[answers[i].attempt];

		sim_note(s, "complete", a->step, answers[i].outcome * 100 + each[i], a->token);
		if (each[i] == STEPBUS_ESTALE && answers[i].outcome == STEPBUS_OUTCOME_SUCCESS &&
		    a->outcome == 0 && a->told_count == 0 && sim_is_lying(s, SIM_LIE_NOTED_ANSWER))
			chronicle_answer(s, p, &answers[i], STEPBUS_OK);
		else
			chronicle_answer(s, p, &answers[i], each[i]);
		if (each[i] == STEPBUS_OK && a->outcome == 0 && sim_is_lying(s, SIM_LIE_SWALLOWED))
			continue;
		if (each[i] == STEPBUS_ESTALE && a->outcome == 0 &&
		    answers[i].outcome != STEPBUS_OUTCOME_RELEASE && sim_is_lying(s, SIM_LIE_STALE))
			each[i] = STEPBUS_OK;
		sim_judge_answer(s, &answers[i], each[i]);
		if (is_settled(each[i]) && a->process == p->number && a->life == p->life)
			a->is_done = true;
		if (each[i] == STEPBUS_ESTORE)
			p->was_broken = true;
	}
}

static bool is_among(const sim_answer *answers, size_t count, int attempt)
{
	for (size_t i = 0; i < count; i++)
		if (answers[i].attempt == attempt)
			return true;
	return false;
}

static void beat(sim *s, sim_process *p, int attempt)
{
	const sim_attempt *a = &s->attempts[attempt];
	int64_t called_us = s->world.elapsed_ns / NS_PER_US;
	stepbus_status status =
		stepbus_heartbeat(p->engine, s->steps[a->step].id, (uint64_t)a->token, NULL);

	sim_note(s, "heartbeat", a->step, status, a->token);
	if (status != STEPBUS_OK && sim_judge_is_known_over(s, attempt) &&
	    sim_is_lying(s, SIM_LIE_BEAT))
		status = STEPBUS_OK;
	/* Of what another process has ended this one may not have heard. */
	if (status == STEPBUS_OK && (!a->is_over || sim_judge_is_known_over(s, attempt)))
		CHRONICLE(s, LOG_BEAT, p, s->steps[a->step].row.id, a->token, BEAT_HEARTBEAT,
			  called_us);
	sim_judge_beat(s, attempt, status);
}

void sim_beat(sim *s, sim_process *p)
{
	int attempt = draw_polled(s, p, sim_chance(s, 200));

	if (attempt >= 0)
		beat(s, p, attempt);
}

void sim_complete(sim *s, sim_process *p)
{
	sim_process *by = p;
	sim_answer answers[BATCH_MAX];
	size_t count = 0, wanted = sim_chance(s, 250) ? 3 : 1;

	for (; count < wanted; count++) {
		int attempt = draw_polled(s, p, false);

		if (attempt < 0 || is_among(answers, count, attempt))
			break;
		/* It asks whether to go on; and does, whatever it hears. */
		if (sim_chance(s, 200))
			beat(s, p, attempt);
		draw_answer(s, attempt, &answers[count]);
	}
	/* A host may send it through another engine. */
	if (sim_chance(s, 50))
		by = &s->world.processes[sim_draw(s, (uint64_t)s->world.process_count)];
	if (count == 0 || !by->is_up)
		return;
	s->actor = by;
	disk_enter(by->number);
	s->wall_before_us = sim_wall_us(by);
	send(s, by, answers, count);
}

void sim_complete_all(sim *s, sim_process *p)
{
	for (int i = 0; i < s->attempt_count; i++) {
		const sim_attempt *a = &s->attempts[i];
		const sim_answer answer = { .attempt = i,
					    .outcome = STEPBUS_OUTCOME_SUCCESS,
					    .content = s->content + 1,
					    .retry_after_ms = -1 };

		if (!a->is_polled || a->is_done || a->process != p->number || a->life != p->life)
			continue;
		s->content++;
		send(s, p, &answer, 1);
	}
}

/* An answer of before once more, by any process, with the same content or another one. */
void sim_repeat(sim *s, sim_process *p)
{
	sim_answer answer;
	const sim_attempt *a;

	if (s->attempt_count == 0)
		return;
	draw_answer(s, (int)sim_draw(s, (uint64_t)s->attempt_count), &answer);
	a = &s->attempts[answer.attempt];
	/* Nobody knows a token before the step was handed out. */
	if (!a->is_polled)
		return;
	if (a->outcome != 0 && sim_chance(s, 600)) {
		answer.outcome = a->outcome;
		answer.content = a->content;
		answer.is_retryable = a->is_retryable;
		answer.retry_after_ms = a->retry_after_ms;
	}
	send(s, p, &answer, 1);
}
