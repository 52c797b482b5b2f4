/* SPDX-License-Identifier: MIT */
/*
 * What the clockwork leaves to the writer, where the store lets it down: nothing is said in memory
 * that is not kept, and nothing that fails takes heartbeats, other sweeps or whole steps with it.
 * The store under the engine is the real one, but for the calls that a test replaces.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/ids.h"
#include "support/engine_box.h"

enum { SECOND = 1000000 };

/* The store's calls, some of them replaced; one at a time. */
static struct {
	const sb_store_type *sound;
	sb_store_type type;
	stepbus *engine;
	test_box *box;
	_Atomic(int) failed_count;
	stepbus_status status; /* of what fails */
} faulty;

static void replace(test_box *box, stepbus *engine, void (*change)(sb_store_type *type))
{
	sb_writer_lead(&engine->writer);
	faulty.box = box;
	faulty.engine = engine;
	faulty.sound = engine->store->type;
	faulty.type = *faulty.sound;
	atomic_store(&faulty.failed_count, 0);
	change(&faulty.type);
	engine->store->type = &faulty.type;
	sb_writer_yield(&engine->writer);
}

static void restore(void)
{
	sb_writer_lead(&faulty.engine->writer);
	faulty.engine->store->type = faulty.sound;
	sb_writer_yield(&faulty.engine->writer);
}

/* Until it is so, moving the clock on by that much each time it is asked. */
static void wait_until(test_box *box, int64_t step_us,
		       bool (*is_met)(test_box *box, const void *context), const void *context)
{
	const time_t limit = time(NULL) + TEST_BOX_LIMIT_S;

	while (!is_met(box, context)) {
		if (time(NULL) > limit)
			fail_msg("waited in vain");
		if (step_us > 0)
			test_box_advance(box, step_us);
		sched_yield();
	}
}

static void pass_until(test_box *box, bool (*is_met)(test_box *box, const void *context),
		       const void *context)
{
	wait_until(box, 100000, is_met, context);
}

static bool has_failed_twice(test_box *box, const void *context)
{
	(void)box;
	(void)context;
	return atomic_load(&faulty.failed_count) >= 2;
}

typedef struct inquiry {
	int64_t id;
	int32_t interruption; /* of what is claimed; -1: it is not */
	stepbus_status why;   /* where set, what to interrupt it for */
} inquiry;

static bool inquire(void *context, sb_claimed *claimed)
{
	inquiry *i = context;

	if (claimed->status.id != i->id)
		return true;
	if (i->why != STEPBUS_OK)
		(void)sb_claimed_interrupt(claimed, i->why);
	i->interruption = atomic_load(&claimed->interruption);
	return false;
}

static int32_t interruption_of(stepbus *engine, const uint8_t id[16], stepbus_status why)
{
	inquiry i = { .id = sb_id_to_row(id, engine->store->tag), .interruption = -1, .why = why };

	sb_claimed_table_each(&engine->claimed, inquire, &i);
	return i.interruption;
}

static stepbus_status fail_commit(sb_store *store, stepbus_error *err)
{
	faulty.sound->rollback(store);
	atomic_fetch_add(&faulty.failed_count, 1);
	return sb_fail(err, STEPBUS_ESTORE, "no commit today");
}

static void without_commit(sb_store_type *type)
{
	type->commit = fail_commit;
}

static void a_time_out_that_is_rolled_back_interrupts_nobody(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"poll_ms\":10");
	stepbus_step_spec spec = test_box_spec("wait", "1");
	uint8_t id[16];

	(void)test_box_handle(box, engine, "wait", test_act_wait, NULL);
	(void)test_box_work(box, engine, NULL);
	spec.total_timeout_ms = 1000;
	test_box_put(box, engine, &spec, id);
	test_box_await_waiting(box, 1);
	replace(box, engine, without_commit);
	test_box_advance(box, 2 * SECOND);
	pass_until(box, has_failed_twice, NULL);
	assert_int_equal(interruption_of(engine, id, STEPBUS_OK), STEPBUS_OK);
	restore();
	test_box_advance(box, SECOND);
	test_box_await_notes(box, "step.failed", 1);
	/* The handler has heard of it, or will; nothing else opens the gate for it. */
	while (interruption_of(engine, id, STEPBUS_OK) != -1) {
		assert_int_equal(interruption_of(engine, id, STEPBUS_OK) == STEPBUS_OK, false);
		test_box_stir(box);
		sched_yield();
	}
}

