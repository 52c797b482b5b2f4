/* SPDX-License-Identifier: MIT */
/* Steps within steps, on many threads, and while their subscriber is being stopped or freed. */
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/flow.h"

enum { THREAD_COUNT = 4, STEP_COUNT = 500, DEPTH_MAX = 32 };

static test_flow *flow;

static int set_up(void **state)
{
	int failure = test_flow_begin(state);

	flow = *state;
	return failure;
}

static int32_t stop_inside(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	stepbus_execution_subscriber_stop(flow->subscriber, NULL);
	test_flow_note(flow, 'o');
	stepbus_result_success(result, STEPBUS_TEXT("stopped"), NULL);
	return 0;
}

static void a_handler_may_stop_its_subscriber_and_still_completes(void **state)
{
	(void)state;
	test_flow_register(flow, "mail", stop_inside, NULL);
	assert_int_equal(test_flow_run(flow, "mail"), STEPBUS_OK);
	assert_string_equal(flow->journal, "ocs");
	assert_int_equal(stepbus_execution_subscriber_is_active(flow->subscriber), 0);
	test_flow_run(flow, "mail");
	assert_int_equal(flow->complete_count, 1);
}

static int32_t free_inside(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);

	(void)instance;
	stepbus_execution_subscriber_free(flow->subscriber);
	flow->subscriber = NULL;
	test_flow_note(flow, flow->door_destroyed == 0 ? 'f' : 'F');
	stepbus_result_success(result, step->input, step->input_len, NULL);
	return 0;
}

static void a_handler_may_free_its_subscriber_and_still_completes(void **state)
{
	(void)state;
	test_flow_register(flow, "mail", free_inside, NULL);
	assert_int_equal(test_flow_run(flow, "mail"), STEPBUS_OK);
	assert_string_equal(flow->journal, "fcs");
	assert_true(test_is_text(flow->done.result, flow->done.result_len, "{\"n\":1}"));
	assert_int_equal(flow->door_destroyed, 1);
}

static int32_t free_in_completion(void *user_data, const stepbus_completion *completion,
				  stepbus_error *err)
{
	stepbus_execution_subscriber **subscriber = user_data;

	(void)completion;
	(void)err;
	test_flow_note(flow, 'C');
	stepbus_execution_subscriber_free(*subscriber);
	*subscriber = NULL;
	return STEPBUS_OK;
}

static void the_completion_function_may_free_its_subscriber(void **state)
{
	stepbus_execution_subscriber *own = NULL;
	const stepbus_execution_options options = { .size = sizeof options,
						    .worker_id = "worker-2",
						    .worker_id_len = 8,
						    .complete = free_in_completion,
						    .user_data = &own };

	(void)state;
	stepbus_execution_subscriber_stop(flow->subscriber, NULL);
	test_flow_register(flow, "mail", test_succeed, NULL);
	assert_int_equal(stepbus_execution_subscriber_new(flow->bridge, flow->registry, &options,
							  &own, NULL),
			 STEPBUS_OK);
	assert_int_equal(stepbus_execution_subscriber_start(own, NULL), STEPBUS_OK);
	test_flow_run(flow, "mail");
	assert_string_equal(flow->journal, "Cs");
	assert_null(own);
}

/* A handler that announces the next step before it is through, until the instance's count is out. */
typedef struct nest {
	int left;
	int depth;
	stepbus_status deepest_status; /* of the publish that was refused */
} nest;

static int32_t announce_next(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event step = test_step("nest");
	nest *n = instance;

	(void)context;
	n->depth++;
	if (n->left-- > 0) {
		stepbus_status status = stepbus_bridge_publish_name(
			flow->bridge, STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED), &step,
			sizeof step, NULL);

		if (n->deepest_status == STEPBUS_OK)
			n->deepest_status = status;
	}
	stepbus_result_success(result, NULL, 0, NULL);
	return 0;
}

static void a_handler_may_announce_a_step_that_runs_inside_it(void **state)
{
	nest n = { .left = 1 };

	(void)state;
	test_flow_register(flow, "nest", announce_next, &n);
	assert_int_equal(test_flow_run(flow, "nest"), STEPBUS_OK);
	assert_int_equal(n.depth, 2);
	assert_int_equal(n.deepest_status, STEPBUS_OK);
	assert_string_equal(flow->journal, "cscs");
}

