/* SPDX-License-Identifier: MIT */
/* What a claim must reach, however much stands before it, and what it must charge for. */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "handlers/express.h"
#include "handlers/worker.h"
#include "store/sqlite_store.h"
#include "support/engine_box.h"

enum { SECOND = 1000000, LANE_COUNT = 128 };

static stepbus_step_spec in_queue(const char *handler, const char *input, const char *queue)
{
	stepbus_step_spec spec = test_box_spec(handler, input);

	spec.queue = queue;
	spec.queue_len = strlen(queue);
	return spec;
}

static void put_in(test_box *box, stepbus *engine, const char *handler, const char *input,
		   const char *queue)
{
	const stepbus_step_spec spec = in_queue(handler, input, queue);
	uint8_t id[16];

	test_box_put(box, engine, &spec, id);
}

static void handle_one_at_a_time(test_box *box, stepbus *engine, const char *name, test_act act)
{
	const stepbus_handler_spec spec = { .size = sizeof spec, .concurrency_max = 1 };

	(void)test_box_handle(box, engine, name, act, &spec);
}

/* Claims once, whatever the handlers do meanwhile. */
static void claim_once(stepbus *engine)
{
	sb_writer_lead(&engine->writer);
	atomic_fetch_add(&engine->change_count, 1);
	sb_writer_yield(&engine->writer);
	sb_writer_nudge(&engine->writer);
}

/* One step in each of more queues than a claim looks at, that of "z" the last one; then many more. */
static void fill_lanes(test_box *box, stepbus *engine, int32_t priority)
{
	stepbus_step_spec last = in_queue("last", "last", "z");
	uint8_t id[16];
	char queue[16];

	last.priority = priority;
	for (int n = 0; n < 4; n++) {
		for (int i = 0; i < LANE_COUNT; i++) {
			(void)snprintf(queue, sizeof queue, "q%d", i);
			put_in(box, engine, "work", "x", queue);
		}
		if (n == 0)
			test_box_put(box, engine, &last, id);
	}
}

static size_t turn_of_last(test_box *box)
{
	for (size_t i = 0; i < box->run_count; i++)
		if (strcmp(box->runs[i].handler, "last") == 0)
			return i;
	return SIZE_MAX;
}

static void run_many_lanes(test_box *box, int32_t priority, const char *keys)
{
	stepbus *engine = test_box_open(box, NULL);

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	(void)test_box_handle(box, engine, "last", test_act_echo, NULL);
	fill_lanes(box, engine, priority);
	(void)test_box_work(box, engine, keys);
	test_box_await_runs(box, 4 * LANE_COUNT + 1);
}

static void an_urgent_step_behind_many_lanes_is_seen_by_the_second_claim(void **state)
{
	run_many_lanes(*state, 1, "\"block_size\":2,\"pool_size\":1");
	assert_in_range(turn_of_last(*state), 0, 8);
}

static void the_oldest_step_of_many_lanes_has_its_turn(void **state)
{
	run_many_lanes(*state, 0, "\"strategy\":\"fifo\",\"block_size\":2,\"pool_size\":1");
	assert_in_range(turn_of_last(*state), LANE_COUNT - 4, LANE_COUNT + 8);
}

static void a_worker_finds_its_queue_among_many(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	char queue[16];

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	for (int i = 0; i < 3 * LANE_COUNT; i++) {
		(void)snprintf(queue, sizeof queue, "q%d", i);
		put_in(box, engine, "work", queue, queue);
	}
	/* Of two threads, the one with the second step may be the first to tell. */
	(void)test_box_work(box, engine, "\"queues\":[\"q300\",\"q7\",\"none\"],\"pool_size\":1");
	test_box_await_runs(box, 2);
	assert_string_equal(test_box_journal(box), "q7q300");
}

/* Steps that wait for their handler's place, and whose queue was paused meanwhile. */
static void parked_steps_of_a_paused_queue_hold_up_no_others(void **state)
{
	enum { COUNT = 700 }; /* more than one claim looks at */
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);

	handle_one_at_a_time(box, engine, "work", test_act_wait);
	(void)test_box_work(box, engine, "\"pool_size\":2");
	put_in(box, engine, "work", "a", "go");
	test_box_await_waiting(box, 1);
	for (int i = 0; i < COUNT; i++)
		put_in(box, engine, "work", "p", "paused");
	for (int i = 0; i < 4; i++)
		put_in(box, engine, "work", "b", "go");
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_PARKED), COUNT + 4);
	box_ok(box, stepbus_queue_pause(engine, "paused", 6, &box->err));
	test_box_open_gate(box);
	for (size_t runs = 2; runs <= 5; runs++) {
		test_box_await_notes(box, "step.completed", runs - 1);
		claim_once(engine);
		test_box_await_runs(box, runs);
	}
	assert_string_equal(test_box_journal(box), "abbbb");
	/* And they run when their queue goes on. */
	test_box_await_notes(box, "step.completed", 5);
	box_ok(box, stepbus_queue_resume(engine, "paused", 6, &box->err));
	test_box_await_runs(box, 6);
}

