/* SPDX-License-Identifier: MIT */
/*
 * After fork the child gets STEPBUS_EFORKED from everything of its parent, may free it all, and may
 * make its own. The child asserts nothing: it tells its parent the line where it found a fault.
 */
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "registry/registry.h"
#include "support/cmocka.h"
#include "support/flow.h"

enum { CHILD_TIMEOUT_S = 20 };

static test_flow *flow;

static int set_up(void **state)
{
	int failure = test_flow_begin(state);

	flow = *state;
	return failure;
}

/* cmocka catches these and would go on with its next test, in the child. */
static void die_of_signals(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	const struct sigaction plain = { .sa_handler = SIG_DFL };

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		sigaction(signals[i], &plain, NULL);
}

/* Runs check in a child: it returns 0, or the line that found a fault. */
static void run_in_child(int (*check)(void *context), void *context)
{
	int fds[2], status = 0, line = -1;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		/* A call that waits for a lock which nobody holds any more must not wait for ever. */
		alarm(CHILD_TIMEOUT_S);
		die_of_signals();
		line = check(context);
		if (write(fds[1], &line, sizeof line) != (ssize_t)sizeof line)
			_exit(2);
		_exit(0);
	}
	close(fds[1]);
	if (read(fds[0], &line, sizeof line) != (ssize_t)sizeof line)
		line = -1;
	close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status))
		fail_msg("the child died of signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		fail_msg("the child ended with %d", WEXITSTATUS(status));
	if (line != 0)
		fail_msg("the child found a fault at line %d", line);
}

/* In a child: leaves the function with its line where something is not so. */
#define CHECK(condition)                 \
	do {                             \
		if (!(condition))        \
			return __LINE__; \
	} while (0)

/* In a child: the call, which writes to err, gives STEPBUS_EFORKED and says why. */
#define CHECK_FORKED(call)                                     \
	do {                                                   \
		stepbus_error fork_error = STEPBUS_ERROR_INIT; \
		stepbus_error *err = &fork_error;              \
		CHECK((call) == STEPBUS_EFORKED);              \
		CHECK(err->code == STEPBUS_EFORKED);           \
		CHECK(strstr(err->message, "fork") != NULL);   \
		err = NULL;                                    \
		CHECK((call) == STEPBUS_EFORKED);              \
	} while (0)

static _Atomic(int) destroyed;

static int32_t visit(void *user_data, const stepbus_handler_spec *definition)
{
	(void)user_data;
	(void)definition;
	return 0;
}

static int change_registry(void *context)
{
	const stepbus_handler_spec spec = test_counted_spec("sms", "v1", &destroyed);
	const stepbus_handler_key key = test_key("mail", NULL);
	stepbus_registry *registry = flow->registry;
	stepbus_handler *handler = NULL;

	(void)context;
	CHECK_FORKED(stepbus_registry_register(registry, &spec, err));
	CHECK(destroyed == 2);
	CHECK_FORKED(stepbus_registry_register_domain(registry, "d", 1, &spec, 1, err));
	CHECK(destroyed == 4);
	CHECK_FORKED(stepbus_registry_unregister(registry, &key, err));
	CHECK_FORKED(stepbus_registry_clear(registry, err));
	CHECK_FORKED(stepbus_registry_seal(registry, err));
	CHECK_FORKED(stepbus_registry_attach(registry, NULL, err));
	CHECK_FORKED(stepbus_registry_attach(registry, flow->bridge, err));
	CHECK_FORKED(stepbus_registry_resolve(registry, &key, &handler, err));
	CHECK(handler == NULL);
	return 0;
}

static int read_registry(void *context)
{
	const stepbus_handler_key key = test_key("mail", NULL);
	stepbus_registry *registry = flow->registry;
	stepbus_text *text = NULL;

	(void)context;
	CHECK(stepbus_registry_is_registered(registry, &key) == 0);
	CHECK(stepbus_registry_count(registry) == 0);
	CHECK(stepbus_registry_is_sealed(registry) == 0);
	CHECK_FORKED(stepbus_registry_list(registry, NULL, &text, err));
	CHECK_FORKED(stepbus_registry_info(registry, &key, &text, err));
	CHECK_FORKED(stepbus_registry_each(registry, visit, NULL, err));
	CHECK_FORKED(stepbus_registry_stats(registry, &text, err));
	CHECK_FORKED(stepbus_registry_health(registry, &text, err));
	CHECK(text == NULL);
	stepbus_registry_free(registry);
	CHECK(destroyed == 0);
	return 0;
}

