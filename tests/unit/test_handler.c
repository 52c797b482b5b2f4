/* SPDX-License-Identifier: MIT */
#include "registry/handler.h"

#include <pthread.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/host.h"
#include "support/spec.h"

enum { THREAD_COUNT = 4, RUN_COUNT = 20000 };

static sb_pool *pool;
static sb_gate gate;

static int set_up(void **state)
{
	static test_host host;

	test_host_init(&host);
	pool = sb_handler_pool_new(&host.host);
	sb_gate_init(&gate);
	*state = &host;
	return pool == NULL;
}

static int tear_down(void **state)
{
	sb_pool_close(pool);
	sb_gate_free(&gate);
	test_host_end(*state);
	return 0;
}

/* As one that was taken out of its table: counted, not lent. */
static stepbus_handler *new_handler(const test_host *t, const stepbus_handler_spec *spec)
{
	stepbus_handler *handler = sb_handler_new(pool, &gate, &t->host, spec);

	if (handler == NULL) {
		fail_msg("there is no handler");
		/* It jumps away, which its declaration does not say. */
		__builtin_unreachable();
	}
	sb_guard_call_in(handler, &handler->loan_state, &handler->ref_count);
	return handler;
}

static void a_handler_keeps_copies_of_all_texts(void **state)
{
	const test_host *t = *state;
	char name[] = "mail", domain[] = "billing", schema[] = "{}";
	stepbus_handler_spec spec = test_spec(name, "1.0.0");
	stepbus_handler *handler;

	spec.domain = domain;
	spec.domain_len = strlen(domain);
	spec.config_schema = schema;
	spec.config_schema_len = strlen(schema);
	handler = new_handler(t, &spec);
	memset(name, 'x', sizeof name);
	memset(domain, 'x', sizeof domain);
	memset(schema, 'x', sizeof schema);
	assert_non_null(handler);
	assert_string_equal(handler->facts->spec.name, "mail");
	assert_string_equal(handler->facts->spec.version, "1.0.0");
	assert_string_equal(handler->facts->spec.domain, "billing");
	assert_string_equal(handler->facts->spec.config_schema, "{}");
	sb_handler_unref(handler);
}

static void texts_that_were_not_said_are_null(void **state)
{
	const test_host *t = *state;
	stepbus_handler_spec spec = test_spec("mail", NULL);
	stepbus_handler *handler;

	/* An empty text may point anywhere; what is kept may not. */
	spec.description = "";
	handler = new_handler(t, &spec);
	assert_non_null(handler);
	assert_null(handler->facts->spec.version);
	assert_null(handler->facts->spec.description);
	assert_null(handler->facts->spec.permitted_callers);
	sb_handler_unref(handler);
}

static void a_handler_is_made_at_the_time_of_the_host(void **state)
{
	test_host *t = *state;
	const stepbus_handler_spec spec = test_spec("mail", NULL);
	stepbus_handler *handler;

	t->now_us = 1234567;
	handler = new_handler(t, &spec);
	assert_non_null(handler);
	assert_int_equal(handler->facts->registered_at_us, 1234567);
	sb_handler_unref(handler);
}

static void the_last_reference_runs_destroy(void **state)
{
	const test_host *t = *state;
	_Atomic(int) destroyed = 0;
	const stepbus_handler_spec spec = test_counted_spec("mail", NULL, &destroyed);
	stepbus_handler *handler = new_handler(t, &spec);

	assert_non_null(handler);
	sb_handler_ref(handler);
	sb_handler_unref(handler);
	assert_int_equal(destroyed, 0);
	sb_handler_unref(handler);
	assert_int_equal(destroyed, 1);
}

static void abandoning_a_handler_does_not_run_destroy(void **state)
{
	const test_host *t = *state;
	_Atomic(int) destroyed = 0;
	const stepbus_handler_spec spec = test_counted_spec("mail", NULL, &destroyed);

	sb_handler_abandon(new_handler(t, &spec));
	sb_handler_abandon(NULL);
	assert_int_equal(destroyed, 0);
}

static void without_memory_there_is_no_handler(void **state)
{
	test_host *t = *state;
	const stepbus_handler_spec spec = test_spec("mail", NULL);

	t->fail_at = t->allocation_count + 1;
	assert_null(sb_handler_new(pool, &gate, &t->host, &spec));
}

static void runs_are_counted_with_their_time(void **state)
{
	const test_host *t = *state;
	const stepbus_handler_spec spec = test_spec("mail", NULL);
	stepbus_handler *handler = new_handler(t, &spec);

	assert_non_null(handler);
	sb_handler_count_run(handler, true, 10);
	sb_handler_count_run(handler, false, 30);
	sb_handler_count_run(handler, true, 20);
	assert_int_equal(handler->facts->run_count, 3);
	assert_int_equal(handler->facts->failure_count, 1);
	assert_int_equal(handler->facts->total_us, 60);
	assert_int_equal(handler->facts->longest_us, 30);
	sb_handler_unref(handler);
}

static void *count_runs(void *context)
{
	stepbus_handler *handler = context;

	for (int i = 1; i <= RUN_COUNT; i++)
		sb_handler_count_run(handler, i % 2 == 0, i);
	return NULL;
}

static void runs_on_many_threads_are_all_counted(void **state)
{
	const test_host *t = *state;
	const stepbus_handler_spec spec = test_spec("mail", NULL);
	stepbus_handler *handler = new_handler(t, &spec);
	pthread_t threads[THREAD_COUNT];

	assert_non_null(handler);
	for (int i = 0; i < THREAD_COUNT; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_runs, handler), 0);
	for (int i = 0; i < THREAD_COUNT; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(handler->facts->run_count, THREAD_COUNT * RUN_COUNT);
	assert_int_equal(handler->facts->failure_count, THREAD_COUNT * RUN_COUNT / 2);
	assert_int_equal(handler->facts->longest_us, RUN_COUNT);
	sb_handler_unref(handler);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_handler_keeps_copies_of_all_texts),
		TEST(texts_that_were_not_said_are_null),
		TEST(a_handler_is_made_at_the_time_of_the_host),
		TEST(the_last_reference_runs_destroy),
		TEST(abandoning_a_handler_does_not_run_destroy),
		TEST(without_memory_there_is_no_handler),
		TEST(runs_are_counted_with_their_time),
		TEST(runs_on_many_threads_are_all_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