/* The same where another queue's steps are for no worker that is there. */
static void parked_steps_of_a_foreign_queue_hold_up_no_others(void **state)
{
	enum { COUNT = 700 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_worker *all;

	handle_one_at_a_time(box, engine, "work", test_act_wait);
	all = test_box_work(box, engine, "\"pool_size\":2");
	put_in(box, engine, "work", "a", "go");
	test_box_await_waiting(box, 1);
	for (int i = 0; i < COUNT; i++)
		put_in(box, engine, "work", "f", "foreign");
	put_in(box, engine, "work", "b", "go");
	/* What is told to stop may have returned by then, or needs to be stirred. */
	(void)stepbus_worker_stop(all, 0, NULL, &box->err);
	test_box_stir(box);
	box_ok(box, stepbus_worker_stop(all, -1, NULL, &box->err));
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_PARKED), COUNT + 1);
	(void)test_box_work(box, engine, "\"queues\":[\"go\"]");
	/* One claim looks at the first of them, the next one behind those. */
	for (int i = 0; i < 4; i++) {
		sb_engine_wake(engine);
		while (!sb_worker_is_drained(engine->workers))
			sched_yield();
	}
	test_box_await_waiting(box, 1);
	test_box_open_gate(box);
	test_box_await_runs(box, 2);
	assert_string_equal(test_box_journal(box), "ab");
}

typedef struct wanted_queue {
	sb_slice name;
	sb_queue_row row;
} wanted_queue;

static bool note_queue(void *context, const sb_queue_row *row)
{
	wanted_queue *wanted = context;

	if (sb_slice_is_equal(row->name, wanted->name))
		wanted->row = *row;
	return true;
}

static int64_t rate_room_of(test_box *box, stepbus *engine, const char *name)
{
	wanted_queue wanted = { .name = sb_slice_z(name) };

	box_ok(box, engine->store->type->queue_list(engine->store, note_queue, &wanted, &box->err));
	return wanted.row.rate_room_micro;
}

static void parked_steps_are_charged_to_their_queues_rate(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);

	handle_one_at_a_time(box, engine, "work", test_act_wait);
	box_ok(box, stepbus_queue_set(engine, STEPBUS_TEXT("r"),
				      STEPBUS_TEXT("{\"rate_count\":3,\"rate_period_ms\":60000}"),
				      &box->err));
	(void)test_box_work(box, engine, "\"block_size\":1,\"pool_size\":2");
	for (int i = 0; i < 6; i++)
		put_in(box, engine, "work", "x", "r");
	test_box_open_gate(box);
	for (size_t runs = 1; runs <= 3; runs++) {
		test_box_await_notes(box, "step.completed", runs);
		claim_once(engine);
	}
	for (int i = 0; i < 3; i++) {
		claim_once(engine);
		while (!sb_worker_is_drained(engine->workers))
			sched_yield();
	}
	assert_int_equal(test_box_run_count(box), 3);
	assert_true(rate_room_of(box, engine, "r") < 1000000);
	test_box_advance(box, INT64_C(20) * SECOND);
	claim_once(engine);
	test_box_await_runs(box, 4);
}

static void enqueue_by_priority(test_box *box, stepbus *engine)
{
	static const char *const inputs[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j" };
	stepbus_step_spec specs[10];

	for (int32_t i = 0; i < 10; i++) {
		specs[i] = test_box_spec("work", inputs[i]);
		specs[i].priority = 10 - i;
	}
	box_ok(box, stepbus_step_enqueue(engine, specs, 10, NULL, &box->err));
}

static void await_drained(const stepbus *engine)
{
	while (!sb_worker_is_drained(engine->workers))
		sched_yield();
}

static void a_batch_starts_in_the_order_of_the_strategy(void **state)
{
	static const struct {
		const char *keys;
		const char *journal;
	} rows[] = {
		{ "\"strategy\":\"priority\",\"age_share_percent\":0,\"pool_size\":1,"
		  "\"block_size\":4",
		  "jihgfedcba" },
		{ "\"strategy\":\"lifo\",\"pool_size\":1,\"block_size\":4", "jihgfedcba" },
		{ "\"strategy\":\"fifo\",\"pool_size\":1,\"block_size\":4", "abcdefghij" },
	};
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	char expected[64] = "";

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		stepbus_worker *worker = test_box_work(box, engine, rows[i].keys);

		/* Now it would take new steps at once. */
		await_drained(engine);
		enqueue_by_priority(box, engine);
		test_box_await_notes(box, "step.completed", 10 * (i + 1));
		box_ok(box, stepbus_worker_stop(worker, -1, NULL, &box->err));
		(void)strncat(expected, rows[i].journal, 10);
		assert_string_equal(test_box_journal(box), expected);
	}
}

