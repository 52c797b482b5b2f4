/* SPDX-License-Identifier: MIT */
/* When a handler's destroy runs: once, and not while anybody holds the handler. */
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/shelf.h"

static stepbus_handler *resolve(test_shelf *shelf, const char *name)
{
	const stepbus_handler_key key = test_key(name, NULL);
	stepbus_handler *handler = NULL;

	assert_int_equal(stepbus_registry_resolve(shelf->registry, &key, &handler, &shelf->err),
			 STEPBUS_OK);
	return handler;
}

static void unregistering_destroys_at_once_when_nobody_holds_it(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", NULL, 0);
	test_shelf_remove(shelf, "mail", NULL);
	assert_int_equal(shelf->destroyed, 1);
}

static void a_held_handler_outlives_its_registration(void **state)
{
	test_shelf *shelf = *state;
	stepbus_handler *handler;

	test_shelf_add(shelf, "mail", "v1", 0);
	handler = resolve(shelf, "mail");
	test_shelf_remove(shelf, "mail", NULL);
	assert_int_equal(shelf->destroyed, 0);
	assert_string_equal(stepbus_handler_definition(handler)->version, "v1");
	stepbus_handler_unref(handler);
	assert_int_equal(shelf->destroyed, 1);
}

static void every_reference_counts(void **state)
{
	test_shelf *shelf = *state;
	stepbus_handler *handler;

	test_shelf_add(shelf, "mail", NULL, 0);
	handler = resolve(shelf, "mail");
	stepbus_handler_ref(handler);
	stepbus_handler_ref(handler);
	test_shelf_remove(shelf, "mail", NULL);
	stepbus_handler_unref(handler);
	stepbus_handler_unref(handler);
	assert_int_equal(shelf->destroyed, 0);
	stepbus_handler_unref(handler);
	assert_int_equal(shelf->destroyed, 1);
}

static void giving_references_back_leaves_a_registered_handler_alone(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", NULL, 0);
	for (int i = 0; i < 1000; i++)
		stepbus_handler_unref(resolve(shelf, "mail"));
	assert_int_equal(shelf->destroyed, 0);
	assert_true(test_shelf_has(shelf, "mail", NULL));
}

static void a_held_handler_outlives_its_replacement(void **state)
{
	test_shelf *shelf = *state;
	stepbus_handler *old;

	test_shelf_add(shelf, "mail", "v1", 0);
	old = resolve(shelf, "mail");
	test_shelf_add(shelf, "mail", "v1", STEPBUS_HANDLER_OVERRIDE);
	assert_int_equal(shelf->destroyed, 0);
	stepbus_handler_unref(old);
	assert_int_equal(shelf->destroyed, 1);
}

static void a_held_handler_outlives_its_registry(void **state)
{
	test_shelf *shelf = *state;
	stepbus_handler *handler;

	test_shelf_add(shelf, "mail", "v1", 0);
	test_shelf_add(shelf, "sms", "v1", 0);
	handler = resolve(shelf, "mail");
	stepbus_registry_free(shelf->registry);
	shelf->registry = NULL;
	assert_int_equal(shelf->destroyed, 1);
	assert_string_equal(stepbus_handler_definition(handler)->name, "mail");
	stepbus_handler_unref(handler);
	assert_int_equal(shelf->destroyed, 2);
}

static void null_may_be_referenced_and_given_back(void **state)
{
	(void)state;
	stepbus_handler_ref(NULL);
	stepbus_handler_unref(NULL);
	assert_null(stepbus_handler_definition(NULL));
	stepbus_registry_free(NULL);
}

/* Runs a resolved handler's call as a subscriber does, on a thread of its own. */
typedef struct caller {
	stepbus_handler *handler;
	_Atomic(int) *destroyed;
	sem_t entered;
	sem_t released;
	int destroyed_inside; /* how often destroy had run when the call was about to return */
} caller;

static int32_t wait_inside(void *instance, const stepbus_context *context, stepbus_result *result)
{
	caller *c = instance;

	(void)context;
	(void)result;
	sem_post(&c->entered);
	sem_wait(&c->released);
	c->destroyed_inside = atomic_load(c->destroyed);
	return 0;
}

static void count_for_caller(void *user_data)
{
	caller *c = user_data;

	test_count(c->destroyed);
}

static void *run_call(void *context)
{
	caller *c = context;
	const stepbus_handler_spec *definition = stepbus_handler_definition(c->handler);

	definition->call(definition->user_data, NULL, NULL);
	stepbus_handler_unref(c->handler);
	return NULL;
}