/* However deep: what was completed is told, and what is too deep is refused, not lost. */
static void every_step_that_completes_is_told_at_any_depth(void **state)
{
	nest n = { .left = 2 * DEPTH_MAX };

	(void)state;
	test_flow_register(flow, "nest", announce_next, &n);
	assert_int_equal(test_flow_run(flow, "nest"), STEPBUS_OK);
	assert_int_equal(n.deepest_status, STEPBUS_EREENTRANT);
	assert_true(n.depth > DEPTH_MAX / 2 && n.depth <= DEPTH_MAX);
	assert_int_equal(flow->complete_count, n.depth);
	assert_int_equal(flow->sent_count, n.depth);
}

static void the_flow_goes_on_after_it_was_nested_too_deep(void **state)
{
	nest n = { .left = 2 * DEPTH_MAX };

	(void)state;
	test_flow_register(flow, "nest", announce_next, &n);
	test_flow_run(flow, "nest");
	n = (nest){ .left = 3 };
	assert_int_equal(test_flow_run(flow, "nest"), STEPBUS_OK);
	assert_int_equal(n.depth, 4);
	assert_int_equal(n.deepest_status, STEPBUS_OK);
}

/* A step that waits inside its handler, on a thread of its own. */
typedef struct waiter {
	sem_t entered;
	sem_t released;
	int left_count; /* handlers that returned; plain, since stopping orders what they did */
	stepbus_status status;
} waiter;

static int32_t wait_inside(void *instance, const stepbus_context *context, stepbus_result *result)
{
	waiter *w = instance;

	(void)context;
	sem_post(&w->entered);
	sem_wait(&w->released);
	stepbus_result_success(result, STEPBUS_TEXT("waited"), NULL);
	w->left_count++;
	return 0;
}

static void *run_waiting_step(void *context)
{
	const stepbus_step_event step = test_step("wait");
	waiter *w = context;

	w->status = stepbus_bridge_publish_name(flow->bridge,
						STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED),
						&step, sizeof step, NULL);
	return NULL;
}

static void begin_waiting(waiter *w, pthread_t *thread)
{
	sem_init(&w->entered, 0, 0);
	sem_init(&w->released, 0, 0);
	test_flow_register(flow, "wait", wait_inside, w);
	assert_int_equal(pthread_create(thread, NULL, run_waiting_step, w), 0);
	sem_wait(&w->entered);
}

static void end_waiting(waiter *w)
{
	sem_destroy(&w->entered);
	sem_destroy(&w->released);
}

static void *release(void *context)
{
	sem_post(&((waiter *)context)->released);
	return NULL;
}

static void stopping_waits_for_the_step_on_another_thread(void **state)
{
	waiter w = { .status = STEPBUS_EINVAL };
	pthread_t thread, releaser;

	(void)state;
	begin_waiting(&w, &thread);
	assert_int_equal(pthread_create(&releaser, NULL, release, &w), 0);
	assert_int_equal(stepbus_execution_subscriber_stop(flow->subscriber, NULL), STEPBUS_OK);
	assert_int_equal(w.left_count, 1);
	assert_int_equal(flow->complete_count, 1);
	pthread_join(thread, NULL);
	pthread_join(releaser, NULL);
	assert_int_equal(w.status, STEPBUS_OK);
	end_waiting(&w);
}

static void freeing_waits_for_the_step_on_another_thread(void **state)
{
	waiter w = { .status = STEPBUS_EINVAL };
	pthread_t thread, releaser;

	(void)state;
	begin_waiting(&w, &thread);
	assert_int_equal(pthread_create(&releaser, NULL, release, &w), 0);
	stepbus_execution_subscriber_free(flow->subscriber);
	flow->subscriber = NULL;
	assert_int_equal(w.left_count, 1);
	assert_int_equal(flow->door_destroyed, 1);
	pthread_join(thread, NULL);
	pthread_join(releaser, NULL);
	end_waiting(&w);
}

