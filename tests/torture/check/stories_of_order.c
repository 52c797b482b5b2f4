/* SPDX-License-Identifier: MIT */
/* Who comes late, too late, again, or not at all. */
#include "include/stepbus.h"
#include "torture/check/stories.h"
#include "torture/check/tale.h"

enum { LEASE_US = 1000000 };

static void stall(maker *m, int32_t worker, bool is_on)
{
	EMIT(m, LOG_NEMESIS, worker, NEMESIS_STALL, is_on);
}

/* Stopped in its handler for longer than its lease; what it says then is refused. */
void story_stalled(maker *m)
{
	tale t = tale_enqueue(m), stale;

	tale_start(&t);
	stale = t;
	stall(m, t.worker, true);
	tale_lose(&t);
	t.row.crash_count++;
	t.worker = tale_another_worker(m, stale.worker);
	tale_succeed(&t);
	stall(m, stale.worker, false);
	tale_end(&stale, STEPBUS_OUTCOME_SUCCESS);
	EMIT(m, LOG_ANSWERED, stale.worker, t.row.id, stale.token, STEPBUS_ESTALE);
	EMIT(m, LOG_LOST, stale.worker, 0);
}

/* Stopped just before its handler, which it then begins, late. Nobody had seen it begin. */
void story_stalled_before_it_began(maker *m)
{
	tale t = tale_enqueue(m), stale;

	tale_claim(&t);
	stale = t;
	stall(m, t.worker, true);
	t.row.attempt_count--;
	t.worker = tale_another_worker(m, stale.worker);
	tale_succeed(&t);
	stall(m, stale.worker, false);
	tale_note_start(&stale, stale.token, stale.worker);
	tale_end(&stale, STEPBUS_OUTCOME_SUCCESS);
	EMIT(m, LOG_LOST, stale.worker, 0);
}

/* The same, and as many more begin as it has threads. */
void story_stalled_with_threads(maker *m)
{
	tale t = tale_enqueue(m), stale, other = tale_enqueue(m);

	tale_start(&t);
	stale = t;
	stall(m, t.worker, true);
	tale_lose(&t);
	t.row.crash_count++;
	t.worker = tale_another_worker(m, stale.worker);
	tale_succeed(&t);
	stall(m, stale.worker, false);
	other.worker = stale.worker;
	tale_start(&other);
	EMIT(m, LOG_LOST, stale.worker, 0);
	tale_lose(&other);
	other.worker = t.worker;
	other.row.crash_count++;
	tale_succeed(&other);
	tale_end(&stale, STEPBUS_OUTCOME_FAILURE);
}

static void cancel(tale *t, int64_t was_running)
{
	EMIT(t->m, LOG_CANCELLING, t->m->operator, t->row.id);
	EMIT(t->m, LOG_CANCELLED, t->m->operator, t->row.id, STEPBUS_OK, was_running);
	tale_put(t, STATE_CANCELLED);
}

void story_cancel_waiting(maker *m)
{
	tale t = tale_enqueue(m);

	cancel(&t, 0);
	EMIT(m, LOG_CANCELLING, m->operator, t.row.id);
	EMIT(m, LOG_CANCELLED, m->operator, t.row.id, STEPBUS_EALREADY, 0);
}

void story_cancel_running(maker *m)
{
	tale t = tale_enqueue(m);

	tale_start(&t);
	tale_put_attempt(&t, t.token, "cancelled", 0);
	cancel(&t, 1);
	tale_end(&t, STEPBUS_OUTCOME_SUCCESS);
	EMIT(m, LOG_ANSWERED, t.worker, t.row.id, t.token, STEPBUS_ECANCELLED);
}

/* It was claimed, and stood in line in another process, which hears of the cancel later. */
void story_cancel_in_line(maker *m)
{
	tale t = tale_enqueue(m);

	tale_claim(&t);
	tale_put_attempt(&t, t.token, "cancelled", 0);
	cancel(&t, 1);
	tale_note_start(&t, t.token, t.worker);
	tale_end(&t, STEPBUS_OUTCOME_SUCCESS);
}