static void a_queued_step_that_is_interrupted_and_still_ours_is_run_all_the_same(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	uint8_t id[16];
	const stepbus_step_spec first = test_box_spec("wait", "1");
	const stepbus_step_spec second = test_box_spec("wait", "2");

	(void)test_box_handle(box, engine, "wait", test_act_wait, NULL);
	(void)test_box_work(box, engine, "\"pool_size\":1");
	test_box_put(box, engine, &first, id);
	test_box_await_waiting(box, 1);
	test_box_put(box, engine, &second, id);
	while (interruption_of(engine, id, STEPBUS_ECANCELLED) != STEPBUS_ECANCELLED)
		sched_yield();
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", 2);
	assert_int_equal(test_box_look(box, engine, id).status.state, SB_STEP_COMPLETED);
}

static stepbus_status fail_due_next(sb_store *store, int64_t *due_at_us, stepbus_error *err)
{
	(void)store;
	(void)due_at_us;
	atomic_fetch_add(&faulty.failed_count, 1);
	return sb_fail(err, faulty.status, "nothing is due");
}

static void without_due_next(sb_store_type *type)
{
	type->due_next = fail_due_next;
}

static void a_sweep_that_fails_takes_no_lease_and_no_other_sweep_with_it(void **state)
{
	test_box *box = *state;
	stepbus *engine =
		test_box_open(box, "\"poll_ms\":10,\"lease_ms\":30000,\"heartbeat_ms\":1000");
	stepbus_step_spec spec = test_box_spec("absent", "");
	size_t beats;

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	(void)test_box_work(box, engine, "\"queues\":[\"default\"]");
	/* Where nobody works. */
	spec.queue = "other";
	spec.queue_len = 5;
	spec.wait_timeout_ms = 1000;
	faulty.status = STEPBUS_ECORRUPT;
	replace(box, engine, without_due_next);
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	/* Longer than the lease, a heartbeat at a time. */
	for (int i = 0; i < 40; i++) {
		beats = test_box_count_notes(box, "worker.heartbeat");
		test_box_advance(box, SECOND);
		test_box_await_notes(box, "worker.heartbeat", beats + 1);
	}
	pass_until(box, has_failed_twice, NULL);
	test_box_await_notes(box, "step.failed", 1);
	test_box_add(box, engine, "work", "1");
	test_box_await_notes(box, "step.completed", 1);
	assert_int_equal(test_box_count_notes(box, "worker.lost"), 0);
	restore();
}

static void a_refusal_inside_a_sweep_keeps_nothing_of_it(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"poll_ms\":10");
	stepbus_step_spec spec = test_box_spec("absent", "");
	uint8_t id[16];

	spec.delay_ms = 1000;
	test_box_put(box, engine, &spec, id);
	faulty.status = STEPBUS_ENOTFOUND;
	replace(box, engine, without_due_next);
	test_box_advance(box, 2 * SECOND);
	pass_until(box, has_failed_twice, NULL);
	test_box_await_notes(box, "store.error", 1);
	assert_int_equal(test_box_look(box, engine, id).status.state, SB_STEP_SCHEDULED);
	restore();
}

static stepbus_status fail_worker_update(sb_store *store, const sb_worker_row *row,
					 stepbus_error *err)
{
	(void)store;
	(void)row;
	if (atomic_fetch_add(&faulty.failed_count, 1) < 2)
		return sb_fail(err, STEPBUS_EBUSY, "not now");
	return faulty.sound->worker_update(store, row, err);
}

static void without_two_updates(sb_store_type *type)
{
	type->worker_update = fail_worker_update;
}

static bool has_beaten(test_box *box, const void *context)
{
	(void)context;
	return test_box_count_notes(box, "worker.heartbeat") > 0;
}

static void a_heartbeat_that_failed_is_tried_again_with_the_next_poll(void **state)
{
	test_box *box = *state;
	stepbus *engine =
		test_box_open(box, "\"poll_ms\":10,\"lease_ms\":3600000,\"heartbeat_ms\":1000000");
	int64_t begun_us;

	(void)test_box_work(box, engine, NULL);
	replace(box, engine, without_two_updates);
	begun_us = atomic_load(&box->now_us);
	test_box_advance(box, (int64_t)1000 * SECOND);
	/* In steps of a poll: long before another heartbeat would be due. */
	wait_until(box, 10000, has_beaten, NULL);
	assert_int_equal(atomic_load(&faulty.failed_count), 3);
	assert_true(atomic_load(&box->now_us) - begun_us < (int64_t)2000 * SECOND);
	restore();
}

static bool is_swept(test_box *box, const void *context)
{
	(void)context;
	return test_box_count_state(box, box->engine, SB_STEP_COMPLETED) == 0;
}

