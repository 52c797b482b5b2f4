/* SPDX-License-Identifier: MIT */
/* References to handlers belong to whoever holds them, on whatever thread. */
#include <pthread.h>
#include <stdio.h>

#include "support/cmocka.h"
#include "support/shelf.h"

enum { HANDLER_COUNT = 300, TIMES = 300 };

static stepbus_handler *resolve(test_shelf *shelf, const char *name)
{
	const stepbus_handler_key key = test_key(name, NULL);
	stepbus_handler *handler = NULL;

	return stepbus_registry_resolve(shelf->registry, &key, &handler, NULL) == STEPBUS_OK ?
		       handler :
		       NULL;
}

/* What a thread of these tests does, and with what. */
typedef struct errand {
	test_shelf *shelf;
	stepbus_handler *handler;
} errand;

static void *fetch(void *context)
{
	errand *e = context;

	e->handler = resolve(e->shelf, "mail");
	return NULL;
}

static void *give_back(void *context)
{
	stepbus_handler_unref(((errand *)context)->handler);
	return NULL;
}

static void *fetch_and_reference(void *context)
{
	errand *e = context;

	fetch(e);
	stepbus_handler_ref(e->handler);
	stepbus_handler_unref(e->handler);
	return NULL;
}

static void run_thread(void *(*run)(void *context), errand *e)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, run, e), 0);
	pthread_join(thread, NULL);
}

static void a_reference_may_be_given_back_on_another_thread(void **state)
{
	test_shelf *shelf = *state;
	errand e = { .shelf = shelf };

	test_shelf_add(shelf, "mail", NULL, 0);
	e.handler = resolve(shelf, "mail");
	run_thread(give_back, &e);
	assert_int_equal(shelf->destroyed, 0);
	assert_true(test_shelf_has(shelf, "mail", NULL));
	test_shelf_remove(shelf, "mail", NULL);
	assert_int_equal(shelf->destroyed, 1);
}

static void the_last_reference_may_be_given_back_on_another_thread(void **state)
{
	test_shelf *shelf = *state;
	errand e = { .shelf = shelf };

	test_shelf_add(shelf, "mail", NULL, 0);
	e.handler = resolve(shelf, "mail");
	test_shelf_remove(shelf, "mail", NULL);
	assert_int_equal(shelf->destroyed, 0);
	run_thread(give_back, &e);
	assert_int_equal(shelf->destroyed, 1);
}

static void a_reference_outlives_the_thread_that_took_it(void **state)
{
	test_shelf *shelf = *state;
	errand e = { .shelf = shelf };

	test_shelf_add(shelf, "mail", "v1", 0);
	run_thread(fetch, &e);
	test_shelf_remove(shelf, "mail", NULL);
	assert_int_equal(shelf->destroyed, 0);
	assert_string_equal(stepbus_handler_definition(e.handler)->version, "v1");
	stepbus_handler_unref(e.handler);
	assert_int_equal(shelf->destroyed, 1);
}

static void a_further_reference_outlives_the_thread_that_took_it(void **state)
{
	test_shelf *shelf = *state;
	errand e = { .shelf = shelf };

	test_shelf_add(shelf, "mail", "v1", 0);
	run_thread(fetch_and_reference, &e);
	test_shelf_remove(shelf, "mail", NULL);
	assert_int_equal(shelf->destroyed, 0);
	stepbus_handler_unref(e.handler);
	assert_int_equal(shelf->destroyed, 1);
}

/* Threads come and go, and what one left behind must not count for the next. */
static void threads_that_follow_each_other_do_not_mix_their_references(void **state)
{
	test_shelf *shelf = *state;
	errand errands[20];

	test_shelf_add(shelf, "mail", NULL, 0);
	for (int i = 0; i < 20; i++) {
		errands[i] = (errand){ .shelf = shelf };
		run_thread(fetch, &errands[i]);
	}
	test_shelf_remove(shelf, "mail", NULL);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(shelf->destroyed, 0);
		run_thread(give_back, &errands[i]);
	}
	assert_int_equal(shelf->destroyed, 1);
}

