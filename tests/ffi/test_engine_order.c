/* SPDX-License-Identifier: MIT */
/*
 * Which step runs next: strategies, queues, limits and pauses. Queues are filled before the worker
 * starts, and one thread runs one step at a time, so that the order is that of the claims.
 */
#include <stdio.h>
#include <string.h>

#include "support/engine_box.h"

enum { SECOND = 1000000 };

static void put(test_box *box, stepbus *engine, const char *input, int32_t priority,
		const char *queue)
{
	stepbus_step_spec spec = test_box_spec("work", input);

	spec.priority = priority;
	spec.queue = queue;
	spec.queue_len = queue != NULL ? strlen(queue) : 0;
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
}

typedef struct order_case {
	const char *strategy;
	uint32_t block_size;
	const char *expected;
} order_case;

/* Steps a to f, with priorities 30, 10, 20, 10, 30, 1. */
static void run_order(test_box *box, const order_case *c)
{
	static const int32_t priorities[] = { 30, 10, 20, 10, 30, 1 };
	stepbus *engine = test_box_open(box, NULL);
	size_t before = test_box_run_count(box);
	char keys[128];

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	for (size_t i = 0; i < 6; i++) {
		const char input[] = { (char)('a' + i), '\0' };

		put(box, engine, input, priorities[i], NULL);
	}
	(void)snprintf(keys, sizeof keys,
		       "\"strategy\":\"%s\",\"block_size\":%u,\"pool_size\":1,"
		       "\"age_share_percent\":0",
		       c->strategy, c->block_size);
	(void)test_box_work(box, engine, keys);
	test_box_await_runs(box, before + 6);
	assert_string_equal(test_box_journal(box) + before, c->expected);
	test_box_close(box, engine);
}

static void strategies_order_what_waits(void **state)
{
	static const order_case cases[] = {
		{ "priority", 1, "fbdcae" }, { "priority", 256, "fbdcae" },
		{ "fifo", 1, "abcdef" },     { "fifo", 4, "abcdef" },
		{ "lifo", 1, "fedcba" },     { "lifo", 256, "fedcba" },
	};
	test_box *box = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		run_order(box, &cases[i]);
}

/* Without a limit on what may be drawn, low numbers come first more often, but not always. */
static void weighted_random_draws_by_weight(void **state)
{
	enum { COUNT = 400 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	size_t heavy = 0;

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	for (int i = 0; i < COUNT; i++) {
		put(box, engine, "h", 1, NULL);
		put(box, engine, "l", 9, NULL);
	}
	(void)test_box_work(box, engine,
			    "\"strategy\":\"weighted_random\",\"block_size\":1,\"pool_size\":1,"
			    "\"age_share_percent\":0");
	test_box_await_runs(box, 2 * COUNT);
	for (int i = 0; i < COUNT / 2; i++)
		heavy += test_box_journal(box)[i] == 'h';
	/* Weights 1/2 and 1/10: five of six, give or take six standard deviations. */
	assert_in_range(heavy, 200 * 5 / 6 - 32, 200 * 5 / 6 + 32);
}

static void the_age_share_keeps_low_priorities_alive(void **state)
{
	enum { COUNT = 100 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	size_t old = 0;

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	for (int i = 0; i < COUNT; i++)
		put(box, engine, "o", 9000, NULL);
	for (int i = 0; i < COUNT; i++)
		put(box, engine, "n", 1, NULL);
	(void)test_box_work(box, engine,
			    "\"block_size\":1,\"pool_size\":1,\"age_share_percent\":20");
	test_box_await_runs(box, 2 * COUNT);
	for (int i = 0; i < COUNT; i++)
		old += test_box_journal(box)[i] == 'o';
	assert_in_range(old, COUNT / 5 - 1, COUNT / 5 + 1);
}

static void workers_take_from_their_queues_only(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	put(box, engine, "m", 0, "mail");
	put(box, engine, "r", 0, "reports");
	put(box, engine, "d", 0, NULL);
	(void)test_box_work(box, engine, "\"queues\":[\"reports\"],\"pool_size\":1");
	test_box_await_notes(box, "step.completed", 1);
	assert_string_equal(test_box_journal(box), "r");
	(void)test_box_work(box, engine, "\"queues\":[\"mail\",\"later\"],\"pool_size\":1");
	test_box_await_notes(box, "step.completed", 2);
	assert_string_equal(test_box_journal(box), "rm");
	put(box, engine, "l", 0, "later");
	test_box_await_notes(box, "step.completed", 3);
	assert_string_equal(test_box_journal(box), "rml");
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), 1);
}

