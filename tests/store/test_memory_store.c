/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "support/conformance.h"

static stepbus_status open_store(const stepbus_host *host, const char *place, sb_store **out,
				 stepbus_error *err)
{
	const sb_store_options options = { .host = host, .durability = SB_DURABILITY_MEMORY };

	(void)place;
	return sb_memory_store_open(&options, out, err);
}

static const test_store_kind kind = { .name = "memory", .open = open_store };

/* The act that is tried with each allocation failing in turn. */
static const test_store_act *current;

/* A store that is filled while there is memory. */
static void make(test_store *w, test_host *t)
{
	sb_handler_row send = { .handler_namespace = sb_slice_z("shop"),
				.name = sb_slice_z("send"),
				.version = sb_slice_z("1") };
	sb_worker_row worker = { .name = sb_slice_z("first") };

	*w = (test_store){ .kind = &kind, .err = STEPBUS_ERROR_INIT };
	assert_int_equal(open_store(&t->host, NULL, &w->store, &w->err), STEPBUS_OK);
	w->type = w->store->type;
	test_begin(w);
	STORE_OK(w, queue_intern, sb_slice_z("mail"), &w->queue_ids[0]);
	STORE_OK(w, handler_intern, &send, &w->handler_ids[0]);
	STORE_OK(w, worker_insert, &worker);
	w->worker_id = worker.id;
	test_commit(w);
	test_store_fill(w);
}

static void write_queue(test_store *w)
{
	const sb_queue_row row = { .id = w->queue_ids[0] };

	STORE_OK(w, queue_write, &row);
}

/* Begins, and makes so many changes that the next one needs memory to be noted. */
static void begin_with_no_room(test_store *w, const test_host *t)
{
	size_t allocation_count = t->allocation_count;
	size_t count = 0;

	test_begin(w);
	for (; t->allocation_count == allocation_count; count++)
		write_queue(w);
	test_rollback(w);
	test_begin(w);
	for (size_t i = 1; i < count; i++)
		write_queue(w);
}

/*
 * What fails is rolled back, after which nothing has happened; and then it is done again with
 * memory, which must succeed.
 */
static stepbus_status try_act(test_host *t, stepbus_error *err)
{
	size_t fail_at = t->fail_at;
	stepbus_status status;
	char *before, *after;
	test_store w;

	t->fail_at = 0;
	make(&w, t);
	before = test_store_dump(&w);
	begin_with_no_room(&w, t);
	t->allocation_count = 0;
	t->fail_at = fail_at;
	status = current->run(&w);
	t->fail_at = 0;
	if (status != STEPBUS_OK)
		*err = w.err;
	test_rollback(&w);
	after = test_store_dump(&w);
	if (strcmp(before, after) != 0)
		fail_msg("%s: something stayed:\n%s\n%s", current->name, before, after);
	test_begin(&w);
	assert_int_equal(current->run(&w), STEPBUS_OK);
	test_commit(&w);
	w.type->close(w.store);
	free(before);
	free(after);
	return status;
}

static void a_call_that_runs_out_of_memory_can_be_rolled_back(void **state)
{
	size_t count;
	const test_store_act *acts = test_store_acts(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const test_scenario scenario = { acts[i].name, try_act, false };

		current = &acts[i];
		test_fail_each_allocation(&scenario);
	}
}

static stepbus_status try_open(test_host *t, stepbus_error *err)
{
	sb_store *store = NULL;
	stepbus_status status = open_store(&t->host, NULL, &store, err);

	if (status == STEPBUS_OK)
		store->type->close(store);
	return status;
}

static void opening_without_memory_fails(void **state)
{
	const test_scenario scenario = { "open", try_open, false };

	(void)state;
	test_fail_each_allocation(&scenario);
}

static void opening_without_random_numbers_fails(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_store *store = NULL;
	test_host t;

	(void)state;
	test_host_init(&t);
	t.has_random = false;
	assert_int_equal(open_store(&t.host, NULL, &store, &err), STEPBUS_ESYSTEM);
	assert_null(store);
	assert_true(err.message[0] != '\0');
	test_host_end(&t);
}

static int64_t add_ready(test_store *w)
{
	return test_step_add(w, test_step_row(w), (sb_step_status){ .state = SB_STEP_READY });
}

static void memory_of_removed_steps_is_given_back(void **state)
{
	enum { COUNT = 5000 };
	int64_t *ids = calloc(COUNT, sizeof *ids);
	size_t live_count;
	test_store w;
	test_host t;

	(void)state;
	assert_non_null(ids);
	test_host_init(&t);
	make(&w, &t);
	live_count = t.live_count;
	for (int round = 0; round < 3; round++) {
		test_begin(&w);
		for (size_t i = 0; i < COUNT; i++)
			ids[i] = add_ready(&w);
		test_commit(&w);
		assert_true(t.live_count > live_count + COUNT);
		test_begin(&w);
		for (size_t i = 0; i < COUNT; i++)
			STORE_OK(&w, step_delete, &ids[(i * 7) % COUNT], 1);
		test_commit(&w);
		/* The steps that fill the store keep their chunk; the newest one may be kept too. */
		assert_in_range(t.live_count, 0, live_count + 1);
	}
	w.type->close(w.store);
	test_host_end(&t);
	free(ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opening_without_memory_fails),
		cmocka_unit_test(opening_without_random_numbers_fails),
		cmocka_unit_test(a_call_that_runs_out_of_memory_can_be_rolled_back),
		cmocka_unit_test(memory_of_removed_steps_is_given_back),
	};
	int failed_count = test_conformance_run(&kind);

	return failed_count + cmocka_run_group_tests_name("memory alone", tests, NULL, NULL);
}
