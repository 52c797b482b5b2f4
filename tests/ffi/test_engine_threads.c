/* SPDX-License-Identifier: MIT */
/* Many threads on one engine: each gets its own answer, and the sums add up. */
#include <sched.h>
#include <string.h>

#include "support/engine_box.h"
#include "support/thread.h"

enum { THREADS = 64, EACH = 20 };

typedef struct producer {
	test_box *box;
	stepbus *engine;
	test_thread thread;
	int number;
	int failed_count;
	int existing_count;
	uint8_t last_id[16];
	bool is_descending; /* an id was not above the one before */
} producer;

static void produce(void *context)
{
	producer *p = context;

	for (int i = 0; i < EACH; i++) {
		char input[] = { (char)('A' + p->number % 26), '\0' };
		stepbus_step_spec specs[2] = { test_box_spec("work", input),
					       test_box_spec("work", input) };
		stepbus_enqueued out[2] = { { .size = sizeof *out } };

		if (stepbus_step_enqueue(p->engine, specs, 2, out, NULL) != STEPBUS_OK) {
			p->failed_count++;
			continue;
		}
		p->is_descending = p->is_descending ||
				   memcmp(out[0].step_id, p->last_id, 16) <= 0 ||
				   memcmp(out[1].step_id, out[0].step_id, 16) <= 0;
		memcpy(p->last_id, out[1].step_id, 16);
	}
}

static void run_producers(test_box *box, stepbus *engine, producer *producers,
			  void (*run)(void *context))
{
	for (int i = 0; i < THREADS; i++) {
		producers[i] = (producer){ .box = box, .engine = engine, .number = i };
		test_thread_start(&producers[i].thread, run, &producers[i]);
	}
	for (int i = 0; i < THREADS; i++)
		test_thread_join(&producers[i].thread);
}

static void sums_of_64_producers_add_up(void **state)
{
	static producer producers[THREADS];
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	sb_writer_stats stats;

	run_producers(box, engine, producers, produce);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(producers[i].failed_count, 0);
		assert_false(producers[i].is_descending);
	}
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), 2 * THREADS * EACH);
	/* A sweep may have come in just now; it passes. */
	do
		sb_writer_stats_read(&engine->writer, &stats);
	while (stats.waiting_count > 0 && sched_yield() == 0);
	assert_true(stats.operation_count >= THREADS * EACH);
}

static void producers_and_workers_go_on_at_once(void **state)
{
	static producer producers[THREADS];
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	size_t sum[26] = { 0 };

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	(void)test_box_work(box, engine, "\"pool_size\":3,\"block_size\":16");
	run_producers(box, engine, producers, produce);
	test_box_await_notes(box, "step.completed", 2 * THREADS * EACH);
	assert_int_equal(test_box_run_count(box), 2 * THREADS * EACH);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), 2 * THREADS * EACH);
	for (size_t i = 0; i < box->run_count; i++)
		sum[box->runs[i].input[0] - 'A']++;
	for (int i = 0; i < THREADS; i++)
		sum[i % 26] -= 2 * EACH;
	for (size_t i = 0; i < 26; i++)
		assert_int_equal(sum[i], 0);
}

/* All want the same few keys. */
static void compete(void *context)
{
	producer *p = context;

	for (int i = 0; i < EACH; i++) {
		char key[] = { (char)('a' + i), '\0' };
		stepbus_step_spec spec = test_box_spec("work", key);
		stepbus_enqueued out = { .size = sizeof out };

		spec.idempotency_key = key;
		spec.idempotency_key_len = 1;
		p->failed_count +=
			stepbus_step_enqueue(p->engine, &spec, 1, &out, NULL) != STEPBUS_OK;
		p->existing_count += (int)out.is_existing;
	}
}

static void one_of_64_gets_the_new_step_of_a_key(void **state)
{
	static producer producers[THREADS];
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	int existing_count = 0;

	run_producers(box, engine, producers, compete);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(producers[i].failed_count, 0);
		existing_count += producers[i].existing_count;
	}
	assert_int_equal(existing_count, (THREADS - 1) * EACH);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), EACH);
}

static void produce_async(void *context)
{
	producer *p = context;
	const stepbus_step_spec spec = test_box_spec("work", "x");

	for (int i = 0; i < EACH; i++)
		p->failed_count +=
			stepbus_step_enqueue_async(p->engine, &spec, 1, test_box_enqueued, p->box,
						   NULL) != STEPBUS_OK;
}

static void callbacks_of_64_come_once_each(void **state)
{
	static producer producers[THREADS];
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);

	run_producers(box, engine, producers, produce_async);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(producers[i].failed_count, 0);
	test_box_await_answers(box, THREADS * EACH);
	box_ok(box, stepbus_stop(engine, -1, NULL, &box->err));
	assert_int_equal(box->answered_count, THREADS * EACH);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), THREADS * EACH);
}

/* Some get in before the stop, the others are refused; none is half in. */
static void a_stop_among_64_refuses_or_keeps(void **state)
{
	static producer producers[THREADS];
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	int failed_count = 0;

	for (int i = 0; i < THREADS; i++) {
		producers[i] = (producer){ .box = box, .engine = engine, .number = i };
		test_thread_start(&producers[i].thread, produce, &producers[i]);
		if (i == THREADS / 2)
			box_ok(box, stepbus_stop(engine, -1, NULL, &box->err));
	}
	for (int i = 0; i < THREADS; i++) {
		test_thread_join(&producers[i].thread);
		failed_count += producers[i].failed_count;
	}
	assert_true(failed_count >= (THREADS / 2 - 1) * EACH);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY),
			 2 * (THREADS * EACH - failed_count));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(sums_of_64_producers_add_up),
		BOX_TEST(producers_and_workers_go_on_at_once),
		BOX_TEST(one_of_64_gets_the_new_step_of_a_key),
		BOX_TEST(callbacks_of_64_come_once_each),
		BOX_TEST(a_stop_among_64_refuses_or_keeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
