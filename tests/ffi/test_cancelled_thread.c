/* SPDX-License-Identifier: MIT */
/*
 * A thread that is cancelled before or inside a call acts on that behind the call, never in it: there
 * it would leave locks locked. The cancellation is pending when the call begins, so that the first
 * place that could act on it would.
 */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "support/engine_box.h"

typedef struct
try {
	stepbus *engine;
	stepbus_registry *registry;
	uint8_t step_id[16];
	void (*call)(const struct try *t);
	bool is_inside;
	bool was_inside;
}
try;

static void await(const try *t)
{
	stepbus_outcome *outcome = NULL;

	(void)stepbus_step_await(t->engine, t->step_id, 1, &outcome, NULL);
	stepbus_outcome_free(outcome);
}

static void look(const try *t)
{
	stepbus_text *text = NULL;

	(void)stepbus_step_info(t->engine, t->step_id, &text, NULL);
	stepbus_text_free(text);
}

static void enqueue(const try *t)
{
	const stepbus_step_spec spec = test_box_spec("nobody", "x");

	(void)stepbus_step_enqueue(t->engine, &spec, 1, NULL, NULL);
}

static void wake(const try *t)
{
	(void)stepbus_engine_wake(t->engine, NULL);
}

static void start_and_stop(const try *t)
{
	stepbus_worker *worker = NULL;

	(void)stepbus_worker_start(t->engine, NULL, 0, &worker, NULL);
	stepbus_worker_free(worker);
}

static void stop(const try *t)
{
	(void)stepbus_stop(t->engine, -1, NULL, NULL);
}

static int32_t do_nothing(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	(void)result;
	return 0;
}

static void register_one(const try *t)
{
	const stepbus_handler_spec spec = {
		.size = sizeof spec, .name = "late", .name_len = 4, .call = do_nothing
	};

	(void)stepbus_registry_register(t->registry, &spec, NULL);
}

static void note(void *user_data)
{
	try *t = user_data;

	t->was_inside = t->is_inside;
}

static void *run(void *user_data)
{
	try *t = user_data;

	pthread_cleanup_push(note, t);
	t->was_inside = true;
	t->is_inside = true;
	(void)pthread_cancel(pthread_self());
	t->call(t);
	t->is_inside = false;
	pthread_testcancel();
	pthread_cleanup_pop(0);
	return NULL;
}

static void write_record(void *user_data, int32_t level, const char *record, size_t len)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)user_data;
	(void)level;
	(void)!write(fd, record, len);
	(void)close(fd);
}

static void check(try *t, void (*call)(const try *t))
{
	pthread_t thread;
	void *result = NULL;

	t->call = call;
	t->is_inside = false;
	assert_int_equal(pthread_create(&thread, NULL, run, t), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, PTHREAD_CANCELED);
	assert_false(t->was_inside);
}

static void a_cancellation_waits_until_the_call_has_returned(void **state)
{
	test_box *box = *state;
	const stepbus_host host = { .size = sizeof host, .log = write_record };
	const stepbus_registry_options options = { .size = sizeof options, .host = &host };
	stepbus_registry *registry = NULL;
	stepbus *engine = test_box_open(box, NULL);
	try t = { .engine = engine };
	const stepbus_step_spec spec = test_box_spec("nobody", "x");
	stepbus_enqueued out = { .size = sizeof out };

	assert_int_equal(stepbus_registry_new(&options, &registry, NULL), STEPBUS_OK);
	t.registry = registry;
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, &out, &box->err));
	memcpy(t.step_id, out.step_id, sizeof t.step_id);
	check(&t, await);
	check(&t, look);
	check(&t, enqueue);
	check(&t, wake);
	check(&t, start_and_stop);
	check(&t, register_one);
	/* Nothing was left locked. */
	look(&t);
	enqueue(&t);
	check(&t, stop);
	stepbus_registry_free(registry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(a_cancellation_waits_until_the_call_has_returned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
