/* SPDX-License-Identifier: MIT */
/*
 * One row that another program has changed so that it cannot be: it is passed over, and told of once,
 * while everybody else's steps go on, wherever in a step's life it stands.
 */
#include <string.h>

#include "support/engine_box.h"
#include "support/other_program.h"

#define STORE_ERROR "store.error"

static void damage(test_box *box, const char *sql)
{
	test_other_program(box->path, sql);
}

static void put_in(test_box *box, stepbus *engine, const char *handler, const char *queue,
		   uint8_t step_id[16])
{
	stepbus_step_spec spec = test_box_spec(handler, "victim");

	spec.queue = queue;
	spec.queue_len = strlen(queue);
	test_box_put(box, engine, &spec, step_id);
}

/* An engine that has learnt no names yet, with the handler "work". */
static stepbus *begin(test_box *box)
{
	stepbus *engine;

	/* Those of engines that are closed. */
	box->handler_count = 0;
	engine = test_box_open(box, "\"poll_ms\":10");
	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	return engine;
}

static void check_healthy(test_box *box, stepbus *engine)
{
	stepbus_text *stats = NULL;

	box_ok(box, stepbus_engine_stats(engine, &stats, &box->err));
	if (strstr(stepbus_text_data(stats), "\"is_healthy\":true") == NULL)
		fail_msg("%s", stepbus_text_data(stats));
	stepbus_text_free(stats);
}

/* Steps of every queue run, and polls tell of nothing for a second time. */
static void check_service(test_box *box, stepbus *engine, const char *what, size_t told_count)
{
	size_t run_count = test_box_run_count(box);

	for (size_t i = 1; i <= 3; i++) {
		test_box_add(box, engine, "work", "good");
		test_box_await_runs(box, run_count + i);
		test_box_pass(box, engine, 1000000);
	}
	check_healthy(box, engine);
	if (test_box_count_notes(box, STORE_ERROR) != told_count)
		fail_msg("%s: told %zu times", what, test_box_count_notes(box, STORE_ERROR));
}

/* The step with id 1 is of handler "gone" and in queue "bad"; that with id 2 is a good one in it. */
static const struct {
	const char *sql;
	size_t run_count; /* of the two */
	size_t told_count;
} ready_rows[] = {
	{ "UPDATE state SET state = 6 WHERE id = 1", 1, 1 },
	{ "UPDATE state SET state = 99 WHERE id = 1", 1, 1 },
	{ "UPDATE state SET state = 6, priority = -5, queue_id = 77 WHERE id = 1", 1, 1 },
	{ "DELETE FROM step WHERE id = 1", 1, 1 },
	{ "DELETE FROM handler WHERE name = 'gone'", 1, 1 },
	{ "UPDATE state SET handler_id = 4711 WHERE id = 1", 1, 1 },
	{ "UPDATE state SET queue_id = 4711 WHERE id = 1", 1, 1 },
	/* The next queue would get the number of the one that goes, were it the last one. */
	{ "INSERT INTO queue (name) VALUES ('last'); DELETE FROM queue WHERE name = 'bad'", 0, 1 },
	/* What is called "none" is NULL, but for those who do not know. */
	{ "UPDATE state SET token = 0, handler_id = 2 WHERE id = 1", 2, 0 },
};

static void serve_beside(test_box *box, size_t nth, const char *strategy)
{
	size_t runs = test_box_run_count(box), told = test_box_count_notes(box, STORE_ERROR);
	stepbus *engine = begin(box);
	uint8_t id[16];

	put_in(box, engine, "gone", "bad", id);
	put_in(box, engine, "work", "bad", id);
	test_box_close(box, engine);
	damage(box, ready_rows[nth].sql);
	engine = begin(box);
	test_box_work(box, engine, strategy);
	test_box_await_runs(box, runs + ready_rows[nth].run_count);
	check_service(box, engine, ready_rows[nth].sql, told + ready_rows[nth].told_count);
	test_box_close(box, engine);
	damage(box, "DELETE FROM state; DELETE FROM step; DELETE FROM queue; DELETE FROM handler");
}

static void a_damaged_ready_step_keeps_no_other(void **state)
{
	for (size_t i = 0; i < sizeof ready_rows / sizeof *ready_rows; i++) {
		serve_beside(*state, i, "\"strategy\":\"fifo\"");
		serve_beside(*state, i, "\"strategy\":\"lifo\"");
	}
}

