/* SPDX-License-Identifier: MIT */
/*
 * A reader of somebody else's that keeps the log from being begun anew: the engine goes on, says so,
 * and recovers when the reader is gone.
 */
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "include/stepbus.h"
#include "support/answer.h"
#include "support/cmocka.h"
#include "support/peers.h"

enum {
	BATCH = 256,
	INPUT_LEN = 1024,
	PIN_US = 1000000,
	MIB = 1048576,
	BUSY_MS = 20000,
	/* Far more than a busy machine takes, far less than who waits for the reader. */
	STALL_US = BUSY_MS * 500,
	PATIENCE_US = 60000000
};

static struct {
	test_tempdir dir;
	char path[TEST_PATH_LEN];
	char log_path[TEST_PATH_LEN];
	stepbus *engine;
	_Atomic(uint32_t) alarm_count;
	int64_t worst_us; /* of all enqueues */
	int64_t log_len_max;
} world;

static int32_t note_alarm(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	atomic_fetch_add(&world.alarm_count, 1);
	return 0;
}

static int32_t serve(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	return stepbus_result_success(result, NULL, 0, NULL) != STEPBUS_OK;
}

static int set_up(void **state)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = note_alarm };
	const stepbus_handler_spec spec = {
		.size = sizeof spec, .name = "work", .name_len = 4, .call = serve
	};
	stepbus_worker *worker = NULL;
	char config[512];
	int len;

	(void)state;
	test_tempdir_make_fast(&world.dir);
	test_tempdir_path(&world.dir, "jobs.db", world.path);
	test_tempdir_path(&world.dir, "jobs.db-wal", world.log_path);
	len = snprintf(config, sizeof config,
		       "{\"store\":\"sqlite:%s\",\"wal_alarm_mib\":1,\"poll_ms\":10,"
		       "\"busy_timeout_ms\":%d,\"retention\":{\"completed_ms\":0}}",
		       world.path, BUSY_MS);
	const stepbus_options options = { .size = sizeof options,
					  .config = config,
					  .config_len = (size_t)len };

	assert_int_equal(stepbus_open(&options, &world.engine, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_subscribe(stepbus_engine_bridge(world.engine),
						  STEPBUS_TEXT("store.alarm"), &subscription, NULL,
						  NULL),
			 STEPBUS_OK);
	assert_int_equal(
		stepbus_registry_register(stepbus_engine_registry(world.engine), &spec, NULL),
		STEPBUS_OK);
	assert_int_equal(stepbus_worker_start(world.engine, NULL, 0, &worker, NULL), STEPBUS_OK);
	world.worst_us = 0;
	world.log_len_max = 0;
	atomic_store(&world.alarm_count, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stepbus_close(world.engine);
	test_tempdir_remove(&world.dir);
	return 0;
}

static int64_t log_len(void)
{
	struct stat about;

	return stat(world.log_path, &about) == 0 ? (int64_t)about.st_size : 0;
}

static void enqueue_batch(void)
{
	static const char input[INPUT_LEN];
	stepbus_step_spec specs[BATCH];
	stepbus_error err = STEPBUS_ERROR_INIT;
	int64_t begun_us = test_elapsed_us(), took_us, len;

	for (int i = 0; i < BATCH; i++)
		specs[i] = (stepbus_step_spec){ .size = sizeof specs[i],
						.handler_name = "work",
						.handler_name_len = 4,
						.input = input,
						.input_len = sizeof input };
	if (stepbus_step_enqueue(world.engine, specs, BATCH, NULL, &err) != STEPBUS_OK)
		fail_msg("%s", err.message);
	took_us = test_elapsed_us() - begun_us;
	if (took_us > world.worst_us)
		world.worst_us = took_us;
	len = log_len();
	if (len > world.log_len_max)
		world.log_len_max = len;
}

static void load_for(int64_t time_us)
{
	int64_t until_us = test_elapsed_us() + time_us;

	while (test_elapsed_us() < until_us)
		enqueue_batch();
}

static uint32_t stat_of(const char *name)
{
	stepbus_text *text = NULL;
	const char *at;
	uint32_t number = 0;

	assert_int_equal(stepbus_engine_stats(world.engine, &text, NULL), STEPBUS_OK);
	at = strstr(stepbus_text_data(text), name);
	assert_non_null(at);
	assert_int_equal(sscanf(at + strlen(name), "\":%u", &number), 1);
	stepbus_text_free(text);
	return number;
}

static bool has_alarmed(void)
{
	return atomic_load(&world.alarm_count) > 0;
}

static bool has_checkpointed(void)
{
	return stat_of("checkpoints") > 0;
}

/* As much as it takes, which takes a slow machine longer. */
static void load_until(bool (*is_met)(void))
{
	int64_t until_us = test_elapsed_us() + PATIENCE_US;

	while (!is_met() && test_elapsed_us() < until_us)
		enqueue_batch();
}

static void tell(void)
{
	print_message(
		"             log at most %d KiB, worst enqueue of %d steps %d us, %u alarms\n",
		(int)(world.log_len_max / 1024), BATCH, (int)world.worst_us,
		atomic_load(&world.alarm_count));
}

static void a_reader_that_pins_the_log_raises_an_alarm_and_stalls_nobody(void **state)
{
	sqlite3 *reader = NULL;

	(void)state;
	assert_int_equal(sqlite3_open(world.path, &reader), SQLITE_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM state", NULL, NULL, NULL),
			SQLITE_OK);
		load_for(PIN_US);
		load_until(has_alarmed);
		assert_int_equal(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
		load_for(PIN_US / 4);
	}
	(void)sqlite3_close(reader);
	tell();
	assert_in_range(world.worst_us, 1, STALL_US);
	assert_true(atomic_load(&world.alarm_count) >= 1);
	assert_true(stat_of("wal_alarms") >= 1);
	assert_true(world.log_len_max < (int64_t)256 * MIB);
	/* Free again, it is begun anew, and cut where it was large. */
	load_for(PIN_US / 2);
	assert_true(log_len() <= (int64_t)64 * MIB);
}

static void steady_load_keeps_the_log_short(void **state)
{
	(void)state;
	load_for(3 * (int64_t)PIN_US);
	load_until(has_checkpointed);
	tell();
	assert_true(world.log_len_max <= (int64_t)64 * MIB);
	assert_in_range(world.worst_us, 1, STALL_US);
	assert_true(stat_of("checkpoints") >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_reader_that_pins_the_log_raises_an_alarm_and_stalls_nobody, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(steady_load_keeps_the_log_short, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
