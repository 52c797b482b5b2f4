/* SPDX-License-Identifier: MIT */
/* What factories make: for each step, or once for each worker, and discarded once. */
#include "handlers/instances.h"

#include <semaphore.h>

#include "support/cmocka.h"
#include "support/flow.h"

enum { THREAD_COUNT = 4, INSTANCE_COUNT_MAX = 64 };

static test_flow *flow;

static int set_up(void **state)
{
	int failure = test_flow_begin(state);

	flow = *state;
	return failure;
}

/* A factory that counts: instances are the addresses in a pool. */
typedef struct factory {
	_Atomic(int) created;
	_Atomic(int) discarded;
	_Atomic(int) destroyed;
	_Atomic(int) used_after_discard;
	_Atomic(bool) is_discarded[INSTANCE_COUNT_MAX];
	_Atomic(void *) last_used;
	_Atomic(int) used_changes; /* how often a step got another instance than the one before */
	_Atomic(bool) is_failing;
	void (*during_create)(struct factory *f);
	stepbus_handler_fn call; /* what runs in the step; may be NULL */
	char pool[INSTANCE_COUNT_MAX];
} factory;

/* Handlers get only their instance: the factory of the running test. */
static factory made;

static int32_t create(void *user_data, void **instance, stepbus_error *err)
{
	factory *f = user_data;

	(void)err;
	if (f->during_create != NULL)
		f->during_create(f);
	if (atomic_load(&f->is_failing))
		return STEPBUS_ENOMEM;
	*instance = &f->pool[atomic_fetch_add(&f->created, 1)];
	test_flow_note(flow, 'i');
	return 0;
}

static void discard(void *user_data, void *instance)
{
	factory *f = user_data;

	atomic_store(&f->is_discarded[(char *)instance - f->pool], true);
	atomic_fetch_add(&f->discarded, 1);
	test_flow_note(flow, 'd');
}

static void destroy(void *user_data)
{
	atomic_fetch_add(&((factory *)user_data)->destroyed, 1);
	test_flow_note(flow, 'x');
}

static int32_t use(void *instance, const stepbus_context *context, stepbus_result *result)
{
	if (atomic_load(&made.is_discarded[(char *)instance - made.pool]))
		atomic_fetch_add(&made.used_after_discard, 1);
	if (atomic_exchange(&made.last_used, instance) != instance)
		atomic_fetch_add(&made.used_changes, 1);
	test_flow_note(flow, 'h');
	stepbus_result_success(result, NULL, 0, NULL);
	return made.call != NULL ? made.call(instance, context, result) : 0;
}

static void register_version(uint32_t scope, const char *version)
{
	stepbus_handler_spec spec = test_spec("mail", version);

	spec.flags = STEPBUS_HANDLER_OVERRIDE;
	spec.call = use;
	spec.create = create;
	spec.discard = discard;
	spec.destroy = destroy;
	spec.user_data = &made;
	spec.instance_scope = scope;
	assert_int_equal(stepbus_registry_register(flow->registry, &spec, NULL), STEPBUS_OK);
}

static void register_factory(uint32_t scope)
{
	memset(&made, 0, sizeof made);
	register_version(scope, "1.0.0");
}

static void unregister_mail(void)
{
	const stepbus_handler_key key = test_key("mail", NULL);

	stepbus_registry_unregister(flow->registry, &key, NULL);
}

static void a_step_gets_its_own_instance_and_it_is_discarded_before_the_completion(void **state)
{
	(void)state;
	register_factory(STEPBUS_SCOPE_STEP);
	assert_int_equal(test_flow_run(flow, "mail"), STEPBUS_OK);
	assert_int_equal(test_flow_run(flow, "mail"), STEPBUS_OK);
	assert_string_equal(flow->journal, "ihdcsihdcs");
}

