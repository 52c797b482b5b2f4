/* SPDX-License-Identifier: MIT */
#include "torture/check/made.h"

#include <stdio.h>
#include <string.h>

#include "include/stepbus.h"
#include "torture/history/observer.h"

enum { LEASE_US = 1000000 };

static const event *emit(maker *m, char kind, int32_t process, const int64_t values[4])
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

#define EMIT(m, kind, process, ...) (void)emit(m, kind, process, (const int64_t[4]){ __VA_ARGS__ })

/* One step on its way through a story. */
typedef struct tale {
	maker *m;
	step_row row;
	int64_t token;
	int64_t items;
	int32_t worker;
} tale;

static int32_t new_process(maker *m)
{
	int32_t process = ++m->next_process;

	EMIT(m, LOG_READY, process, 0);
	return process;
}

static int32_t a_worker(maker *m)
{
	m->random = m->random * 1664525 + 1013904223;
	return m->workers[m->random >> 16 & 3];
}

static void kill_worker(maker *m, int32_t worker)
{
	EMIT(m, LOG_KILLED, worker, 0);
	for (int i = 0; i < 4; i++)
		if (m->workers[i] == worker)
			m->workers[i] = new_process(m);
}

static int32_t another_worker(const maker *m, int32_t than)
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

static tale begin(maker *m, int64_t key, int64_t run_at_us)
{
	tale t = { .m = m, .worker = a_worker(m) };

	t.row = (step_row){ .id = m->next_id++,
			    .nonce = m->next_nonce++,
			    .key = key,
			    .result_token = -1,
			    .result_nonce = -1,
			    .state = STATE_READY };
	t.row.priority = 1 + (int32_t)(t.row.nonce % 3);
	t.row.input_digest = digest_of(&t.row, made_input);
	EMIT(m, LOG_INVOKED, m->enqueuer, t.row.nonce, key, run_at_us, ATTEMPT_COUNT_MAX);
	return t;
}

static void acknowledge(tale *t)
{
	EMIT(t->m, LOG_ENQUEUED, t->m->enqueuer, t->row.nonce, t->row.key, t->row.id, 0);
	EMIT(t->m, LOG_SEEN, t->m->enqueuer, t->row.id, 1);
}

static tale enqueue(maker *m)
{
	tale t = begin(m, -1, 0);

	acknowledge(&t);
	return t;
}

/* The claim of which nobody sees a line: the attempt is charged. */
static void claim(tale *t)
{
	t->token = t->token < t->m->time_us ? t->m->time_us : t->token + 1;
	t->row.token = t->token;
	t->row.attempt_count++;
	t->row.state = STATE_RUNNING;
	t->row.result_digest = 0;
}

static void note_start(const tale *t, int64_t token, int32_t worker)
{
	EMIT(t->m, LOG_STARTED, worker, t->row.id, token, t->row.nonce, t->row.input_digest);
	EMIT(t->m, LOG_RESUMED, worker, t->row.id, token, t->items);
}

static void start(tale *t)
{
	claim(t);
	note_start(t, t->token, t->worker);
}

static void end(const tale *t, int64_t outcome)
{
	EMIT(t->m, LOG_ENDED, t->worker, t->row.id, t->token, outcome,
	     outcome == STEPBUS_OUTCOME_CHECKPOINT ? t->items : 0);
}

static void sent(const tale *t, int64_t outcome)
{
	EMIT(t->m, LOG_COMPLETED, t->worker, t->row.id, t->token, outcome,
	     outcome == STEPBUS_OUTCOME_SUCCESS ? t->row.result_digest : 0);
}

static void put_attempt(const tale *t, int64_t token, const char *outcome, int32_t is_retryable)
{
	attempt_row row = { .step_id = t->row.id, .token = token, .is_retryable = is_retryable };

	strncpy(row.outcome, outcome, sizeof row.outcome - 1);
	history_put_attempt(t->m->history, &row);
}

static void put(tale *t, char state)
{
	t->row.state = state;
	history_put_step(t->m->history, &t->row);
}