static void register_counted(void)
{
	const stepbus_handler_spec spec = test_counted_spec("mail", "v1", &destroyed);

	atomic_store(&destroyed, 0);
	assert_int_equal(stepbus_registry_register(flow->registry, &spec, NULL), STEPBUS_OK);
}

/* The parent goes on as if nothing had been. */
static void expect_parent_unharmed(void)
{
	const stepbus_handler_key key = test_key("mail", NULL);
	int count = flow->complete_count;

	assert_int_equal(test_flow_run(flow, "mail"), STEPBUS_OK);
	assert_int_equal(flow->complete_count, count + 1);
	assert_int_equal(flow->done.outcome, STEPBUS_OUTCOME_SUCCESS);
	assert_int_equal(destroyed, 0);
	assert_int_equal(stepbus_registry_unregister(flow->registry, &key, NULL), STEPBUS_OK);
	assert_int_equal(destroyed, 1);
}

static void a_child_cannot_change_the_registry(void **state)
{
	(void)state;
	register_counted();
	run_in_child(change_registry, NULL);
	expect_parent_unharmed();
}

static void a_child_cannot_read_the_registry(void **state)
{
	(void)state;
	register_counted();
	run_in_child(read_registry, NULL);
	expect_parent_unharmed();
}

static int read_sealed(void *context)
{
	(void)context;
	CHECK(stepbus_registry_is_sealed(flow->registry) == 0);
	CHECK_FORKED(stepbus_registry_seal(flow->registry, err));
	return 0;
}

static void a_sealed_registry_is_a_forked_one_in_the_child(void **state)
{
	(void)state;
	stepbus_registry_seal(flow->registry, NULL);
	run_in_child(read_sealed, NULL);
	assert_int_equal(stepbus_registry_is_sealed(flow->registry), 1);
}

static int let_go_of_handler(void *context)
{
	stepbus_handler *handler = context;

	CHECK(strcmp(stepbus_handler_definition(handler)->name, "mail") == 0);
	stepbus_handler_ref(handler);
	stepbus_handler_unref(handler);
	stepbus_handler_unref(handler);
	CHECK(destroyed == 0);
	return 0;
}

static void a_child_may_give_a_handler_back(void **state)
{
	const stepbus_handler_key key = test_key("mail", NULL);
	stepbus_handler *handler = NULL;

	(void)state;
	register_counted();
	assert_int_equal(stepbus_registry_resolve(flow->registry, &key, &handler, NULL), 0);
	run_in_child(let_go_of_handler, handler);
	stepbus_handler_unref(handler);
	expect_parent_unharmed();
}

static stepbus_execution_options options_of(const char *worker_id)
{
	return (stepbus_execution_options){ .size = sizeof(stepbus_execution_options),
					    .worker_id = worker_id,
					    .worker_id_len = strlen(worker_id),
					    .complete = test_flow_complete,
					    .user_data = flow };
}

static void count_destroyed(void *user_data)
{
	(void)user_data;
	atomic_fetch_add(&destroyed, 1);
}

static int use_execution(void *context)
{
	stepbus_execution_options options = options_of("child");
	stepbus_execution_subscriber *made = NULL;
	stepbus_registry *registry = NULL;
	stepbus_bridge *bridge = NULL;

	(void)context;
	options.destroy = count_destroyed;
	CHECK(stepbus_bridge_new(NULL, &bridge, NULL) == STEPBUS_OK);
	CHECK(stepbus_registry_new(NULL, &registry, NULL) == STEPBUS_OK);
	CHECK_FORKED(stepbus_execution_subscriber_new(flow->bridge, flow->registry, &options, &made,
						      err));
	CHECK_FORKED(
		stepbus_execution_subscriber_new(bridge, flow->registry, &options, &made, err));
	CHECK_FORKED(
		stepbus_execution_subscriber_new(flow->bridge, registry, &options, &made, err));
	CHECK(destroyed == 6);
	CHECK(made == NULL);
	CHECK_FORKED(stepbus_execution_subscriber_start(flow->subscriber, err));
	CHECK_FORKED(stepbus_execution_subscriber_stop(flow->subscriber, err));
	CHECK(stepbus_execution_subscriber_is_active(flow->subscriber) == 0);
	stepbus_execution_subscriber_free(flow->subscriber);
	CHECK(flow->door_destroyed == 0);
	CHECK_FORKED(stepbus_registry_attach(registry, flow->bridge, err));
	return 0;
}

