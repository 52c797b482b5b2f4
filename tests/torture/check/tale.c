/* SPDX-License-Identifier: MIT */
#include "torture/check/tale.h"

#include <stdio.h>
#include <string.h>

#include "include/stepbus.h"
#include "torture/history/observer.h"

const event *tale_emit(maker *m, char kind, int32_t process, const int64_t values[4])
{
	const event e = { .kind = kind,
			  .time_us = m->time_us,
			  .process = process,
			  .a = values[0],
			  .b = values[1],
			  .c = values[2],
			  .d = values[3] };

	m->random = m->random * 1664525 + 1013904223;
	m->time_us += 1 + (int64_t)(m->random >> 24);
	history_add_event(m->history, &e);
	return &m->history->events[m->history->event_count - 1];
}

int32_t tale_new_process(maker *m)
{
	int32_t process = ++m->next_process;

	EMIT(m, LOG_READY, process, 0);
	return process;
}

int32_t tale_a_worker(maker *m)
{
	m->random = m->random * 1664525 + 1013904223;
	return m->workers[m->random >> 16 & 3];
}

void tale_kill_worker(maker *m, int32_t worker)
{
	EMIT(m, LOG_KILLED, worker, 0);
	for (int i = 0; i < 4; i++)
		if (m->workers[i] == worker)
			m->workers[i] = tale_new_process(m);
}

int32_t tale_another_worker(const maker *m, int32_t than)
{
	return m->workers[0] != than ? m->workers[0] : m->workers[1];
}

int made_input(const step_row *row, char text[MADE_TEXT_LEN])
{
	return snprintf(text, MADE_TEXT_LEN, "n%ld", row->nonce);
}

int made_result(const step_row *row, char text[MADE_TEXT_LEN])
{
	return snprintf(text, MADE_TEXT_LEN, "n%ld t%ld", row->nonce, row->result_token);
}

static int64_t digest_of(const step_row *row, int (*write)(const step_row *, char *))
{
	char text[MADE_TEXT_LEN];

	return observer_digest(text, (size_t)write(row, text));
}

tale tale_begin(maker *m, int64_t key, int64_t run_at_us)
{
	tale t = { .m = m, .worker = tale_a_worker(m) };

	t.row = (step_row){ .id = m->next_id++,
			    .nonce = m->next_nonce++,
			    .key = key,
			    .result_token = -1,
			    .result_nonce = -1,
			    .state = STATE_READY };
	t.row.priority = 1 + (int32_t)(t.row.nonce % 3);
	t.row.input_digest = digest_of(&t.row, made_input);
	EMIT(m, LOG_GIVEN, m->enqueuer, t.row.nonce, t.row.input_digest);
	EMIT(m, LOG_INVOKED, m->enqueuer, t.row.nonce, key, run_at_us, ATTEMPT_COUNT_MAX);
	return t;
}

void tale_acknowledge(tale *t)
{
	EMIT(t->m, LOG_ENQUEUED, t->m->enqueuer, t->row.nonce, t->row.key, t->row.id, 0);
	EMIT(t->m, LOG_SEEN, t->m->enqueuer, t->row.id, 1);
}

tale tale_enqueue(maker *m)
{
	tale t = tale_begin(m, -1, 0);

	tale_acknowledge(&t);
	return t;
}

/* The claim of which nobody sees a line: the attempt is charged. */
void tale_claim(tale *t)
{
	t->token = t->token < t->m->time_us ? t->m->time_us : t->token + 1;
	t->row.token = t->token;
	t->row.attempt_count++;
	t->row.state = STATE_RUNNING;
	t->row.result_digest = 0;
}

void tale_note_start(const tale *t, int64_t token, int32_t worker)
{
	EMIT(t->m, LOG_STARTED, worker, t->row.id, token, t->row.nonce, t->row.input_digest);
	EMIT(t->m, LOG_RESUMED, worker, t->row.id, token, t->items);
}

void tale_start(tale *t)
{
	tale_claim(t);
	tale_note_start(t, t->token, t->worker);
}

void tale_end(const tale *t, int64_t outcome)
{
	EMIT(t->m, LOG_ENDED, t->worker, t->row.id, t->token, outcome,
	     outcome == STEPBUS_OUTCOME_CHECKPOINT ? t->items : 0);
}

void tale_sent(const tale *t, int64_t outcome)
{
	EMIT(t->m, LOG_COMPLETED, t->worker, t->row.id, t->token, outcome,
	     outcome == STEPBUS_OUTCOME_SUCCESS ? t->row.result_digest : 0);
}

void tale_put_attempt(const tale *t, int64_t token, const char *outcome, int32_t is_retryable)
{
	attempt_row row = { .step_id = t->row.id, .token = token, .is_retryable = is_retryable };

	strncpy(row.outcome, outcome, sizeof row.outcome - 1);
	history_put_attempt(t->m->history, &row);
}

void tale_put(tale *t, char state)
{
	t->row.state = state;
	history_put_step(t->m->history, &t->row);
}

/* The success is in the store; whether anybody hears of it is another matter. */
void tale_keep_success(tale *t)
{
	t->row.result_token = t->token;
	t->row.result_nonce = t->row.nonce;
	t->row.result_digest = digest_of(&t->row, made_result);
	tale_put_attempt(t, t->token, "success", 0);
	tale_put(t, STATE_COMPLETED);
}

void tale_succeed(tale *t)
{
	tale_start(t);
	tale_end(t, STEPBUS_OUTCOME_SUCCESS);
	tale_keep_success(t);
	tale_sent(t, STEPBUS_OUTCOME_SUCCESS);
}

void tale_fail(tale *t, int32_t is_retryable)
{
	tale_start(t);
	tale_end(t, STEPBUS_OUTCOME_FAILURE);
	tale_put_attempt(t, t->token, "failure", is_retryable);
	tale_sent(t, STEPBUS_OUTCOME_FAILURE);
}

void tale_lose(const tale *t)
{
	tale_put_attempt(t, t->token, "lost", 1);
}
