/* SPDX-License-Identifier: MIT */
/* Workers that start and stop, engines that stop and close, and what stands in their way. */
#include <string.h>
#include <unistd.h>

#include "support/answer.h"
#include "support/child.h"
#include "support/engine_box.h"
#include "support/thread.h"

enum { SECOND = 1000000 };

static void add_many(test_box *box, stepbus *engine, const char *handler, size_t count)
{
	for (size_t i = 0; i < count; i++)
		test_box_add(box, engine, handler, "x");
}

static int32_t act_stubborn(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	test_box *box = h->box;

	(void)context;
	pthread_mutex_lock(&box->lock);
	box->waiting_count++;
	pthread_cond_broadcast(&box->changed);
	while (!box->is_open)
		pthread_cond_wait(&box->changed, &box->lock);
	box->waiting_count--;
	pthread_mutex_unlock(&box->lock);
	return stepbus_result_success(result, "done", 4, NULL);
}

static void a_stop_gives_back_what_was_not_started(void **state)
{
	enum { COUNT = 100 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_worker *worker;

	(void)test_box_handle(box, engine, "work", act_stubborn, NULL);
	add_many(box, engine, "work", COUNT);
	worker = test_box_work(box, engine, "\"pool_size\":2");
	test_box_await_waiting(box, 2);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_RUNNING), COUNT);
	box_refused(box, STEPBUS_ETIMEDOUT, "handlers still run",
		    stepbus_worker_stop(worker, 0, NULL, &box->err));
	test_box_open_gate(box);
	box_ok(box, stepbus_worker_stop(worker, -1, NULL, &box->err));
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), 2);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_READY), COUNT - 2);
	assert_int_equal(test_box_run_count(box), 2);
	/* Given back uncharged: another worker begins with the first attempt. */
	(void)test_box_work(box, engine, NULL);
	test_box_await_notes(box, "step.completed", COUNT);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(box->runs[i].retry_count, 0);
}

typedef struct stopper {
	test_box *box;
	stepbus_worker *worker;
	stepbus_status status;
} stopper;

static void stop_worker(void *context)
{
	stopper *s = context;

	s->status = stepbus_worker_stop(s->worker, -1, NULL, NULL);
}

static void a_stop_waits_for_handlers_and_keeps_their_results(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	test_thread thread;
	stopper s = { .box = box };

	(void)test_box_handle(box, engine, "work", act_stubborn, NULL);
	test_box_add(box, engine, "work", "x");
	s.worker = test_box_work(box, engine, NULL);
	test_box_await_waiting(box, 1);
	test_thread_start(&thread, stop_worker, &s);
	test_thread_await_sleep(&thread);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_RUNNING), 1);
	test_box_open_gate(box);
	test_thread_join(&thread);
	assert_int_equal(s.status, STEPBUS_OK);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), 1);
}

static void what_is_unfinished_is_listed(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	const stepbus_step_spec spec = test_box_spec("work", "x");
	stepbus_text *text = NULL;
	char id_text[37];
	uint8_t id[16];
	cJSON *list;
	stepbus_worker *worker;

	(void)test_box_handle(box, engine, "work", act_stubborn, NULL);
	worker = test_box_work(box, engine, NULL);
	test_box_put(box, engine, &spec, id);
	test_box_await_waiting(box, 1);
	atomic_fetch_add(&box->elapsed_ns, INT64_C(1500000000));
	box_refused(box, STEPBUS_ETIMEDOUT, "handlers still run",
		    stepbus_worker_stop(worker, 1, &text, &box->err));
	list = test_answer_take(text);
	assert_int_equal(cJSON_GetArraySize(list), 1);
	box_ok(box, stepbus_id_format(id, id_text, &box->err));
	assert_string_equal(test_answer_text(cJSON_GetArrayItem(list, 0), "step_id"), id_text);
	assert_string_equal(test_answer_text(cJSON_GetArrayItem(list, 0), "handler"), "work");
	assert_int_equal(test_answer_int(cJSON_GetArrayItem(list, 0), "running_ms"), 1500);
	assert_true(test_answer_has(cJSON_GetArrayItem(list, 0), "token"));
	cJSON_Delete(list);
	box_refused(box, STEPBUS_ETIMEDOUT, "handlers still run",
		    stepbus_stop(engine, 0, &text, &box->err));
	list = test_answer_take(text);
	assert_int_equal(cJSON_GetArraySize(list), 1);
	cJSON_Delete(list);
	test_box_open_gate(box);
	box_ok(box, stepbus_stop(engine, -1, &text, &box->err));
	assert_null(text);
	assert_int_equal(test_box_look(box, engine, id).status.state, SB_STEP_COMPLETED);
}