/* The most that ran at once, counted by the handlers. */
typedef struct crowd {
	_Atomic(int) now;
	_Atomic(int) most;
} crowd;

static int32_t act_count(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	crowd *c = h->object;
	int now = atomic_fetch_add(&c->now, 1) + 1;
	int most = atomic_load(&c->most);

	while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now))
		;
	(void)test_box_pass_gate(h->box, context);
	atomic_fetch_sub(&c->now, 1);
	return test_act_echo(h, context, result);
}

static void a_queue_runs_no_more_than_its_concurrency(void **state)
{
	enum { COUNT = 40 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"queues\":{\"mail\":{\"concurrency_max\":2}}");
	crowd c = { 0 };

	test_box_handle(box, engine, "work", act_count, NULL)->object = &c;
	for (int i = 0; i < COUNT; i++)
		put(box, engine, "m", 1 + i % 5, "mail");
	(void)test_box_work(box, engine, "\"pool_size\":4");
	(void)test_box_work(box, engine, "\"pool_size\":2");
	test_box_await_waiting(box, 2);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_RUNNING), 2);
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", COUNT);
	assert_int_equal(atomic_load(&c.most), 2);
}

static void a_key_runs_no_more_than_its_concurrency(void **state)
{
	enum { COUNT = 30 };
	test_box *box = *state;
	stepbus *engine =
		test_box_open(box, "\"queues\":{\"default\":{\"key_concurrency_max\":1}}");
	crowd crowds[3] = { { 0 } };
	static const char *const names[] = { "one", "two", "free" };
	stepbus_step_spec spec;

	for (size_t i = 0; i < 3; i++)
		test_box_handle(box, engine, names[i], act_count, NULL)->object = &crowds[i];
	for (int i = 0; i < 3 * COUNT; i++) {
		spec = test_box_spec(names[i % 3], "k");
		spec.concurrency_key = i % 3 < 2 ? names[i % 3] : NULL;
		spec.concurrency_key_len = i % 3 < 2 ? 3 : 0;
		box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	}
	(void)test_box_work(box, engine, "\"pool_size\":4");
	test_box_await_waiting(box, 4);
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", 3 * COUNT);
	assert_int_equal(atomic_load(&crowds[0].most), 1);
	assert_int_equal(atomic_load(&crowds[1].most), 1);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_PARKED), 0);
}

static void a_key_that_fails_or_snoozes_makes_room(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(
		box, "\"queues\":{\"default\":{\"key_concurrency_max\":1}},"
		     "\"retry\":{\"kind\":\"fixed\",\"base_ms\":60000,\"jitter_percent\":0}");
	static const char *const names[] = { "fails", "breaks", "works" };
	stepbus_step_spec spec;

	(void)test_box_handle(box, engine, "fails", test_act_fail, NULL);
	(void)test_box_handle(box, engine, "breaks", test_act_fail_for_good, NULL);
	(void)test_box_handle(box, engine, "works", test_act_echo, NULL);
	for (size_t i = 0; i < 3; i++) {
		spec = test_box_spec(names[i], "k");
		spec.concurrency_key = "same";
		spec.concurrency_key_len = 4;
		box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	}
	(void)test_box_work(box, engine, NULL);
	test_box_await_notes(box, "step.completed", 1);
	assert_int_equal(test_box_run_count(box), 3);
}

