/* SPDX-License-Identifier: MIT */
/* How long the log grows, and who waits for whom when it goes into the file. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite_store.h"
#include "support/cmocka.h"
#include "support/faulty_vfs.h"
#include "support/sqlite_world.h"

enum { BIG_LEN = 3000, BATCH = 200 };

static char big[BIG_LEN];

static sb_store_stats stats_of(test_world *w)
{
	sb_store_stats stats;

	w->store->type->stats(w->store, &stats);
	return stats;
}

/* About one page for each step. */
static void fill_pages(test_world *w, int count)
{
	for (int done = 0; done < count; done += BATCH) {
		test_world_begin(w);
		for (int i = 0; i < BATCH; i++)
			test_world_insert(w, sb_slice_of(big, sizeof big));
		test_world_commit(w);
	}
}

static sqlite3_stmt *pin(sqlite3 *reader)
{
	sqlite3_stmt *statement;

	assert_int_equal(sqlite3_prepare_v2(reader, "SELECT id FROM step", -1, &statement, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	return statement;
}

static void the_log_is_used_again_in_steady_load(void **state)
{
	test_world *w = *state;
	int64_t len;

	test_world_open(w);
	fill_pages(w, 6000);
	len = stats_of(w).wal_bytes;
	fill_pages(w, 20000);
	assert_true(stats_of(w).checkpoint_count >= 6);
	assert_int_equal(stats_of(w).checkpoint_short_count, 0);
	assert_true(stats_of(w).wal_bytes <= len + len / 8);
	assert_true(stats_of(w).wal_bytes > 0);
	assert_true(stats_of(w).wal_bytes < INT64_C(16) << 20);
	assert_true(stats_of(w).file_bytes > INT64_C(64) << 20);
}

static void a_reader_that_stays_makes_the_log_grow_but_nobody_wait(void **state)
{
	test_world *w = *state;
	sqlite3_stmt *statement;
	sqlite3 *reader;
	int64_t len;

	w->options.wal_alarm_bytes = INT64_C(30) << 20;
	test_world_open(w);
	test_world_fill(w, 2);
	reader = test_world_connect(w);
	statement = pin(reader);
	fill_pages(w, 20000);
	assert_true(stats_of(w).checkpoint_short_count >= 5);
	assert_true(stats_of(w).wal_bytes > INT64_C(64) << 20);
	assert_int_equal(stats_of(w).wal_alarm_count, 1);
	/* Its end lets the next checkpoints have all of it, and cut what is too long. */
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	fill_pages(w, 5000);
	len = stats_of(w).wal_bytes;
	assert_true(len < INT64_C(30) << 20);
	assert_int_equal(stats_of(w).wal_alarm_count, 1);
	/* Once for each time. */
	statement = pin(reader);
	fill_pages(w, 12000);
	assert_int_equal(stats_of(w).wal_alarm_count, 2);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	(void)sqlite3_close(reader);
}

/* Ends the other's transaction when the store has been seen to wait in a checkpoint. */
typedef struct holder {
	test_world *w;
	sqlite3 *other;
} holder;

static sb_wal *wal_of(test_world *w)
{
	return &((sb_sqlite_store *)w->store)->wal;
}

/* The right to write is taken by somebody else while a checkpoint wants it. */
static void a_checkpoint_that_cannot_write_does_nothing(void **state)
{
	test_world *w = *state;
	sb_sqlite_store *store;
	struct stat before, after;
	sqlite3 *other;

	w->options.busy_timeout_ms = 10;
	test_world_open(w);
	store = (sb_sqlite_store *)w->store;
	fill_pages(w, 600);
	other = test_world_connect(w);
	test_world_run(other, "BEGIN IMMEDIATE");
	assert_int_equal(stat(w->path, &before), 0);
	wal_of(w)->page_count_next = 1;
	/* begin looks after the log first; then it finds the store busy. */
	assert_int_equal(w->store->type->begin(w->store, &w->err), STEPBUS_EBUSY);
	assert_int_equal(stats_of(w).checkpoint_short_count, 1);
	assert_int_equal(stat(w->path, &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	test_world_run(other, "COMMIT");
	assert_false(store->wal.is_refusing);
	wal_of(w)->page_count_next = 1;
	test_world_fill(w, 1);
	assert_int_equal(stats_of(w).checkpoint_short_count, 1);
	assert_int_equal(stat(w->path, &after), 0);
	assert_true(after.st_size > before.st_size);
	(void)sqlite3_close(other);
}

static void *commit_when_awaited(void *context)
{
	holder *held = context;
	sb_wal *wal = wal_of(held->w);

	/* The lock of the writer, refused: the checkpoint is waiting for it. */
	while (atomic_load(&wal->refused_offset) != 0)
		continue;
	(void)sqlite3_exec(held->other, "COMMIT", NULL, NULL, NULL);
	return NULL;
}

static void a_checkpoint_waits_for_the_right_to_write(void **state)
{
	test_world *w = *state;
	pthread_t thread;
	holder held = { .w = w };

	test_world_open(w);
	fill_pages(w, 600);
	held.other = test_world_connect(w);
	test_world_run(held.other, "BEGIN IMMEDIATE; UPDATE queue SET paused_at = 1");
	atomic_store(&wal_of(w)->refused_offset, 9);
	wal_of(w)->page_count_next = 1;
	assert_int_equal(pthread_create(&thread, NULL, commit_when_awaited, &held), 0);
	test_world_fill(w, 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(stats_of(w).checkpoint_count, 1);
	assert_int_equal(stats_of(w).checkpoint_short_count, 0);
	(void)sqlite3_close(held.other);
}

static void a_clean_end_leaves_everything_in_the_file(void **state)
{
	test_world *w = *state;
	char path[TEST_PATH_LEN];
	struct stat about;

	test_world_open(w);
	test_world_fill(w, 100);
	test_world_close(w);
	test_tempdir_path(&w->dir, "store.db-wal", path);
	if (stat(path, &about) == 0)
		assert_int_equal(about.st_size, 0);
	assert_int_equal(stat(w->path, &about), 0);
	assert_true(about.st_size > 4096);
}

/* A process that ended, or a store that is dead, leaves a log that may be in the system's memory only. */
static void what_the_log_has_is_written_again_at_opening(void **state)
{
	static const struct timespec long_ago[2] = { { 1, 0 }, { 1, 0 } };
	test_world *w = *state;
	sb_store *second = NULL;
	char path[TEST_PATH_LEN];
	struct stat before, after;

	test_world_open(w);
	fill_pages(w, BATCH);
	test_tempdir_path(&w->dir, "store.db-wal", path);
	assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
	assert_int_equal(stat(path, &before), 0);
	test_ok(w, sb_sqlite_store_open(&w->options, &second, &w->err));
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_mtim.tv_sec, 1);
	assert_true(after.st_mtim.tv_sec > 1);
	assert_int_equal(before.st_size, after.st_size);
	second->type->close(second);
	assert_int_equal(test_world_ask(w, "SELECT count(*) FROM step"), BATCH);
	assert_int_equal(
		test_world_ask(w, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
}

static void a_log_that_cannot_be_written_again_is_not_opened(void **state)
{
	test_world *w = *state;
	sb_store *second = NULL;

	test_faults_install();
	test_world_open(w);
	fill_pages(w, BATCH);
	test_faults_plan(TEST_FAULT_WRITE, 2, SQLITE_IOERR_WRITE, false);
	assert_int_equal(sb_sqlite_store_open(&w->options, &second, &w->err), STEPBUS_ESTORE);
	assert_non_null(strstr(w->err.message, "its log cannot be written again"));
	test_faults_clear();
	test_ok(w, sb_sqlite_store_open(&w->options, &second, &w->err));
	second->type->close(second);
	test_world_close(w);
	test_faults_uninstall();
}

/* Where the system has thrown away what it showed: those who have the file open go by an index of what was. */
static void a_log_that_is_not_what_its_index_says_is_not_opened(void **state)
{
	static const char other[4] = "lost";
	test_world *w = *state;
	sb_store *second = NULL;
	sqlite3 *live;
	char path[TEST_PATH_LEN];
	int fd;

	test_world_open(w);
	fill_pages(w, BATCH);
	live = test_world_connect(w);
	test_world_run(live, "SELECT count(*) FROM step");
	test_tempdir_path(&w->dir, "store.db-wal", path);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, other, sizeof other, 32 + 90 * 4120 + 4000), sizeof other);
	assert_int_equal(close(fd), 0);
	assert_int_equal(sb_sqlite_store_open(&w->options, &second, &w->err), STEPBUS_ESTORE);
	assert_non_null(strstr(w->err.message, "is not what was written"));
	(void)sqlite3_close(live);
	sb_sqlite_store_of(w->store)->is_dead = true;
	test_world_close(w);
	/* The index is made anew of what is there. */
	test_world_open(w);
	assert_int_equal(test_world_ask(w, "SELECT count(*) FROM step"), 0);
}

/* A file may have other pages than ours, when its owner has rebuilt it. */
static void a_log_of_any_page_size_is_written_again(void **state)
{
	static const char *const lens[] = { "512", "1024", "32768", "65536" };
	test_world *w = *state;

	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		sb_store *second = NULL;
		char sql[96];
		sqlite3 *db;

		test_world_open(w);
		test_world_fill(w, 1);
		test_world_close(w);
		db = test_world_connect(w);
		(void)snprintf(sql, sizeof sql,
			       "PRAGMA journal_mode = DELETE; PRAGMA page_size = %s; VACUUM",
			       lens[i]);
		test_world_run(db, sql);
		assert_int_equal(sqlite3_close(db), SQLITE_OK);
		test_world_open(w);
		fill_pages(w, BATCH);
		(void)snprintf(sql, sizeof sql, "SELECT page_size = %s FROM pragma_page_size",
			       lens[i]);
		assert_int_equal(test_world_ask(w, sql), 1);
		test_ok(w, sb_sqlite_store_open(&w->options, &second, &w->err));
		second->type->close(second);
		test_world_close(w);
	}
}

/* What lies behind them is of an older log: a huge file costs an opening no more than what is in it. */
static void only_the_frames_that_count_are_written_again(void **state)
{
	test_world *w = *state;
	sb_store *second = NULL;

	test_faults_install();
	test_world_open(w);
	fill_pages(w, BATCH);
	wal_of(w)->page_count_next = 1;
	test_world_fill(w, 1);
	assert_true(stats_of(w).wal_bytes > (int64_t)BATCH * 4096);
	/* The header, and all frames at once. */
	test_faults_plan(TEST_FAULT_WRITE, 3, SQLITE_IOERR_WRITE, true);
	test_ok(w, sb_sqlite_store_open(&w->options, &second, &w->err));
	assert_int_equal(test_faults_count(), 0);
	test_faults_clear();
	second->type->close(second);
	test_world_close(w);
	test_faults_uninstall();
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, test_world_setup, test_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DISK(the_log_is_used_again_in_steady_load),
		ON_DISK(a_reader_that_stays_makes_the_log_grow_but_nobody_wait),
		ON_DISK(a_checkpoint_that_cannot_write_does_nothing),
		ON_DISK(a_checkpoint_waits_for_the_right_to_write),
		ON_DISK(what_the_log_has_is_written_again_at_opening),
		ON_DISK(a_log_that_cannot_be_written_again_is_not_opened),
		ON_DISK(a_log_that_is_not_what_its_index_says_is_not_opened),
		ON_DISK(only_the_frames_that_count_are_written_again),
		ON_DISK(a_log_of_any_page_size_is_written_again),
		ON_DISK(a_clean_end_leaves_everything_in_the_file),
	};

	memset(big, 'b', sizeof big);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
