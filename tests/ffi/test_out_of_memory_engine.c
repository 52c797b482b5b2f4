/* SPDX-License-Identifier: MIT */
/*
 * Memory runs out in an engine, on both stores: while it opens, and in everything that a host calls.
 * Each call says STEPBUS_ENOMEM or gets by; and with memory again, everything works.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/host.h"
#include "support/spec.h"
#include "support/tempdir.h"

enum { MANY = 20 };

/* An engine that gets memory until it is open, and what an act made in it. */
typedef struct world {
	test_host *t;
	stepbus *engine;
	uint8_t id[16]; /* of a step that is there */
	int try_count;
	uint64_t step_count; /* before the act */
	stepbus_worker *worker;
	_Atomic(int) done_count;
} world;

typedef stepbus_status (*act)(world *w, stepbus_error *err);

static bool is_on_disk;
static test_tempdir dir;

/* From now on the nth allocation fails; 0: none. Other threads allocate meanwhile. */
static void set_famine(test_host *t, size_t n)
{
	pthread_mutex_lock(&t->lock);
	t->fail_at = n > 0 ? t->allocation_count + n : 0;
	pthread_mutex_unlock(&t->lock);
}

static stepbus_status open_engine(test_host *t, stepbus **out, stepbus_error *err)
{
	char path[TEST_PATH_LEN], config[TEST_PATH_LEN + 128];
	stepbus_options options = { .size = sizeof options, .config = config, .host = &t->host };

	/* Threads that wait and poll need clocks that go. */
	t->host.now_us = NULL;
	t->host.elapsed_ns = NULL;
	test_tempdir_path(&dir, "steps.db", path);
	snprintf(config, sizeof config,
		 "{\"store\":\"%s%s\",\"durability\":\"%s\",\"poll_ms\":10,"
		 "\"queues\":{\"q\":{\"concurrency_max\":3}}}",
		 is_on_disk ? "sqlite:" : "memory:", is_on_disk ? path : "",
		 is_on_disk ? "process" : "memory");
	options.config_len = strlen(config);
	return stepbus_open(&options, out, err);
}

static void check(stepbus_status status, const stepbus_error *err, size_t n)
{
	if (status != STEPBUS_OK && status != STEPBUS_ENOMEM)
		fail_msg("allocation %zu: %s: %s", n, stepbus_status_name(status), err->message);
	if (status != STEPBUS_OK && err->message[0] == '\0')
		fail_msg("allocation %zu: %s without a message", n, stepbus_status_name(status));
}

static stepbus_status run_open(test_host *t, stepbus_error *err)
{
	stepbus_error again = STEPBUS_ERROR_INIT;
	size_t n = t->fail_at;
	stepbus *engine = NULL;
	stepbus_status status;

	status = open_engine(t, &engine, err);
	check(status, err, n);
	assert_int_equal(engine != NULL, status == STEPBUS_OK);
	set_famine(t, 0);
	stepbus_close(engine);
	engine = NULL;
	if (open_engine(t, &engine, &again) != STEPBUS_OK)
		fail_msg("allocation %zu failed, and then it cannot be opened: %s", n,
			 again.message);
	stepbus_close(engine);
	return status;
}

static stepbus_step_spec good_spec(void)
{
	return (stepbus_step_spec){ .size = sizeof(stepbus_step_spec),
				    .handler_name = "work",
				    .handler_name_len = 4,
				    .input = "{\"n\":1}",
				    .input_len = 7,
				    .tags = "a,b",
				    .tags_len = 3 };
}

static void begin(world *w, test_host *t)
{
	const stepbus_handler_spec handler = test_spec("work", NULL);
	stepbus_error err = STEPBUS_ERROR_INIT;

	*w = (world){ .t = t };
	test_host_init(t);
	test_tempdir_make(&dir);
	if (open_engine(t, &w->engine, &err) != STEPBUS_OK ||
	    stepbus_registry_register(stepbus_engine_registry(w->engine), &handler, &err) !=
		    STEPBUS_OK)
		fail_msg("the world cannot begin: %s", err.message);
}

static void end(world *w)
{
	stepbus_close(w->engine);
	test_tempdir_remove(&dir);
	test_host_end(w->t);
}

static uint64_t count_steps(stepbus *engine)
{
	uint64_t count = 0;

	if (stepbus_step_count(engine, NULL, 0, &count, NULL) != STEPBUS_OK)
		fail_msg("the steps cannot be counted");
	return count;
}

/* A step of this try's own. */
static void begin_try(world *w)
{
	const stepbus_step_spec spec = good_spec();
	stepbus_enqueued out = { .size = sizeof out };
	stepbus_error err = STEPBUS_ERROR_INIT;

	if (stepbus_step_enqueue(w->engine, &spec, 1, &out, &err) != STEPBUS_OK)
		fail_msg("a step cannot be enqueued: %s", err.message);
	memcpy(w->id, out.step_id, sizeof w->id);
	w->try_count++;
	w->step_count = count_steps(w->engine);
}