static void retention_goes_on_at_once_where_there_is_much_to_delete(void **state)
{
	enum { COUNT = 100 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"retention\":{\"completed_ms\":1000,"
					     "\"sweep_count_max\":10}");
	stepbus_step_spec specs[COUNT];

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	(void)test_box_work(box, engine, NULL);
	/* Others, that are kept, before, between and behind them: they count for little. */
	for (int i = 0; i < 3; i++) {
		for (int j = 0; j < COUNT; j++)
			specs[j] = test_box_spec("absent", "");
		box_ok(box, stepbus_step_enqueue(engine, specs, COUNT, NULL, &box->err));
		for (int j = 0; j < COUNT / 2; j++)
			specs[j] = test_box_spec("work", "");
		box_ok(box, stepbus_step_enqueue(engine, specs, COUNT / 2, NULL, &box->err));
	}
	test_box_await_notes(box, "step.completed", (size_t)3 * COUNT / 2);
	test_box_await_notes(box, "step.failed", (size_t)3 * COUNT);
	/* One turn. */
	test_box_advance(box, 2 * SECOND);
	wait_until(box, 0, is_swept, NULL);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_FAILED), 3 * COUNT);
}

typedef struct target {
	stepbus *engine;
	const uint8_t *id;
} target;

static bool is_told(test_box *box, const void *context)
{
	const target *t = context;

	(void)box;
	return interruption_of(t->engine, t->id, STEPBUS_OK) == STEPBUS_ECANCELLED;
}

static bool is_claimed(test_box *box, const void *context)
{
	const target *t = context;

	(void)box;
	return interruption_of(t->engine, t->id, STEPBUS_OK) == STEPBUS_OK;
}

static void all_that_is_claimed_is_looked_after_however_much_it_is(void **state)
{
	enum { COUNT = 1100 };
	test_box *box = *state;
	stepbus *here = test_box_open(box, "\"poll_ms\":10");
	stepbus *there = test_box_open(box, NULL);
	stepbus_step_spec spec = test_box_spec("wait", "");
	uint8_t last[16];
	const target t = { here, last };

	(void)test_box_handle(box, here, "wait", test_act_wait, NULL);
	(void)test_box_work(box, here, "\"pool_size\":1,\"block_size\":4000");
	for (int i = 0; i < COUNT; i++)
		test_box_put(box, here, &spec, last);
	pass_until(box, is_claimed, &t);
	box_ok(box, stepbus_step_cancel(there, last, &box->err));
	pass_until(box, is_told, &t);
	test_box_close(box, there);
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", COUNT - 1);
}

/* The first step is in: what the handler permits changes now. */
static stepbus_status insert_and_forbid(sb_store *store, sb_step_row *row,
					const sb_step_status *status, stepbus_error *err)
{
	const stepbus_handler_spec spec = { .permitted_queues = "other",
					    .permitted_queues_len = 5 };

	if (atomic_fetch_add(&faulty.failed_count, 1) == 0)
		(void)test_box_handle(faulty.box, faulty.engine, "work", test_act_echo, &spec);
	return faulty.sound->step_insert(store, row, status, err);
}

static void with_a_changing_mind(sb_store_type *type)
{
	type->step_insert = insert_and_forbid;
}

static void what_a_handler_permits_meanwhile_divides_no_batch(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_step_spec spec = test_box_spec("work", "");
	const stepbus_step_spec specs[] = { spec, spec, spec };

	replace(box, engine, with_a_changing_mind);
	box_ok(box, stepbus_step_enqueue(engine, specs, 3, NULL, &box->err));
	restore();
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), 3);
	box_refused(box, STEPBUS_EINVAL, "permitted_queues",
		    stepbus_step_enqueue(engine, specs, 3, NULL, &box->err));
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), 3);
}

static void assert_says(const test_note *note, const char *word)
{
	if (strstr(note->text, word) == NULL)
		fail_msg("no %s in %s", word, note->text);
}

static void a_step_whose_time_is_over_fails_with_its_reason(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"poll_ms\":10");
	stepbus_step_spec spec = test_box_spec("absent", "");
	const test_note *note;

	spec.wait_timeout_ms = 1000;
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	test_box_advance(box, 2 * SECOND);
	test_box_await_notes(box, "step.failed", 1);
	note = test_box_note(box, "step.failed", 0);
	assert_says(note, "\"reason\":\"timed_out\"");
	assert_says(note, "\"error_type\":\"timed_out\"");
	assert_says(note, "\"error_message\":\"the step did not start");
	assert_says(note, "\"is_retryable\":false");
}

