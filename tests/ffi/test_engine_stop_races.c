/* SPDX-License-Identifier: MIT */
/* Stops of workers and engines that meet each other, starts, and lost rows. */
#include "handlers/worker.h"
#include "support/engine_box.h"
#include "support/thread.h"

static int32_t act_stubborn(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	test_box *box = h->box;

	(void)context;
	pthread_mutex_lock(&box->lock);
	box->waiting_count++;
	pthread_cond_broadcast(&box->changed);
	while (!box->is_open)
		pthread_cond_wait(&box->changed, &box->lock);
	box->waiting_count--;
	pthread_mutex_unlock(&box->lock);
	return stepbus_result_success(result, "done", 4, NULL);
}

typedef struct stopper {
	stepbus *engine;
	stepbus_worker *worker; /* NULL: stops the engine */
	stepbus_status status;
} stopper;

static void stop(void *context)
{
	stopper *s = context;

	s->status = s->worker != NULL ? stepbus_worker_stop(s->worker, -1, NULL, NULL) :
					stepbus_stop(s->engine, -1, NULL, NULL);
}

/* Both wait for the handler, and wake at the same time. */
static void stop_twice(test_box *box, bool is_engine_first, bool is_engine_second)
{
	stepbus *engine = test_box_open(box, NULL);
	stepbus_worker *worker;
	test_thread threads[2];
	stopper stoppers[2];

	(void)test_box_handle(box, engine, "work", act_stubborn, NULL);
	worker = test_box_work(box, engine, NULL);
	test_box_add(box, engine, "work", "x");
	test_box_await_waiting(box, 1);
	stoppers[0] = (stopper){ engine, is_engine_first ? NULL : worker, STEPBUS_ESTORE };
	stoppers[1] = (stopper){ engine, is_engine_second ? NULL : worker, STEPBUS_ESTORE };
	for (int i = 0; i < 2; i++) {
		test_thread_start(&threads[i], stop, &stoppers[i]);
		test_thread_await_sleep(&threads[i]);
	}
	test_box_open_gate(box);
	for (int i = 0; i < 2; i++) {
		test_thread_join(&threads[i]);
		assert_int_equal(stoppers[i].status, STEPBUS_OK);
	}
	/* Once, by whoever came first. */
	test_box_await_notes(box, "worker.stopped", 1);
	box_ok(box, stepbus_stop(engine, -1, NULL, &box->err));
	assert_int_equal(test_box_count_notes(box, "worker.stopped"), 1);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), 1);
}

static void two_threads_may_stop_one_worker(void **state)
{
	stop_twice(*state, false, false);
}

static void an_engine_and_its_worker_may_be_stopped_at_once(void **state)
{
	stop_twice(*state, true, false);
}

static void two_threads_may_stop_one_engine(void **state)
{
	stop_twice(*state, true, true);
}

static void free_worker(void *context)
{
	stepbus_worker_free(context);
}

static void a_worker_may_be_freed_while_its_engine_is_stopped(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stopper s = { .engine = engine };
	test_thread stopping, freeing;
	stepbus_worker *worker;

	(void)test_box_handle(box, engine, "work", act_stubborn, NULL);
	worker = test_box_work(box, engine, NULL);
	test_box_add(box, engine, "work", "x");
	test_box_await_waiting(box, 1);
	test_thread_start(&stopping, stop, &s);
	test_thread_await_sleep(&stopping);
	test_thread_start(&freeing, free_worker, worker);
	test_thread_await_sleep(&freeing);
	test_box_open_gate(box);
	test_thread_join(&stopping);
	test_thread_join(&freeing);
	assert_int_equal(s.status, STEPBUS_OK);
}

static void no_worker_starts_in_an_engine_that_was_stopped_meanwhile(void **state)
{
	const sb_worker_options options = { .name = sb_slice_z("late"),
					    .strategy = SB_CLAIM_PRIORITY,
					    .block_size = 8,
					    .pool_size = 2 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	test_handler *handler = test_box_handle(box, engine, "work", test_act_echo, NULL);
	stepbus_worker *worker = NULL;

	test_box_add(box, engine, "work", "x");
	box_ok(box, stepbus_stop(engine, -1, NULL, &box->err));
	/* As if it had been asked for before. */
	box_refused(box, STEPBUS_ESHUTDOWN, "stopped",
		    sb_worker_start(engine, &options, &worker, &box->err));
	assert_null(worker);
	assert_int_equal(atomic_load(&handler->run_count), 0);
	assert_int_equal(test_box_count_notes(box, "worker.started"), 0);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), 1);
}

static void a_worker_that_has_no_row_for_the_moment_is_stopped_all_the_same(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_worker *worker = test_box_work(box, engine, NULL);

	/* As in a transaction that gives it another one. */
	sb_writer_lead(&engine->writer);
	worker->row.id = 0;
	sb_writer_yield(&engine->writer);
	box_ok(box, stepbus_worker_stop(worker, -1, NULL, &box->err));
	test_box_await_notes(box, "worker.stopped", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(two_threads_may_stop_one_worker),
		BOX_TEST(an_engine_and_its_worker_may_be_stopped_at_once),
		BOX_TEST(two_threads_may_stop_one_engine),
		BOX_TEST(a_worker_may_be_freed_while_its_engine_is_stopped),
		BOX_TEST(no_worker_starts_in_an_engine_that_was_stopped_meanwhile),
		BOX_TEST(a_worker_that_has_no_row_for_the_moment_is_stopped_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
