/* SPDX-License-Identifier: MIT */
/*
 * Databases that others have written to. A good file, with steps in many states, is changed by the
 * bytes: as SQL that is run on it (first byte even), or as bytes that are put over its own (odd). Then
 * an engine opens it and does all that engines do. It may refuse, with an error that says why, or serve;
 * it may not crash, hang, or write a document that is none.
 *
 * The engine stands still (handlers/still.h) and is told to work until it has nothing more to do: so an
 * input does the same each time, and nothing waits. From a first byte of 240 on it has its threads, and
 * is waited for, since a damage may keep out what they wait for: that takes ten times as long.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ffi/cron_step.h"
#include "fuzz/feed.h"
#include "fuzz/host.h"
#include "fuzz/reference.h"
#include "handlers/still.h"

enum {
	LIVELY = 240,
	TURN_MAX = 100,
	EVENT_MAX = 8,
	FLIP_MAX = 64,
	SQL_STEPS_MAX = 20000,
	LEN_MAX = 1 << 22,
	STEP_COUNT = 9
};

static char path[64];
static char *good;
static size_t good_len;
static uint8_t step_ids[STEP_COUNT][16];
static bool is_lively;

static void remove_files(void)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-journal", "-wake", "-lock" };
	char name[80];

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		(void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
		(void)unlink(name);
	}
}

/* One that has threads. */
static stepbus_status open_lively(stepbus **engine, stepbus_error *err)
{
	char config[256];
	stepbus_options options = { .size = sizeof options, .host = fuzz_host() };

	(void)snprintf(config, sizeof config,
		       "{\"store\":\"sqlite:%s\",\"durability\":\"process\",\"busy_timeout_ms\":50,"
		       "\"poll_ms\":10,\"lease_ms\":3600000}",
		       path);
	options.config = config;
	options.config_len = strlen(config);
	return stepbus_open(&options, engine, err);
}

/* The same, but for the threads. */
static stepbus_status open_still(stepbus **engine, stepbus_error *err)
{
	const sb_engine_options options = {
		.is_still = true,
		.path = path,
		.durability = SB_DURABILITY_PROCESS,
		.busy_timeout_ms = 50,
		.wal_alarm_bytes = INT64_C(256) << 20,
		.payload_len_max = 1 << 20,
		.lease_ms = 9000, /* closing looks at the clock until it is over */
		.heartbeat_ms = 3000,
		.poll_ms = 10,
		.group_count_max = 4096,
		.waiting_count_max = 65536,
		.keep_completed_us = INT64_C(7) * 86400 * 1000000,
		.keep_failed_us = INT64_C(30) * 86400 * 1000000,
		.keep_cancelled_us = INT64_C(7) * 86400 * 1000000,
		.sweep_count_max = 1000,
		.crash_count_max = 3,
		.breaker_failure_count = 3,
		.breaker_open_ms = 30000,
		.retry = { STEPBUS_RETRY_EXPONENTIAL, 3, 1000000, 3600000000, 100 },
		.cron_reader = &sb_cron_step_reader,
	};
	char wake[80];
	stepbus_host host;

	/* What no engine can watch need not be closed, for which the system takes longer than all else. */
	(void)snprintf(wake, sizeof wake, "%s-wake", path);
	fuzz_check(symlink("nowhere", wake) == 0 || errno == EEXIST);
	fuzz_check(sb_host_fill(fuzz_host(), &host, err) == STEPBUS_OK);
	return sb_engine_open(&options, &host, NULL, engine, err);
}

static stepbus_status open_engine(stepbus **engine, stepbus_error *err)
{
	return is_lively ? open_lively(engine, err) : open_still(engine, err);
}

/* What threads would do by now. Damage may leave something that is never done: then it is tried often. */
static void let_work(stepbus *engine)
{
	bool has_worked = !is_lively;

	for (int i = 0; i < TURN_MAX && has_worked; i++) {
		has_worked = sb_still_turn(engine, SB_STILL_WRITER);
		has_worked = sb_still_turn(engine, SB_STILL_CLOCKWORK) || has_worked;
		has_worked = sb_still_turn(engine, SB_STILL_NOTICES) || has_worked;
	}
}

