/* SPDX-License-Identifier: MIT */
/* What a worker has begun, in a file that outlives it, and what others read out of that file. */
#include "handlers/start_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/cmocka.h"
#include "support/host.h"
#include "support/tempdir.h"

typedef struct world {
	test_host host;
	test_tempdir dir;
	char path[TEST_PATH_LEN];
	sb_start_name name;
	stepbus_error err;
} world;

static int set_up(void **state)
{
	static world w;

	memset(&w, 0, sizeof w);
	w.err.size = sizeof w.err;
	test_host_init(&w.host);
	test_tempdir_make(&w.dir);
	test_tempdir_path(&w.dir, "steps.db", w.path);
	w.name = (sb_start_name){ w.path, 17, 4711 };
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	world *w = *state;

	test_tempdir_remove(&w->dir);
	test_host_end(&w->host);
	return 0;
}

static sb_start_log *create(world *w, uint32_t count)
{
	sb_start_log *log = NULL;

	assert_int_equal(sb_start_log_create(&w->host.host, &w->name, count, &log, &w->err),
			 STEPBUS_OK);
	return log;
}

static sb_start_record *read_record(world *w)
{
	sb_start_record *record = NULL;

	assert_int_equal(sb_start_record_read(&w->host.host, &w->name, &record, &w->err),
			 STEPBUS_OK);
	return record;
}

static void log_path(const world *w, char path[TEST_PATH_LEN + 64])
{
	(void)snprintf(path, TEST_PATH_LEN + 64, "%s-started-17-4711", w->path);
}

static bool is_file_there(const world *w)
{
	char path[TEST_PATH_LEN + 64];

	log_path(w, path);
	return access(path, F_OK) == 0;
}

static void marks_are_read_by_step_and_token(void **state)
{
	world *w = *state;
	sb_start_log *log = create(w, 8);
	uint32_t slots[3];
	sb_start_record *record;

	for (int i = 0; i < 3; i++)
		slots[i] = sb_start_log_take(log, 100 + i, 7);
	sb_start_log_mark(log, slots[1], SB_START_RUNNING);
	sb_start_log_mark(log, slots[2], SB_START_RUNNING);
	sb_start_log_mark(log, slots[2], SB_START_ENDED);
	record = read_record(w);
	assert_non_null(record);
	assert_int_equal(sb_start_record_find(record, 100, 7), SB_START_NONE);
	assert_int_equal(sb_start_record_find(record, 101, 7), SB_START_RUNNING);
	assert_int_equal(sb_start_record_find(record, 102, 7), SB_START_ENDED);
	/* Another attempt, and a step that was claimed but never noted. */
	assert_int_equal(sb_start_record_find(record, 101, 8), SB_START_NONE);
	assert_int_equal(sb_start_record_find(record, 999, 7), SB_START_NONE);
	sb_start_record_free(&w->host.host, record);
	sb_start_log_remove(log);
	assert_false(is_file_there(w));
}

static void places_run_out_and_come_back_clean(void **state)
{
	enum { COUNT = 4 };
	world *w = *state;
	sb_start_log *log = create(w, COUNT);
	uint32_t slots[COUNT];
	sb_start_record *record;

	for (int i = 0; i < COUNT; i++) {
		slots[i] = sb_start_log_take(log, i + 1, 1);
		assert_int_not_equal(slots[i], UINT32_MAX);
		for (int k = 0; k < i; k++)
			assert_int_not_equal(slots[i], slots[k]);
		sb_start_log_mark(log, slots[i], SB_START_RUNNING);
	}
	assert_int_equal(sb_start_log_take(log, 9, 1), UINT32_MAX);
	sb_start_log_give(log, slots[2]);
	assert_int_equal(sb_start_log_take(log, 3, 2), slots[2]);
	record = read_record(w);
	assert_int_equal(sb_start_record_find(record, 3, 1), SB_START_NONE);
	assert_int_equal(sb_start_record_find(record, 3, 2), SB_START_NONE);
	assert_int_equal(sb_start_record_find(record, 4, 1), SB_START_RUNNING);
	sb_start_record_free(&w->host.host, record);
	sb_start_log_remove(log);
}

static void no_place_and_no_log_are_accepted(void **state)
{
	world *w = *state;
	sb_start_log *log = create(w, 1);

	sb_start_log_mark(log, UINT32_MAX, SB_START_RUNNING);
	sb_start_log_give(log, UINT32_MAX);
	sb_start_log_mark(NULL, 1, SB_START_RUNNING);
	sb_start_log_give(NULL, 1);
	sb_start_log_remove(NULL);
	sb_start_log_remove(log);
}

