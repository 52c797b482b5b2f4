/* SPDX-License-Identifier: MIT */
/* Idempotency and unique keys: who gets the step that is there, and for how long it is there. */
#include <string.h>

#include "support/engine_box.h"

enum { SECOND = 1000000, HOUR_MS = 3600000 };

static stepbus_step_spec keyed(const char *idempotency_key, const char *unique_key)
{
	stepbus_step_spec spec = test_box_spec("work", "k");

	if (idempotency_key != NULL) {
		spec.idempotency_key = idempotency_key;
		spec.idempotency_key_len = strlen(idempotency_key);
	}
	if (unique_key != NULL) {
		spec.unique_key = unique_key;
		spec.unique_key_len = strlen(unique_key);
	}
	return spec;
}

static stepbus_enqueued put(test_box *box, stepbus *engine, const stepbus_step_spec *spec)
{
	stepbus_enqueued out = { .size = sizeof out };

	box_ok(box, stepbus_step_enqueue(engine, spec, 1, &out, &box->err));
	return out;
}

static void assert_same(const stepbus_enqueued *first, const stepbus_enqueued *second)
{
	assert_int_equal(second->is_existing, 1);
	assert_memory_equal(first->step_id, second->step_id, 16);
}

static void assert_other(const stepbus_enqueued *first, const stepbus_enqueued *second)
{
	assert_int_equal(second->is_existing, 0);
	assert_memory_not_equal(first->step_id, second->step_id, 16);
}

static void a_key_twice_in_a_batch_is_one_step(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_step_spec specs[4] = { keyed("a", NULL), keyed("b", NULL), keyed("a", NULL),
				       keyed(NULL, NULL) };
	stepbus_enqueued out[4] = { { .size = sizeof *out } };

	box_ok(box, stepbus_step_enqueue(engine, specs, 4, out, &box->err));
	assert_int_equal(out[0].is_existing, 0);
	assert_same(&out[0], &out[2]);
	assert_other(&out[0], &out[1]);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), 3);
	/* And again: only the one without a key is new. */
	box_ok(box, stepbus_step_enqueue(engine, specs, 4, out, &box->err));
	assert_int_equal(out[0].is_existing + out[1].is_existing + out[2].is_existing, 3);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), 4);
}

static void an_idempotency_key_holds_when_its_step_is_final(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_step_spec spec = keyed("once", NULL);
	stepbus_enqueued first, second;

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	(void)test_box_work(box, engine, NULL);
	first = put(box, engine, &spec);
	test_box_await_notes(box, "step.completed", 1);
	second = put(box, engine, &spec);
	assert_same(&first, &second);
	assert_int_equal(test_box_run_count(box), 1);
}

static void keys_of_256_bytes_of_any_kind_are_told_apart(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	char keys[2][256];
	stepbus_step_spec spec = keyed(NULL, NULL);
	stepbus_enqueued first, second;

	for (size_t i = 0; i < 256; i++)
		keys[0][i] = keys[1][i] = (char)i;
	keys[1][255] = 0;
	spec.idempotency_key = keys[0];
	spec.idempotency_key_len = 256;
	first = put(box, engine, &spec);
	second = put(box, engine, &spec);
	assert_same(&first, &second);
	spec.idempotency_key = keys[1];
	second = put(box, engine, &spec);
	assert_other(&first, &second);
	spec.idempotency_key_len = 255;
	second = put(box, engine, &spec);
	assert_other(&first, &second);
}

static void both_kinds_of_keys_are_apart(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_step_spec one = keyed("k", NULL), other = keyed(NULL, "k");
	stepbus_enqueued first = put(box, engine, &one), second = put(box, engine, &other);

	assert_other(&first, &second);
}

static void keys_reach_across_engines_on_one_file(void **state)
{
	test_box *box = *state;
	stepbus *here = test_box_open(box, NULL), *there = test_box_open(box, NULL);
	const stepbus_step_spec spec = keyed("k", "u");
	stepbus_enqueued first = put(box, here, &spec), second = put(box, there, &spec);

	assert_same(&first, &second);
	test_box_close(box, here);
	second = put(box, there, &spec);
	assert_same(&first, &second);
}