static void a_child_cannot_use_the_execution_subscriber(void **state)
{
	(void)state;
	register_counted();
	run_in_child(use_execution, NULL);
	assert_int_equal(stepbus_execution_subscriber_is_active(flow->subscriber), 1);
	expect_parent_unharmed();
}

static int32_t ignore(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	return STEPBUS_OK;
}

static const stepbus_route route = {
	.size = sizeof route, .pattern = "*", .pattern_len = 1, .deliver = ignore
};
static const stepbus_subscriber_options routes = {
	.size = sizeof routes, .route_count = 1, .routes = &route, .destroy = count_destroyed
};

static int use_subscriber(void *context)
{
	stepbus_subscriber *subscriber = context;
	stepbus_subscriber *made = NULL;

	CHECK_FORKED(stepbus_subscriber_new(flow->bridge, &routes, &made, err));
	CHECK(destroyed == 2);
	CHECK_FORKED(stepbus_subscriber_start(subscriber, err));
	CHECK_FORKED(stepbus_subscriber_stop(subscriber, err));
	stepbus_subscriber_free(subscriber);
	CHECK(destroyed == 2);
	return 0;
}

static void a_child_cannot_use_a_subscriber_object(void **state)
{
	stepbus_subscriber *subscriber = NULL;

	(void)state;
	atomic_store(&destroyed, 0);
	assert_int_equal(stepbus_subscriber_new(flow->bridge, &routes, &subscriber, NULL), 0);
	assert_int_equal(stepbus_subscriber_start(subscriber, NULL), STEPBUS_OK);
	run_in_child(use_subscriber, subscriber);
	stepbus_subscriber_free(subscriber);
	assert_int_equal(destroyed, 1);
}

static int use_bridge(void *context)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = ignore,
						    .destroy = count_destroyed };
	const stepbus_step_event step = test_step("mail");
	stepbus_bridge *bridge = flow->bridge;
	uint32_t event_id = *(const uint32_t *)context;

	CHECK_FORKED(stepbus_bridge_start(bridge, err));
	CHECK_FORKED(stepbus_bridge_stop(bridge, err));
	CHECK(stepbus_bridge_is_active(bridge) == 0);
	CHECK_FORKED(stepbus_bridge_event(bridge, STEPBUS_TEXT("handler.error"), &event_id, err));
	CHECK_FORKED(stepbus_bridge_subscribe(bridge, "*", 1, &subscription, NULL, err));
	CHECK(destroyed == 2);
	CHECK_FORKED(stepbus_bridge_unsubscribe(bridge, 1, err));
	CHECK_FORKED(stepbus_bridge_publish(bridge, event_id, &step, sizeof step, err));
	CHECK_FORKED(stepbus_bridge_publish_name(
		bridge, STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED), &step, sizeof step,
		err));
	CHECK_FORKED(stepbus_bridge_flush(bridge, -1, err));
	CHECK(flow->complete_count == 0);
	stepbus_bridge_free(bridge);
	return 0;
}

static void a_child_cannot_use_the_bridge(void **state)
{
	uint32_t event_id = 0;

	(void)state;
	register_counted();
	assert_int_equal(stepbus_bridge_event(flow->bridge,
					      STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED),
					      &event_id, NULL),
			 STEPBUS_OK);
	run_in_child(use_bridge, &event_id);
	expect_parent_unharmed();
}

/* Counts the completions of the child's own flow. */
static int32_t count_completion(void *user_data, const stepbus_completion *completion,
				stepbus_error *err)
{
	(void)err;
	test_count(user_data);
	return completion->outcome == STEPBUS_OUTCOME_SUCCESS ? STEPBUS_OK : STEPBUS_EINVAL;
}