/* The operator was killed before the answer: it may be cancelled or not. */
void story_cancel_open(maker *m)
{
	tale t = tale_enqueue(m);

	EMIT(m, LOG_CANCELLING, m->operator, t.row.id);
	EMIT(m, LOG_KILLED, m->operator, 0);
	m->operator= tale_new_process(m);
	tale_succeed(&t);
	t = tale_enqueue(m);
	EMIT(m, LOG_CANCELLING, m->operator, t.row.id);
	EMIT(m, LOG_KILLED, m->operator, 0);
	m->operator= tale_new_process(m);
	tale_put(&t, STATE_CANCELLED);
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

void story_redrive_failed(maker *m)
{
	tale t = tale_enqueue(m);

	for (int i = 0; i < ATTEMPT_COUNT_MAX; i++)
		tale_fail(&t, i < ATTEMPT_COUNT_MAX - 1);
	redrive(&t);
	redriven(&t);
	for (int i = 0; i < ATTEMPT_COUNT_MAX - 1; i++)
		tale_fail(&t, 1);
	tale_succeed(&t);
	EMIT(m, LOG_REDRIVING, m->operator, t.row.id);
	EMIT(m, LOG_REDRIVEN, m->operator, t.row.id, STEPBUS_EALREADY);
}

/* It runs again before the answer is logged, or where there never is one. */
void story_redrive_unheard(maker *m)
{
	tale t = tale_enqueue(m);

	tale_fail(&t, 0);
	redrive(&t);
	tale_fail(&t, 0);
	redriven(&t);
	redrive(&t);
	EMIT(m, LOG_KILLED, m->operator, 0);
	m->operator= tale_new_process(m);
	tale_succeed(&t);
}

void story_redrive_cancelled(maker *m)
{
	tale t = tale_enqueue(m);

	tale_start(&t);
	tale_put_attempt(&t, t.token, "cancelled", 0);
	cancel(&t, 1);
	tale_end(&t, STEPBUS_OUTCOME_SUCCESS);
	redrive(&t);
	redriven(&t);
	tale_succeed(&t);
}

void story_run_at(maker *m)
{
	tale t = tale_begin(m, -1, m->time_us + 5000000);

	tale_acknowledge(&t);
	m->time_us += 5000000;
	tale_succeed(&t);
}

/* As early as the clocks may differ. */
void story_run_at_the_edge(maker *m)
{
	int64_t at_us = m->time_us + 5000000;
	tale t = tale_begin(m, -1, at_us);

	tale_acknowledge(&t);
	m->time_us = at_us - m->history->limits.clock_bound_us;
	tale_succeed(&t);
}

/* Its clock said so. */
void story_run_at_a_jump(maker *m)
{
	tale t = tale_begin(m, -1, m->time_us + 5000000);
	int32_t jumper = tale_new_process(m);

	tale_acknowledge(&t);
	EMIT(m, LOG_NEMESIS, jumper, NEMESIS_CLOCK, 1);
	t.worker = jumper;
	tale_succeed(&t);
	EMIT(m, LOG_KILLED, jumper, 0);
}

/* A redrive begins at once. */
void story_run_at_and_redriven(maker *m)
{
	tale t = tale_begin(m, -1, m->time_us + 5000000);

	tale_acknowledge(&t);
	cancel(&t, 0);
	redrive(&t);
	redriven(&t);
	tale_succeed(&t);
}

void story_depend(maker *m)
{
	tale first = tale_enqueue(m), second = tale_enqueue(m);

	EMIT(m, LOG_DEPENDS, m->enqueuer, second.row.id, first.row.id);
	tale_succeed(&first);
	tale_succeed(&second);
}

/* The first one's success was kept, but its process killed before anybody heard. */
void story_depend_unheard(maker *m)
{
	tale first = tale_enqueue(m), second = tale_enqueue(m);

	EMIT(m, LOG_DEPENDS, m->enqueuer, second.row.id, first.row.id);
	tale_start(&first);
	tale_end(&first, STEPBUS_OUTCOME_SUCCESS);
	tale_keep_success(&first);
	tale_kill_worker(m, first.worker);
	second.worker = tale_a_worker(m);
	tale_succeed(&second);
}

void story_depend_in_vain(maker *m)
{
	tale first = tale_enqueue(m), second = tale_enqueue(m);

	EMIT(m, LOG_DEPENDS, m->enqueuer, second.row.id, first.row.id);
	tale_fail(&first, 0);
	tale_put(&first, STATE_FAILED);
	cancel(&second, 0);
}

static void see_claim(tale *t)
{
	tale_claim(t);
	EMIT(t->m, LOG_CLAIMED, t->worker, t->row.id, t->token, t->m->time_us + LEASE_US);
	tale_note_start(t, t->token, t->worker);
}

/* At the very end of its lease. */
void story_lease_over(maker *m)
{
	tale t = tale_enqueue(m), stale;
	int64_t until_us;

	see_claim(&t);
	stale = t;
	until_us = m->time_us + LEASE_US;
	EMIT(m, LOG_BEAT, t.worker, t.row.id, t.token, BEAT_RENEWAL, until_us);
	m->time_us = until_us;
	tale_lose(&t);
	t.row.crash_count++;
	t.worker = tale_another_worker(m, stale.worker);
	see_claim(&t);
	tale_end(&t, STEPBUS_OUTCOME_SUCCESS);
	tale_keep_success(&t);
	tale_sent(&t, STEPBUS_OUTCOME_SUCCESS);
	EMIT(m, LOG_LOST, stale.worker, 0);
	tale_end(&stale, STEPBUS_OUTCOME_SUCCESS);
}

/* Long before the end of the lease, since the worker gave it back. */
void story_give_back(maker *m)
{
	tale t = tale_enqueue(m);

	see_claim(&t);
	EMIT(m, LOG_BEAT, t.worker, t.row.id, t.token, BEAT_RELEASE, m->time_us);
	t.row.attempt_count--;
	t.worker = tale_another_worker(m, t.worker);
	see_claim(&t);
	tale_end(&t, STEPBUS_OUTCOME_SUCCESS);
	tale_keep_success(&t);
	tale_sent(&t, STEPBUS_OUTCOME_SUCCESS);
}

/* Called in time, and answered, but noted after the next one had begun. */
void story_give_back_noted_late(maker *m)
{
	tale t = tale_enqueue(m), before;
	int64_t called_us;

	tale_start(&t);
	before = t;
	called_us = m->time_us;
	t.row.attempt_count--;
	t.worker = tale_another_worker(m, t.worker);
	tale_succeed(&t);
	EMIT(m, LOG_BEAT, before.worker, t.row.id, before.token, BEAT_RELEASE, called_us);
}

/* Too much waited to be written; called again in time, and noted after the next one had begun. */
void story_answer_noted_late(maker *m)
{
	tale t = tale_enqueue(m), before;
	int64_t called_us;

	tale_start(&t);
	before = t;
	tale_end(&t, STEPBUS_OUTCOME_FAILURE);
	EMIT(m, LOG_ANSWERED, t.worker, t.row.id, t.token, STEPBUS_EBUSY, m->time_us);
	called_us = m->time_us;
	tale_put_attempt(&t, t.token, "failure", 1);
	t.worker = tale_another_worker(m, t.worker);
	tale_succeed(&t);
	EMIT(m, LOG_ANSWERED, before.worker, t.row.id, before.token, STEPBUS_OK, called_us);
}

/* Asked at the end of the lease, and noted when another one had begun. */
void story_beat_noted_late(maker *m)
{
	tale t = tale_enqueue(m), stale;
	int64_t called_us;

	tale_start(&t);
	stale = t;
	called_us = m->time_us;
	tale_lose(&t);
	t.row.crash_count++;
	t.worker = tale_another_worker(m, stale.worker);
	tale_succeed(&t);
	EMIT(m, LOG_BEAT, stale.worker, t.row.id, stale.token, BEAT_HEARTBEAT, called_us);
	EMIT(m, LOG_LOST, stale.worker, 0);
	tale_end(&stale, STEPBUS_OUTCOME_SUCCESS);
}

/* A cancel and a redrive by another process: this one hears of them when it looks. */
void story_beat_behind_a_cancel(maker *m)
{
	tale t = tale_enqueue(m), before;

	tale_start(&t);
	before = t;
	cancel(&t, 1);
	tale_put_attempt(&t, t.token, "cancelled", 0);
	redrive(&t);
	redriven(&t);
	t.worker = tale_another_worker(m, before.worker);
	tale_start(&t);
	EMIT(m, LOG_BEAT, before.worker, t.row.id, before.token, BEAT_HEARTBEAT, m->time_us);
	tale_end(&t, STEPBUS_OUTCOME_SUCCESS);
	tale_keep_success(&t);
	tale_sent(&t, STEPBUS_OUTCOME_SUCCESS);
}

/* A time limit ended it; the handler returns when the next attempt has begun. */
void story_time_out(maker *m)
{
	tale t = tale_enqueue(m), before;

	tale_start(&t);
	before = t;
	tale_put_attempt(&t, t.token, "timed_out", 1);
	tale_sent(&t, STEPBUS_OUTCOME_FAILURE);
	t.worker = tale_another_worker(m, t.worker);
	tale_succeed(&t);
	tale_end(&before, STEPBUS_OUTCOME_SUCCESS);
}

/* It waited too long, and has an attempt of which nobody began. */
void story_time_out_waiting(maker *m)
{
	tale t = tale_enqueue(m);

	t.row.token = m->time_us;
	tale_put_attempt(&t, t.row.token, "timed_out", 0);
	tale_put(&t, STATE_FAILED);
}

/* Who does not know hands it in again: the same is accepted again. */
void story_answer_twice(maker *m)
{
	tale t = tale_enqueue(m);

	tale_start(&t);
	tale_end(&t, STEPBUS_OUTCOME_SUCCESS);
	tale_keep_success(&t);
	tale_sent(&t, STEPBUS_OUTCOME_SUCCESS);
	EMIT(m, LOG_ANSWERED, t.worker, t.row.id, t.token, STEPBUS_OK);
	tale_end(&t, STEPBUS_OUTCOME_SUCCESS);
	EMIT(m, LOG_ANSWERED, t.worker, t.row.id, t.token, STEPBUS_OK);
	tale_end(&t, STEPBUS_OUTCOME_FAILURE);
	EMIT(m, LOG_ANSWERED, t.worker, t.row.id, t.token, STEPBUS_EALREADY);
}

void story_abandon(maker *m)
{
	tale t = tale_enqueue(m);

	tale_start(&t);
	tale_put_attempt(&t, t.token, "abandoned", 1);
	tale_sent(&t, STEPBUS_OUTCOME_FAILURE);
	t.worker = tale_another_worker(m, t.worker);
	tale_succeed(&t);
}

void story_look_before(maker *m)
{
	tale t = tale_begin(m, -1, 0);

	EMIT(m, LOG_SEEN, m->enqueuer, t.row.id, 0);
	tale_acknowledge(&t);
	tale_succeed(&t);
}

/* Two subscribers, of whom one drops what it cannot take. */
void story_publish(maker *m)
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
void story_wait_long(maker *m)
{
	tale t = tale_enqueue(m);

	for (int i = 0; i < 500; i++) {
		tale other = tale_enqueue(m);

		tale_succeed(&other);
	}
	tale_succeed(&t);
}