/* Its attempt was ended for it, so nothing of it is left but a thread. */
static void a_stop_waits_for_a_handler_whose_time_was_over(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_step_spec spec = test_box_spec("work", "x");
	stepbus_worker *worker;
	uint8_t id[16];

	(void)test_box_handle(box, engine, "work", act_stubborn, NULL);
	worker = test_box_work(box, engine, NULL);
	spec.attempt_timeout_ms = 1000;
	spec.attempt_count_max = 1;
	test_box_put(box, engine, &spec, id);
	test_box_await_waiting(box, 1);
	test_box_advance(box, SECOND);
	test_box_await_notes(box, "step.failed", 1);
	box_refused(box, STEPBUS_ETIMEDOUT, "handlers still run",
		    stepbus_worker_stop(worker, 1, NULL, &box->err));
	test_box_open_gate(box);
	box_ok(box, stepbus_worker_stop(worker, -1, NULL, &box->err));
	assert_int_equal(test_box_look(box, engine, id).status.state, SB_STEP_FAILED);
}

typedef struct reentry {
	stepbus_worker *worker;
	_Atomic(int) statuses[4];
} reentry;

static int32_t act_stop(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	reentry *r = h->object;

	r->statuses[0] = stepbus_worker_stop(r->worker, -1, NULL, NULL);
	r->statuses[1] = stepbus_stop(h->engine, -1, NULL, NULL);
	stepbus_close(h->engine);
	return test_act_echo(h, context, result);
}

static reentry *heard;

static void stop_inside(test_box *box, const test_note *note, const void *payload, size_t len)
{
	(void)payload;
	(void)len;
	if (strcmp(note->name, "step.completed") != 0)
		return;
	heard->statuses[2] = stepbus_worker_stop(heard->worker, 0, NULL, NULL);
	heard->statuses[3] = stepbus_stop(box->engine, 0, NULL, NULL);
	stepbus_close(box->engine);
}

static _Atomic(int) refused_close_count;

static void count_refused_closes(void *user_data, int32_t level, const char *record, size_t len)
{
	(void)user_data;
	if (level == STEPBUS_LOG_ERROR && memmem(record, len, "close_refused", 13) != NULL)
		atomic_fetch_add(&refused_close_count, 1);
}

static void nothing_is_stopped_from_inside(void **state)
{
	test_box *box = *state;
	reentry r = { 0 };
	stepbus *engine;

	atomic_store(&refused_close_count, 0);
	box->host.log = count_refused_closes;
	engine = test_box_open(box, NULL);
	heard = &r;
	box->on_note = stop_inside;
	test_box_handle(box, engine, "work", act_stop, NULL)->object = &r;
	r.worker = test_box_work(box, engine, NULL);
	test_box_add(box, engine, "work", "x");
	test_box_await_notes(box, "step.completed", 1);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(atomic_load(&r.statuses[i]), STEPBUS_EREENTRANT);
	assert_int_equal(atomic_load(&refused_close_count), 2);
	test_box_add(box, engine, "work", "y");
	test_box_await_notes(box, "step.completed", 2);
}

static int32_t act_enqueue(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_spec spec = test_box_spec("leaf", "y");

	if (stepbus_step_enqueue(h->engine, &spec, 1, NULL, NULL) != STEPBUS_OK)
		return STEPBUS_EHANDLER;
	return test_act_echo(h, context, result);
}

static void handlers_may_enqueue(void **state)
{
	enum { COUNT = 50 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);

	(void)test_box_handle(box, engine, "work", act_enqueue, NULL);
	(void)test_box_handle(box, engine, "leaf", test_act_echo, NULL);
	(void)test_box_work(box, engine, NULL);
	add_many(box, engine, "work", COUNT);
	test_box_await_notes(box, "step.completed", 2 * COUNT);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), 2 * COUNT);
}

static void close_engine(void *context)
{
	test_box *box = context;

	test_box_close(box, box->engine);
}

static void closing_waits_for_handlers(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	test_thread thread;

	(void)test_box_handle(box, engine, "work", act_stubborn, NULL);
	(void)test_box_work(box, engine, NULL);
	test_box_add(box, engine, "work", "x");
	test_box_await_waiting(box, 1);
	test_thread_start(&thread, close_engine, box);
	test_thread_await_sleep(&thread);
	assert_int_equal(box->waiting_count, 1);
	test_box_open_gate(box);
	test_thread_join(&thread);
	assert_int_equal(test_box_count_notes(box, "step.completed"), 1);
}

static void several_workers_share_the_work(void **state)
{
	enum { COUNT = 500 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	for (int i = 0; i < 4; i++)
		(void)test_box_work(box, engine, "\"block_size\":4,\"pool_size\":2");
	add_many(box, engine, "work", COUNT);
	test_box_await_notes(box, "step.completed", COUNT);
	assert_int_equal(test_box_run_count(box), COUNT);
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_COMPLETED), COUNT);
}

static void workers_come_and_go_while_there_is_work(void **state)
{
	enum { ROUNDS = 20, EACH = 20 };
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);

	(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		stepbus_worker *worker = test_box_work(box, engine, "\"block_size\":8");

		add_many(box, engine, "work", EACH);
		if (i % 2 == 0)
			box_ok(box, stepbus_worker_stop(worker, -1, NULL, &box->err));
		stepbus_worker_free(worker);
	}
	assert_int_equal(test_box_count_state(box, engine, SB_STEP_RUNNING), 0);
	(void)test_box_work(box, engine, NULL);
	test_box_await_notes(box, "step.completed", ROUNDS * EACH);
	assert_int_equal(test_box_run_count(box), ROUNDS * EACH);
}

