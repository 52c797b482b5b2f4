/* SPDX-License-Identifier: MIT */
/*
 * What an engine does to the process that opened it: nothing. A child that is forked while it is busy
 * leaves the store alone, a program that is executed inherits no descriptor, and signals are as the
 * host set them.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "include/stepbus.h"
#include "support/cmocka.h"
#include "support/peers.h"

enum { STEPS = 40, FORKS = 20, PATIENCE_MS = 20000, SIGNAL_COUNT = 65 };

static struct {
	test_tempdir dir;
	char path[TEST_PATH_LEN];
	stepbus *engine;
	_Atomic(uint32_t) run_count;
	_Atomic(uint32_t) accepted_count;
	_Atomic(uint32_t) forked_count;
} world;

/* A handler that forks: its child returns into the library, which must let it end in peace. */
static void fork_inside(void)
{
	pid_t child = fork();

	if (child == 0) {
		stepbus_error err = STEPBUS_ERROR_INIT;
		stepbus_step_spec spec = { .size = sizeof spec,
					   .handler_name = "work",
					   .handler_name_len = 4 };
		stepbus_status status = stepbus_step_enqueue(world.engine, &spec, 1, NULL, &err);

		stepbus_close(world.engine);
		_exit(status == STEPBUS_EFORKED ? 0 : 1);
	}
	if (child > 0) {
		int status = -1;

		if (waitpid(child, &status, 0) == child && WIFEXITED(status) &&
		    WEXITSTATUS(status) == 0)
			atomic_fetch_add(&world.forked_count, 1);
	}
}

static int32_t serve(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	const char *input = step->input;

	(void)instance;
	atomic_fetch_add(&world.run_count, 1);
	if (step->input_len > 0 && input[0] == 'f')
		fork_inside();
	return stepbus_result_success(result, input, step->input_len, NULL) != STEPBUS_OK;
}

static int32_t note(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	atomic_fetch_add(&world.accepted_count, 1);
	return 0;
}

static int set_up(void **state)
{
	const stepbus_subscription subscription = { .size = sizeof subscription, .deliver = note };
	const stepbus_handler_spec spec = {
		.size = sizeof spec, .name = "work", .name_len = 4, .call = serve
	};
	stepbus_worker *worker = NULL;
	char config[512];
	int len;

	(void)state;
	test_tempdir_make_fast(&world.dir);
	test_tempdir_path(&world.dir, "jobs.db", world.path);
	len = snprintf(config, sizeof config, "{\"store\":\"sqlite:%s\"}", world.path);
	const stepbus_options options = { .size = sizeof options,
					  .config = config,
					  .config_len = (size_t)len };

	atomic_store(&world.run_count, 0);
	atomic_store(&world.accepted_count, 0);
	atomic_store(&world.forked_count, 0);
	if (stepbus_open(&options, &world.engine, NULL) != STEPBUS_OK ||
	    stepbus_bridge_subscribe(stepbus_engine_bridge(world.engine),
				     STEPBUS_TEXT(STEPBUS_EVENT_STEP_COMPLETION_SENT),
				     &subscription, NULL, NULL) != STEPBUS_OK ||
	    stepbus_registry_register(stepbus_engine_registry(world.engine), &spec, NULL) !=
		    STEPBUS_OK)
		return -1;
	return stepbus_worker_start(world.engine, NULL, 0, &worker, NULL) != STEPBUS_OK;
}

static int tear_down(void **state)
{
	(void)state;
	stepbus_close(world.engine);
	test_tempdir_remove(&world.dir);
	return 0;
}

static void enqueue(const char *input)
{
	const stepbus_step_spec spec = { .size = sizeof spec,
					 .handler_name = "work",
					 .handler_name_len = 4,
					 .input = input,
					 .input_len = strlen(input) };

	assert_int_equal(stepbus_step_enqueue(world.engine, &spec, 1, NULL, NULL), STEPBUS_OK);
}

static void await_accepted(uint32_t count)
{
	int64_t until_us = test_elapsed_us() + (int64_t)PATIENCE_MS * 1000;

	while (atomic_load(&world.accepted_count) < count) {
		if (test_elapsed_us() > until_us)
			fail_msg("only %u of %u are accepted", atomic_load(&world.accepted_count),
				 count);
		test_nap();
	}
}