static void a_worker_keeps_its_instance_over_steps_and_until_it_stops(void **state)
{
	(void)state;
	register_factory(STEPBUS_SCOPE_WORKER);
	test_flow_run(flow, "mail");
	test_flow_run(flow, "mail");
	assert_string_equal(flow->journal, "ihcshcs");
	assert_int_equal(stepbus_execution_subscriber_stop(flow->subscriber, NULL), STEPBUS_OK);
	assert_string_equal(flow->journal, "ihcshcsd");
}

static void a_worker_that_starts_again_makes_a_new_instance(void **state)
{
	(void)state;
	register_factory(STEPBUS_SCOPE_WORKER);
	test_flow_run(flow, "mail");
	stepbus_execution_subscriber_stop(flow->subscriber, NULL);
	stepbus_execution_subscriber_start(flow->subscriber, NULL);
	test_flow_run(flow, "mail");
	assert_int_equal(made.created, 2);
	assert_int_equal(made.discarded, 1);
	assert_int_equal(made.used_after_discard, 0);
}

static void each_worker_has_an_instance_of_its_own(void **state)
{
	const stepbus_execution_options options = { .size = sizeof options,
						    .worker_id = "worker-2",
						    .worker_id_len = 8,
						    .complete = test_flow_complete,
						    .user_data = flow };
	stepbus_execution_subscriber *second = NULL;

	(void)state;
	register_factory(STEPBUS_SCOPE_WORKER);
	assert_int_equal(stepbus_execution_subscriber_new(flow->bridge, flow->registry, &options,
							  &second, NULL),
			 STEPBUS_OK);
	stepbus_execution_subscriber_start(second, NULL);
	test_flow_run(flow, "mail");
	test_flow_run(flow, "mail");
	assert_int_equal(made.created, 2);
	assert_int_equal(made.used_changes, 4);
	stepbus_execution_subscriber_free(second);
	assert_int_equal(made.discarded, 1);
}

static void each_version_has_an_instance_of_its_own(void **state)
{
	stepbus_step_event step = test_step("mail");

	(void)state;
	register_factory(STEPBUS_SCOPE_WORKER);
	register_version(STEPBUS_SCOPE_WORKER, "2.0.0");
	test_flow_announce(flow, &step);
	step.handler_version = "1.0.0";
	step.handler_version_len = 5;
	test_flow_announce(flow, &step);
	assert_int_equal(made.created, 2);
}

static void an_unregistered_handlers_instance_goes_with_the_next_step(void **state)
{
	(void)state;
	register_factory(STEPBUS_SCOPE_WORKER);
	test_flow_register(flow, "other", test_succeed, NULL);
	test_flow_run(flow, "mail");
	unregister_mail();
	test_flow_run(flow, "other");
	assert_int_equal(made.discarded, 1);
	assert_int_equal(made.destroyed, 1);
	assert_string_equal(flow->journal, "ihcsdxcs");
}

static void an_unregistered_handlers_instance_goes_with_the_stop(void **state)
{
	(void)state;
	register_factory(STEPBUS_SCOPE_WORKER);
	test_flow_run(flow, "mail");
	unregister_mail();
	stepbus_execution_subscriber_stop(flow->subscriber, NULL);
	assert_string_equal(flow->journal, "ihcsdx");
}

static void clearing_the_registry_lets_all_instances_go(void **state)
{
	(void)state;
	register_factory(STEPBUS_SCOPE_WORKER);
	test_flow_run(flow, "mail");
	stepbus_registry_clear(flow->registry, NULL);
	test_flow_run(flow, "mail");
	assert_string_equal(flow->journal, "ihcsdxcs");
	assert_true(test_flow_failed(flow, "handler_not_found", 0));
}

static void a_replaced_handlers_instance_goes_with_the_next_step(void **state)
{
	(void)state;
	register_factory(STEPBUS_SCOPE_WORKER);
	test_flow_run(flow, "mail");
	register_version(STEPBUS_SCOPE_WORKER, "1.0.0");
	test_flow_run(flow, "mail");
	assert_int_equal(made.created, 2);
	assert_int_equal(made.discarded, 1);
	assert_int_equal(made.destroyed, 1);
	assert_int_equal(made.used_after_discard, 0);
}