/* True: an allocation failed, so there may be a next one. */
static bool try_once(world *w, act a, size_t n)
{
	stepbus_error err = STEPBUS_ERROR_INIT, again = STEPBUS_ERROR_INIT;
	size_t failed_count;

	begin_try(w);
	failed_count = w->t->failed_count;
	set_famine(w->t, n);
	check(a(w, &err), &err, n);
	set_famine(w->t, 0);
	if (a(w, &again) != STEPBUS_OK)
		fail_msg("allocation %zu failed, and then it cannot be done: %s", n, again.message);
	stepbus_worker_free(w->worker);
	w->worker = NULL;
	return w->t->failed_count > failed_count;
}

static void try_act(act a)
{
	test_host t;
	world w;

	for (int round = 0; round < 4; round++) {
		size_t n = 1;

		is_on_disk = round / 2 == 1;
		begin(&w, &t);
		t.is_sticky = round % 2 == 1;
		while (try_once(&w, a, n))
			n++;
		end(&w);
	}
}

static void opening_in_memory(void **state)
{
	const test_scenario scenario = { "opening in memory", run_open, true };

	(void)state;
	is_on_disk = false;
	test_tempdir_make(&dir);
	test_fail_each_allocation(&scenario);
	test_tempdir_remove(&dir);
}

static void opening_a_file(void **state)
{
	const test_scenario scenario = { "opening a file", run_open, true };

	(void)state;
	is_on_disk = true;
	test_tempdir_make(&dir);
	test_fail_each_allocation(&scenario);
	test_tempdir_remove(&dir);
}

/* All of them, or none. */
static stepbus_status enqueue_many(world *w, stepbus_error *err)
{
	stepbus_step_spec specs[MANY];
	stepbus_enqueued out[MANY];
	uint64_t before = w->step_count;
	stepbus_status status;

	for (size_t i = 0; i < MANY; i++)
		specs[i] = good_spec();
	specs[1].queue = "other";
	specs[1].queue_len = 5;
	specs[2].handler_name = "else";
	specs[3].concurrency_key = "k";
	specs[3].concurrency_key_len = 1;
	specs[4].delay_ms = 3600000;
	out[0].size = sizeof *out;
	status = stepbus_step_enqueue(w->engine, specs, MANY, out, err);
	set_famine(w->t, 0);
	w->step_count = count_steps(w->engine);
	if (w->step_count != before + (status == STEPBUS_OK ? MANY : 0))
		fail_msg("%llu steps: some of %d are there, some are not",
			 (unsigned long long)(w->step_count - before), MANY);
	return status;
}

static stepbus_status enqueue_one(world *w, stepbus_error *err)
{
	stepbus_step_spec spec = good_spec();
	char name[32];
	int len = snprintf(name, sizeof name, "new.%d", w->try_count);

	/* In a queue that is not known yet; the second time gives what the first one made. */
	spec.queue = name;
	spec.idempotency_key = name;
	spec.unique_key = name;
	spec.queue_len = spec.idempotency_key_len = spec.unique_key_len = (size_t)len;
	return stepbus_step_enqueue(w->engine, &spec, 1, NULL, err);
}

static void note_done(void *user_data, stepbus_status status, const stepbus_enqueued *results,
		      size_t count, const stepbus_error *err)
{
	world *w = user_data;

	(void)results;
	(void)count;
	(void)err;
	(void)status;
	atomic_fetch_add(&w->done_count, 1);
}

/* done is called once where the call is accepted, and not where it is not. */
static stepbus_status enqueue_async(world *w, stepbus_error *err)
{
	const stepbus_step_spec spec = good_spec();
	int before = atomic_load(&w->done_count);
	stepbus_status status = stepbus_step_enqueue_async(w->engine, &spec, 1, note_done, w, err);

	while (status == STEPBUS_OK && atomic_load(&w->done_count) == before)
		sched_yield();
	assert_int_equal(atomic_load(&w->done_count), before + (status == STEPBUS_OK));
	return status;
}

static stepbus_status drop_text(stepbus_status status, stepbus_text **text)
{
	assert_int_equal(*text != NULL, status == STEPBUS_OK);
	stepbus_text_free(*text);
	*text = NULL;
	return status;
}

static stepbus_status ask_of_steps(world *w, stepbus_error *err)
{
	static const char filter[] =
		"{\"state\":[\"ready\"],\"queue\":\"default\",\"tag\":\"a\",\"limit\":2}";
	stepbus_text *text = NULL;
	uint64_t count = 0;
	stepbus_status status = drop_text(stepbus_step_info(w->engine, w->id, &text, err), &text);

	if (status == STEPBUS_OK)
		status = drop_text(stepbus_step_attempts(w->engine, w->id, &text, err), &text);
	if (status == STEPBUS_OK)
		status = drop_text(
			stepbus_step_list(w->engine, filter, sizeof filter - 1, &text, err), &text);
	return status == STEPBUS_OK ?
		       stepbus_step_count(w->engine, filter, sizeof filter - 1, &count, err) :
		       status;
}