static void damage_under_an_open_engine_is_nobody_elses_answer(void **state)
{
	test_box *box = *state;
	stepbus *engine = begin(box);
	stepbus_step_spec specs[2] = { test_box_spec("work", "a"), test_box_spec("work", "b") };
	uint8_t id[16];

	put_in(box, engine, "work", "bad", id);
	test_box_work(box, engine, NULL);
	test_box_await_runs(box, 1);
	/* Gives another queue its number, which else the next one would get that of the one that goes. */
	test_box_pass(box, engine, 1000000);
	damage(box, "DELETE FROM queue WHERE name = 'bad'");
	/* The first of the two is written when it is seen that the second one has to wait. */
	specs[1].queue = "bad";
	specs[1].queue_len = 3;
	box_ok(box, stepbus_step_enqueue(engine, specs, 2, NULL, &box->err));
	test_box_await_runs(box, 2);
	check_service(box, engine, "queue", 1);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), 1);
}

static void too_many_to_pass_over_end_their_lane_alone(void **state)
{
	test_box *box = *state;
	stepbus *engine = begin(box);
	uint8_t id[16];

	for (int i = 0; i < 1100; i++)
		put_in(box, engine, "work", "bad", id);
	test_box_close(box, engine);
	damage(box, "DELETE FROM step WHERE id < (SELECT max(id) FROM step)");
	engine = begin(box);
	test_box_work(box, engine, NULL);
	/* As many as are told of, and that no more are. */
	check_service(box, engine, "many", SB_DAMAGE_TOLD_MAX + 1);
}

static void a_damaged_delayed_step_keeps_no_other_waiting(void **state)
{
	test_box *box = *state;
	stepbus *engine = begin(box);
	stepbus_step_spec spec = test_box_spec("work", "later");

	test_box_work(box, engine, NULL);
	spec.delay_ms = 500;
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	damage(box, "UPDATE state SET state = 6");
	spec.delay_ms = 800;
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	test_box_pass(box, engine, 1000000);
	test_box_await_runs(box, 1);
	check_service(box, engine, "delayed", 0);
	/* Nothing is due, so that nobody looks for it all the time. */
	assert_int_equal(atomic_load(&engine->due_at_us), 0);
}

static void a_damaged_step_behind_a_key_keeps_no_result(void **state)
{
	test_box *box = *state;
	stepbus *engine = begin(box);
	stepbus_step_spec spec = test_box_spec("wait", "x");
	uint8_t ids[2][16];

	(void)test_box_handle(box, engine, "wait", test_act_wait, NULL);
	test_box_set_queue(box, engine, "default", (sb_queue_row){ .key_concurrency_max = 1 });
	test_box_work(box, engine, NULL);
	spec.concurrency_key = "k";
	spec.concurrency_key_len = 1;
	test_box_put(box, engine, &spec, ids[0]);
	test_box_await_waiting(box, 1);
	test_box_put(box, engine, &spec, ids[1]);
	check_service(box, engine, "key", 0);
	assert_int_equal(test_box_look(box, engine, ids[1]).status.state, SB_STEP_PARKED);
	damage(box, "UPDATE state SET state = 6 WHERE place = -2");
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", 4);
	assert_int_equal(test_box_look(box, engine, ids[0]).status.state, SB_STEP_COMPLETED);
	check_service(box, engine, "key", 0);
}

#define PARK "UPDATE state SET state = 4, place = -2, rank = handler_id, park_key = handler_id;"

static const struct {
	const char *sql;
	size_t told_count;
} parked_rows[] = {
	{ PARK "UPDATE state SET state = 6 WHERE id = 1", 0 },
	{ PARK "DELETE FROM step WHERE id = 1", 1 },
	{ PARK "UPDATE state SET rank = 4711 WHERE id = 1", 1 },
	{ PARK "UPDATE state SET queue_id = 4711 WHERE id = 1", 1 },
};

static void a_damaged_step_behind_a_handler_keeps_no_other(void **state)
{
	test_box *box = *state;

	for (size_t i = 0; i < sizeof parked_rows / sizeof *parked_rows; i++) {
		size_t runs = test_box_run_count(box);
		size_t told = test_box_count_notes(box, STORE_ERROR);
		stepbus *engine = begin(box);
		uint8_t id[16];

		put_in(box, engine, "work", "bad", id);
		put_in(box, engine, "work", "bad", id);
		test_box_close(box, engine);
		damage(box, parked_rows[i].sql);
		engine = begin(box);
		test_box_work(box, engine, NULL);
		test_box_await_runs(box, runs + 1);
		check_service(box, engine, parked_rows[i].sql, told + parked_rows[i].told_count);
		test_box_close(box, engine);
		damage(box, "DELETE FROM state; DELETE FROM step");
	}
}

/* Of a worker that another boot of the machine has ended. */
#define LOSE                                                                                \
	"INSERT INTO worker (id, name, boot_id, pid) VALUES (77, 'dead', zeroblob(16), 1);" \
	"UPDATE state SET state = 5, place = -3, rank = 77, worker_id = 77, token = 5;"