static void without_a_record_a_step_may_have_run(void **state)
{
	world *w = *state;

	assert_null(read_record(w));
	assert_int_equal(sb_start_record_find(NULL, 1, 1), SB_START_ENDED);
	sb_start_record_end(&w->host.host, &w->name, NULL);
}

static void who_took_over_removes_the_file(void **state)
{
	world *w = *state;
	sb_start_log *log = create(w, 2);

	sb_start_log_leave(log);
	assert_true(is_file_there(w));
	sb_start_record_end(&w->host.host, &w->name, read_record(w));
	assert_false(is_file_there(w));
}

static void put_file(const world *w, const void *bytes, size_t len)
{
	char path[TEST_PATH_LEN + 64];
	int fd;

	log_path(w, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static void files_that_are_no_log_are_no_record(void **state)
{
	static const int64_t head = 0x73746570627573;
	world *w = *state;
	int64_t words[8] = { 0 };

	put_file(w, "", 0);
	assert_null(read_record(w));
	put_file(w, words, sizeof words);
	assert_null(read_record(w));
	words[0] = head;
	words[1] = -1;
	put_file(w, words, sizeof words);
	assert_null(read_record(w));
	words[1] = INT64_MAX;
	put_file(w, words, sizeof words);
	assert_null(read_record(w));
	/* Says that five places follow, and has one. */
	words[1] = 5;
	put_file(w, words, sizeof words);
	assert_null(read_record(w));
	words[1] = 1;
	words[4] = 42;
	words[5] = 6;
	words[6] = 99; /* no mark that there is */
	put_file(w, words, sizeof words);
	assert_int_equal(w->host.live_count, 0);
	{
		sb_start_record *record = read_record(w);

		assert_non_null(record);
		assert_int_equal(sb_start_record_find(record, 42, 6), SB_START_NONE);
		sb_start_record_end(&w->host.host, &w->name, record);
	}
}

/* Cut at any byte, or with more behind it than its head says: then nobody knows. */
static void a_torn_log_is_no_record(void **state)
{
	enum { COUNT = 3, LEN = (COUNT + 1) * 32 };
	world *w = *state;
	uint8_t bytes[LEN + 32] = { 0 };
	char path[TEST_PATH_LEN + 64];
	sb_start_log *log = create(w, COUNT);
	sb_start_record *record;
	int fd;

	for (int i = 0; i < COUNT; i++)
		sb_start_log_mark(log, sb_start_log_take(log, i + 1, 1), SB_START_RUNNING);
	log_path(w, path);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, bytes, sizeof bytes), LEN);
	close(fd);
	sb_start_log_remove(log);
	for (size_t len = 0; len <= sizeof bytes; len++) {
		put_file(w, bytes, len);
		record = read_record(w);
		assert_int_equal(record != NULL, len == LEN);
		for (int i = 0; i < COUNT; i++)
			assert_int_equal(sb_start_record_find(record, i + 1, 1),
					 len == LEN ? SB_START_RUNNING : SB_START_ENDED);
		sb_start_record_free(&w->host.host, record);
	}
}

/* The magic is the version: a log that is laid out in another way has another one. */
static void a_log_of_another_version_is_no_record(void **state)
{
	world *w = *state;
	uint64_t words[8] = { 0x73746570627573, 1 };
	sb_start_record *record;

	for (unsigned bit = 0; bit < 64; bit++) {
		words[0] = UINT64_C(0x73746570627573) ^ UINT64_C(1) << bit;
		put_file(w, words, sizeof words);
		assert_null(read_record(w));
	}
	words[0] = 0x73746570627573;
	put_file(w, words, sizeof words);
	record = read_record(w);
	assert_non_null(record);
	sb_start_record_free(&w->host.host, record);
}

/* Before its length is known to be there: a few bytes could ask for any amount. */
static void a_head_alone_asks_for_no_memory(void **state)
{
	static const int64_t head[4] = { 0x73746570627573, 1 << 20 };
	world *w = *state;

	put_file(w, head, sizeof head);
	w->host.fail_at = 1;
	assert_null(read_record(w));
	w->host.fail_at = 0;
}

static void what_is_no_file_is_no_record(void **state)
{
	world *w = *state;
	char path[TEST_PATH_LEN + 64];

	log_path(w, path);
	/* Whoever opens it for reading waits for a writer, unless it says that it will not. */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(read_record(w));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_null(read_record(w));
	sb_start_record_end(&w->host.host, &w->name, NULL);
	assert_true(is_file_there(w));
	assert_int_equal(rmdir(path), 0);
}

static void a_link_in_its_place_is_not_followed(void **state)
{
	world *w = *state;
	char path[TEST_PATH_LEN + 64], target[TEST_PATH_LEN];
	sb_start_log *log;

	log_path(w, path);
	test_tempdir_path(&w->dir, "target", target);
	assert_int_equal(symlink(target, path), 0);
	assert_null(read_record(w));
	log = create(w, 2);
	assert_int_not_equal(access(target, F_OK), 0);
	sb_start_log_remove(log);
}

