/* SPDX-License-Identifier: MIT */
#include "support/peers.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "include/stepbus.h"
#include "support/cmocka.h"

enum { CONFIG_LEN = 1024, ORDER_MS = 20000 };

int64_t test_elapsed_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void test_nap(void)
{
	static const struct timespec nap = { 0, 500000 };

	(void)nanosleep(&nap, NULL);
}

/* In a peer, from here on: its own place on the board. */
static test_board *board;
static struct test_peer_board *own;

static void fail_peer(const char *what, const stepbus_error *err)
{
	(void)snprintf(own->failure, sizeof own->failure, "%.60s: %.40s: %.380s", what,
		       stepbus_status_name(err->code), err->message);
}

static int32_t serve(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	const uint8_t *input = step->input;
	uint32_t number = input[1];

	(void)instance;
	atomic_store(&own->started_at_us, test_elapsed_us());
	atomic_fetch_add(&own->started[number], 1);
	if (input[0] == 'c')
		(void)kill(getpid(), SIGKILL);
	while (input[0] == 'w' && atomic_load(&board->is_released) == 0 &&
	       stepbus_context_check(context) == STEPBUS_OK)
		test_nap();
	if (stepbus_context_check(context) == STEPBUS_ESTALE)
		atomic_fetch_add(&own->stale_count, 1);
	(void)stepbus_result_success(result, &input[1], 1, NULL);
	atomic_fetch_add(&own->ended[number], 1);
	return 0;
}

static int32_t note_completion(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	const stepbus_completion *completion = NULL;

	(void)user_data;
	(void)event_id;
	if (stepbus_payload_completion(payload, len, &completion, NULL) == STEPBUS_OK &&
	    completion->outcome == STEPBUS_OUTCOME_SUCCESS)
		atomic_fetch_add(&own->accepted[*(const uint8_t *)completion->result], 1);
	return 0;
}

static int32_t count_event(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)event_id;
	(void)payload;
	(void)len;
	atomic_fetch_add((_Atomic(uint32_t) *)user_data, 1);
	return 0;
}

static void note_record(void *user_data, int32_t level, const char *record, size_t len)
{
	(void)user_data;
	(void)level;
	if (memmem(record, len, "completion_refused", 18) != NULL)
		atomic_fetch_add(&own->refused_count, 1);
}

static stepbus_status subscribe(stepbus *engine, const char *name, stepbus_event_fn deliver,
				void *user_data, stepbus_error *err)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = deliver,
						    .user_data = user_data };

	return stepbus_bridge_subscribe(stepbus_engine_bridge(engine), name, strlen(name),
					&subscription, NULL, err);
}

static stepbus *open_engine(const char *path, const test_peer_options *options, stepbus_error *err)
{
	const stepbus_host host = { .size = sizeof host, .log = note_record };
	stepbus *engine = NULL;
	char config[CONFIG_LEN];
	int len = snprintf(config, sizeof config, "{\"store\":\"sqlite:%s\"%s}", path,
			   options->engine != NULL ? options->engine : "");
	const stepbus_options open = {
		.size = sizeof open, .config = config, .config_len = (size_t)len, .host = &host
	};

	return stepbus_open(&open, &engine, err) == STEPBUS_OK ? engine : NULL;
}

static stepbus_status begin(stepbus *engine, const test_peer_options *options, stepbus_error *err)
{
	const char *name = options->handler != NULL ? options->handler : "work";
	const stepbus_handler_spec spec = {
		.size = sizeof spec, .name = name, .name_len = strlen(name), .call = serve
	};
	stepbus_worker *worker = NULL;
	stepbus_status status =
		subscribe(engine, STEPBUS_EVENT_STEP_COMPLETION_SENT, note_completion, NULL, err);

	if (status == STEPBUS_OK)
		status = subscribe(engine, "worker.lost", count_event, &own->lost_count, err);
	if (status == STEPBUS_OK)
		status = subscribe(engine, "store.alarm", count_event, &own->alarm_count, err);
	if (status == STEPBUS_OK && options->worker != NULL)
		status = stepbus_registry_register(stepbus_engine_registry(engine), &spec, err);
	if (status == STEPBUS_OK && options->worker != NULL)
		status = stepbus_worker_start(engine, options->worker, strlen(options->worker),
					      &worker, err);
	return status;
}

static void enqueue(stepbus *engine, char kind)
{
	uint32_t first = atomic_load(&own->first), count = atomic_load(&own->count);
	stepbus_step_spec specs[TEST_PEER_STEPS];
	char inputs[TEST_PEER_STEPS][2];
	stepbus_error err = STEPBUS_ERROR_INIT;

	for (uint32_t i = 0; i < count; i++) {
		inputs[i][0] = kind;
		inputs[i][1] = (char)(first + i);
		specs[i] = (stepbus_step_spec){ .size = sizeof specs[i],
						.handler_name = "work",
						.handler_name_len = 4,
						.input = inputs[i],
						.input_len = 2 };
	}
	atomic_store(&own->enqueued_at_us, test_elapsed_us());
	if (stepbus_step_enqueue(engine, specs, count, NULL, &err) != STEPBUS_OK)
		fail_peer("enqueue", &err);
}

static void obey(stepbus *engine)
{
	uint32_t order;

	while ((order = atomic_load(&own->order)) != TEST_ORDER_END) {
		if (order == TEST_ORDER_NONE) {
			test_nap();
			continue;
		}
		enqueue(engine, order == TEST_ORDER_ENQUEUE ? 'f' :
				order == TEST_ORDER_WAITERS ? 'w' :
							      'c');
		atomic_store(&own->order, TEST_ORDER_NONE);
	}
}

