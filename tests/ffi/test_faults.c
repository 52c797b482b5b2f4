/* SPDX-License-Identifier: MIT */
/*
 * Every call that SQLite makes of the system fails once, one after the other, in a life of an engine
 * from its opening to its end. Whatever comes of it, a second engine on a sound disk must find
 * all that was acknowledged, run it to its end, and never complete a step twice.
 */
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "include/stepbus.h"
#include "support/cmocka.h"
#include "support/faulty_vfs.h"
#include "support/peers.h"
#include "support/tempdir.h"

enum {
	STEPS = 20,
	BATCH = 5,
	RUN_MS = 300,
	END_MS = 10000,
	LEAP_NS = 1000000000,
	POINT_MAX = 400,
};

static struct {
	test_tempdir dir;
	char path[TEST_PATH_LEN];
	_Atomic(int64_t) ahead_ns; /* of the elapsed clock, so that leases end when we want */
	_Atomic(uint32_t) runs[STEPS];
	_Atomic(uint32_t) accepted[STEPS]; /* successes, by step.completion.sent */
	bool is_acknowledged[STEPS];
	bool was_tried[STEPS];
	char name[128];
} life;

static int64_t elapsed_ns(void *user_data)
{
	struct timespec now;

	(void)user_data;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + atomic_load(&life.ahead_ns);
}

static int32_t serve(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	const uint8_t *input = step->input;

	(void)instance;
	atomic_fetch_add(&life.runs[input[0] % STEPS], 1);
	(void)stepbus_result_success(result, input, 1, NULL);
	return 0;
}

static int32_t note(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	const stepbus_completion *completion = NULL;

	(void)user_data;
	(void)event_id;
	if (stepbus_payload_completion(payload, len, &completion, NULL) == STEPBUS_OK &&
	    completion->outcome == STEPBUS_OUTCOME_SUCCESS)
		atomic_fetch_add(&life.accepted[*(const uint8_t *)completion->result % STEPS], 1);
	return 0;
}

static stepbus *open_engine(stepbus_error *err)
{
	const stepbus_host host = { .size = sizeof host, .elapsed_ns = elapsed_ns };
	stepbus *engine = NULL;
	char config[512];
	int len = snprintf(config, sizeof config,
			   "{\"store\":\"sqlite:%s\",\"lease_ms\":1000,\"heartbeat_ms\":100,"
			   "\"poll_ms\":10,\"busy_timeout_ms\":50,\"retry\":{\"base_ms\":1}}",
			   life.path);
	const stepbus_options options = {
		.size = sizeof options, .config = config, .config_len = (size_t)len, .host = &host
	};

	return stepbus_open(&options, &engine, err) == STEPBUS_OK ? engine : NULL;
}

static stepbus_status work(stepbus *engine, stepbus_error *err)
{
	const stepbus_handler_spec spec = {
		.size = sizeof spec, .name = "work", .name_len = 4, .call = serve
	};
	const stepbus_subscription subscription = { .size = sizeof subscription, .deliver = note };
	stepbus_worker *worker = NULL;
	stepbus_status status =
		stepbus_registry_register(stepbus_engine_registry(engine), &spec, err);

	if (status == STEPBUS_OK)
		status = stepbus_bridge_subscribe(stepbus_engine_bridge(engine),
						  STEPBUS_TEXT(STEPBUS_EVENT_STEP_COMPLETION_SENT),
						  &subscription, NULL, err);
	if (status == STEPBUS_OK)
		status = stepbus_worker_start(engine, NULL, 0, &worker, err);
	return status;
}

static stepbus_status enqueue_batch(stepbus *engine, uint8_t first, stepbus_error *err)
{
	stepbus_step_spec specs[BATCH];
	uint8_t inputs[BATCH];
	stepbus_status status;

	for (uint8_t i = 0; i < BATCH; i++) {
		inputs[i] = first + i;
		specs[i] = (stepbus_step_spec){ .size = sizeof specs[i],
						.handler_name = "work",
						.handler_name_len = 4,
						.input = &inputs[i],
						.input_len = 1 };
		life.was_tried[first + i] = true;
	}
	status = stepbus_step_enqueue(engine, specs, BATCH, NULL, err);
	for (uint8_t i = 0; i < BATCH; i++)
		life.is_acknowledged[first + i] = status == STEPBUS_OK;
	return status;
}