static void a_log_that_is_made_anew_spoils_no_mapping(void **state)
{
	world *w = *state;
	sb_start_log *first = create(w, 4000), *second = create(w, 1);
	sb_start_record *record;

	for (int i = 0; i < 4000; i++)
		sb_start_log_mark(first, sb_start_log_take(first, i + 1, 1), SB_START_RUNNING);
	sb_start_log_mark(second, sb_start_log_take(second, 9999, 1), SB_START_RUNNING);
	record = read_record(w);
	assert_int_equal(sb_start_record_find(record, 9999, 1), SB_START_RUNNING);
	assert_int_equal(sb_start_record_find(record, 1, 1), SB_START_NONE);
	sb_start_record_free(&w->host.host, record);
	sb_start_log_remove(second);
	sb_start_log_remove(first);
}

static stepbus_status create_and_read(test_host *t, stepbus_error *err)
{
	static const char path[] = "/tmp/stepbus-test-start-log";
	char own[64];
	sb_start_name name = { own, (int64_t)getpid(), 1 };
	sb_start_log *log = NULL;
	sb_start_record *record = NULL;
	stepbus_status status;

	(void)snprintf(own, sizeof own, "%s-%d", path, (int)getpid());
	status = sb_start_log_create(&t->host, &name, 16, &log, err);
	if (status == STEPBUS_OK)
		status = sb_start_record_read(&t->host, &name, &record, err);
	sb_start_record_free(&t->host, record);
	sb_start_log_remove(log);
	return status;
}

/* A worker's new row that was rolled back leaves its number to the next one. */
static void a_log_renewed_under_its_own_name_is_there(void **state)
{
	world *w = *state;
	sb_start_log *log = create(w, 4);
	uint32_t slot;
	sb_start_record *record;

	assert_int_equal(sb_start_log_renew(log, &w->name, &w->err), STEPBUS_OK);
	slot = sb_start_log_take(log, 5, 50);
	sb_start_log_mark(log, slot, SB_START_RUNNING);
	record = read_record(w);
	assert_non_null(record);
	assert_int_equal(sb_start_record_find(record, 5, 50), SB_START_RUNNING);
	assert_int_equal(sb_start_record_find(record, 6, 60), SB_START_NONE);
	sb_start_record_free(&w->host.host, record);
	sb_start_log_remove(log);
}

/* Of two workers that begin anew, the numbers of the first try may be given the other way round. */
static void a_renewed_log_takes_no_file_of_another(void **state)
{
	world *w = *state;
	const sb_start_name ninth = { w->path, 17, 9 }, tenth = { w->path, 17, 10 };
	sb_start_log *one = create(w, 4), *other;
	sb_start_record *record = NULL;

	w->name.worker_id++;
	other = create(w, 4);
	assert_int_equal(sb_start_log_renew(one, &ninth, &w->err), STEPBUS_OK);
	assert_int_equal(sb_start_log_renew(other, &ninth, &w->err), STEPBUS_OK);
	assert_int_equal(sb_start_log_renew(one, &tenth, &w->err), STEPBUS_OK);
	assert_int_equal(sb_start_record_read(&w->host.host, &ninth, &record, &w->err), STEPBUS_OK);
	assert_non_null(record);
	sb_start_record_free(&w->host.host, record);
	sb_start_log_remove(one);
	sb_start_log_remove(other);
}

static void memory_that_runs_out_is_told(void **state)
{
	const test_scenario scenario = { "start log", create_and_read, false };

	(void)state;
	test_fail_each_allocation(&scenario);
}

#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(marks_are_read_by_step_and_token),
		LOG_TEST(places_run_out_and_come_back_clean),
		LOG_TEST(no_place_and_no_log_are_accepted),
		LOG_TEST(without_a_record_a_step_may_have_run),
		LOG_TEST(who_took_over_removes_the_file),
		LOG_TEST(files_that_are_no_log_are_no_record),
		LOG_TEST(a_torn_log_is_no_record),
		LOG_TEST(a_log_of_another_version_is_no_record),
		LOG_TEST(a_head_alone_asks_for_no_memory),
		LOG_TEST(what_is_no_file_is_no_record),
		LOG_TEST(a_link_in_its_place_is_not_followed),
		LOG_TEST(a_log_that_is_made_anew_spoils_no_mapping),
		LOG_TEST(a_log_renewed_under_its_own_name_is_there),
		LOG_TEST(a_renewed_log_takes_no_file_of_another),
		cmocka_unit_test(memory_that_runs_out_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