static int64_t ask(const char *sql)
{
	test_peers p = { 0 };

	memcpy(p.path, world.path, sizeof p.path);
	return test_peers_ask(&p, sql);
}

static void check_store(int64_t count)
{
	assert_int_equal(ask("SELECT count(*) FROM state WHERE state = 6"), count);
	assert_int_equal(ask("SELECT count(*) FROM state"), count);
	assert_int_equal(
		ask("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
		0);
}

static void children_of_a_busy_process_leave_the_store_alone(void **state)
{
	(void)state;
	for (int i = 0; i < FORKS; i++) {
		int status = -1;
		pid_t child;

		enqueue("x");
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			stepbus_close(world.engine);
#if defined(__SANITIZE_ADDRESS__)
			_exit(0); /* what is the parent's would count as leaked */
#else
			exit(0); /* with all that runs at an exit */
#endif
		}
		enqueue("y");
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	await_accepted(2 * FORKS);
	assert_int_equal(atomic_load(&world.run_count), 2 * FORKS);
	check_store(2 * FORKS);
}

static void a_handler_may_fork(void **state)
{
	(void)state;
	for (int i = 0; i < STEPS; i++)
		enqueue(i % 2 == 0 ? "f" : "x");
	await_accepted(STEPS);
	assert_int_equal(atomic_load(&world.forked_count), STEPS / 2);
	check_store(STEPS);
}

static int count_descriptors(void)
{
	DIR *stream = opendir("/proc/self/fd");
	int count = -3; /* two names of directories, and the stream itself */

	assert_non_null(stream);
	while (readdir(stream) != NULL)
		count++;
	(void)closedir(stream);
	return count;
}

/* What a program that is executed now would have open beside what it would have without an engine. */
static int count_inherited(void)
{
	DIR *stream = opendir("/proc/self/fd");
	struct dirent *entry;
	int count = 0;

	assert_non_null(stream);
	while ((entry = readdir(stream)) != NULL) {
		int fd = (int)strtol(entry->d_name, NULL, 10);
		int flags = fcntl(fd, F_GETFD);

		count += entry->d_name[0] != '.' && flags >= 0 && (flags & FD_CLOEXEC) == 0;
	}
	(void)closedir(stream);
	return count;
}

static int inherited_before;

static void no_descriptor_is_inherited(void **state)
{
	char command[512];
	int status;
	pid_t child;

	(void)state;
	enqueue("x");
	await_accepted(1);
	assert_int_equal(count_inherited(), inherited_before);
	/* And by the system's word: nothing of the store's directory is open in another program. */
	(void)snprintf(command, sizeof command,
		       "! ls -l /proc/self/fd | grep -q '%s\\|inotify\\|eventpoll\\|eventfd'",
		       world.dir.path);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void descriptors_are_given_back(void **state)
{
	int before;

	(void)state;
	(void)tear_down(NULL);
	before = count_descriptors();
	for (int i = 0; i < 5; i++) {
		assert_int_equal(set_up(NULL), 0);
		enqueue("x");
		await_accepted(1);
		(void)tear_down(NULL);
	}
	assert_int_equal(count_descriptors(), before);
	assert_int_equal(set_up(NULL), 0);
}

typedef struct signals {
	void (*actions[SIGNAL_COUNT])(int);
	int flags[SIGNAL_COUNT];
	int blocked_meanwhile[SIGNAL_COUNT];
	int is_blocked[SIGNAL_COUNT];
} signals;

static void read_signals(signals *s)
{
	sigset_t mask;

	memset(s, 0, sizeof *s);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i < SIGNAL_COUNT; i++) {
		struct sigaction action = { 0 };

		(void)sigaction(i, NULL, &action);
		s->actions[i] = action.sa_handler;
		s->flags[i] = action.sa_flags;
		s->is_blocked[i] = sigismember(&mask, i);
		for (int n = 1; n < SIGNAL_COUNT; n++)
			s->blocked_meanwhile[i] += sigismember(&action.sa_mask, n) == 1;
	}
}

static void ignore(int number)
{
	(void)number;
}

#if !defined(__SANITIZE_THREAD__)
/* No thread of the engine takes the host's signals. */
static bool do_all_threads_but_this_block(int number)
{
	DIR *stream = opendir("/proc/self/task");
	struct dirent *entry;
	bool is_so = true;

	while (stream != NULL && (entry = readdir(stream)) != NULL) {
		char path[300], line[256];
		unsigned long long blocked = 0;
		FILE *file;

		if (entry->d_name[0] == '.' || strtol(entry->d_name, NULL, 10) == getpid())
			continue;
		(void)snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
		file = fopen(path, "r");
		while (file != NULL && fgets(line, sizeof line, file) != NULL)
			if (sscanf(line, "SigBlk: %llx", &blocked) == 1)
				is_so = is_so && (blocked >> (number - 1) & 1) != 0;
		if (file != NULL)
			(void)fclose(file);
	}
	(void)closedir(stream);
	return is_so;
}
#endif

static void signals_stay_as_the_host_set_them(void **state)
{
	static const int blocked[] = { SIGUSR2, SIGTERM };
	const struct sigaction own = { .sa_handler = ignore };
	signals before, after;
	sigset_t set;

	(void)state;
	(void)tear_down(NULL);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof blocked / sizeof *blocked; i++)
		sigaddset(&set, blocked[i]);
	assert_int_equal(sigaction(SIGUSR1, &own, NULL), 0);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	read_signals(&before);
	assert_int_equal(set_up(NULL), 0);
	enqueue("x");
	await_accepted(1);
#if !defined(__SANITIZE_THREAD__)
	assert_true(do_all_threads_but_this_block(SIGUSR1));
	assert_true(do_all_threads_but_this_block(SIGALRM));
#endif
	stepbus_stop(world.engine, -1, NULL, NULL);
	read_signals(&after);
	assert_memory_equal(&before, &after, sizeof before);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void a_storm_of_signals_disturbs_nothing(void **state)
{
	const struct sigaction own = { .sa_handler = ignore };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	const struct itimerspec often = { { 0, 500000 }, { 0, 500000 } };
	timer_t timer;

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &own, NULL), 0); /* calls are not started anew */
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	assert_int_equal(timer_settime(timer, 0, &often, NULL), 0);
	for (int i = 0; i < 5 * STEPS; i++)
		enqueue("x");
	await_accepted(5 * STEPS);
	assert_int_equal(timer_delete(timer), 0);
	check_store(5 * STEPS);
}