static stepbus_worker *start_worker(stepbus *engine)
{
	static const char config[] = "{\"id\":\"w\",\"pull\":true,\"block_size\":8}";
	const stepbus_handler_spec spec = {
		.size = sizeof spec, .flags = STEPBUS_HANDLER_PULLED, .name = "work", .name_len = 4
	};
	stepbus_worker *worker = NULL;

	if (stepbus_registry_register(stepbus_engine_registry(engine), &spec, NULL) != STEPBUS_OK)
		return NULL;
	(void)stepbus_worker_start(engine, config, sizeof config - 1, &worker, NULL);
	return worker;
}

static stepbus_status answer(stepbus *engine, const stepbus_step_event *event, int32_t outcome)
{
	stepbus_completion c = { .size = sizeof c,
				 .outcome = outcome,
				 .token = event->token,
				 .is_retryable = outcome == STEPBUS_OUTCOME_FAILURE,
				 .retry_after_ms = outcome == STEPBUS_OUTCOME_SNOOZE ? 1000 : -1 };

	memcpy(c.step_id, event->step_id, sizeof c.step_id);
	c.result = c.cursor = "so far";
	c.result_len = c.cursor_len = 6;
	c.error_type = c.error_message = "broken";
	c.error_type_len = c.error_message_len = 6;
	return stepbus_complete(engine, &c, 1, NULL, NULL);
}

static void work(stepbus *engine, stepbus_worker *worker, int64_t timeout_ms)
{
	static const int32_t outcomes[] = { STEPBUS_OUTCOME_SUCCESS,    STEPBUS_OUTCOME_FAILURE,
					    STEPBUS_OUTCOME_CHECKPOINT, STEPBUS_OUTCOME_SNOOZE,
					    STEPBUS_OUTCOME_RELEASE,    STEPBUS_OUTCOME_SUCCESS };
	stepbus_step_event events[EVENT_MAX] = { { .size = sizeof *events } };
	size_t count = 0;

	let_work(engine);
	(void)stepbus_poll(worker, events, EVENT_MAX, is_lively ? timeout_ms : 0, &count, NULL);
	for (size_t i = 0; i < count; i++) {
		fuzz_check(events[i].input_len == 0 || events[i].input != NULL);
		(void)stepbus_heartbeat(engine, events[i].step_id, events[i].token, NULL);
		(void)answer(engine, &events[i], outcomes[i % 6]);
	}
	let_work(engine);
}

static void enqueue(stepbus *engine, int number)
{
	stepbus_step_spec spec = { .size = sizeof spec,
				   .handler_name = number == 8 ? "other" : "work",
				   .handler_name_len = number == 8 ? 5 : 4,
				   .input = "{\"n\":1}",
				   .input_len = 7,
				   .tags = "red,blue",
				   .tags_len = 8,
				   .correlation_id = "c1",
				   .correlation_id_len = 2,
				   .priority = number };
	stepbus_enqueued out = { .size = sizeof out };

	spec.delay_ms = number == 7 ? 60000 : 0;
	spec.unique_key = spec.concurrency_key = number == 6 ? "key" : NULL;
	spec.unique_key_len = spec.concurrency_key_len = number == 6 ? 3 : 0;
	spec.total_timeout_ms = number == 5 ? 90000 : 0;
	if (stepbus_step_enqueue(engine, &spec, 1, &out, NULL) == STEPBUS_OK && number < STEP_COUNT)
		memcpy(step_ids[number], out.step_id, sizeof out.step_id);
}

static void set_up(stepbus *engine)
{
	static const char queue[] =
		"{\"concurrency_max\":7,\"rate_count\":90,\"rate_period_ms\":5}";
	static const char cron[] = "{\"name\":\"nightly\",\"expression\":\"*/5 * * * "
				   "*\",\"step\":{\"handler\":\"work\"}}";

	(void)stepbus_queue_set(engine, "mail", 4, queue, sizeof queue - 1, NULL);
	(void)stepbus_cron_set(engine, cron, sizeof cron - 1, NULL);
}