/* The success is in the store; whether anybody hears of it is another matter. */
static void keep_success(tale *t)
{
	t->row.result_token = t->token;
	t->row.result_nonce = t->row.nonce;
	t->row.result_digest = digest_of(&t->row, made_result);
	put_attempt(t, t->token, "success", 0);
	put(t, STATE_COMPLETED);
}

static void succeed(tale *t)
{
	start(t);
	end(t, STEPBUS_OUTCOME_SUCCESS);
	keep_success(t);
	sent(t, STEPBUS_OUTCOME_SUCCESS);
}

static void fail(tale *t, int32_t is_retryable)
{
	start(t);
	end(t, STEPBUS_OUTCOME_FAILURE);
	put_attempt(t, t->token, "failure", is_retryable);
	sent(t, STEPBUS_OUTCOME_FAILURE);
}

static void lose(const tale *t)
{
	put_attempt(t, t->token, "lost", 1);
}

static void plain(maker *m)
{
	tale t = enqueue(m);

	succeed(&t);
}

static void keyed(maker *m)
{
	tale t = begin(m, m->next_key++, 0);

	acknowledge(&t);
	succeed(&t);
	/* Somebody asks again, and gets the one that is there. */
	EMIT(m, LOG_INVOKED, m->enqueuer, m->next_nonce, t.row.key, 0, 0);
	EMIT(m, LOG_ENQUEUED, m->enqueuer, m->next_nonce++, t.row.key, t.row.id, 1);
}

/* The first answer was lost, so the client asks again under the same key. */
static void keyed_unsure(maker *m)
{
	tale t = begin(m, m->next_key++, 0);

	EMIT(m, LOG_UNSURE, m->enqueuer, t.row.nonce, STEPBUS_ESTORE);
	EMIT(m, LOG_INVOKED, m->enqueuer, m->next_nonce, t.row.key, 0, 0);
	EMIT(m, LOG_ENQUEUED, m->enqueuer, m->next_nonce++, t.row.key, t.row.id, 1);
	succeed(&t);
}

static void unsure_there(maker *m)
{
	tale t = begin(m, -1, 0);

	EMIT(m, LOG_UNSURE, m->enqueuer, t.row.nonce, STEPBUS_ESTORE);
	succeed(&t);
}

static void unsure_gone(maker *m)
{
	const tale t = begin(m, -1, 0);

	EMIT(m, LOG_UNSURE, m->enqueuer, t.row.nonce, STEPBUS_ESTORE);
	m->next_id--;
}

static void open_there(maker *m)
{
	tale t = begin(m, -1, 0);

	EMIT(m, LOG_KILLED, m->enqueuer, 0);
	m->enqueuer = new_process(m);
	succeed(&t);
}

static void open_gone(maker *m)
{
	(void)begin(m, -1, 0);
	EMIT(m, LOG_KILLED, m->enqueuer, 0);
	m->enqueuer = new_process(m);
	m->next_id--;
}

static void fail_twice(maker *m)
{
	tale t = enqueue(m);

	fail(&t, 1);
	t.worker = a_worker(m);
	fail(&t, 1);
	succeed(&t);
}

static void fail_for_good(maker *m)
{
	tale t = enqueue(m);

	fail(&t, 0);
	put(&t, STATE_FAILED);
}

static void use_all_attempts(maker *m)
{
	tale t = enqueue(m);

	for (int i = 0; i < ATTEMPT_COUNT_MAX; i++)
		fail(&t, 1);
	put(&t, STATE_FAILED);
}

/* What is put off is not charged, so there may be more starts than attempts. */
static void put_off(maker *m)
{
	tale t = enqueue(m);

	for (int i = 0; i < ATTEMPT_COUNT_MAX + 2; i++) {
		start(&t);
		end(&t, STEPBUS_OUTCOME_SNOOZE);
		put_attempt(&t, t.token, "snoozed", 0);
		sent(&t, STEPBUS_OUTCOME_SNOOZE);
		t.row.attempt_count--;
	}
	succeed(&t);
}

