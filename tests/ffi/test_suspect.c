/* SPDX-License-Identifier: MIT */
/* A step that ended its process, and is given up if it does so again, runs alone in a pool. */
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>

#include "handlers/suspect.h"
#include "support/engine_box.h"

enum { STEP_COUNT = 3 }; /* of those that watch */

static _Atomic(stepbus_worker *) watched;

static const int64_t lease_us = INT64_C(3600000000); /* of a box */

/* Marks the steps with such an input as ones that ended two processes. */
static void accuse(test_box *box, const char *condition)
{
	char sql[256];
	sqlite3 *db = NULL;

	(void)snprintf(sql, sizeof sql,
		       "UPDATE state SET crash_count = 2, attempt_count = 2 WHERE id IN"
		       " (SELECT id FROM step WHERE CAST(input AS TEXT) %s)",
		       condition);
	assert_int_equal(sqlite3_open(box->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	assert_int_equal(sqlite3_changes(db) > 0, 1);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Steps of these inputs, in this order. */
static stepbus *prepare(test_box *box, const char *inputs, const char *condition, test_act act)
{
	stepbus *engine = test_box_open(box, NULL);
	char input[2] = "";

	for (const char *at = inputs; *at != '\0'; at++) {
		input[0] = *at;
		test_box_add(box, engine, "work", input);
	}
	test_box_close(box, engine);
	accuse(box, condition);
	engine = test_box_open(box, NULL);
	(void)test_box_handle(box, engine, "work", act, NULL);
	return engine;
}

/* Under the lock of the worker: what was taken by mistake is where it was. */
static void give_back(stepbus_worker *worker, sb_claimed *claimed)
{
	claimed->next = worker->first;
	worker->first = claimed;
	if (worker->last == NULL)
		worker->last = claimed;
	sb_suspect_note_return(worker, claimed);
}

static size_t run_count_of(test_box *box)
{
	size_t count;

	pthread_mutex_lock(&box->lock);
	count = box->run_count;
	pthread_mutex_unlock(&box->lock);
	return count;
}

/*
 * Whether another run may begin beside this one: asks what each thread of the pool asks, once all of the
 * other steps are in the line.
 */
static int32_t act_watch(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	test_box *box = h->box;
	const size_t before = run_count_of(box);
	stepbus_worker *worker;
	sb_claimed *other;

	(void)context;
	while ((worker = atomic_load(&watched)) == NULL)
		sched_yield();
	while (atomic_load(&worker->queued_count) + run_count_of(box) < STEP_COUNT)
		sched_yield();
	pthread_mutex_lock(&worker->lock);
	other = sb_suspect_take(worker);
	if (other != NULL)
		give_back(worker, other);
	pthread_mutex_unlock(&worker->lock);
	pthread_mutex_lock(&box->lock);
	if (other != NULL || box->run_count != before)
		box->waiting_count++; /* nobody is at the gate: it counts the overlaps */
	pthread_mutex_unlock(&box->lock);
	return stepbus_result_success(result, NULL, 0, NULL);
}

static void work_watched(test_box *box, stepbus *engine)
{
	atomic_store(&watched, test_box_work(box, engine, "\"pool_size\":4,\"strategy\":\"fifo\""));
	test_box_await_notes(box, "step.completed", STEP_COUNT);
	atomic_store(&watched, NULL);
}

static void a_suspect_runs_alone(void **state)
{
	test_box *box = *state;
	stepbus *engine = prepare(box, "AsB", "= 's'", act_watch);

	work_watched(box, engine);
	assert_string_equal(test_box_journal(box), "AsB");
	assert_int_equal(box->waiting_count, 0);
}

static void suspects_run_one_behind_the_other(void **state)
{
	test_box *box = *state;
	stepbus *engine = prepare(box, "abc", "<> ''", act_watch);

	work_watched(box, engine);
	assert_string_equal(test_box_journal(box), "abc");
	assert_int_equal(box->waiting_count, 0);
}

/* And then some: it may only now have begun to wait. The pool looks at each heartbeat. */
static void pass_lease(test_box *box, const stepbus_worker *worker)
{
	for (int i = 0; i < 8; i++) {
		test_box_advance(box, lease_us / 3);
		while (atomic_load(&worker->beaten_at_ns) < atomic_load(&box->elapsed_ns))
			sched_yield();
	}
}

static void a_suspect_waits_for_others_no_longer_than_a_lease(void **state)
{
	test_box *box = *state;
	stepbus *engine = prepare(box, "As", "= 's'", test_act_wait);
	stepbus_worker *worker =
		test_box_work(box, engine, "\"pool_size\":4,\"strategy\":\"fifo\"");
	test_box_await_waiting(box, 1);
	pass_lease(box, worker);
	test_box_await_waiting(box, 2);
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", 2);
}

static void others_wait_for_a_suspect_no_longer_than_a_lease(void **state)
{
	test_box *box = *state;
	stepbus *engine = prepare(box, "abC", "<> 'C'", test_act_wait);
	stepbus_worker *worker =
		test_box_work(box, engine, "\"pool_size\":4,\"strategy\":\"fifo\"");
	test_box_await_waiting(box, 1);
	pass_lease(box, worker);
	test_box_await_waiting(box, 2);
	assert_string_equal(test_box_journal(box), "aC");
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", 3);
	assert_string_equal(test_box_journal(box), "aCb");
}

static void a_suspect_that_is_cancelled_holds_nobody_up(void **state)
{
	test_box *box = *state;
	stepbus *engine = prepare(box, "asB", "<> 'B'", test_act_wait);
	uint8_t id[16];
	stepbus_worker *worker =
		test_box_work(box, engine, "\"pool_size\":4,\"strategy\":\"fifo\"");

	test_box_await_waiting(box, 1);
	/* They come into the line one by one. */
	while (atomic_load(&worker->queued_count) < 2)
		sched_yield();
	pthread_mutex_lock(&worker->lock);
	memcpy(id, worker->first->event.step_id, sizeof id);
	pthread_mutex_unlock(&worker->lock);
	box_ok(box, stepbus_step_cancel(engine, id, &box->err));
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", 2);
	assert_string_equal(test_box_journal(box), "aB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST_ON_DISK(a_suspect_runs_alone),
		BOX_TEST_ON_DISK(suspects_run_one_behind_the_other),
		BOX_TEST_ON_DISK(a_suspect_waits_for_others_no_longer_than_a_lease),
		BOX_TEST_ON_DISK(others_wait_for_a_suspect_no_longer_than_a_lease),
		BOX_TEST_ON_DISK(a_suspect_that_is_cancelled_holds_nobody_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
