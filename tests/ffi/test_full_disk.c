/* SPDX-License-Identifier: MIT */
/*
 * Under a running engine the disk fills up, becomes read-only, or loses the file. What can be kept is
 * kept, each call says what is wrong, nobody spins, and what passes needs no restart. Where the test
 * may mount, it does so in a name space of its own; the limit on the length of files works anywhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "include/stepbus.h"
#include "support/cmocka.h"
#include "support/peers.h"

enum { STEPS = 8, PATIENCE_MS = 10000, WATCH_MS = 1500, CPU_SHARE_MAX = 20 };

static struct {
	test_tempdir dir;
	char path[TEST_PATH_LEN];
	char filler_path[TEST_PATH_LEN];
	bool can_mount;
	bool is_mounted;
	stepbus *engine;
	_Atomic(uint32_t) runs[STEPS];
	_Atomic(uint32_t) is_released;
	_Atomic(uint32_t) accepted_count;
	_Atomic(uint32_t) error_count; /* store.error */
	stepbus_error err;
} world;

static int32_t serve(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	const uint8_t *input = step->input;

	(void)instance;
	atomic_fetch_add(&world.runs[input[0] % STEPS], 1);
	while (atomic_load(&world.is_released) == 0 && stepbus_context_check(context) == STEPBUS_OK)
		test_nap();
	return stepbus_result_success(result, input, 1, NULL) != STEPBUS_OK;
}

static int32_t count_event(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)event_id;
	(void)payload;
	(void)len;
	atomic_fetch_add((_Atomic(uint32_t) *)user_data, 1);
	return 0;
}

static void listen_to(const char *name, void *counter)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = count_event,
						    .user_data = counter };

	assert_int_equal(stepbus_bridge_subscribe(stepbus_engine_bridge(world.engine), name,
						  strlen(name), &subscription, NULL, &world.err),
			 STEPBUS_OK);
}

static void open_engine(void)
{
	const stepbus_handler_spec spec = {
		.size = sizeof spec, .name = "work", .name_len = 4, .call = serve
	};
	stepbus_worker *worker = NULL;
	char config[512];
	int len = snprintf(config, sizeof config,
			   "{\"store\":\"sqlite:%s\",\"lease_ms\":1000,\"heartbeat_ms\":200,"
			   "\"poll_ms\":100}",
			   world.path);
	const stepbus_options options = { .size = sizeof options,
					  .config = config,
					  .config_len = (size_t)len };

	world.err = (stepbus_error)STEPBUS_ERROR_INIT;
	if (stepbus_open(&options, &world.engine, &world.err) != STEPBUS_OK)
		fail_msg("%s", world.err.message);
	listen_to("store.error", &world.error_count);
	listen_to(STEPBUS_EVENT_STEP_COMPLETION_SENT, &world.accepted_count);
	assert_int_equal(
		stepbus_registry_register(stepbus_engine_registry(world.engine), &spec, &world.err),
		STEPBUS_OK);
	assert_int_equal(stepbus_worker_start(world.engine,
					      STEPBUS_TEXT("{\"pool_size\":2,\"block_size\":64}"),
					      &worker, &world.err),
			 STEPBUS_OK);
}

static int set_up(void **state)
{
	(void)state;
	test_tempdir_make(&world.dir);
	test_tempdir_path(&world.dir, "jobs.db", world.path);
	test_tempdir_path(&world.dir, "filler", world.filler_path);
	world.is_mounted =
		world.can_mount && mount("none", world.dir.path, "tmpfs", 0, "size=32m") == 0;
	for (int i = 0; i < STEPS; i++)
		atomic_store(&world.runs[i], 0);
	atomic_store(&world.is_released, 0);
	atomic_store(&world.accepted_count, 0);
	atomic_store(&world.error_count, 0);
	open_engine();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	atomic_store(&world.is_released, 1);
	stepbus_close(world.engine);
	if (world.is_mounted)
		(void)umount2(world.dir.path, MNT_DETACH);
	test_tempdir_remove(&world.dir);
	return 0;
}

static stepbus_status enqueue(uint8_t number, int64_t delay_ms)
{
	const stepbus_step_spec spec = { .size = sizeof spec,
					 .handler_name = "work",
					 .handler_name_len = 4,
					 .input = &number,
					 .input_len = 1,
					 .delay_ms = delay_ms };

	world.err = (stepbus_error)STEPBUS_ERROR_INIT;
	return stepbus_step_enqueue(world.engine, &spec, 1, NULL, &world.err);
}

static bool has_run(int count)
{
	int runs = 0;

	for (int i = 0; i < STEPS; i++)
		runs += atomic_load(&world.runs[i]) > 0;
	return runs >= count;
}

static void await(bool (*is_so)(int count), int count, const char *what)
{
	int64_t until_us = test_elapsed_us() + (int64_t)PATIENCE_MS * 1000;

	while (!is_so(count)) {
		if (test_elapsed_us() > until_us)
			fail_msg("not in time: %s; %u accepted", what,
				 atomic_load(&world.accepted_count));
		test_nap();
	}
}

static bool are_accepted(int count)
{
	return atomic_load(&world.accepted_count) >= (uint32_t)count;
}