static void scopes_make_a_unique_key_another(void **state)
{
	static const struct scope_case {
		uint32_t scope;
		bool is_same_elsewhere; /* in another queue */
		bool is_same_of_other;  /* for another handler */
	} cases[] = { { 0, true, true },
		      { STEPBUS_UNIQUE_QUEUE, false, true },
		      { STEPBUS_UNIQUE_HANDLER, true, false },
		      { STEPBUS_UNIQUE_QUEUE | STEPBUS_UNIQUE_HANDLER, false, false } };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char key[] = { 'k', (char)('0' + i), '\0' };
		stepbus_step_spec spec = keyed(NULL, key);
		stepbus_enqueued first, second;

		spec.unique_scope = cases[i].scope;
		first = put(box, engine, &spec);
		second = put(box, engine, &spec);
		assert_same(&first, &second);
		spec.queue = "mail";
		spec.queue_len = 4;
		second = put(box, engine, &spec);
		assert_int_equal(second.is_existing, cases[i].is_same_elsewhere);
		spec = keyed(NULL, key);
		spec.unique_scope = cases[i].scope;
		spec.handler_name = "other";
		spec.handler_name_len = 5;
		second = put(box, engine, &spec);
		assert_int_equal(second.is_existing, cases[i].is_same_of_other);
	}
}

static void a_unique_key_holds_while_its_step_is_in_the_states(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_step_spec spec = keyed(NULL, "u");
	stepbus_enqueued first, second, third;

	(void)test_box_handle(box, engine, "work", test_act_wait, NULL);
	first = put(box, engine, &spec);
	second = put(box, engine, &spec);
	assert_same(&first, &second);
	(void)test_box_work(box, engine, NULL);
	test_box_await_waiting(box, 1);
	second = put(box, engine, &spec);
	assert_same(&first, &second);
	test_box_open_gate(box);
	test_box_await_notes(box, "step.completed", 1);
	/* Final, and so it holds no more; but it does for who counts completed ones. */
	spec.unique_states = 1U << STEPBUS_STEP_COMPLETED;
	second = put(box, engine, &spec);
	assert_same(&first, &second);
	spec.unique_states = 0;
	third = put(box, engine, &spec);
	assert_other(&first, &third);
}

static void a_period_lets_one_begin_in_each(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_step_spec spec = keyed(NULL, "u");
	const int64_t hour_us = INT64_C(1000) * HOUR_MS;
	int64_t now_us = atomic_load(&box->now_us);
	stepbus_enqueued first, second;

	spec.unique_period_ms = HOUR_MS;
	first = put(box, engine, &spec);
	/* To the last microsecond of this hour. */
	test_box_advance(box, hour_us - now_us % hour_us - 1);
	second = put(box, engine, &spec);
	assert_same(&first, &second);
	test_box_advance(box, 1);
	second = put(box, engine, &spec);
	assert_other(&first, &second);
}

static bool is_gone(test_box *box, const uint8_t step_id[16])
{
	return !test_box_look(box, box->engine, step_id).is_there;
}

static void a_step_that_retention_removed_holds_no_key(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"retention\":{\"completed_ms\":1000}");
	const stepbus_step_spec spec = keyed("k", NULL);
	stepbus_enqueued first, second;

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	(void)test_box_work(box, engine, NULL);
	first = put(box, engine, &spec);
	test_box_await_notes(box, "step.completed", 1);
	/* Each turn of the clock lets one sweep begin; a probe that ran says that it is over. */
	for (int i = 0; i < 10 && !is_gone(box, first.step_id); i++)
		test_box_pass(box, engine, 2 * SECOND);
	assert_true(is_gone(box, first.step_id));
	second = put(box, engine, &spec);
	assert_other(&first, &second);
	test_box_await_notes(box, "step.completed", 2);
}

static void a_key_of_a_refused_batch_is_free(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, "\"strict_handlers\":true");
	stepbus_step_spec specs[2] = { keyed("k", "u"), keyed("k", "u") };
	stepbus_enqueued out = { .size = sizeof out };

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	specs[1].handler_name = "nobody";
	specs[1].handler_name_len = 6;
	(void)test_box_work(box, engine, NULL);
	box_refused(box, STEPBUS_ENOTFOUND, "step 1",
		    stepbus_step_enqueue(engine, specs, 2, NULL, &box->err));
	box_ok(box, stepbus_step_enqueue(engine, specs, 1, &out, &box->err));
	assert_int_equal(out.is_existing, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(a_key_twice_in_a_batch_is_one_step),
		BOX_TEST(an_idempotency_key_holds_when_its_step_is_final),
		BOX_TEST(keys_of_256_bytes_of_any_kind_are_told_apart),
		BOX_TEST(both_kinds_of_keys_are_apart),
		BOX_TEST_ON_DISK(keys_reach_across_engines_on_one_file),
		BOX_TEST(scopes_make_a_unique_key_another),
		BOX_TEST(a_unique_key_holds_while_its_step_is_in_the_states),
		BOX_TEST(a_period_lets_one_begin_in_each),
		BOX_TEST(a_step_that_retention_removed_holds_no_key),
		BOX_TEST(a_key_of_a_refused_batch_is_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
