/* SPDX-License-Identifier: MIT */
/* How steps are enqueued, run, fail, go on and end their processes. */
#include "include/stepbus.h"
#include "torture/check/stories.h"
#include "torture/check/tale.h"

void story_plain(maker *m)
{
	tale t = tale_enqueue(m);

	tale_succeed(&t);
}

void story_keyed(maker *m)
{
	tale t = tale_begin(m, m->next_key++, 0);

	tale_acknowledge(&t);
	tale_succeed(&t);
	/* Somebody asks again, and gets the one that is there. */
	EMIT(m, LOG_INVOKED, m->enqueuer, m->next_nonce, t.row.key, 0, 0);
	EMIT(m, LOG_ENQUEUED, m->enqueuer, m->next_nonce++, t.row.key, t.row.id, 1);
}

/* The first answer was lost, so the client asks again under the same key. */
void story_keyed_unsure(maker *m)
{
	tale t = tale_begin(m, m->next_key++, 0);

	EMIT(m, LOG_UNSURE, m->enqueuer, t.row.nonce, STEPBUS_ESTORE);
	EMIT(m, LOG_INVOKED, m->enqueuer, m->next_nonce, t.row.key, 0, 0);
	EMIT(m, LOG_ENQUEUED, m->enqueuer, m->next_nonce++, t.row.key, t.row.id, 1);
	tale_succeed(&t);
}

void story_unsure_there(maker *m)
{
	tale t = tale_begin(m, -1, 0);

	EMIT(m, LOG_UNSURE, m->enqueuer, t.row.nonce, STEPBUS_ESTORE);
	tale_succeed(&t);
}

void story_unsure_gone(maker *m)
{
	const tale t = tale_begin(m, -1, 0);

	EMIT(m, LOG_UNSURE, m->enqueuer, t.row.nonce, STEPBUS_ESTORE);
	m->next_id--;
}

void story_open_there(maker *m)
{
	tale t = tale_begin(m, -1, 0);

	EMIT(m, LOG_KILLED, m->enqueuer, 0);
	m->enqueuer = tale_new_process(m);
	tale_succeed(&t);
}

void story_open_gone(maker *m)
{
	(void)tale_begin(m, -1, 0);
	EMIT(m, LOG_KILLED, m->enqueuer, 0);
	m->enqueuer = tale_new_process(m);
	m->next_id--;
}

void story_fail_twice(maker *m)
{
	tale t = tale_enqueue(m);

	tale_fail(&t, 1);
	t.worker = tale_a_worker(m);
	tale_fail(&t, 1);
	tale_succeed(&t);
}

void story_fail_for_good(maker *m)
{
	tale t = tale_enqueue(m);

	tale_fail(&t, 0);
	tale_put(&t, STATE_FAILED);
}

void story_use_all_attempts(maker *m)
{
	tale t = tale_enqueue(m);

	for (int i = 0; i < ATTEMPT_COUNT_MAX; i++)
		tale_fail(&t, 1);
	tale_put(&t, STATE_FAILED);
}

/* What is put off is not charged, so there may be more starts than attempts. */
void story_put_off(maker *m)
{
	tale t = tale_enqueue(m);

	for (int i = 0; i < ATTEMPT_COUNT_MAX + 2; i++) {
		tale_start(&t);
		tale_end(&t, STEPBUS_OUTCOME_SNOOZE);
		tale_put_attempt(&t, t.token, "snoozed", 0);
		tale_sent(&t, STEPBUS_OUTCOME_SNOOZE);
		t.row.attempt_count--;
	}
	tale_succeed(&t);
}

static void make_checkpoint(tale *t, int64_t items, bool is_heard)
{
	tale_start(t);
	t->items = items;
	tale_end(t, STEPBUS_OUTCOME_CHECKPOINT);
	if (is_heard)
		tale_sent(t, STEPBUS_OUTCOME_CHECKPOINT);
	t->row.attempt_count--;
}

void story_go_on(maker *m)
{
	tale t = tale_enqueue(m);

	make_checkpoint(&t, 10, true);
	make_checkpoint(&t, 20, true);
	tale_succeed(&t);
}

/* Its process was killed before it heard: kept it was, nevertheless. */
void story_go_on_unheard(maker *m)
{
	tale t = tale_enqueue(m);

	make_checkpoint(&t, 10, true);
	make_checkpoint(&t, 20, false);
	tale_kill_worker(m, t.worker);
	t.worker = tale_a_worker(m);
	tale_succeed(&t);
}

/* Its process was killed before the checkpoint was kept. */
void story_go_on_from_before(maker *m)
{
	tale t = tale_enqueue(m);

	make_checkpoint(&t, 10, true);
	make_checkpoint(&t, 20, false);
	t.row.attempt_count++;
	t.row.crash_count++;
	tale_kill_worker(m, t.worker);
	tale_lose(&t);
	t.items = 10;
	t.worker = tale_a_worker(m);
	tale_succeed(&t);
}

void story_crash_for_good(maker *m)
{
	tale t = tale_enqueue(m);

	for (int i = 0; i < CRASH_COUNT_MAX; i++) {
		t.worker = tale_a_worker(m);
		tale_start(&t);
		tale_kill_worker(m, t.worker);
		tale_lose(&t);
		t.row.crash_count++;
	}
	tale_put(&t, STATE_QUARANTINED);
}

/* The end of the handler was logged, and its process killed before the library heard of it. */
void story_crash_behind_its_end(maker *m)
{
	tale t = tale_enqueue(m);

	for (int i = 0; i < CRASH_COUNT_MAX; i++) {
		t.worker = tale_a_worker(m);
		tale_start(&t);
		tale_end(&t, STEPBUS_OUTCOME_SUCCESS);
		tale_kill_worker(m, t.worker);
		tale_lose(&t);
		t.row.crash_count++;
	}
	tale_put(&t, STATE_QUARANTINED);
}

void story_killed_before_its_line(maker *m)
{
	tale t = tale_enqueue(m);

	tale_claim(&t);
	tale_kill_worker(m, t.worker);
	tale_lose(&t);
	t.row.crash_count++;
	t.worker = tale_a_worker(m);
	tale_succeed(&t);
}

void story_killed_before_it_heard(maker *m)
{
	tale t = tale_enqueue(m);

	tale_start(&t);
	tale_end(&t, STEPBUS_OUTCOME_SUCCESS);
	tale_keep_success(&t);
	tale_kill_worker(m, t.worker);
}