/* The share of one processor that the process takes in a while, in hundredths. */
static int64_t watch_cpu(void)
{
	int64_t begun_us = test_elapsed_us(), used_us;
	uint32_t errors = atomic_load(&world.error_count);
	struct rusage before, after;

	(void)getrusage(RUSAGE_SELF, &before);
	while (test_elapsed_us() < begun_us + (int64_t)WATCH_MS * 1000)
		(void)poll(NULL, 0, 50);
	(void)getrusage(RUSAGE_SELF, &after);
	used_us = (after.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_utime.tv_sec -
		   before.ru_stime.tv_sec) *
			  1000000 +
		  after.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_utime.tv_usec -
		  before.ru_stime.tv_usec;
	print_message("             %d ms of processor in %d ms, %u errors told\n",
		      (int)(used_us / 1000), WATCH_MS, atomic_load(&world.error_count));
	assert_in_range(atomic_load(&world.error_count) - errors, 0, WATCH_MS / 20);
	return used_us / (WATCH_MS * 10);
}

/* Two handlers run, others wait in the line, one is due later. */
static void get_going(void)
{
	for (uint8_t i = 0; i < STEPS - 1; i++)
		assert_int_equal(enqueue(i, 0), STEPBUS_OK);
	assert_int_equal(enqueue(STEPS - 1, 300), STEPBUS_OK);
	await(has_run, 2, "two handlers run");
}

static void check_all_ran_once(void)
{
	await(are_accepted, STEPS, "all steps are completed");
	for (int i = 0; i < STEPS; i++)
		assert_int_equal(atomic_load(&world.runs[i]), 1);
}

static void refuse_and_recover(stepbus_status wanted, void (*relieve)(void))
{
	stepbus_status status = STEPBUS_OK;

	for (int i = 0; i < 1000 && status == STEPBUS_OK; i++)
		status = enqueue(0, 100000000);
	if (status != wanted)
		fail_msg("%s: %s", stepbus_status_name(status), world.err.message);
	assert_true(strlen(world.err.message) > 20);
	atomic_store(&world.is_released, 1);
	assert_in_range(watch_cpu(), 0, CPU_SHARE_MAX);
	assert_true(atomic_load(&world.accepted_count) < STEPS);
	relieve();
	check_all_ran_once();
	assert_int_equal(enqueue(0, 100000000), STEPBUS_OK);
}

static void limit_length(rlim_t len)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = len;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void lift_limit(void)
{
	limit_length(RLIM_INFINITY);
}

static void results_wait_while_files_may_not_grow(void **state)
{
	char log_path[TEST_PATH_LEN];
	struct stat about;

	(void)state;
	get_going();
	test_tempdir_path(&world.dir, "jobs.db-wal", log_path);
	assert_int_equal(stat(log_path, &about), 0);
	limit_length((rlim_t)about.st_size);
	refuse_and_recover(STEPBUS_ENOSPACE, lift_limit);
}

static void fill_disk(void)
{
	static const char bytes[4096];
	int fd = open(world.filler_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	while (write(fd, bytes, sizeof bytes) > 0)
		;
	if (errno != ENOSPC)
		fail_msg("%s", strerror(errno));
	assert_int_equal(close(fd), 0);
}

static void empty_disk(void)
{
	assert_int_equal(unlink(world.filler_path), 0);
}

static void results_wait_while_the_disk_is_full(void **state)
{
	(void)state;
	if (!world.is_mounted) {
		print_message("             SKIPPED: this process may not mount\n");
		skip();
	}
	get_going();
	fill_disk();
	refuse_and_recover(STEPBUS_ENOSPACE, empty_disk);
}

static void a_file_that_is_gone_is_told_and_nobody_hangs(void **state)
{
	stepbus_status status = STEPBUS_OK;
	int64_t until_us = test_elapsed_us() + (int64_t)PATIENCE_MS * 1000;

	(void)state;
	get_going();
	assert_int_equal(unlink(world.path), 0);
	while (status == STEPBUS_OK && test_elapsed_us() < until_us) {
		status = enqueue(0, 100000000);
		test_nap();
	}
	assert_int_equal(status, STEPBUS_ESTORE);
	if (strstr(world.err.message, "removed") == NULL)
		fail_msg("%s", world.err.message);
	atomic_store(&world.is_released, 1);
	assert_in_range(watch_cpu(), 0, CPU_SHARE_MAX);
	assert_true(atomic_load(&world.error_count) > 0);
	until_us = test_elapsed_us() + (int64_t)PATIENCE_MS * 1000;
	stepbus_close(world.engine);
	assert_true(test_elapsed_us() < until_us);
	open_engine();
	assert_int_equal(enqueue(0, 0), STEPBUS_OK);
	await(are_accepted, 1, "a new store works");
}

static int find_what_is_possible(void **state)
{
	const struct sigaction ignored = { .sa_handler = SIG_IGN };

	(void)state;
	/* As a host does that would rather see the error: otherwise the system ends the process. */
	assert_int_equal(sigaction(SIGXFSZ, &ignored, NULL), 0);
	world.can_mount = unshare(CLONE_NEWNS) == 0 &&
			  mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(results_wait_while_files_may_not_grow, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(results_wait_while_the_disk_is_full, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_file_that_is_gone_is_told_and_nobody_hangs,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, find_what_is_possible, NULL);
}