static int32_t count_event(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)event_id;
	(void)payload;
	(void)len;
	test_count(user_data);
	return STEPBUS_OK;
}

/* A flow of its own, with a loop thread: the second half of make_new_flow. */
static int run_new_flow(stepbus_bridge *bridge, stepbus_registry *registry)
{
	static _Atomic(int) completed, queued;
	const stepbus_execution_options options = { .size = sizeof options,
						    .worker_id = "child",
						    .worker_id_len = 5,
						    .complete = count_completion,
						    .user_data = &completed };
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .flags = STEPBUS_SUBSCRIPTION_QUEUED,
						    .deliver = count_event,
						    .user_data = &queued };
	const stepbus_handler_spec spec = test_spec("mail", "v1");
	const stepbus_step_event step = test_step("mail");
	stepbus_execution_subscriber *made = NULL;

	CHECK(stepbus_bridge_start(bridge, NULL) == STEPBUS_OK);
	CHECK(stepbus_registry_register(registry, &spec, NULL) == STEPBUS_OK);
	CHECK(stepbus_bridge_subscribe(bridge, "*", 1, &subscription, NULL, NULL) == STEPBUS_OK);
	CHECK(stepbus_execution_subscriber_new(bridge, registry, &options, &made, NULL) == 0);
	CHECK(stepbus_execution_subscriber_start(made, NULL) == STEPBUS_OK);
	for (int i = 0; i < 10; i++)
		CHECK(stepbus_bridge_publish_name(
			      bridge, STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED), &step,
			      sizeof step, NULL) == STEPBUS_OK);
	CHECK(stepbus_bridge_flush(bridge, -1, NULL) == STEPBUS_OK);
	CHECK(completed == 10);
	CHECK(queued == 20);
	stepbus_execution_subscriber_free(made);
	return 0;
}

static int make_new_flow(void *context)
{
	stepbus_registry *registry = NULL;
	stepbus_bridge *bridge = NULL;
	int line;

	(void)context;
	CHECK(stepbus_bridge_new(NULL, &bridge, NULL) == STEPBUS_OK);
	CHECK(stepbus_registry_new(NULL, &registry, NULL) == STEPBUS_OK);
	line = run_new_flow(bridge, registry);
	stepbus_registry_free(registry);
	stepbus_bridge_free(bridge);
	return line;
}

static void a_child_may_make_a_flow_of_its_own(void **state)
{
	(void)state;
	register_counted();
	/* Once before, so that there is something to inherit. */
	test_flow_run(flow, "mail");
	run_in_child(make_new_flow, NULL);
	expect_parent_unharmed();
}

static int use_defaults(void *context)
{
	stepbus_registry *registry = NULL;
	stepbus_bridge *bridge = NULL;

	(void)context;
	CHECK(stepbus_bridge_default(&bridge, NULL) == STEPBUS_OK);
	CHECK(stepbus_registry_default(&registry, NULL) == STEPBUS_OK);
	CHECK_FORKED(stepbus_bridge_start(bridge, err));
	CHECK_FORKED(stepbus_registry_clear(registry, err));
	stepbus_bridge_default_reset();
	stepbus_registry_default_reset();
	CHECK(stepbus_bridge_default(&bridge, NULL) == STEPBUS_OK);
	CHECK(stepbus_registry_default(&registry, NULL) == STEPBUS_OK);
	CHECK(run_new_flow(bridge, registry) == 0);
	stepbus_registry_default_reset();
	stepbus_bridge_default_reset();
	return 0;
}