static void make_checkpoint(tale *t, int64_t items, bool is_heard)
{
	start(t);
	t->items = items;
	end(t, STEPBUS_OUTCOME_CHECKPOINT);
	if (is_heard)
		sent(t, STEPBUS_OUTCOME_CHECKPOINT);
	t->row.attempt_count--;
}

static void go_on(maker *m)
{
	tale t = enqueue(m);

	make_checkpoint(&t, 10, true);
	make_checkpoint(&t, 20, true);
	succeed(&t);
}

/* Its process was killed before it heard: kept it was, nevertheless. */
static void go_on_unheard(maker *m)
{
	tale t = enqueue(m);

	make_checkpoint(&t, 10, true);
	make_checkpoint(&t, 20, false);
	kill_worker(m, t.worker);
	t.worker = a_worker(m);
	succeed(&t);
}

/* Its process was killed before the checkpoint was kept. */
static void go_on_from_before(maker *m)
{
	tale t = enqueue(m);

	make_checkpoint(&t, 10, true);
	make_checkpoint(&t, 20, false);
	t.row.attempt_count++;
	t.row.crash_count++;
	kill_worker(m, t.worker);
	lose(&t);
	t.items = 10;
	t.worker = a_worker(m);
	succeed(&t);
}

static void crash_for_good(maker *m)
{
	tale t = enqueue(m);

	for (int i = 0; i < CRASH_COUNT_MAX; i++) {
		t.worker = a_worker(m);
		start(&t);
		kill_worker(m, t.worker);
		lose(&t);
		t.row.crash_count++;
	}
	put(&t, STATE_QUARANTINED);
}

/* The end of the handler was logged, and its process killed before the library heard of it. */
static void crash_behind_its_end(maker *m)
{
	tale t = enqueue(m);

	for (int i = 0; i < CRASH_COUNT_MAX; i++) {
		t.worker = a_worker(m);
		start(&t);
		end(&t, STEPBUS_OUTCOME_SUCCESS);
		kill_worker(m, t.worker);
		lose(&t);
		t.row.crash_count++;
	}
	put(&t, STATE_QUARANTINED);
}

static void killed_before_its_line(maker *m)
{
	tale t = enqueue(m);

	claim(&t);
	kill_worker(m, t.worker);
	lose(&t);
	t.row.crash_count++;
	t.worker = a_worker(m);
	succeed(&t);
}

static void killed_before_it_heard(maker *m)
{
	tale t = enqueue(m);

	start(&t);
	end(&t, STEPBUS_OUTCOME_SUCCESS);
	keep_success(&t);
	kill_worker(m, t.worker);
}

static void stall(maker *m, int32_t worker, bool is_on)
{
	EMIT(m, LOG_NEMESIS, worker, NEMESIS_STALL, is_on);
}

/* Stopped in its handler for longer than its lease; what it says then is refused. */
static void stalled(maker *m)
{
	tale t = enqueue(m), stale;

	start(&t);
	stale = t;
	stall(m, t.worker, true);
	lose(&t);
	t.row.crash_count++;
	t.worker = another_worker(m, stale.worker);
	succeed(&t);
	stall(m, stale.worker, false);
	end(&stale, STEPBUS_OUTCOME_SUCCESS);
	EMIT(m, LOG_ANSWERED, stale.worker, t.row.id, stale.token, STEPBUS_ESTALE);
	EMIT(m, LOG_LOST, stale.worker, 0);
}

/* Stopped just before its handler, which it then begins, late. Nobody had seen it begin. */
static void stalled_before_it_began(maker *m)
{
	tale t = enqueue(m), stale;

	claim(&t);
	stale = t;
	stall(m, t.worker, true);
	t.row.attempt_count--;
	t.worker = another_worker(m, stale.worker);
	succeed(&t);
	stall(m, stale.worker, false);
	note_start(&stale, stale.token, stale.worker);
	end(&stale, STEPBUS_OUTCOME_SUCCESS);
	EMIT(m, LOG_LOST, stale.worker, 0);
}