static const struct {
	const char *sql;
	size_t told_count;
} running_rows[] = {
	{ LOSE "UPDATE state SET state = 6 WHERE id = 1", 0 },
	{ LOSE "DELETE FROM step WHERE id = 1", 1 },
};

static void a_damaged_running_step_keeps_no_other_from_being_taken_over(void **state)
{
	test_box *box = *state;

	for (size_t i = 0; i < sizeof running_rows / sizeof *running_rows; i++) {
		size_t runs = test_box_run_count(box);
		size_t told = test_box_count_notes(box, STORE_ERROR);
		stepbus *engine = begin(box);

		for (int k = 0; k < 3; k++)
			test_box_add(box, engine, "work", "lost");
		damage(box, running_rows[i].sql);
		test_box_advance(box, engine->options.heartbeat_ms * 1000);
		test_box_await_notes(box, "step.retry_requested", 2 * (i + 1));
		test_box_work(box, engine, NULL);
		test_box_pass(box, engine, INT64_C(3600000000));
		test_box_await_runs(box, runs + 2);
		check_service(box, engine, running_rows[i].sql, told + running_rows[i].told_count);
		test_box_close(box, engine);
		damage(box, "DELETE FROM state; DELETE FROM step; DELETE FROM worker");
	}
}

static void a_step_without_its_row_is_left_as_it_is(void **state)
{
	test_box *box = *state;
	stepbus *engine = begin(box);
	uint64_t count = 0;
	uint8_t ids[3][16];

	for (size_t i = 0; i < 3; i++)
		put_in(box, engine, "work", "default", ids[i]);
	damage(box, "REPLACE INTO step (id, queue_id, handler_id, created_at) VALUES (2, 0, 0, 0)");
	box_refused(box, STEPBUS_ECORRUPT, "restore",
		    stepbus_step_cancel(engine, ids[1], &box->err));
	assert_int_equal(test_box_look(box, engine, ids[1]).status.state, SB_STEP_READY);
	damage(box, "UPDATE state SET state = 7, place = NULL, rank = NULL");
	box_refused(box, STEPBUS_ECORRUPT, "restore",
		    stepbus_step_redrive(engine, ids[1], &box->err));
	/* Of many, the others are redriven. */
	box_ok(box, stepbus_step_redrive_all(engine, NULL, 0, &count, &box->err));
	assert_int_equal(count, 2);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), 2);
	assert_int_equal(test_box_look(box, engine, ids[1]).status.state, SB_STEP_FAILED);
	test_box_await_notes(box, STORE_ERROR, 1);
}

/* A store whose claims find that something is not there. */
static struct {
	sb_store_type type;
	const sb_store_type *sound;
	_Atomic(int) asked_count;
} faulty;

static stepbus_status lane_next(sb_store *store, bool is_descending, sb_lane *lane, bool *found,
				stepbus_error *err)
{
	(void)store;
	(void)is_descending;
	(void)lane;
	*found = false;
	atomic_fetch_add(&faulty.asked_count, 1);
	return sb_fail(err, STEPBUS_ENOTFOUND, "the test lets it fail");
}

static void a_claim_that_is_refused_is_no_answer_to_who_enqueues(void **state)
{
	test_box *box = *state;
	stepbus *engine = begin(box);
	uint8_t id[16];

	sb_writer_lead(&engine->writer);
	faulty.sound = engine->store->type;
	faulty.type = *faulty.sound;
	faulty.type.lane_next = lane_next;
	engine->store->type = &faulty.type;
	sb_writer_yield(&engine->writer);
	test_box_work(box, engine, NULL);
	test_box_add(box, engine, "nobody", "x");
	put_in(box, engine, "nobody", "default", id);
	assert_true(atomic_load(&faulty.asked_count) > 0);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST_ON_DISK(a_damaged_ready_step_keeps_no_other),
		BOX_TEST_ON_DISK(damage_under_an_open_engine_is_nobody_elses_answer),
		BOX_TEST_ON_DISK(too_many_to_pass_over_end_their_lane_alone),
		BOX_TEST_ON_DISK(a_damaged_delayed_step_keeps_no_other_waiting),
		BOX_TEST_ON_DISK(a_damaged_step_behind_a_key_keeps_no_result),
		BOX_TEST_ON_DISK(a_damaged_step_behind_a_handler_keeps_no_other),
		BOX_TEST_ON_DISK(a_damaged_running_step_keeps_no_other_from_being_taken_over),
		BOX_TEST_ON_DISK(a_step_without_its_row_is_left_as_it_is),
		BOX_TEST(a_claim_that_is_refused_is_no_answer_to_who_enqueues),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
