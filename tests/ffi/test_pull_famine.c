/* SPDX-License-Identifier: MIT */
/* A host that polls while memory runs out again and again: every step is answered once all the same. */
#include <string.h>
#include <time.h>

#include "support/puller.h"

enum { STARVED = 1000, MS = 1000, PATIENCE_MS = 5000 };

/* Until it is settled, with whatever status; the step is the host's as long as there is no memory. */
static stepbus_status answer(stepbus *engine, const stepbus_completion *completion)
{
	stepbus_status status;

	do
		status = stepbus_complete(engine, completion, 1, NULL, NULL);
	while (status == STEPBUS_ENOMEM || status == STEPBUS_EBUSY);
	return status;
}

static stepbus_completion answer_of(const stepbus_step_event *event, int round)
{
	stepbus_completion c = test_pull_success(event, "done");

	c.correlation_id = "some correlation";
	c.correlation_id_len = strlen(c.correlation_id);
	if (round % 5 == 0)
		return test_pull_failure(event, "not yet", 1);
	if (round % 5 == 1)
		c.outcome = STEPBUS_OUTCOME_RELEASE;
	if (round % 5 == 2) {
		c.outcome = STEPBUS_OUTCOME_CHECKPOINT;
		c.cursor = "here";
		c.cursor_len = 4;
	}
	return c;
}

static void work(test_box *box, stepbus *engine, stepbus_worker *worker, int round)
{
	enum { BATCH = 4 };
	stepbus_step_event events[BATCH] = { { .size = sizeof events[0] } };
	size_t count = 0;

	(void)stepbus_poll(worker, events, BATCH, 0, &count, NULL);
	for (size_t i = 0; i < count; i++) {
		stepbus_completion c = answer_of(&events[i], round + (int)i);
		stepbus_status status = answer(engine, &c);

		if (status != STEPBUS_OK)
			fail_msg("an answer got %d", status);
		/* The same once more: the store says whether it is. */
		status = answer(engine, &c);
		if (status != STEPBUS_OK && status != STEPBUS_ESTALE)
			fail_msg("the same answer got %d", status);
	}
	if (count == 0)
		test_box_advance(box, 2 * MS);
}

static void add_one(stepbus *engine)
{
	const stepbus_step_spec spec = test_box_spec("work", "x");

	(void)stepbus_step_enqueue(engine, &spec, 1, NULL, NULL);
}

static bool is_all_done(test_box *box, stepbus *engine)
{
	return test_box_count_state(box, engine, SB_STEP_READY) +
		       test_box_count_state(box, engine, SB_STEP_SCHEDULED) +
		       test_box_count_state(box, engine, SB_STEP_RUNNING) ==
	       0;
}

static void every_step_is_answered_once(void **state)
{
	static const char patient[] = "\"poll_ms\":10,\"retry\":{\"kind\":\"fixed\",\"base_ms\":1,"
				      "\"attempt_count_max\":1000},"
				      "\"breaker\":{\"failure_count\":0}";
	const time_t until = time(NULL) + TEST_BOX_LIMIT_S;
	test_box *box = *state;
	stepbus *engine;
	stepbus_worker *worker;

	box->is_deaf = true;
	engine = test_box_open(box, patient);
	test_pull_handle(box, engine, "work", NULL);
	worker = test_pull_work(box, engine, "\"block_size\":4");
	atomic_store(&box->famine_percent, 10);
	for (int round = 0; atomic_load(&box->starved_count) < STARVED; round++) {
		add_one(engine);
		work(box, engine, worker, round);
		assert_true(time(NULL) < until);
	}
	atomic_store(&box->famine_percent, 0);
	while (!is_all_done(box, engine)) {
		work(box, engine, worker, 3);
		assert_true(time(NULL) < until);
	}
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_FAILED), 0);
	box_ok(box, stepbus_worker_stop(worker, PATIENCE_MS, NULL, &box->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(every_step_is_answered_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