/* The same, and as many more begin as it has threads. */
static void stalled_with_threads(maker *m)
{
	tale t = enqueue(m), stale, other = enqueue(m);

	start(&t);
	stale = t;
	stall(m, t.worker, true);
	lose(&t);
	t.row.crash_count++;
	t.worker = another_worker(m, stale.worker);
	succeed(&t);
	stall(m, stale.worker, false);
	other.worker = stale.worker;
	start(&other);
	EMIT(m, LOG_LOST, stale.worker, 0);
	lose(&other);
	other.worker = t.worker;
	other.row.crash_count++;
	succeed(&other);
	end(&stale, STEPBUS_OUTCOME_FAILURE);
}

static void cancel(tale *t, int64_t was_running)
{
	EMIT(t->m, LOG_CANCELLING, t->m->operator, t->row.id);
	EMIT(t->m, LOG_CANCELLED, t->m->operator, t->row.id, STEPBUS_OK, was_running);
	put(t, STATE_CANCELLED);
}

static void cancel_waiting(maker *m)
{
	tale t = enqueue(m);

	cancel(&t, 0);
	EMIT(m, LOG_CANCELLING, m->operator, t.row.id);
	EMIT(m, LOG_CANCELLED, m->operator, t.row.id, STEPBUS_EALREADY, 0);
}

static void cancel_running(maker *m)
{
	tale t = enqueue(m);

	start(&t);
	put_attempt(&t, t.token, "cancelled", 0);
	cancel(&t, 1);
	end(&t, STEPBUS_OUTCOME_SUCCESS);
	EMIT(m, LOG_ANSWERED, t.worker, t.row.id, t.token, STEPBUS_ECANCELLED);
}

/* It was claimed, and stood in line in another process, which hears of the cancel later. */
static void cancel_in_line(maker *m)
{
	tale t = enqueue(m);

	claim(&t);
	put_attempt(&t, t.token, "cancelled", 0);
	cancel(&t, 1);
	note_start(&t, t.token, t.worker);
	end(&t, STEPBUS_OUTCOME_SUCCESS);
}

/* The operator was killed before the answer: it may be cancelled or not. */
static void cancel_open(maker *m)
{
	tale t = enqueue(m);

	EMIT(m, LOG_CANCELLING, m->operator, t.row.id);
	EMIT(m, LOG_KILLED, m->operator, 0);
	m->operator= new_process(m);
	succeed(&t);
	t = enqueue(m);
	EMIT(m, LOG_CANCELLING, m->operator, t.row.id);
	EMIT(m, LOG_KILLED, m->operator, 0);
	m->operator= new_process(m);
	put(&t, STATE_CANCELLED);
}

static void redrive(tale *t)
{
	EMIT(t->m, LOG_REDRIVING, t->m->operator, t->row.id);
	t->row.attempt_count = 0;
	t->row.crash_count = 0;
}

static void redriven(const tale *t)
{
	EMIT(t->m, LOG_REDRIVEN, t->m->operator, t->row.id, STEPBUS_OK);
}

static void redrive_failed(maker *m)
{
	tale t = enqueue(m);

	for (int i = 0; i < ATTEMPT_COUNT_MAX; i++)
		fail(&t, i < ATTEMPT_COUNT_MAX - 1);
	redrive(&t);
	redriven(&t);
	for (int i = 0; i < ATTEMPT_COUNT_MAX - 1; i++)
		fail(&t, 1);
	succeed(&t);
	EMIT(m, LOG_REDRIVING, m->operator, t.row.id);
	EMIT(m, LOG_REDRIVEN, m->operator, t.row.id, STEPBUS_EALREADY);
}

/* It runs again before the answer is logged, or where there never is one. */
static void redrive_unheard(maker *m)
{
	tale t = enqueue(m);

	fail(&t, 0);
	redrive(&t);
	fail(&t, 0);
	redriven(&t);
	redrive(&t);
	EMIT(m, LOG_KILLED, m->operator, 0);
	m->operator= new_process(m);
	succeed(&t);
}