static char *read_file(size_t *len)
{
	FILE *file = fopen(path, "rb");
	char *bytes = malloc(LEN_MAX);

	fuzz_check(file != NULL && bytes != NULL);
	*len = fread(bytes, 1, LEN_MAX, file);
	fuzz_check(*len > 0 && *len < LEN_MAX);
	(void)fclose(file);
	return bytes;
}

static void write_file(const char *bytes, size_t len)
{
	FILE *file;

	remove_files();
	file = fopen(path, "wb");
	fuzz_check(file != NULL && fwrite(bytes, 1, len, file) == len);
	(void)fclose(file);
}

/* Once: a file in which steps have run, failed, waited, made checkpoints. */
static void make_good(void)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus *engine = NULL;
	sqlite3 *db = NULL;

	(void)snprintf(path, sizeof path, "/dev/shm/fuzz_database_%d", (int)getpid());
	remove_files();
	fuzz_host_reset();
	if (open_engine(&engine, &err) != STEPBUS_OK)
		fuzz_fail(__FILE__, __LINE__, "%s", err.message);
	set_up(engine);
	for (int i = 0; i < 6; i++)
		enqueue(engine, i);
	work(engine, start_worker(engine), 2000);
	for (int i = 6; i < STEP_COUNT; i++)
		enqueue(engine, i);
	(void)stepbus_step_cancel(engine, step_ids[8], NULL);
	stepbus_close(engine);
	fuzz_check(sqlite3_open(path, &db) == SQLITE_OK);
	fuzz_check(sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) == 0);
	fuzz_check(sqlite3_close(db) == SQLITE_OK);
	good = read_file(&good_len);
	fuzz_host_check_empty();
}

static int permit(void *context, int action, const char *first, const char *second,
		  const char *third, const char *fourth)
{
	(void)context;
	(void)second;
	(void)third;
	(void)fourth;
	switch (action) {
	case SQLITE_ATTACH:
	case SQLITE_DETACH:
	/* What runs inside of our statements could run for ever: against that there is no help. */
	case SQLITE_CREATE_TRIGGER:
	case SQLITE_CREATE_TEMP_TRIGGER:
	case SQLITE_CREATE_VIEW:
	case SQLITE_CREATE_TEMP_VIEW:
	case SQLITE_CREATE_VTABLE:
		return SQLITE_DENY;
	case SQLITE_PRAGMA:
		return strcmp(first, "writable_schema") == 0 ||
				       strcmp(first, "user_version") == 0 ||
				       strcmp(first, "application_id") == 0 ?
			       SQLITE_OK :
			       SQLITE_DENY;
	default:
		return SQLITE_OK;
	}
}

static int give_up(void *context)
{
	(void)context;
	return 1;
}

static void run_sql(sb_slice text)
{
	char *sql = strndup(text.data, text.len);
	sqlite3 *db = NULL;
	char *next = sql;

	write_file(good, good_len);
	fuzz_check(sql != NULL && sqlite3_open(path, &db) == SQLITE_OK);
	(void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1 << 20);
	(void)sqlite3_set_authorizer(db, permit, NULL);
	sqlite3_progress_handler(db, SQL_STEPS_MAX, give_up, NULL);
	/* Line by line, so that one that is wrong does not keep the others away. */
	while (next != NULL) {
		char *end = strchr(next, '\n');

		if (end != NULL)
			*end++ = '\0';
		(void)sqlite3_exec(db, next, NULL, NULL, NULL);
		next = end;
	}
	fuzz_check(sqlite3_close(db) == SQLITE_OK);
	free(sql);
}