/* The usual batch need not wait for a claim. */
static void batches_of_one_priority_are_told_from_others(void **state)
{
	stepbus_step_spec specs[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		specs[i] = test_box_spec("work", "x");
	assert_int_equal(sb_express_batch_of(specs, 1), SB_EXPRESS_SINGLE);
	assert_int_equal(sb_express_batch_of(specs, 4), SB_EXPRESS_EVEN);
	specs[3].priority = 7;
	assert_int_equal(sb_express_batch_of(specs, 4), SB_EXPRESS_MIXED);
	assert_int_equal(sb_express_batch_of(specs, 3), SB_EXPRESS_EVEN);
}

/* One that is too large for the database has its transaction to itself, and leaves nothing. */
static void what_the_database_cannot_hold_harms_no_other(void **state)
{
	static char large[200000];
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	sb_sqlite_store *store = (sb_sqlite_store *)(void *)engine->store;
	stepbus_step_spec spec = test_box_spec("work", "x");

	memset(large, 'x', sizeof large);
	sqlite3_limit(store->writer.db, SQLITE_LIMIT_LENGTH, 100000);
	sb_writer_lead(&engine->writer);
	for (int i = 0; i < 5; i++) {
		spec.input = i == 2 ? large : "x";
		spec.input_len = i == 2 ? sizeof large : 1;
		box_ok(box, stepbus_step_enqueue_async(engine, &spec, 1, test_box_enqueued, box,
						       &box->err));
	}
	sb_writer_yield(&engine->writer);
	test_box_await_answers(box, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(box->answers[i], i == 2 ? STEPBUS_ELIMIT : STEPBUS_OK);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), 4);
}

typedef struct caller {
	test_box *box;
	_Atomic(int) call_count;
	_Atomic(int) status;
} caller;

static caller from_log;

/* A host may call the library from its log. */
static void enqueue_from_log(void *user_data, int32_t level, const char *record, size_t len)
{
	const stepbus_step_spec spec = test_box_spec("work", "x");

	(void)user_data;
	(void)level;
	if (memmem(record, len, "\"schedule\"", 10) == NULL)
		return;
	if (memmem(record, len, "\"entity_id\":\"entry\"", 19) == NULL)
		return;
	if (atomic_fetch_add(&from_log.call_count, 1) > 0)
		return;
	atomic_store(&from_log.status,
		     stepbus_step_enqueue(from_log.box->engine, &spec, 1, NULL, NULL));
}

static void what_an_entry_complains_of_is_logged_without_the_lead(void **state)
{
	static const char entry[] = "{\"name\":\"entry\",\"expression\":\"* * * * * *\","
				    "\"step\":{\"handler\":\"reserved\"}}";
	const stepbus_handler_spec reserved = { .size = sizeof reserved,
						.permitted_callers = "boss",
						.permitted_callers_len = 4 };
	test_box *box = *state;
	stepbus *engine;

	from_log.box = box;
	atomic_store(&from_log.call_count, 0);
	atomic_store(&from_log.status, -1);
	box->host.log = enqueue_from_log;
	engine = test_box_open(box, NULL);
	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	(void)test_box_handle(box, engine, "reserved", test_act_echo, &reserved);
	(void)test_box_work(box, engine, NULL);
	box_ok(box, stepbus_cron_set(engine, entry, sizeof entry - 1, &box->err));
	test_box_advance(box, INT64_C(2) * SECOND);
	test_box_await_runs(box, 1);
	assert_string_equal(box->runs[0].handler, "work");
	test_box_close(box, engine);
	assert_int_equal(atomic_load(&from_log.status), STEPBUS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(an_urgent_step_behind_many_lanes_is_seen_by_the_second_claim),
		BOX_TEST(the_oldest_step_of_many_lanes_has_its_turn),
		BOX_TEST(a_worker_finds_its_queue_among_many),
		BOX_TEST(parked_steps_of_a_paused_queue_hold_up_no_others),
		BOX_TEST(parked_steps_of_a_foreign_queue_hold_up_no_others),
		BOX_TEST(parked_steps_are_charged_to_their_queues_rate),
		BOX_TEST(a_batch_starts_in_the_order_of_the_strategy),
		cmocka_unit_test(batches_of_one_priority_are_told_from_others),
		BOX_TEST(what_an_entry_complains_of_is_logged_without_the_lead),
		BOX_TEST_ON_DISK(what_the_database_cannot_hold_harms_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