static void redrive_cancelled(maker *m)
{
	tale t = enqueue(m);

	start(&t);
	put_attempt(&t, t.token, "cancelled", 0);
	cancel(&t, 1);
	end(&t, STEPBUS_OUTCOME_SUCCESS);
	redrive(&t);
	redriven(&t);
	succeed(&t);
}

static void run_at(maker *m)
{
	tale t = begin(m, -1, m->time_us + 5000000);

	acknowledge(&t);
	m->time_us += 5000000;
	succeed(&t);
}

/* As early as the clocks may differ. */
static void run_at_the_edge(maker *m)
{
	int64_t at_us = m->time_us + 5000000;
	tale t = begin(m, -1, at_us);

	acknowledge(&t);
	m->time_us = at_us - m->history->limits.clock_bound_us;
	succeed(&t);
}

/* Its clock said so. */
static void run_at_a_jump(maker *m)
{
	tale t = begin(m, -1, m->time_us + 5000000);
	int32_t jumper = new_process(m);

	acknowledge(&t);
	EMIT(m, LOG_NEMESIS, jumper, NEMESIS_CLOCK, 1);
	t.worker = jumper;
	succeed(&t);
	EMIT(m, LOG_KILLED, jumper, 0);
}

/* A redrive begins at once. */
static void run_at_and_redriven(maker *m)
{
	tale t = begin(m, -1, m->time_us + 5000000);

	acknowledge(&t);
	cancel(&t, 0);
	redrive(&t);
	redriven(&t);
	succeed(&t);
}

static void depend(maker *m)
{
	tale first = enqueue(m), second = enqueue(m);

	EMIT(m, LOG_DEPENDS, m->enqueuer, second.row.id, first.row.id);
	succeed(&first);
	succeed(&second);
}

/* The first one's success was kept, but its process killed before anybody heard. */
static void depend_unheard(maker *m)
{
	tale first = enqueue(m), second = enqueue(m);

	EMIT(m, LOG_DEPENDS, m->enqueuer, second.row.id, first.row.id);
	start(&first);
	end(&first, STEPBUS_OUTCOME_SUCCESS);
	keep_success(&first);
	kill_worker(m, first.worker);
	second.worker = a_worker(m);
	succeed(&second);
}

static void depend_in_vain(maker *m)
{
	tale first = enqueue(m), second = enqueue(m);

	EMIT(m, LOG_DEPENDS, m->enqueuer, second.row.id, first.row.id);
	fail(&first, 0);
	put(&first, STATE_FAILED);
	cancel(&second, 0);
}

static void see_claim(tale *t)
{
	claim(t);
	EMIT(t->m, LOG_CLAIMED, t->worker, t->row.id, t->token, t->m->time_us + LEASE_US);
	note_start(t, t->token, t->worker);
}

/* At the very end of its lease. */
static void lease_over(maker *m)
{
	tale t = enqueue(m), stale;
	int64_t until_us = m->time_us + LEASE_US;

	see_claim(&t);
	stale = t;
	until_us = m->time_us + LEASE_US;
	EMIT(m, LOG_BEAT, t.worker, t.row.id, t.token, BEAT_RENEWAL, until_us);
	m->time_us = until_us;
	lose(&t);
	t.row.crash_count++;
	t.worker = another_worker(m, stale.worker);
	see_claim(&t);
	end(&t, STEPBUS_OUTCOME_SUCCESS);
	keep_success(&t);
	sent(&t, STEPBUS_OUTCOME_SUCCESS);
	EMIT(m, LOG_LOST, stale.worker, 0);
	end(&stale, STEPBUS_OUTCOME_SUCCESS);
}

/* Long before the end of the lease, since the worker gave it back. */
static void give_back(maker *m)
{
	tale t = enqueue(m);

	see_claim(&t);
	EMIT(m, LOG_BEAT, t.worker, t.row.id, t.token, BEAT_RELEASE, m->time_us);
	t.row.attempt_count--;
	t.worker = another_worker(m, t.worker);
	see_claim(&t);
	end(&t, STEPBUS_OUTCOME_SUCCESS);
	keep_success(&t);
	sent(&t, STEPBUS_OUTCOME_SUCCESS);
}