static void a_rate_lets_so_many_start_in_each_period(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(
		box, "\"queues\":{\"mail\":{\"rate_count\":2,\"rate_period_ms\":1000}}");

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	for (int i = 0; i < 6; i++)
		put(box, engine, "m", 0, "mail");
	(void)test_box_work(box, engine, "\"pool_size\":1");
	test_box_await_notes(box, "step.completed", 2);
	/* Room comes back evenly: one in half a second. */
	test_box_pass(box, engine, SECOND / 2 - 1);
	assert_int_equal(test_box_run_count(box), 2);
	test_box_advance(box, 1);
	test_box_await_notes(box, "step.completed", 3);
	test_box_advance(box, SECOND);
	test_box_await_notes(box, "step.completed", 5);
	test_box_pass(box, engine, 0);
	assert_int_equal(test_box_run_count(box), 5);
	test_box_advance(box, 100 * SECOND);
	test_box_await_notes(box, "step.completed", 6);
}

static void a_paused_queue_waits_and_others_go_on(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"queues\":{\"mail\":{\"paused\":true}}");

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	(void)test_box_work(box, engine, "\"pool_size\":1");
	put(box, engine, "m", 1, "mail");
	put(box, engine, "d", 9, NULL);
	test_box_await_notes(box, "step.completed", 1);
	test_box_pass(box, engine, SECOND);
	assert_string_equal(test_box_journal(box), "d");
	box_ok(box, stepbus_queue_resume(engine, "mail", 4, &box->err));
	test_box_await_notes(box, "step.completed", 2);
	assert_string_equal(test_box_journal(box), "dm");
}

static void what_runs_when_a_queue_is_paused_goes_on(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);

	(void)test_box_handle(box, engine, "work", test_act_wait, NULL);
	(void)test_box_work(box, engine, "\"pool_size\":1,\"block_size\":1");
	put(box, engine, "1", 0, "mail");
	test_box_await_waiting(box, 1);
	box_ok(box, stepbus_queue_pause(engine, "mail", 4, &box->err));
	put(box, engine, "2", 0, "mail");
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", 1);
	test_box_pass(box, engine, SECOND);
	assert_string_equal(test_box_journal(box), "1");
}

static void permissions_are_the_handlers(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_handler_spec queues = { .permitted_queues = "mail, bulk",
					      .permitted_queues_len = 10 };
	const stepbus_handler_spec callers = { .permitted_callers = "shop",
					       .permitted_callers_len = 4 };
	stepbus_step_spec spec = test_box_spec("queued", "q");

	(void)test_box_handle(box, engine, "queued", test_act_echo, &queues);
	(void)test_box_handle(box, engine, "called", test_act_echo, &callers);
	box_refused(box, STEPBUS_EINVAL, "permitted_queues",
		    stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	spec.queue = "bulk";
	spec.queue_len = 4;
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	spec = test_box_spec("called", "c");
	box_refused(box, STEPBUS_EINVAL, "permitted_callers",
		    stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	spec.caller = "bank";
	spec.caller_len = 4;
	box_refused(box, STEPBUS_EINVAL, "'bank'",
		    stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	spec.caller = "shop";
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	(void)test_box_work(box, engine, NULL);
	test_box_await_notes(box, "step.completed", 2);
}

static void strict_engines_take_what_a_worker_once_served(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"strict_handlers\":true");
	const stepbus_step_spec spec = test_box_spec("work", "s");
	stepbus_worker *worker;

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	box_refused(box, STEPBUS_ENOTFOUND, "'work'",
		    stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	worker = test_box_work(box, engine, NULL);
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	stepbus_worker_free(worker);
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	if (!box->is_on_disk)
		return;
	test_box_close(box, engine);
	engine = test_box_open(box, "\"strict_handlers\":true");
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(strategies_order_what_waits),
		BOX_TEST(weighted_random_draws_by_weight),
		BOX_TEST(the_age_share_keeps_low_priorities_alive),
		BOX_TEST(workers_take_from_their_queues_only),
		BOX_TEST(a_queue_runs_no_more_than_its_concurrency),
		BOX_TEST(a_key_runs_no_more_than_its_concurrency),
		BOX_TEST(a_key_that_fails_or_snoozes_makes_room),
		BOX_TEST(a_rate_lets_so_many_start_in_each_period),
		BOX_TEST(a_paused_queue_waits_and_others_go_on),
		BOX_TEST(what_runs_when_a_queue_is_paused_goes_on),
		BOX_TEST(permissions_are_the_handlers),
		BOX_TEST(strict_engines_take_what_a_worker_once_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