static void put_bytes(fuzz_feed *feed)
{
	char *bytes = malloc(good_len);
	size_t len = good_len;

	fuzz_check(bytes != NULL);
	memcpy(bytes, good, good_len);
	for (int i = 0; i < FLIP_MAX && feed->left > 0; i++) {
		size_t at = (size_t)fuzz_feed_byte(feed) | (size_t)fuzz_feed_byte(feed) << 8 |
			    (size_t)fuzz_feed_byte(feed) << 16;
		const sb_slice patch = fuzz_feed_text(feed);

		at %= good_len;
		if (patch.len == 0)
			len = at + 1;
		memcpy(bytes + at, patch.data,
		       patch.len < good_len - at ? patch.len : good_len - at);
	}
	write_file(bytes, len);
	free(bytes);
}

static void take_text(stepbus_status status, stepbus_text **text)
{
	if (status == STEPBUS_OK)
		fuzz_json_free(fuzz_json_own(*text));
	else
		fuzz_check(*text == NULL);
	stepbus_text_free(*text);
}

static void look_at_lists(stepbus *engine)
{
	static const char *const filters[] = { "", "{\"state\":[\"ready\",\"failed\"],\"limit\":3}",
					       "{\"tag\":\"red\",\"order\":\"oldest\"}",
					       "{\"handler\":\"work\",\"correlation_id\":\"c1\"}" };

	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
		stepbus_text *text = NULL;
		uint64_t count = 0;

		take_text(stepbus_step_list(engine, filters[i], strlen(filters[i]), &text, NULL),
			  &text);
		(void)stepbus_step_count(engine, filters[i], strlen(filters[i]), &count, NULL);
	}
}

static void look(stepbus *engine)
{
	stepbus_status (*const lists[])(stepbus *, stepbus_text **, stepbus_error *) = {
		stepbus_engine_stats, stepbus_queue_list, stepbus_worker_list, stepbus_cron_list
	};
	stepbus_text *text;

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		text = NULL;
		take_text(lists[i](engine, &text, NULL), &text);
	}
	look_at_lists(engine);
	for (int i = 0; i < STEP_COUNT; i++) {
		stepbus_outcome *outcome = NULL;

		text = NULL;
		take_text(stepbus_step_info(engine, step_ids[i], &text, NULL), &text);
		text = NULL;
		take_text(stepbus_step_attempts(engine, step_ids[i], &text, NULL), &text);
		(void)stepbus_step_await(engine, step_ids[i], 0, &outcome, NULL);
		stepbus_outcome_free(outcome);
	}
}

static void live(stepbus *engine)
{
	stepbus_worker *worker;
	uint64_t count = 0;

	look(engine);
	worker = start_worker(engine);
	if (worker != NULL)
		work(engine, worker, 20);
	enqueue(engine, 6);
	(void)stepbus_step_cancel(engine, step_ids[7], NULL);
	(void)stepbus_step_redrive_all(engine, "", 0, &count, NULL);
	set_up(engine);
	fuzz_host_advance(INT64_C(7200) * 1000000);
	(void)stepbus_engine_wake(engine, NULL);
	if (worker != NULL)
		work(engine, worker, 5);
	look(engine);
}

void fuzz_one(const uint8_t *bytes, size_t len)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus *engine = NULL;
	fuzz_feed feed;
	uint8_t kind;

	if (good == NULL)
		make_good();
	fuzz_feed_begin(&feed, bytes, len);
	fuzz_host_reset();
	kind = fuzz_feed_byte(&feed);
	is_lively = kind >= LIVELY;
	if (kind % 2 != 0)
		put_bytes(&feed);
	else
		run_sql(fuzz_feed_rest(&feed));
	if (open_engine(&engine, &err) == STEPBUS_OK) {
		live(engine);
		/* A result that the damage keeps out is waited for until the lease is over. */
		fuzz_host_let_run();
		stepbus_close(engine);
	} else {
		fuzz_check(engine == NULL && err.code != STEPBUS_OK && err.message[0] != '\0');
		fuzz_check(err.code != STEPBUS_EINVAL && err.code != STEPBUS_ENOMEM);
		fuzz_check(fuzz_utf8_is_valid(sb_slice_z(err.message)));
	}
	fuzz_feed_end(&feed);
	fuzz_host_check_empty();
}