/* Called in time, and answered, but noted after the next one had begun. */
static void give_back_noted_late(maker *m)
{
	tale t = enqueue(m), before;
	int64_t called_us;

	start(&t);
	before = t;
	called_us = m->time_us;
	t.row.attempt_count--;
	t.worker = another_worker(m, t.worker);
	succeed(&t);
	EMIT(m, LOG_BEAT, before.worker, t.row.id, before.token, BEAT_RELEASE, called_us);
}

/* A time limit ended it; the handler returns when the next attempt has begun. */
static void time_out(maker *m)
{
	tale t = enqueue(m), before;

	start(&t);
	before = t;
	put_attempt(&t, t.token, "timed_out", 1);
	sent(&t, STEPBUS_OUTCOME_FAILURE);
	t.worker = another_worker(m, t.worker);
	succeed(&t);
	end(&before, STEPBUS_OUTCOME_SUCCESS);
}

/* It waited too long, and has an attempt of which nobody began. */
static void time_out_waiting(maker *m)
{
	tale t = enqueue(m);

	t.row.token = m->time_us;
	put_attempt(&t, t.row.token, "timed_out", 0);
	put(&t, STATE_FAILED);
}

/* Who does not know hands it in again: the same is accepted again. */
static void answer_twice(maker *m)
{
	tale t = enqueue(m);

	start(&t);
	end(&t, STEPBUS_OUTCOME_SUCCESS);
	keep_success(&t);
	sent(&t, STEPBUS_OUTCOME_SUCCESS);
	EMIT(m, LOG_ANSWERED, t.worker, t.row.id, t.token, STEPBUS_OK);
	end(&t, STEPBUS_OUTCOME_SUCCESS);
	EMIT(m, LOG_ANSWERED, t.worker, t.row.id, t.token, STEPBUS_OK);
	end(&t, STEPBUS_OUTCOME_FAILURE);
	EMIT(m, LOG_ANSWERED, t.worker, t.row.id, t.token, STEPBUS_EALREADY);
}

static void abandon(maker *m)
{
	tale t = enqueue(m);

	start(&t);
	put_attempt(&t, t.token, "abandoned", 1);
	sent(&t, STEPBUS_OUTCOME_FAILURE);
	t.worker = another_worker(m, t.worker);
	succeed(&t);
}

static void look_before(maker *m)
{
	tale t = begin(m, -1, 0);

	EMIT(m, LOG_SEEN, m->enqueuer, t.row.id, 0);
	acknowledge(&t);
	succeed(&t);
}

/* Two subscribers, of whom one drops what it cannot take. */
static void publish(maker *m)
{
	int64_t number = ++m->next_published;

	EMIT(m, LOG_PUBLISHED, m->operator, 1, number);
	EMIT(m, LOG_DELIVERED, m->operator, 7, 1, number);
	if (number % 3 != 0)
		EMIT(m, LOG_DELIVERED, m->operator, 8, 1, number);
	else
		m->dropped++;
}

/* The oldest of the last class waits as long as it must. */
static void wait_long(maker *m)
{
	tale t = enqueue(m);

	for (int i = 0; i < 500; i++) {
		tale other = enqueue(m);

		succeed(&other);
	}
	succeed(&t);
}