static void a_child_gets_its_own_defaults_after_a_reset(void **state)
{
	stepbus_registry *registry = NULL, *same = NULL;
	stepbus_bridge *bridge = NULL;

	(void)state;
	assert_int_equal(stepbus_bridge_default(&bridge, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_registry_default(&registry, NULL), STEPBUS_OK);
	run_in_child(use_defaults, NULL);
	assert_int_equal(stepbus_bridge_is_active(bridge), 1);
	assert_int_equal(stepbus_registry_clear(registry, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_registry_default(&same, NULL), STEPBUS_OK);
	assert_ptr_equal(registry, same);
	stepbus_registry_default_reset();
	stepbus_bridge_default_reset();
}

/* A thread of the parent that stands inside the registry, its lock taken, while the parent forks. */
typedef struct stander {
	stepbus_registry *registry;
	sem_t inside;
	sem_t released;
	_Atomic(bool) is_armed;
} stander;

static void *allocate_and_stand(void *user_data, void *block, size_t len)
{
	stander *s = user_data;

	if (atomic_load(&s->is_armed)) {
		if (pthread_mutex_trylock(&s->registry->lock) != 0) {
			atomic_store(&s->is_armed, false);
			sem_post(&s->inside);
			sem_wait(&s->released);
		} else {
			pthread_mutex_unlock(&s->registry->lock);
		}
	}
	if (len > 0)
		return realloc(block, len);
	free(block);
	return NULL;
}

static void *stand_inside(void *context)
{
	const stepbus_handler_spec spec = test_spec("mail", "v1");
	stander *s = context;

	atomic_store(&s->is_armed, true);
	stepbus_registry_register(s->registry, &spec, NULL);
	return NULL;
}

static int use_locked_registry(void *context)
{
	stander *s = context;
	stepbus_registry *before = flow->registry;
	int line;

	flow->registry = s->registry;
	line = change_registry(NULL);
	atomic_store(&destroyed, 0);
	if (line == 0)
		line = read_registry(NULL);
	flow->registry = before;
	return line;
}

static void a_child_does_not_wait_for_a_lock_of_its_parent(void **state)
{
	stander s = { .registry = NULL };
	const stepbus_host host = { .size = sizeof host,
				    .user_data = &s,
				    .allocate = allocate_and_stand };
	const stepbus_registry_options options = { .size = sizeof options, .host = &host };
	pthread_t thread;

	(void)state;
	sem_init(&s.inside, 0, 0);
	sem_init(&s.released, 0, 0);
	atomic_store(&destroyed, 0);
	assert_int_equal(stepbus_registry_new(&options, &s.registry, NULL), STEPBUS_OK);
	assert_int_equal(pthread_create(&thread, NULL, stand_inside, &s), 0);
	sem_wait(&s.inside);
	run_in_child(use_locked_registry, &s);
	sem_post(&s.released);
	pthread_join(thread, NULL);
	assert_int_equal(stepbus_registry_count(s.registry), 1);
	stepbus_registry_free(s.registry);
	sem_destroy(&s.inside);
	sem_destroy(&s.released);
}

/* A handler that forks, and whose child comes back out of it: the step is the parent's. */
static pid_t forked;

static int32_t fork_inside(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	forked = fork();
	stepbus_result_success(result, STEPBUS_TEXT("ok"), NULL);
	return 0;
}

static void a_step_is_not_completed_by_a_child_that_its_handler_forked(void **state)
{
	stepbus_status status;
	int ended = 0;

	(void)state;
	test_flow_register(flow, "forking", fork_inside, NULL);
	status = test_flow_run(flow, "forking");
	if (forked == 0)
		_exit(flow->complete_count == 0 && flow->sent_count == 0 ? 0 : 1);
	assert_int_equal(status, STEPBUS_OK);
	assert_int_equal(flow->complete_count, 1);
	assert_int_equal(waitpid(forked, &ended, 0), forked);
	assert_true(WIFEXITED(ended));
	assert_int_equal(WEXITSTATUS(ended), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, test_flow_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_child_cannot_change_the_registry),
		TEST(a_child_cannot_read_the_registry),
		TEST(a_sealed_registry_is_a_forked_one_in_the_child),
		TEST(a_child_may_give_a_handler_back),
		TEST(a_child_cannot_use_the_execution_subscriber),
		TEST(a_child_cannot_use_a_subscriber_object),
		TEST(a_child_cannot_use_the_bridge),
		TEST(a_child_may_make_a_flow_of_its_own),
		TEST(a_child_gets_its_own_defaults_after_a_reset),
		TEST(a_child_does_not_wait_for_a_lock_of_its_parent),
		TEST(a_step_is_not_completed_by_a_child_that_its_handler_forked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