static void a_handler_may_be_held_many_times_by_one_thread(void **state)
{
	test_shelf *shelf = *state;
	stepbus_handler *handler = NULL;

	test_shelf_add(shelf, "mail", NULL, 0);
	for (int i = 0; i < TIMES; i++)
		handler = resolve(shelf, "mail");
	test_shelf_remove(shelf, "mail", NULL);
	for (int i = 0; i < TIMES; i++) {
		assert_int_equal(shelf->destroyed, 0);
		stepbus_handler_unref(handler);
	}
	assert_int_equal(shelf->destroyed, 1);
}

static void many_handlers_may_be_held_by_one_thread(void **state)
{
	test_shelf *shelf = *state;
	stepbus_handler *handlers[HANDLER_COUNT];
	char name[24];

	for (int i = 0; i < HANDLER_COUNT; i++) {
		snprintf(name, sizeof name, "h%d", i);
		test_shelf_add(shelf, name, NULL, 0);
		handlers[i] = resolve(shelf, name);
		assert_non_null(handlers[i]);
	}
	/* Half of them first, every other one: not in the order of taking. */
	for (int i = 0; i < HANDLER_COUNT; i += 2)
		stepbus_handler_unref(handlers[i]);
	assert_int_equal(shelf->destroyed, 0);
	stepbus_registry_clear(shelf->registry, NULL);
	assert_int_equal(shelf->destroyed, HANDLER_COUNT / 2);
	for (int i = HANDLER_COUNT - 1; i >= 0; i -= 2) {
		snprintf(name, sizeof name, "h%d", i);
		assert_string_equal(stepbus_handler_definition(handlers[i])->name, name);
		stepbus_handler_unref(handlers[i]);
	}
	assert_int_equal(shelf->destroyed, HANDLER_COUNT);
}

static void references_of_two_threads_are_both_counted(void **state)
{
	test_shelf *shelf = *state;
	errand e = { .shelf = shelf };
	stepbus_handler *own;

	test_shelf_add(shelf, "mail", NULL, 0);
	own = resolve(shelf, "mail");
	run_thread(fetch, &e);
	test_shelf_remove(shelf, "mail", NULL);
	stepbus_handler_unref(own);
	assert_int_equal(shelf->destroyed, 0);
	stepbus_handler_unref(e.handler);
	assert_int_equal(shelf->destroyed, 1);
}

/* One thread holds its own reference and gives back that of another as well. */
static void a_thread_may_give_back_more_than_it_took(void **state)
{
	test_shelf *shelf = *state;
	errand e = { .shelf = shelf };
	stepbus_handler *own;

	test_shelf_add(shelf, "mail", NULL, 0);
	own = resolve(shelf, "mail");
	run_thread(fetch, &e);
	assert_ptr_equal(own, e.handler);
	stepbus_handler_unref(own);
	stepbus_handler_unref(own);
	assert_int_equal(shelf->destroyed, 0);
	assert_true(test_shelf_has(shelf, "mail", NULL));
	test_shelf_remove(shelf, "mail", NULL);
	assert_int_equal(shelf->destroyed, 1);
}

static void a_replaced_handler_and_its_successor_are_held_apart(void **state)
{
	test_shelf *shelf = *state;
	stepbus_handler *before, *after;

	test_shelf_add(shelf, "mail", "v1", 0);
	before = resolve(shelf, "mail");
	test_shelf_add(shelf, "mail", "v1", STEPBUS_HANDLER_OVERRIDE);
	after = resolve(shelf, "mail");
	assert_ptr_not_equal(before, after);
	stepbus_registry_clear(shelf->registry, NULL);
	assert_int_equal(shelf->destroyed, 0);
	stepbus_handler_unref(after);
	assert_int_equal(shelf->destroyed, 1);
	stepbus_handler_unref(before);
	assert_int_equal(shelf->destroyed, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_shelf_begin, test_shelf_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_reference_may_be_given_back_on_another_thread),
		TEST(the_last_reference_may_be_given_back_on_another_thread),
		TEST(a_reference_outlives_the_thread_that_took_it),
		TEST(a_further_reference_outlives_the_thread_that_took_it),
		TEST(threads_that_follow_each_other_do_not_mix_their_references),
		TEST(a_handler_may_be_held_many_times_by_one_thread),
		TEST(many_handlers_may_be_held_by_one_thread),
		TEST(references_of_two_threads_are_both_counted),
		TEST(a_thread_may_give_back_more_than_it_took),
		TEST(a_replaced_handler_and_its_successor_are_held_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