static void live(const char *path, const test_peer_options *options)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus *engine = open_engine(path, options, &err);

	if (engine == NULL || begin(engine, options, &err) != STEPBUS_OK) {
		fail_peer("begin", &err);
		_exit(1);
	}
	atomic_store(&own->is_ready, 1);
	obey(engine);
	stepbus_close(engine);
	_exit(0);
}

int test_peers_begin(void **state)
{
	test_peers *p = calloc(1, sizeof *p);

	assert_non_null(p);
	test_tempdir_make(&p->dir);
	test_tempdir_path(&p->dir, "jobs.db", p->path);
	p->board = mmap(NULL, sizeof *p->board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	assert_ptr_not_equal(p->board, MAP_FAILED);
	*state = p;
	return 0;
}

int test_peers_end(void **state)
{
	test_peers *p = *state;

	for (int i = 0; i < TEST_PEER_COUNT; i++)
		test_peer_kill(p, i);
	test_tempdir_remove(&p->dir);
	(void)munmap(p->board, sizeof *p->board);
	free(p);
	return 0;
}

void test_peer_launch(test_peers *p, int index, const test_peer_options *options)
{
	struct test_peer_board *place = &p->board->peers[index];

	atomic_store(&place->is_ready, 0);
	atomic_store(&place->order, TEST_ORDER_NONE);
	p->pids[index] = fork();
	assert_true(p->pids[index] >= 0);
	if (p->pids[index] == 0) {
		board = p->board;
		own = place;
		live(p->path, options);
	}
}

void test_peer_start(test_peers *p, int index, const test_peer_options *options)
{
	test_peer_launch(p, index, options);
	test_await(p, atomic_load(&p->board->peers[index].is_ready) != 0, ORDER_MS);
}

void test_peer_order(test_peers *p, int index, test_order order, uint32_t first, uint32_t count)
{
	struct test_peer_board *place = &p->board->peers[index];
	int status;

	atomic_store(&place->first, first);
	atomic_store(&place->count, count);
	atomic_store(&place->order, order);
	if (order != TEST_ORDER_END) {
		test_await(p, atomic_load(&place->order) == TEST_ORDER_NONE, ORDER_MS);
		return;
	}
	assert_int_equal(waitpid(p->pids[index], &status, 0), p->pids[index]);
	p->pids[index] = 0;
	test_peers_check(p);
	assert_int_equal(status, 0);
}

void test_peer_signal(const test_peers *p, int index, int number)
{
	assert_int_equal(kill(p->pids[index], number), 0);
}

static bool can_write(const test_peers *p)
{
	sqlite3 *db = NULL;
	bool can = sqlite3_open(p->path, &db) == SQLITE_OK &&
		   sqlite3_exec(db, "BEGIN IMMEDIATE; ROLLBACK", NULL, NULL, NULL) == SQLITE_OK;

	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_close(db);
	return can;
}

void test_peer_stop(const test_peers *p, int index)
{
	int status;

	for (;;) {
		test_peer_signal(p, index, SIGSTOP);
		assert_int_equal(waitpid(p->pids[index], &status, WUNTRACED), p->pids[index]);
		assert_true(WIFSTOPPED(status));
		if (can_write(p))
			return;
		test_peer_signal(p, index, SIGCONT);
		test_nap();
	}
}

void test_peer_kill(test_peers *p, int index)
{
	if (p->pids[index] == 0)
		return;
	(void)kill(p->pids[index], SIGKILL);
	(void)waitpid(p->pids[index], NULL, 0);
	p->pids[index] = 0;
}

uint32_t test_peers_accepted(const test_peers *p, uint32_t first, uint32_t count)
{
	uint32_t sum = 0;

	for (int i = 0; i < TEST_PEER_COUNT; i++)
		for (uint32_t n = first; n < first + count; n++)
			sum += atomic_load(&p->board->peers[i].accepted[n]);
	return sum;
}

void test_peers_show(const test_peers *p)
{
	for (int i = 0; i < TEST_PEER_COUNT; i++) {
		const struct test_peer_board *b = &p->board->peers[i];

		(void)fprintf(stderr, "peer %d: refused %u, stale %u, lost %u;", i,
			      atomic_load(&b->refused_count), atomic_load(&b->stale_count),
			      atomic_load(&b->lost_count));
		for (int n = 0; n < TEST_PEER_STEPS; n++)
			if (atomic_load(&b->started[n]) + atomic_load(&b->accepted[n]) > 0)
				(void)fprintf(
					stderr, " %d: %u %u %u", n, atomic_load(&b->started[n]),
					atomic_load(&b->ended[n]), atomic_load(&b->accepted[n]));
		(void)fputc('\n', stderr);
	}
}

uint32_t test_peers_started(const test_peers *p, uint32_t first, uint32_t count)
{
	uint32_t sum = 0;

	for (int i = 0; i < TEST_PEER_COUNT; i++)
		for (uint32_t n = first; n < first + count; n++)
			sum += atomic_load(&p->board->peers[i].started[n]);
	return sum;
}

void test_peers_check(const test_peers *p)
{
	for (int i = 0; i < TEST_PEER_COUNT; i++)
		if (p->board->peers[i].failure[0] != '\0')
			fail_msg("peer %d: %s", i, p->board->peers[i].failure);
}

int64_t test_peers_ask(const test_peers *p, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	int64_t answer = -1;

	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 5000);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(statement) == SQLITE_ROW)
		answer = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(db);
	return answer;
}

void test_peers_wait(const test_peers *p, int64_t until_us, const char *condition)
{
	test_peers_check(p);
	if (test_elapsed_us() > until_us) {
		test_peers_show(p);
		fail_msg("not in time: %s", condition);
	}
	test_nap();
}