/* What is told of a failure is of use: it names a status and says something. */
static void check_told(stepbus_status status, const stepbus_error *err)
{
	if (status == STEPBUS_OK)
		return;
	if (err->code != status || strlen(err->message) < 16)
		fail_msg("%s: status %d is told as %d, '%s'", life.name, status, err->code,
			 err->message);
}

static bool are_all_accepted(void)
{
	for (int i = 0; i < STEPS; i++)
		if (life.is_acknowledged[i] && atomic_load(&life.accepted[i]) == 0)
			return false;
	return true;
}

static void await_all(int64_t time_ms)
{
	int64_t until_us = test_elapsed_us() + time_ms * 1000;

	while (!are_all_accepted() && test_elapsed_us() < until_us)
		test_nap();
}

/* Where syncing failed, nothing is acknowledged from then on. */
static void live_with_fault(test_fault_kind kind)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus *engine = open_engine(&err);
	stepbus_status status;

	check_told(engine == NULL ? err.code : STEPBUS_OK, &err);
	if (engine == NULL) {
		assert_true(err.code != STEPBUS_OK);
		return;
	}
	status = work(engine, &err);
	check_told(status, &err);
	for (uint8_t first = 0; first < STEPS; first += BATCH) {
		bool was_failed = test_faults_count() > 0;

		status = enqueue_batch(engine, first, &err);
		check_told(status, &err);
		if (kind == TEST_FAULT_SYNC && was_failed && status == STEPBUS_OK)
			fail_msg("%s: an enqueue was acknowledged after a failed sync", life.name);
	}
	await_all(test_faults_count() > 0 ? RUN_MS / 10 : RUN_MS);
	/* What its last words cannot be written for is left to the lease. */
	atomic_fetch_add(&life.ahead_ns, LEAP_NS + LEAP_NS);
	stepbus_close(engine);
}

static int64_t ask(const char *sql)
{
	test_peers p = { 0 };

	memcpy(p.path, life.path, sizeof p.path);
	return test_peers_ask(&p, sql);
}

static void live_on(void)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus *engine;
	int64_t open = -1, until_us = test_elapsed_us() + (int64_t)END_MS * 1000;

	atomic_fetch_add(&life.ahead_ns, LEAP_NS + LEAP_NS);
	engine = open_engine(&err);
	if (engine == NULL)
		fail_msg("%s: cannot be opened again: %s", life.name, err.message);
	if (work(engine, &err) != STEPBUS_OK)
		fail_msg("%s: cannot work again: %s", life.name, err.message);
	while ((open = ask("SELECT count(*) FROM state WHERE state < 6")) != 0 &&
	       test_elapsed_us() < until_us)
		test_nap();
	if (open != 0)
		fail_msg("%s: %d steps are left over, the first in state %d", life.name, (int)open,
			 (int)ask("SELECT state FROM state WHERE state < 6"));
	stepbus_close(engine);
}

static void check_store(void)
{
	if (ask("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'") != 0)
		fail_msg("%s: the file is damaged", life.name);
	if (ask("SELECT count(*) FROM state WHERE state <> 6") != 0)
		fail_msg("%s: a step has failed", life.name);
	for (int i = 0; i < STEPS; i++) {
		char sql[128];
		int64_t found;

		(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM step WHERE input = x'%02x'",
			       i);
		found = ask(sql);
		if (found > 1 || (life.is_acknowledged[i] && found != 1))
			fail_msg("%s: step %d is there %d times", life.name, i, (int)found);
		if (found > 0 && !life.was_tried[i])
			fail_msg("%s: step %d was never enqueued", life.name, i);
		if (atomic_load(&life.accepted[i]) > 1)
			fail_msg("%s: step %d was completed twice", life.name, i);
	}
	if (ask("SELECT count(*) FROM step") % BATCH != 0)
		fail_msg("%s: a batch was cut", life.name);
}