static void a_handler_unregistered_while_it_runs_completes_its_step(void **state)
{
	const stepbus_handler_key key = test_key("wait", NULL);
	waiter w = { .status = STEPBUS_EINVAL };
	pthread_t thread;

	(void)state;
	begin_waiting(&w, &thread);
	assert_int_equal(stepbus_registry_unregister(flow->registry, &key, NULL), STEPBUS_OK);
	release(&w);
	pthread_join(thread, NULL);
	assert_true(test_is_text(flow->done.result, flow->done.result_len, "waited"));
	assert_true(
		test_is_text(flow->done.handler_version, flow->done.handler_version_len, "1.0.0"));
	test_flow_run(flow, "wait");
	assert_true(test_flow_failed(flow, "handler_not_found", 0));
	end_waiting(&w);
}

/* One that unregisters itself, and whose destroy must wait for its end. */
typedef struct leaver {
	_Atomic(int) destroyed;
	int destroyed_inside;
} leaver;

static int32_t unregister_itself(void *instance, const stepbus_context *context,
				 stepbus_result *result)
{
	const stepbus_handler_key key = test_key("leaving", NULL);
	leaver *l = instance;

	(void)context;
	stepbus_registry_unregister(flow->registry, &key, NULL);
	l->destroyed_inside = l->destroyed;
	stepbus_result_success(result, NULL, 0, NULL);
	return 0;
}

static void a_handler_may_unregister_itself(void **state)
{
	leaver l = { .destroyed = 0 };
	stepbus_handler_spec spec = test_spec("leaving", NULL);

	(void)state;
	spec.call = unregister_itself;
	spec.user_data = &l;
	spec.destroy = test_count;
	assert_int_equal(stepbus_registry_register(flow->registry, &spec, NULL), STEPBUS_OK);
	assert_int_equal(test_flow_run(flow, "leaving"), STEPBUS_OK);
	assert_int_equal(flow->done.outcome, STEPBUS_OUTCOME_SUCCESS);
	assert_int_equal(l.destroyed_inside, 0);
	assert_int_equal(l.destroyed, 1);
}

/* Steps of many threads: each thread's own token comes back in its own completions. */
typedef struct sender {
	uint64_t token;
	_Atomic(uint64_t) *sum; /* of all tokens that were completed */
	int failures;
} sender;

static int32_t add_token(void *user_data, const stepbus_completion *completion, stepbus_error *err)
{
	(void)err;
	atomic_fetch_add((_Atomic(uint64_t) *)user_data, completion->token);
	return completion->outcome == STEPBUS_OUTCOME_SUCCESS ? STEPBUS_OK : STEPBUS_EINVAL;
}

static void *send_steps(void *context)
{
	sender *s = context;
	stepbus_step_event step = test_step("mail");

	step.token = s->token;
	for (int i = 0; i < STEP_COUNT; i++)
		s->failures +=
			stepbus_bridge_publish_name(
				flow->bridge, STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED),
				&step, sizeof step, NULL) != STEPBUS_OK;
	return NULL;
}

static void steps_of_four_threads_complete_once_each(void **state)
{
	_Atomic(uint64_t) sum = 0;
	const stepbus_execution_options options = { .size = sizeof options,
						    .worker_id = "worker-2",
						    .worker_id_len = 8,
						    .complete = add_token,
						    .user_data = &sum };
	stepbus_execution_subscriber *own = NULL;
	pthread_t threads[THREAD_COUNT];
	sender senders[THREAD_COUNT];

	(void)state;
	stepbus_execution_subscriber_stop(flow->subscriber, NULL);
	test_flow_register(flow, "mail", test_succeed, NULL);
	assert_int_equal(stepbus_execution_subscriber_new(flow->bridge, flow->registry, &options,
							  &own, NULL),
			 STEPBUS_OK);
	assert_int_equal(stepbus_execution_subscriber_start(own, NULL), STEPBUS_OK);
	for (int i = 0; i < THREAD_COUNT; i++) {
		senders[i] = (sender){ UINT64_C(1) << (16 * i), &sum, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, send_steps, &senders[i]), 0);
	}
	for (int i = 0; i < THREAD_COUNT; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREAD_COUNT; i++) {
		assert_int_equal(senders[i].failures, 0);
		assert_int_equal(sum >> (16 * i) & 0xFFFF, STEP_COUNT);
	}
	stepbus_execution_subscriber_free(own);
}