static const struct {
	const char *name;
	void (*tell)(maker *m);
	int rareness; /* told once in that many rounds */
} stories[] = {
	{ "a step succeeds", plain, 1 },
	{ "a key is asked for twice", keyed, 1 },
	{ "a key is asked for again after an answer was lost", keyed_unsure, 1 },
	{ "an enqueue that was answered with an error is there", unsure_there, 1 },
	{ "an enqueue that was answered with an error is not there", unsure_gone, 1 },
	{ "an enqueue without an answer is there", open_there, 1 },
	{ "an enqueue without an answer is not there", open_gone, 1 },
	{ "two failures before a success", fail_twice, 1 },
	{ "a failure for good", fail_for_good, 1 },
	{ "all attempts are used", use_all_attempts, 1 },
	{ "more starts than attempts, since they were put off", put_off, 1 },
	{ "checkpoints, from which it goes on", go_on, 1 },
	{ "a checkpoint that was kept, though nobody heard", go_on_unheard, 1 },
	{ "a checkpoint that was not kept, as nobody was told", go_on_from_before, 1 },
	{ "a step ends three processes", crash_for_good, 1 },
	{ "a process ends between a handler's last line and the library", crash_behind_its_end, 1 },
	{ "a process ends before the handler's first line", killed_before_its_line, 20 },
	{ "a process ends between a completion and its event", killed_before_it_heard, 1 },
	{ "a worker stalls in its handler", stalled, 1 },
	{ "a worker stalls before its handler", stalled_before_it_began, 1 },
	{ "a worker stalls, and another thread of it begins a step", stalled_with_threads, 1 },
	{ "a cancel of a step that waits", cancel_waiting, 1 },
	{ "a cancel of a step that runs", cancel_running, 1 },
	{ "a cancelled step begins, as its worker has not heard", cancel_in_line, 1 },
	{ "cancels without an answer", cancel_open, 1 },
	{ "a redrive begins with all attempts", redrive_failed, 1 },
	{ "redrives without an answer, and before it", redrive_unheard, 1 },
	{ "a redrive of a cancelled step", redrive_cancelled, 1 },
	{ "a step with a time", run_at, 1 },
	{ "a step as early as clocks may differ", run_at_the_edge, 1 },
	{ "a step that is too early where a clock jumped", run_at_a_jump, 1 },
	{ "a step with a time that is redriven before", run_at_and_redriven, 1 },
	{ "a dependency", depend, 1 },
	{ "a dependency whose success nobody heard", depend_unheard, 1 },
	{ "a dependency that fails", depend_in_vain, 1 },
	{ "a claim at the end of a lease", lease_over, 1 },
	{ "a claim before it, of what was given back", give_back, 1 },
	{ "a release that is noted late", give_back_noted_late, 1 },
	{ "an attempt that a time limit ended", time_out, 1 },
	{ "a step that waited too long", time_out_waiting, 1 },
	{ "the same completion twice", answer_twice, 1 },
	{ "a host that lets go of a step", abandon, 1 },
	{ "a look before the acknowledgement", look_before, 1 },
	{ "events, of which some are dropped", publish, 1 },
	{ "a step that 500 others overtake", wait_long, 100 },
};

size_t made_story_count(void)
{
	return sizeof stories / sizeof *stories;
}

const char *made_story_name(size_t story)
{
	return stories[story].name;
}

void maker_begin(maker *m, history *h)
{
	history_init(h);
	h->has_rows = true;
	*m = (maker){ .history = h,
		      .time_us = 1000000,
		      .next_id = 1000,
		      .next_nonce = 5,
		      .next_process = 10,
		      .random = 1 };
	for (int i = 0; i < 4; i++)
		m->workers[i] = new_process(m);
	m->enqueuer = new_process(m);
	m->operator= new_process(m);
}

void maker_tell(maker *m, size_t story)
{
	const size_t count = made_story_count();

	if (story / count % (size_t)stories[story % count].rareness == 0)
		stories[story % count].tell(m);
}

void maker_end(maker *m)
{
	static const char states[] = { STATE_COMPLETED,   STATE_FAILED, STATE_CANCELLED,
				       STATE_QUARANTINED, STATE_READY,  STATE_RUNNING };

	for (size_t i = 0; i < sizeof states; i++) {
		int64_t count = 0;

		for (size_t k = 0; k < m->history->step_count; k++)
			count += m->history->steps[k].state == states[i];
		EMIT(m, LOG_COUNTED, m->operator, states[i], count);
	}
	EMIT(m, LOG_DROPPED, m->operator, 7, 0);
	EMIT(m, LOG_DROPPED, m->operator, 8, m->dropped);
	for (int i = 0; i < 4; i++)
		EMIT(m, LOG_KILLED, m->workers[i], 0);
}