static void begin_life(void)
{
	test_tempdir_make_fast(&life.dir);
	test_tempdir_path(&life.dir, "jobs.db", life.path);
	for (int i = 0; i < STEPS; i++) {
		atomic_store(&life.runs[i], 0);
		atomic_store(&life.accepted[i], 0);
		life.is_acknowledged[i] = false;
		life.was_tried[i] = false;
	}
}

/* False: the life ended before that many calls were made. */
static bool live_and_die(test_fault_kind kind, int nth, int code, bool is_lasting)
{
	int count;

	(void)snprintf(life.name, sizeof life.name, "call %d of kind %d answers %d%s", nth,
		       (int)kind, code, is_lasting ? " for good" : "");
	begin_life();
	test_faults_plan(kind, nth, code, is_lasting);
	live_with_fault(kind);
	count = test_faults_count();
	test_faults_clear();
	live_on();
	check_store();
	test_tempdir_remove(&life.dir);
	return count > 0;
}

typedef struct fault_case {
	test_fault_kind kind;
	int code;
	bool is_lasting;
	int stride; /* the first calls one by one, then not each */
} fault_case;

static void fail_each(const fault_case *c)
{
	int64_t begun_us = test_elapsed_us();
	int nth = 1, points = 0;

	while (nth < POINT_MAX && live_and_die(c->kind, nth, c->code, c->is_lasting)) {
		nth += nth < c->stride ? 1 : c->stride;
		points++;
	}
	assert_true(points > 3);
	print_message("             %d points, %d ms\n", points,
		      (int)((test_elapsed_us() - begun_us) / 1000));
}

static int set_up(void **state)
{
	(void)state;
	test_faults_install();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	test_faults_uninstall();
	return 0;
}

static void a_write_finds_no_room(void **state)
{
	(void)state;
	fail_each(&(fault_case){ TEST_FAULT_WRITE, SQLITE_FULL, false, 5 });
}

static void a_write_fails(void **state)
{
	(void)state;
	fail_each(&(fault_case){ TEST_FAULT_WRITE, SQLITE_IOERR_WRITE, false, 5 });
}

static void no_write_finds_room_any_more(void **state)
{
	(void)state;
	fail_each(&(fault_case){ TEST_FAULT_WRITE, SQLITE_FULL, true, 11 });
}

static void no_write_succeeds_any_more(void **state)
{
	(void)state;
	fail_each(&(fault_case){ TEST_FAULT_WRITE, SQLITE_IOERR_WRITE, true, 11 });
}

static void a_sync_fails(void **state)
{
	(void)state;
	fail_each(&(fault_case){ TEST_FAULT_SYNC, SQLITE_IOERR_FSYNC, false, 2 });
}

static void a_read_fails(void **state)
{
	(void)state;
	fail_each(&(fault_case){ TEST_FAULT_READ, SQLITE_IOERR_READ, false, 7 });
}

static void a_lock_fails(void **state)
{
	(void)state;
	fail_each(&(fault_case){ TEST_FAULT_LOCK, SQLITE_IOERR_LOCK, false, 3 });
}

static void the_index_of_the_log_fails(void **state)
{
	(void)state;
	fail_each(&(fault_case){ TEST_FAULT_SHM, SQLITE_IOERR_SHMLOCK, false, 13 });
}

static void a_lock_is_busy(void **state)
{
	(void)state;
	fail_each(&(fault_case){ TEST_FAULT_SHM, SQLITE_BUSY, false, 13 });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_finds_no_room),
		cmocka_unit_test(a_write_fails),
		cmocka_unit_test(no_write_finds_room_any_more),
		cmocka_unit_test(no_write_succeeds_any_more),
		cmocka_unit_test(a_sync_fails),
		cmocka_unit_test(a_read_fails),
		cmocka_unit_test(a_lock_fails),
		cmocka_unit_test(the_index_of_the_log_fails),
		cmocka_unit_test(a_lock_is_busy),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