/* Starts and stops while others send: every step that found the subscriber is completed. */
static void starting_and_stopping_under_load_loses_nothing(void **state)
{
	pthread_t threads[THREAD_COUNT];
	sender senders[THREAD_COUNT];

	(void)state;
	test_flow_register(flow, "mail", test_succeed, NULL);
	for (int i = 0; i < THREAD_COUNT; i++) {
		senders[i] = (sender){ 7, NULL, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, send_steps, &senders[i]), 0);
	}
	for (int i = 0; i < 200; i++) {
		assert_int_equal(stepbus_execution_subscriber_stop(flow->subscriber, NULL), 0);
		assert_int_equal(stepbus_execution_subscriber_start(flow->subscriber, NULL), 0);
	}
	for (int i = 0; i < THREAD_COUNT; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(senders[i].failures, 0);
	}
	assert_int_equal(flow->complete_count, flow->sent_count);
}

/* A factory whose instances are blocks, so that a sanitizer sees a use behind discard. */
static _Atomic(int) created, discarded;

static int32_t create_block(void *user_data, void **instance, stepbus_error *err)
{
	(void)user_data;
	(void)err;
	*instance = calloc(1, sizeof(uint64_t));
	atomic_fetch_add(&created, 1);
	return *instance != NULL ? STEPBUS_OK : STEPBUS_ENOMEM;
}

static void discard_block(void *user_data, void *instance)
{
	(void)user_data;
	free(instance);
	atomic_fetch_add(&discarded, 1);
}

static int32_t read_block(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)context;
	if (*(const uint64_t *)instance != 0)
		return STEPBUS_EINVAL;
	stepbus_result_success(result, NULL, 0, NULL);
	return 0;
}

static stepbus_handler_spec block_spec(uint32_t scope)
{
	stepbus_handler_spec spec = test_spec("mail", "1.0.0");

	spec.flags = STEPBUS_HANDLER_OVERRIDE;
	spec.call = read_block;
	spec.create = create_block;
	spec.discard = discard_block;
	spec.instance_scope = scope;
	return spec;
}

static void the_registry_may_change_while_steps_run(void **state)
{
	const stepbus_handler_key key = test_key("mail", NULL);
	pthread_t threads[THREAD_COUNT];
	sender senders[THREAD_COUNT];

	(void)state;
	atomic_store(&created, 0);
	atomic_store(&discarded, 0);
	for (int i = 0; i < THREAD_COUNT; i++) {
		senders[i] = (sender){ 7, NULL, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, send_steps, &senders[i]), 0);
	}
	for (uint32_t i = 0; i < 600; i++) {
		const stepbus_handler_spec spec = block_spec(i / 2 % 2);

		if (i % 3 == 2)
			stepbus_registry_unregister(flow->registry, &key, NULL);
		else
			assert_int_equal(stepbus_registry_register(flow->registry, &spec, NULL), 0);
	}
	for (int i = 0; i < THREAD_COUNT; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(senders[i].failures, 0);
	}
	stepbus_execution_subscriber_stop(flow->subscriber, NULL);
	assert_int_equal(flow->complete_count, THREAD_COUNT * STEP_COUNT);
	assert_int_equal(flow->sent_count, THREAD_COUNT * STEP_COUNT);
	assert_int_equal(discarded, created);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, test_flow_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_handler_may_stop_its_subscriber_and_still_completes),
		TEST(a_handler_may_free_its_subscriber_and_still_completes),
		TEST(the_completion_function_may_free_its_subscriber),
		TEST(a_handler_may_announce_a_step_that_runs_inside_it),
		TEST(every_step_that_completes_is_told_at_any_depth),
		TEST(the_flow_goes_on_after_it_was_nested_too_deep),
		TEST(stopping_waits_for_the_step_on_another_thread),
		TEST(freeing_waits_for_the_step_on_another_thread),
		TEST(a_handler_unregistered_while_it_runs_completes_its_step),
		TEST(a_handler_may_unregister_itself),
		TEST(steps_of_four_threads_complete_once_each),
		TEST(starting_and_stopping_under_load_loses_nothing),
		TEST(the_registry_may_change_while_steps_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