/* What another process does for longer than the engine waits is waited for just as long. */
static void a_storm_of_signals_shortens_no_wait(void **state)
{
	const stepbus_step_spec spec = { .size = sizeof spec,
					 .handler_name = "work",
					 .handler_name_len = 4 };
	const struct sigaction own = { .sa_handler = ignore };
	const struct itimerval often = { { 0, 200 }, { 0, 200 } };
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	stepbus *engine = NULL;
	sqlite3 *other = NULL;
	char config[512];
	int64_t begun_us;
	stepbus_options options = { .size = sizeof options, .config = config };

	(void)state;
	options.config_len =
		(size_t)snprintf(config, sizeof config,
				 "{\"store\":\"sqlite:%s\",\"busy_timeout_ms\":300}", world.path);
	assert_int_equal(stepbus_open(&options, &engine, NULL), STEPBUS_OK);
	assert_int_equal(sqlite3_open(world.path, &other), SQLITE_OK);
	sqlite3_busy_timeout(other, PATIENCE_MS);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sigaction(SIGALRM, &own, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	begun_us = test_elapsed_us();
	assert_int_equal(stepbus_step_enqueue(engine, &spec, 1, NULL, NULL), STEPBUS_EBUSY);
	assert_true(test_elapsed_us() - begun_us > 290000);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	stepbus_close(engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(children_of_a_busy_process_leave_the_store_alone,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_handler_may_fork, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_descriptor_is_inherited, set_up, tear_down),
		cmocka_unit_test_setup_teardown(descriptors_are_given_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(signals_stay_as_the_host_set_them, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_storm_of_signals_disturbs_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_storm_of_signals_shortens_no_wait, set_up,
						tear_down),
	};

	inherited_before = count_inherited();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