static void unregistering_while_it_runs_lets_the_call_finish(void **state)
{
	test_shelf *shelf = *state;
	caller c = { .destroyed = &shelf->destroyed };
	stepbus_handler_spec spec = test_spec("mail", NULL);
	pthread_t thread;

	sem_init(&c.entered, 0, 0);
	sem_init(&c.released, 0, 0);
	spec.call = wait_inside;
	spec.user_data = &c;
	spec.destroy = count_for_caller;
	assert_int_equal(stepbus_registry_register(shelf->registry, &spec, NULL), STEPBUS_OK);
	c.handler = resolve(shelf, "mail");
	assert_int_equal(pthread_create(&thread, NULL, run_call, &c), 0);
	sem_wait(&c.entered);
	assert_int_equal(test_shelf_remove(shelf, "mail", NULL), STEPBUS_OK);
	assert_false(test_shelf_has(shelf, "mail", NULL));
	assert_int_equal(shelf->destroyed, 0);
	sem_post(&c.released);
	pthread_join(thread, NULL);
	assert_int_equal(c.destroyed_inside, 0);
	assert_int_equal(shelf->destroyed, 1);
	sem_destroy(&c.entered);
	sem_destroy(&c.released);
}

/* A destroy that uses the registry it was registered with. */
typedef struct leaver {
	test_shelf *shelf;
	int count;
	size_t seen_count;
} leaver;

static void register_again(void *user_data)
{
	leaver *l = user_data;

	l->count++;
	l->seen_count = stepbus_registry_count(l->shelf->registry);
	test_shelf_add(l->shelf, "successor", NULL, 0);
}

static void destroy_may_use_the_registry(void **state)
{
	test_shelf *shelf = *state;
	leaver l = { .shelf = shelf };
	stepbus_handler_spec spec = test_spec("mail", NULL);

	spec.user_data = &l;
	spec.destroy = register_again;
	assert_int_equal(stepbus_registry_register(shelf->registry, &spec, NULL), STEPBUS_OK);
	assert_int_equal(test_shelf_remove(shelf, "mail", NULL), STEPBUS_OK);
	assert_int_equal(l.count, 1);
	assert_int_equal(l.seen_count, 0);
	assert_true(test_shelf_has(shelf, "successor", NULL));
}

static void destroy_of_a_refused_handler_may_use_the_registry(void **state)
{
	test_shelf *shelf = *state;
	leaver l = { .shelf = shelf };
	stepbus_handler_spec spec = test_spec("mail", NULL);

	spec.user_data = &l;
	spec.destroy = register_again;
	test_shelf_add(shelf, "mail", NULL, 0);
	assert_int_equal(stepbus_registry_register(shelf->registry, &spec, NULL), STEPBUS_EEXISTS);
	assert_int_equal(l.count, 1);
	assert_true(test_shelf_has(shelf, "successor", NULL));
}

/* A destroy that puts a successor in finds the registry on its way out: refused or taken, the
 * successor is destroyed once, and nothing is left behind. */
static void what_destroy_registers_while_the_registry_goes_is_not_lost(void **state)
{
	test_shelf *shelf = *state;
	leaver l = { .shelf = shelf };
	stepbus_handler_spec spec = test_spec("mail", NULL);

	spec.user_data = &l;
	spec.destroy = register_again;
	assert_int_equal(stepbus_registry_register(shelf->registry, &spec, NULL), STEPBUS_OK);
	stepbus_registry_free(shelf->registry);
	shelf->registry = NULL;
	assert_int_equal(l.count, 1);
	assert_int_equal(shelf->destroyed, 1);
}

static void a_handler_without_destroy_simply_goes(void **state)
{
	test_shelf *shelf = *state;
	const stepbus_handler_spec spec = test_spec("mail", NULL);

	assert_int_equal(stepbus_registry_register(shelf->registry, &spec, NULL), STEPBUS_OK);
	assert_int_equal(test_shelf_remove(shelf, "mail", NULL), STEPBUS_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_shelf_begin, test_shelf_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unregistering_destroys_at_once_when_nobody_holds_it),
		TEST(a_held_handler_outlives_its_registration),
		TEST(every_reference_counts),
		TEST(giving_references_back_leaves_a_registered_handler_alone),
		TEST(a_held_handler_outlives_its_replacement),
		TEST(a_held_handler_outlives_its_registry),
		TEST(null_may_be_referenced_and_given_back),
		TEST(unregistering_while_it_runs_lets_the_call_finish),
		TEST(destroy_may_use_the_registry),
		TEST(destroy_of_a_refused_handler_may_use_the_registry),
		TEST(what_destroy_registers_while_the_registry_goes_is_not_lost),
		TEST(a_handler_without_destroy_simply_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