static stepbus_status ask_of_the_engine(world *w, stepbus_error *err)
{
	stepbus_text *text = NULL;
	stepbus_status status = drop_text(stepbus_queue_list(w->engine, &text, err), &text);

	if (status == STEPBUS_OK)
		status = drop_text(stepbus_worker_list(w->engine, &text, err), &text);
	if (status == STEPBUS_OK)
		status = drop_text(stepbus_engine_stats(w->engine, &text, err), &text);
	return status == STEPBUS_OK ? drop_text(stepbus_cron_list(w->engine, &text, err), &text) :
				      status;
}

static stepbus_status change_queues_and_cron(world *w, stepbus_error *err)
{
	static const char entry[] =
		"{\"name\":\"n\",\"expression\":\"0 3 1 1 *\",\"step\":{\"handler\":\"h\"}}";
	stepbus_status status = stepbus_queue_set(w->engine, STEPBUS_TEXT("new"),
						  STEPBUS_TEXT("{\"rate_count\":5}"), err);

	if (status == STEPBUS_OK)
		status = stepbus_queue_pause(w->engine, STEPBUS_TEXT("q"), err);
	if (status == STEPBUS_OK)
		status = stepbus_queue_resume(w->engine, STEPBUS_TEXT("q"), err);
	if (status == STEPBUS_OK)
		status = stepbus_cron_set(w->engine, entry, sizeof entry - 1, err);
	return status == STEPBUS_OK ? stepbus_cron_remove(w->engine, STEPBUS_TEXT("n"), err) :
				      status;
}

/* Where the first try came half the way, the second finds it so. */
static stepbus_status cancel_and_redrive(world *w, stepbus_error *err)
{
	stepbus_outcome *outcome = NULL;
	uint64_t count = 0;
	stepbus_status status = stepbus_step_cancel(w->engine, w->id, err);

	if (status == STEPBUS_EALREADY)
		status = STEPBUS_OK;
	if (status == STEPBUS_OK)
		status = stepbus_step_await(w->engine, w->id, -1, &outcome, err);
	assert_int_equal(outcome != NULL, status == STEPBUS_OK);
	stepbus_outcome_free(outcome);
	if (status == STEPBUS_OK)
		status = stepbus_step_redrive(w->engine, w->id, err);
	if (status == STEPBUS_OK)
		status = stepbus_step_cancel(w->engine, w->id, err);
	return status == STEPBUS_OK ? stepbus_step_redrive_all(w->engine, NULL, 0, &count, err) :
				      status;
}

/* The step is run, though memory may be short while it is claimed, run and settled. */
static stepbus_status run_steps(world *w, stepbus_error *err)
{
	stepbus_outcome *outcome = NULL;
	stepbus_status status = STEPBUS_OK;

	if (w->worker == NULL)
		status = stepbus_worker_start(w->engine, NULL, 0, &w->worker, err);
	assert_int_equal(w->worker != NULL, status == STEPBUS_OK);
	if (status != STEPBUS_OK)
		return status;
	/* Time for the failure to come: what is not claimed is claimed later. */
	(void)stepbus_step_await(w->engine, w->id, 5, &outcome, NULL);
	stepbus_outcome_free(outcome);
	outcome = NULL;
	set_famine(w->t, 0);
	status = stepbus_step_await(w->engine, w->id, -1, &outcome, err);
	if (status != STEPBUS_OK)
		return status;
	assert_int_equal(stepbus_outcome_completion(outcome)->outcome, STEPBUS_OUTCOME_SUCCESS);
	stepbus_outcome_free(outcome);
	return STEPBUS_OK;
}

#define ACT_TEST(name, function)       \
	static void name(void **state) \
	{                              \
		(void)state;           \
		try_act(function);     \
	}                              \
	struct world

ACT_TEST(enqueueing_one_step, enqueue_one);
ACT_TEST(enqueueing_many_steps, enqueue_many);
ACT_TEST(enqueueing_without_waiting, enqueue_async);
ACT_TEST(asking_of_steps, ask_of_steps);
ACT_TEST(asking_of_the_engine, ask_of_the_engine);
ACT_TEST(changing_queues_and_cron, change_queues_and_cron);
ACT_TEST(cancelling_and_redriving, cancel_and_redrive);
ACT_TEST(running_steps, run_steps);

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opening_in_memory),
		cmocka_unit_test(opening_a_file),
		cmocka_unit_test(enqueueing_one_step),
		cmocka_unit_test(enqueueing_many_steps),
		cmocka_unit_test(enqueueing_without_waiting),
		cmocka_unit_test(asking_of_steps),
		cmocka_unit_test(asking_of_the_engine),
		cmocka_unit_test(changing_queues_and_cron),
		cmocka_unit_test(cancelling_and_redriving),
		cmocka_unit_test(running_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