static void a_factory_that_failed_is_asked_again_by_the_next_step(void **state)
{
	(void)state;
	register_factory(STEPBUS_SCOPE_WORKER);
	atomic_store(&made.is_failing, true);
	test_flow_run(flow, "mail");
	assert_true(test_flow_failed(flow, "handler_factory_error", 1));
	atomic_store(&made.is_failing, false);
	test_flow_run(flow, "mail");
	assert_int_equal(flow->done.outcome, STEPBUS_OUTCOME_SUCCESS);
	assert_int_equal(made.created, 1);
	assert_int_equal(made.discarded, 0);
}

static void what_a_failing_factory_made_for_a_step_is_not_discarded(void **state)
{
	(void)state;
	register_factory(STEPBUS_SCOPE_STEP);
	atomic_store(&made.is_failing, true);
	test_flow_run(flow, "mail");
	assert_string_equal(flow->journal, "ecs");
}

static int32_t unregister_inside(void *instance, const stepbus_context *context,
				 stepbus_result *result)
{
	(void)instance;
	(void)context;
	(void)result;
	unregister_mail();
	return 0;
}

static void a_handler_may_unregister_itself_and_keeps_its_instance_to_the_end(void **state)
{
	(void)state;
	register_factory(STEPBUS_SCOPE_WORKER);
	made.call = unregister_inside;
	assert_int_equal(test_flow_run(flow, "mail"), STEPBUS_OK);
	assert_int_equal(flow->done.outcome, STEPBUS_OUTCOME_SUCCESS);
	assert_int_equal(made.used_after_discard, 0);
	stepbus_execution_subscriber_stop(flow->subscriber, NULL);
	assert_int_equal(made.discarded, 1);
	assert_int_equal(made.destroyed, 1);
}

/* Its handler leaves while the factory runs, and another step sweeps meanwhile. */
static void leave_and_sweep(factory *f)
{
	f->during_create = NULL;
	unregister_mail();
	test_flow_run(flow, "other");
}

static void an_instance_made_for_a_handler_that_left_meanwhile_does_not_stay(void **state)
{
	(void)state;
	register_factory(STEPBUS_SCOPE_WORKER);
	test_flow_register(flow, "other", test_succeed, NULL);
	made.during_create = leave_and_sweep;
	assert_int_equal(test_flow_run(flow, "mail"), STEPBUS_OK);
	test_flow_run(flow, "other");
	assert_int_equal(made.created, 1);
	assert_int_equal(made.discarded, 1);
	assert_int_equal(made.destroyed, 1);
}

static int32_t stop_inside(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	(void)result;
	stepbus_execution_subscriber_stop(flow->subscriber, NULL);
	test_flow_note(flow, 'o');
	return 0;
}

static void a_handler_that_stops_its_worker_keeps_its_instance_to_the_end(void **state)
{
	(void)state;
	register_factory(STEPBUS_SCOPE_WORKER);
	made.call = stop_inside;
	assert_int_equal(test_flow_run(flow, "mail"), STEPBUS_OK);
	assert_string_equal(flow->journal, "ihodcs");
}

/* Publishes a step when all threads are ready to, so that their factories run at once. */
typedef struct starter {
	pthread_barrier_t ready;
	_Atomic(int) failures;
} starter;

static void *run_together(void *context)
{
	starter *s = context;
	const stepbus_step_event step = test_step("mail");
	stepbus_status status;

	pthread_barrier_wait(&s->ready);
	status = stepbus_bridge_publish_name(flow->bridge,
					     STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED),
					     &step, sizeof step, NULL);
	if (status != STEPBUS_OK)
		atomic_fetch_add(&s->failures, 1);
	return NULL;
}

/* All four are inside the factory at once: three of the four instances are superfluous. */
static pthread_barrier_t all_creating;

static void meet_in_create(factory *f)
{
	(void)f;
	pthread_barrier_wait(&all_creating);
}