static void engines_open_and_close_again_and_again(void **state)
{
	enum { ROUNDS = 10 };
	test_box *box = *state;

	for (int i = 0; i < ROUNDS; i++) {
		stepbus *engine = test_box_open(box, NULL);

		(void)test_box_handle(box, engine, "work", test_act_echo, NULL);
		(void)test_box_work(box, engine, NULL);
		add_many(box, engine, "work", 5);
		test_box_close(box, engine);
	}
	if (!box->is_on_disk)
		return;
	(void)test_box_open(box, NULL);
	(void)test_box_handle(box, box->engine, "work", test_act_echo, NULL);
	(void)test_box_work(box, box->engine, NULL);
	test_box_await_notes(box, "step.completed", 5 * ROUNDS);
	assert_int_equal(test_box_run_count(box), 5 * ROUNDS);
}

static void a_stopped_worker_may_be_stopped_and_freed(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	stepbus_worker *worker = test_box_work(box, engine, NULL);

	box_ok(box, stepbus_worker_stop(worker, 0, NULL, &box->err));
	box_ok(box, stepbus_worker_stop(worker, -1, NULL, &box->err));
	box_refused(box, STEPBUS_EINVAL, "timeout_ms",
		    stepbus_worker_stop(worker, -2, NULL, &box->err));
	box_refused(box, STEPBUS_EINVAL, "timeout_ms", stepbus_stop(engine, -2, NULL, &box->err));
	stepbus_worker_free(worker);
	stepbus_worker_free(NULL);
	stepbus_close(NULL);
	box_ok(box, stepbus_stop(engine, -1, NULL, &box->err));
	box_refused(box, STEPBUS_ESHUTDOWN, "stopped",
		    stepbus_worker_start(engine, NULL, 0, &worker, &box->err));
}

typedef struct child_case {
	test_box *box;
	stepbus_worker *worker;
} child_case;

/* The line of the first call that was not refused as it should be, or 0. */
static int use_in_child(void *context)
{
	const child_case *c = context;
	stepbus *engine = c->box->engine;
	const stepbus_step_spec spec = test_box_spec("work", "x");
	stepbus_completion done = { .size = sizeof done,
				    .outcome = STEPBUS_OUTCOME_SUCCESS,
				    .token = 1 };
	stepbus_worker *worker = NULL;
	stepbus_error err = STEPBUS_ERROR_INIT;

	(void)alarm(20);
	if (stepbus_step_enqueue(engine, &spec, 1, NULL, &err) != STEPBUS_EFORKED)
		return 1;
	if (stepbus_step_enqueue_async(engine, &spec, 1, NULL, NULL, &err) != STEPBUS_EFORKED)
		return 2;
	if (stepbus_complete(engine, &done, 1, NULL, &err) != STEPBUS_EFORKED)
		return 3;
	if (stepbus_engine_wake(engine, &err) != STEPBUS_EFORKED)
		return 4;
	if (stepbus_worker_start(engine, NULL, 0, &worker, &err) != STEPBUS_EFORKED)
		return 5;
	if (stepbus_worker_stop(c->worker, -1, NULL, &err) != STEPBUS_EFORKED)
		return 6;
	if (stepbus_stop(engine, -1, NULL, &err) != STEPBUS_EFORKED)
		return 7;
	if (err.message[0] == '\0')
		return 8;
	stepbus_worker_free(c->worker);
	stepbus_close(engine);
	return 0;
}

static void a_forked_child_is_refused_and_the_parent_goes_on(void **state)
{
	test_box *box = *state;
	stepbus *engine = test_box_open(box, NULL);
	child_case c = { .box = box };

	(void)test_box_handle(box, engine, "work", test_act_wait, NULL);
	c.worker = test_box_work(box, engine, NULL);
	test_box_add(box, engine, "work", "x");
	test_box_await_waiting(box, 1);
	assert_int_equal(test_in_child(use_in_child, &c), 0);
	test_box_open_gate(box);
	add_many(box, engine, "work", 10);
	test_box_await_notes(box, "step.completed", 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(a_stop_gives_back_what_was_not_started),
		BOX_TEST(a_stop_waits_for_handlers_and_keeps_their_results),
		BOX_TEST(what_is_unfinished_is_listed),
		BOX_TEST(a_stop_waits_for_a_handler_whose_time_was_over),
		BOX_TEST(nothing_is_stopped_from_inside),
		BOX_TEST(handlers_may_enqueue),
		BOX_TEST(closing_waits_for_handlers),
		BOX_TEST(several_workers_share_the_work),
		BOX_TEST(workers_come_and_go_while_there_is_work),
		BOX_TEST(engines_open_and_close_again_and_again),
		BOX_TEST(a_stopped_worker_may_be_stopped_and_freed),
		BOX_TEST(a_forked_child_is_refused_and_the_parent_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
