/* SPDX-License-Identifier: MIT */
/* A process is killed behind its checkpoint, and another one goes on from there. */
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/stepbus.h"
#include "support/cmocka.h"
#include "support/tempdir.h"
#include "support/thread.h"

static const char cursor[] = "row\0 4711\xff";

typedef struct scene {
	test_tempdir dir;
	char config[2 * TEST_PATH_LEN];
	int wire; /* of the child: it tells that it runs with a cursor; -1: the parent */
	sem_t ended;
	_Atomic(bool) has_gone_on;
	stepbus_error err;
} scene;

static bool is_farther(const stepbus_step_event *step)
{
	return step->cursor_len == sizeof cursor &&
	       memcmp(step->cursor, cursor, sizeof cursor) == 0 && step->items_processed == 4711 &&
	       step->partial_result_len == 3 && memcmp(step->partial_result, "sum", 3) == 0;
}

/* The child never returns from its second attempt; the parent ends the step. */
static int32_t work(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	const stepbus_checkpoint_spec checkpoint = { .size = sizeof checkpoint,
						     .items_processed = 4711,
						     .cursor = cursor,
						     .cursor_len = sizeof cursor,
						     .partial_result = "sum",
						     .partial_result_len = 3 };
	scene *s = instance;

	if (s->wire < 0) {
		atomic_store(&s->has_gone_on, is_farther(step));
		return stepbus_result_success(result, NULL, 0, NULL);
	}
	if (step->cursor_len == 0)
		return stepbus_result_checkpoint(result, &checkpoint, NULL);
	(void)!write(s->wire, is_farther(step) ? "y" : "n", 1);
	for (;;)
		pause();
}

static int32_t note_end(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)event_id;
	(void)payload;
	(void)len;
	sem_post(&((scene *)user_data)->ended);
	return STEPBUS_OK;
}

static stepbus_status open_engine(scene *s, stepbus **engine)
{
	const stepbus_options options = { .size = sizeof options,
					  .config = s->config,
					  .config_len = strlen(s->config) };
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = note_end,
						    .user_data = s };
	const stepbus_handler_spec spec = {
		.size = sizeof spec, .name = "work", .name_len = 4, .call = work, .user_data = s
	};
	stepbus_status status = stepbus_open(&options, engine, &s->err);

	if (status == STEPBUS_OK)
		status = stepbus_bridge_subscribe(stepbus_engine_bridge(*engine), "step.completed",
						  14, &subscription, NULL, &s->err);
	if (status == STEPBUS_OK)
		status =
			stepbus_registry_register(stepbus_engine_registry(*engine), &spec, &s->err);
	return status;
}

static stepbus_status run_child(scene *s)
{
	const stepbus_step_spec spec = { .size = sizeof spec,
					 .handler_name = "work",
					 .handler_name_len = 4 };
	stepbus_worker *worker = NULL;
	stepbus *engine = NULL;
	stepbus_status status = open_engine(s, &engine);

	if (status == STEPBUS_OK)
		status = stepbus_step_enqueue(engine, &spec, 1, NULL, &s->err);
	if (status == STEPBUS_OK)
		status = stepbus_worker_start(engine, NULL, 0, &worker, &s->err);
	while (status == STEPBUS_OK)
		pause();
	return status;
}

/* Until the child runs its step for the second time; then it is killed. */
static void kill_behind_checkpoint(scene *s)
{
	int wires[2], how = 0;
	char answer = '\0';
	pid_t child;

	assert_int_equal(pipe(wires), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		s->wire = wires[1];
		_exit(run_child(s));
	}
	close(wires[1]);
	assert_int_equal(read(wires[0], &answer, 1), 1);
	assert_int_equal(answer, 'y');
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &how, 0), child);
	assert_true(WIFSIGNALED(how));
	close(wires[0]);
}

static void another_process_goes_on_from_the_checkpoint_of_one_that_was_killed(void **state)
{
	static scene s = { .wire = -1, .err = STEPBUS_ERROR_INIT };
	char path[TEST_PATH_LEN];
	stepbus_worker *worker = NULL;
	stepbus *engine = NULL;

	(void)state;
	test_tempdir_make_fast(&s.dir);
	test_tempdir_path(&s.dir, "jobs.db", path);
	(void)snprintf(s.config, sizeof s.config,
		       "{\"store\":\"sqlite:%s\",\"lease_ms\":1000,\"heartbeat_ms\":250,"
		       "\"retry\":{\"base_ms\":1,\"cap_ms\":1}}",
		       path);
	assert_int_equal(sem_init(&s.ended, 0, 0), 0);
	kill_behind_checkpoint(&s);
	assert_int_equal(open_engine(&s, &engine), STEPBUS_OK);
	assert_int_equal(stepbus_worker_start(engine, NULL, 0, &worker, &s.err), STEPBUS_OK);
	test_semaphore_wait(&s.ended);
	assert_true(atomic_load(&s.has_gone_on));
	stepbus_close(engine);
	sem_destroy(&s.ended);
	test_tempdir_remove(&s.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			another_process_goes_on_from_the_checkpoint_of_one_that_was_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