static void run_on_threads(void)
{
	pthread_t threads[THREAD_COUNT];
	starter s = { .failures = 0 };

	pthread_barrier_init(&s.ready, NULL, THREAD_COUNT);
	for (int i = 0; i < THREAD_COUNT; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_together, &s), 0);
	for (int i = 0; i < THREAD_COUNT; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&s.ready);
	assert_int_equal(s.failures, 0);
	assert_int_equal(flow->complete_count, THREAD_COUNT);
}

static void threads_that_make_the_instance_at_once_end_up_with_one(void **state)
{
	(void)state;
	register_factory(STEPBUS_SCOPE_WORKER);
	pthread_barrier_init(&all_creating, NULL, THREAD_COUNT);
	made.during_create = meet_in_create;
	run_on_threads();
	pthread_barrier_destroy(&all_creating);
	made.during_create = NULL;
	assert_int_equal(made.created, THREAD_COUNT);
	assert_int_equal(made.discarded, THREAD_COUNT - 1);
	assert_int_equal(made.used_changes, 1);
	assert_int_equal(made.used_after_discard, 0);
	stepbus_execution_subscriber_stop(flow->subscriber, NULL);
	assert_int_equal(made.discarded, THREAD_COUNT);
}

static void threads_share_the_instance_that_is_there(void **state)
{
	(void)state;
	register_factory(STEPBUS_SCOPE_WORKER);
	test_flow_run(flow, "mail");
	flow->complete_count = 0;
	run_on_threads();
	assert_int_equal(made.created, 1);
	assert_int_equal(made.used_changes, 1);
}

/* Holds a step inside its handler while the main thread takes the handler away. */
static sem_t entered, released;

static int32_t wait_inside(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	(void)result;
	sem_post(&entered);
	sem_wait(&released);
	return 0;
}

static void an_instance_in_use_is_discarded_by_its_last_user(void **state)
{
	pthread_t thread;
	starter s = { .failures = 0 };

	(void)state;
	register_factory(STEPBUS_SCOPE_WORKER);
	test_flow_register(flow, "other", test_succeed, NULL);
	made.call = wait_inside;
	sem_init(&entered, 0, 0);
	sem_init(&released, 0, 0);
	pthread_barrier_init(&s.ready, NULL, 1);
	assert_int_equal(pthread_create(&thread, NULL, run_together, &s), 0);
	sem_wait(&entered);
	unregister_mail();
	/* Sweeps, but must leave what is in use. */
	test_flow_run(flow, "other");
	assert_int_equal(made.discarded, 0);
	assert_int_equal(made.destroyed, 0);
	sem_post(&released);
	pthread_join(thread, NULL);
	assert_int_equal(made.discarded, 1);
	assert_int_equal(made.destroyed, 1);
	assert_int_equal(made.used_after_discard, 0);
	pthread_barrier_destroy(&s.ready);
	sem_destroy(&entered);
	sem_destroy(&released);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, test_flow_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_step_gets_its_own_instance_and_it_is_discarded_before_the_completion),
		TEST(a_worker_keeps_its_instance_over_steps_and_until_it_stops),
		TEST(a_worker_that_starts_again_makes_a_new_instance),
		TEST(each_worker_has_an_instance_of_its_own),
		TEST(each_version_has_an_instance_of_its_own),
		TEST(an_unregistered_handlers_instance_goes_with_the_next_step),
		TEST(an_unregistered_handlers_instance_goes_with_the_stop),
		TEST(clearing_the_registry_lets_all_instances_go),
		TEST(a_replaced_handlers_instance_goes_with_the_next_step),
		TEST(a_factory_that_failed_is_asked_again_by_the_next_step),
		TEST(what_a_failing_factory_made_for_a_step_is_not_discarded),
		TEST(a_handler_may_unregister_itself_and_keeps_its_instance_to_the_end),
		TEST(an_instance_made_for_a_handler_that_left_meanwhile_does_not_stay),
		TEST(a_handler_that_stops_its_worker_keeps_its_instance_to_the_end),
		TEST(threads_that_make_the_instance_at_once_end_up_with_one),
		TEST(threads_share_the_instance_that_is_there),
		TEST(an_instance_in_use_is_discarded_by_its_last_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