static stepbus_status fail_begin(sb_store *store, stepbus_error *err)
{
	(void)store;
	return sb_fail(err, STEPBUS_EBUSY, "not now");
}

static void without_begin(sb_store_type *type)
{
	type->begin = fail_begin;
}

static void a_step_that_is_lost_for_good_fails_with_its_reason(void **state)
{
	static const char keys[] = "\"poll_ms\":10,\"lease_ms\":3000,\"heartbeat_ms\":1000,"
				   "\"retry\":{\"attempt_count_max\":1}";
	test_box *box = *state;
	stepbus *here = test_box_open(box, keys), *there = test_box_open(box, keys);
	const test_note *note;

	(void)test_box_handle(box, here, "wait", test_act_wait, NULL);
	(void)test_box_work(box, here, NULL);
	test_box_add(box, here, "wait", "");
	test_box_await_waiting(box, 1);
	replace(box, here, without_begin);
	test_box_advance(box, 10 * SECOND);
	test_box_await_notes(box, "step.failed", 1);
	note = test_box_note(box, "step.failed", 0);
	assert_ptr_equal(note->engine, there);
	assert_says(note, "\"error_type\":\"worker_lost\"");
	assert_says(note, "\"error_message\":\"its worker ended, or was cut off");
	assert_says(note, "\"is_retryable\":true");
	restore();
	test_box_open_gate(box);
}

/* What a handler says of retries holds for attempts that never came to an end, too. */
static void a_handler_that_runs_once_is_not_run_again_when_its_worker_is_lost(void **state)
{
	static const char keys[] = "\"poll_ms\":10,\"lease_ms\":3000,\"heartbeat_ms\":1000";
	static const stepbus_handler_spec once = { .retry_kind = STEPBUS_RETRY_NONE,
						   .attempt_count_max = 1 };
	test_box *box = *state;
	stepbus *here = test_box_open(box, keys), *there = test_box_open(box, keys);

	(void)test_box_handle(box, here, "wait", test_act_wait, &once);
	(void)test_box_handle(box, there, "wait", test_act_wait, &once);
	(void)test_box_work(box, here, NULL);
	test_box_add(box, here, "wait", "");
	test_box_await_waiting(box, 1);
	replace(box, here, without_begin);
	(void)test_box_work(box, there, NULL);
	test_box_advance(box, 10 * SECOND);
	test_box_await_notes(box, "step.failed", 1);
	assert_ptr_equal(test_box_note(box, "step.failed", 0)->engine, there);
	assert_int_equal(test_box_run_count(box), 1);
	restore();
	test_box_open_gate(box);
}

static bool is_kept_back(test_box *box, const void *context)
{
	bool is;

	(void)context;
	sb_writer_lead(&box->engine->writer);
	is = box->engine->again != NULL;
	sb_writer_yield(&box->engine->writer);
	return is;
}

/* No time passes: nobody but who stops it tries it again. */
static void a_stop_tries_at_once_what_could_not_be_kept(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_worker *worker;

	(void)test_box_handle(box, engine, "wait", test_act_wait, NULL);
	worker = test_box_work(box, engine, NULL);
	test_box_add(box, engine, "wait", "1");
	test_box_await_waiting(box, 1);
	replace(box, engine, without_commit);
	test_box_open_gate(box);
	wait_until(box, 0, is_kept_back, NULL);
	restore();
	box_ok(box, stepbus_worker_stop(worker, -1, NULL, &box->err));
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(a_time_out_that_is_rolled_back_interrupts_nobody),
		BOX_TEST(a_queued_step_that_is_interrupted_and_still_ours_is_run_all_the_same),
		BOX_TEST(a_sweep_that_fails_takes_no_lease_and_no_other_sweep_with_it),
		BOX_TEST(a_refusal_inside_a_sweep_keeps_nothing_of_it),
		BOX_TEST_ON_DISK(a_handler_that_runs_once_is_not_run_again_when_its_worker_is_lost),
		BOX_TEST(a_stop_tries_at_once_what_could_not_be_kept),
		BOX_TEST(a_heartbeat_that_failed_is_tried_again_with_the_next_poll),
		BOX_TEST(retention_goes_on_at_once_where_there_is_much_to_delete),
		BOX_TEST_ON_DISK(all_that_is_claimed_is_looked_after_however_much_it_is),
		BOX_TEST(what_a_handler_permits_meanwhile_divides_no_batch),
		BOX_TEST(a_step_whose_time_is_over_fails_with_its_reason),
		BOX_TEST_ON_DISK(a_step_that_is_lost_for_good_fails_with_its_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
