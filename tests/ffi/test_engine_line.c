/* SPDX-License-Identifier: MIT */
/* A worker's line: who gets its steps, when it is filled again, and what holds it up. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "handlers/worker_line.h"
#include "support/engine_box.h"

static void add_many(test_box *box, stepbus *engine, const char *handler, size_t count)
{
	for (size_t i = 0; i < count; i++)
		test_box_add(box, engine, handler, "x");
}

static void a_long_step_holds_up_none_of_its_block(void **state)
{
	enum { COUNT = 64 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);

	(void)test_box_handle(box, engine, "long", test_act_wait, NULL);
	(void)test_box_handle(box, engine, "short", test_act_echo, NULL);
	test_box_add(box, engine, "long", "x");
	add_many(box, engine, "short", COUNT);
	(void)test_box_work(box, engine, "\"pool_size\":2");
	/* The gate is closed: all others pass the one that waits. */
	test_box_await_waiting(box, 1);
	test_box_await_notes(box, "step.completed", COUNT);
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", COUNT + 1);
}

static void threads_beyond_the_block_get_steps_too(void **state)
{
	enum { COUNT = 4 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);

	(void)test_box_handle(box, engine, "work", test_act_wait, NULL);
	add_many(box, engine, "work", COUNT);
	(void)test_box_work(box, engine, "\"pool_size\":4,\"block_size\":1");
	test_box_await_waiting(box, COUNT);
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", COUNT);
}

/* The clock stands still: nothing is found by looking again later. */
static void a_handler_that_has_room_again_gets_the_next_step_at_once(void **state)
{
	enum { COUNT = 20 };
	const stepbus_handler_spec one_at_a_time = { .size = sizeof one_at_a_time,
						     .concurrency_max = 1 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);

	(void)test_box_handle(box, engine, "work", test_act_echo, &one_at_a_time);
	(void)test_box_work(box, engine, NULL);
	add_many(box, engine, "work", COUNT);
	test_box_await_notes(box, "step.completed", COUNT);
}

static int32_t hear_slowly(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	test_box *box = user_data;

	(void)event_id;
	(void)payload;
	(void)len;
	pthread_mutex_lock(&box->lock);
	while (!box->is_open)
		pthread_cond_wait(&box->changed, &box->lock);
	pthread_mutex_unlock(&box->lock);
	return STEPBUS_OK;
}

static int32_t act_stir(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	(void)context;
	test_box_stir(h->box);
	return stepbus_result_success(result, NULL, 0, NULL);
}

/* All it has claimed is settled, and it claims nothing more. */
static bool is_held_back(const stepbus_worker *worker)
{
	return sb_notices_are_many(&worker->engine->notices) &&
	       atomic_load(&worker->unsettled_count) == 0;
}

typedef struct expectation {
	test_handler *handler;
	int run_count;
} expectation;

static bool has_run(test_box *box, void *context)
{
	const expectation *e = context;

	(void)box;
	return atomic_load(&e->handler->run_count) == e->run_count;
}

static void a_worker_waits_for_those_that_hear_of_its_steps(void **state)
{
	enum { COUNT = 2 * SB_NOTICE_WAITING_MAX, CALL_COUNT = 256 };
	test_box *box = *state;
	const stepbus_subscription slow = { .size = sizeof slow,
					    .deliver = hear_slowly,
					    .user_data = box };
	static const char event[] = STEPBUS_EVENT_STEP_COMPLETION_SENT;
	stepbus_step_spec specs[CALL_COUNT];
	expectation all = { .run_count = COUNT };
	stepbus_worker *worker;
	stepbus *engine;

	box->is_deaf = true;
	engine = test_box_open(box, NULL);
	box_ok(box, stepbus_bridge_subscribe(stepbus_engine_bridge(engine), event, strlen(event),
					     &slow, NULL, &box->err));
	all.handler = test_box_handle(box, engine, "work", act_stir, NULL);
	for (size_t i = 0; i < CALL_COUNT; i++)
		specs[i] = test_box_spec("work", "x");
	for (size_t i = 0; i < COUNT / CALL_COUNT; i++)
		box_ok(box, stepbus_step_enqueue(engine, specs, CALL_COUNT, NULL, &box->err));
	worker = test_box_work(box, engine, NULL);
	while (!is_held_back(worker))
		sched_yield();
	assert_int_equal(sb_worker_wanted(worker), 0);
	assert_true(atomic_load(&all.handler->run_count) < COUNT);
	test_box_open_gate(box);
	test_box_await(box, has_run, &all);
}

static void a_step_is_put_back_for_as_long_as_the_lease_is_over(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"lease_ms\":10000,\"heartbeat_ms\":2000");
	stepbus_worker *worker;
	sb_claimed *claimed;
	int64_t lease_until_ns;

	(void)test_box_handle(box, engine, "work", test_act_wait, NULL);
	add_many(box, engine, "work", 2);
	worker = test_box_work(box, engine, "\"pool_size\":1");
	test_box_await_waiting(box, 1);
	/* As a thread of the pool that finds the lease over: it is over still. */
	claimed = sb_worker_line_take(worker);
	assert_non_null(claimed);
	lease_until_ns = atomic_exchange(&worker->lease_until_ns, 0);
	sb_worker_line_put_back(worker, claimed);
	assert_true(worker->is_suspended);
	sb_worker_resume(worker);
	/* It was renewed before the thread came to say so. */
	atomic_store(&worker->lease_until_ns, lease_until_ns);
	claimed = sb_worker_line_take(worker);
	assert_non_null(claimed);
	sb_worker_line_put_back(worker, claimed);
	assert_false(worker->is_suspended);
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", 2);
}

static void what_lies_beside_the_database_stays_there_when_the_process_moves(void **state)
{
	test_box *box = *state;
	char path[TEST_PATH_LEN], name[64], before[4096];
	stepbus *engine;

	assert_non_null(getcwd(before, sizeof before));
	assert_int_equal(chdir(box->dir.path), 0);
	(void)snprintf(box->path, sizeof box->path, "here.db");
	engine = test_box_open(box, NULL);
	assert_int_equal(chdir(before), 0);
	(void)test_box_work(box, engine, NULL);
	(void)snprintf(name, sizeof name, "here.db-started-%d-1", getpid());
	test_tempdir_path(&box->dir, name, path);
	assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(a_long_step_holds_up_none_of_its_block),
		BOX_TEST(threads_beyond_the_block_get_steps_too),
		BOX_TEST(a_handler_that_has_room_again_gets_the_next_step_at_once),
		BOX_TEST_IN_MEMORY(a_worker_waits_for_those_that_hear_of_its_steps),
		BOX_TEST(a_step_is_put_back_for_as_long_as_the_lease_is_over),
		BOX_TEST_ON_DISK(what_lies_beside_the_database_stays_there_when_the_process_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
