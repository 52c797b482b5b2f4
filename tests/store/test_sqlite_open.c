/* SPDX-License-Identifier: MIT */
/* What is found out when a file is opened: where it lies, whose it is, whether it can be used. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ids.h"
#include "store/sqlite_file.h"
#include "store/sqlite_schema.h"
#include "support/child.h"
#include "support/cmocka.h"
#include "support/sqlite_world.h"

static void refuses(test_world *w, stepbus_status status, const char *words)
{
	w->err = (stepbus_error)STEPBUS_ERROR_INIT;
	assert_int_equal(sb_sqlite_store_open(&w->options, &w->store, &w->err), status);
	assert_null(w->store);
	if (strstr(w->err.message, words) == NULL)
		fail_msg("'%s' is not in: %s", words, w->err.message);
}

static mode_t mode_of(const test_world *w, const char *suffix)
{
	char path[TEST_PATH_LEN + 8];
	struct stat about;

	(void)snprintf(path, sizeof path, "%s%s", w->path, suffix);
	assert_int_equal(stat(path, &about), 0);
	return about.st_mode & 07777;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static sqlite3 *make_database(const test_world *w, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
	test_world_run(db, sql);
	return db;
}

static void a_new_file_is_its_owners_alone_whatever_the_umask(void **state)
{
	static const mode_t masks[] = { 0, 0022, 0777 };
	test_world *w = *state;

	for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
		mode_t before = umask(masks[i]);

		test_world_open(w);
		test_world_fill(w, 1);
		(void)umask(before);
		assert_int_equal(mode_of(w, ""), 0600);
		assert_int_equal(mode_of(w, "-wal"), 0600);
		assert_int_equal(mode_of(w, "-shm"), 0600);
		test_world_close(w);
		test_tempdir_remove(&w->dir);
		assert_int_equal(mkdir(w->dir.path, 0700), 0);
	}
}

static void a_path_is_never_taken_for_anything_but_a_file(void **state)
{
	static const char *const names[] = { ":memory:", "file:x.db?mode=memory", "a b'c\"d.db" };
	test_world *w = *state;
	char here[TEST_PATH_LEN];

	assert_non_null(getcwd(here, sizeof here));
	assert_int_equal(chdir(w->dir.path), 0);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct stat about;

		w->options.path = names[i];
		test_world_open(w);
		test_world_fill(w, 1);
		test_world_close(w);
		assert_int_equal(stat(names[i], &about), 0);
		assert_true(about.st_size > 0);
	}
	assert_int_equal(chdir(here), 0);
}

static void a_change_of_the_working_directory_does_no_harm(void **state)
{
	test_world *w = *state;
	char here[TEST_PATH_LEN];

	assert_non_null(getcwd(here, sizeof here));
	assert_int_equal(chdir(w->dir.path), 0);
	w->options.path = "store.db";
	test_world_open(w);
	assert_int_equal(chdir("/"), 0);
	w->host.elapsed_ns += INT64_C(5000000000);
	test_world_fill(w, 1);
	assert_int_equal(chdir(here), 0);
}

static void network_file_systems_are_known_by_their_numbers(void **state)
{
	static const struct {
		uint64_t type;
		const char *name;
	} rows[] = {
		{ 0x6969, "NFS" },      { 0x517B, "SMB" },
		{ 0xFF534D42, "CIFS" }, { 0xFFFFFFFFFF534D42, "CIFS" },
		{ 0xFE534D42, "SMB" },  { 0x01021997, "9P" },
		{ 0x65735546, "FUSE" }, { 0x5346414F, "AFS" },
		{ 0x00C36400, "Ceph" }, { 0x0BD00BD0, "Lustre" },
		{ 0xEF53, NULL },       { 0x58465342, NULL },
		{ 0x9123683E, NULL },   { 0x01021994, NULL },
		{ 0x794C7630, NULL },   { 0x2FC12FC1, NULL },
		{ 0xF2F52010, NULL },   { 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *name = sb_sqlite_file_network_name(rows[i].type);

		if (rows[i].name == NULL)
			assert_null(name);
		else
			assert_string_equal(name, rows[i].name);
	}
}

static void what_is_no_file_is_refused(void **state)
{
	test_world *w = *state;

	w->options.path = w->dir.path;
	refuses(w, STEPBUS_EINVAL, "is no file");
	w->options.path = "";
	refuses(w, STEPBUS_EINVAL, "no path");
	w->options.path = "/nowhere/at/all/store.db";
	refuses(w, STEPBUS_ESTORE, "/nowhere/at/all");
}

static void a_file_that_is_no_database_is_refused(void **state)
{
	test_world *w = *state;
	char text[6000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	write_file(w->path, text);
	refuses(w, STEPBUS_ECORRUPT, w->path);
}

static void another_programs_database_is_refused_and_left_as_it_was(void **state)
{
	test_world *w = *state;
	struct stat before, after;

	(void)sqlite3_close(make_database(w, "CREATE TABLE t (a); INSERT INTO t VALUES (1)"));
	assert_int_equal(stat(w->path, &before), 0);
	refuses(w, STEPBUS_ECORRUPT, "none of stepbus's");
	assert_int_equal(stat(w->path, &after), 0);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	assert_int_equal(before.st_size, after.st_size);
}

/* What version 1 left: the tables of this one, without what the second migration brings. */
static void make_older(test_world *w)
{
	sqlite3 *db = make_database(w, "DROP TABLE checkpoint;"
				       "ALTER TABLE state DROP COLUMN checkpoint_count;"
				       "PRAGMA user_version = 1");

	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_file_of_the_first_version_is_brought_to_this_one(void **state)
{
	test_world *w = *state;
	sb_checkpoint_row row = { .token = 1, .at_us = 1, .cursor = sb_slice_z("here") };
	sb_step_status status;

	test_world_open(w);
	row.step_id = test_world_fill(w, 3);
	test_world_close(w);
	make_older(w);
	test_world_open(w);
	test_world_begin(w);
	test_ok(w, w->store->type->step_status_read(w->store, row.step_id, &status, &w->err));
	assert_int_equal(status.state, SB_STEP_READY);
	assert_int_equal(status.checkpoint_count, 0);
	test_ok(w, w->store->type->checkpoint_put(w->store, &row, &w->err));
	test_world_commit(w);
	assert_int_equal(test_world_ask(w, "SELECT count(*) FROM state"), 3);
	assert_int_equal(test_world_ask(w, "SELECT count(*) FROM checkpoint"), 1);
	assert_int_equal(test_world_ask(w, "PRAGMA user_version"), SB_SCHEMA_VERSION);
	assert_int_equal(test_world_ask(w, "SELECT count(*) FROM v_steps"), 3);
}

static void a_mark_says_whether_a_file_may_be_opened(void **state)
{
	static const struct {
		sb_sqlite_schema_mark mark;
		stepbus_status status;
	} rows[] = {
		{ { 0, 0, 0 }, STEPBUS_OK },
		{ { SB_SCHEMA_APPLICATION_ID, SB_SCHEMA_VERSION, 20 }, STEPBUS_OK },
		{ { SB_SCHEMA_APPLICATION_ID, SB_SCHEMA_VERSION + 1, 20 }, STEPBUS_EVERSION },
		{ { SB_SCHEMA_APPLICATION_ID, INT32_MAX, 20 }, STEPBUS_EVERSION },
		{ { SB_SCHEMA_APPLICATION_ID, 0, 20 }, STEPBUS_ECORRUPT },
		{ { SB_SCHEMA_APPLICATION_ID, -1, 20 }, STEPBUS_ECORRUPT },
		{ { SB_SCHEMA_APPLICATION_ID, SB_SCHEMA_VERSION, 0 }, STEPBUS_ECORRUPT },
		{ { SB_SCHEMA_APPLICATION_ID + 1, SB_SCHEMA_VERSION, 20 }, STEPBUS_ECORRUPT },
		{ { 0, SB_SCHEMA_VERSION, 20 }, STEPBUS_ECORRUPT },
		{ { 0, 7, 0 }, STEPBUS_ECORRUPT },
		{ { 5, 0, 0 }, STEPBUS_ECORRUPT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(sb_sqlite_schema_mark_check(&rows[i].mark, "x", NULL),
				 rows[i].status);
}

static void a_newer_version_is_refused(void **state)
{
	test_world *w = *state;

	test_world_open(w);
	test_world_close(w);
	(void)sqlite3_close(make_database(w, "PRAGMA user_version = 99"));
	refuses(w, STEPBUS_EVERSION, "99");
}

static void a_file_that_lost_its_tag_or_a_table_is_refused(void **state)
{
	test_world *w = *state;

	test_world_open(w);
	test_world_close(w);
	(void)sqlite3_close(make_database(w, "DELETE FROM meta"));
	refuses(w, STEPBUS_ECORRUPT, "tag");
	(void)sqlite3_close(make_database(w, "INSERT INTO meta VALUES ('tag', x'00')"));
	refuses(w, STEPBUS_ECORRUPT, "tag");
	(void)sqlite3_close(make_database(w, "UPDATE meta SET value = zeroblob(10);"
					     "DROP TABLE worker"));
	refuses(w, STEPBUS_ECORRUPT, "worker");
}

static void a_file_that_was_cut_off_is_refused(void **state)
{
	test_world *w = *state;

	test_world_open(w);
	test_world_fill(w, 2000);
	test_world_close(w);
	assert_int_equal(truncate(w->path, 3 * 4096), 0);
	refuses(w, STEPBUS_ECORRUPT, "malformed");
}

/* As somebody who is not root, for whom rights mean something. */
static int open_unprivileged(void *context)
{
	test_world *w = context;

	if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
		return 99;
	return sb_sqlite_store_open(&w->options, &w->store, &w->err);
}

static void remove_beside(const test_world *w, const char *end)
{
	char path[TEST_PATH_LEN + 8];

	(void)snprintf(path, sizeof path, "%s%s", w->path, end);
	(void)unlink(path);
}

static void what_cannot_be_written_is_refused(void **state)
{
	test_world *w = *state;

	if (geteuid() != 0)
		skip();
	test_world_open(w);
	test_world_close(w);
	/* A directory in which nothing can be made, and a file that can be written. */
	assert_int_equal(chmod(w->dir.path, 0755), 0);
	assert_int_equal(chmod(w->path, 0666), 0);
	assert_int_equal(test_in_child(open_unprivileged, w), STEPBUS_EREADONLY);
	/* The file, in a directory that can be written. */
	assert_int_equal(chmod(w->dir.path, 0777), 0);
	assert_int_equal(chmod(w->path, 0444), 0);
	remove_beside(w, "-wal");
	remove_beside(w, "-shm");
	assert_int_equal(test_in_child(open_unprivileged, w), STEPBUS_EREADONLY);
	/* What would lie there now could not be written either, when the file can be again. */
	assert_int_equal(chmod(w->path, 0666), 0);
	assert_int_equal(test_in_child(open_unprivileged, w), STEPBUS_OK);
	/* A file that is not there, in a directory in which nothing can be made. */
	assert_int_equal(chmod(w->dir.path, 0755), 0);
	assert_int_equal(unlink(w->path), 0);
	assert_int_equal(test_in_child(open_unprivileged, w), STEPBUS_EREADONLY);
}

enum { NO_MOUNTS = 98, INODES_TOO_FEW_MAX = 3 };

/* In a file system of its own, whose inodes (one for the directory) do not do for the log and its index. */
static int open_without_inodes(void *context)
{
	test_world *w = context;
	char options[32];
	int status = NO_MOUNTS;

	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return status;
	for (int count = 1; count <= INODES_TOO_FEW_MAX; count++) {
		(void)snprintf(options, sizeof options, "nr_inodes=%d", count);
		if (mount("none", w->dir.path, "tmpfs", 0, options) != 0)
			return NO_MOUNTS;
		status = sb_sqlite_store_open(&w->options, &w->store, &w->err);
		if (status != STEPBUS_ENOSPACE || strstr(w->err.message, w->path) == NULL) {
			(void)fprintf(stderr, "%d inodes: %d, %s\n", count, status, w->err.message);
			return status;
		}
	}
	if (mount("none", w->dir.path, "tmpfs", MS_REMOUNT, "nr_inodes=100") != 0)
		return NO_MOUNTS;
	if (sb_sqlite_store_open(&w->options, &w->store, &w->err) != STEPBUS_OK)
		return NO_MOUNTS + 1;
	test_world_close(w);
	return status;
}

static void a_disk_without_inodes_is_full(void **state)
{
	test_world *w = *state;
	int status = geteuid() == 0 ? test_in_child(open_without_inodes, w) : NO_MOUNTS;

	if (status == NO_MOUNTS)
		skip();
	assert_int_equal(status, STEPBUS_ENOSPACE);
}

/* Opens, adds ten steps, and closes; the answer is for _exit. */
static int open_and_fill(test_world *w)
{
	const sb_store_type *type;
	sb_step_row row = { .queue_id = 1, .handler_id = 1, .created_at_us = 1 };
	sb_step_status first = { .state = SB_STEP_READY };

	if (sb_sqlite_store_open(&w->options, &w->store, &w->err) != STEPBUS_OK) {
		(void)fprintf(stderr, "%s\n", w->err.message);
		return 1;
	}
	type = w->store->type;
	for (int i = 0; i < 10; i++)
		if (type->begin(w->store, &w->err) != STEPBUS_OK ||
		    type->step_insert(w->store, &row, &first, &w->err) != STEPBUS_OK ||
		    type->commit(w->store, &w->err) != STEPBUS_OK) {
			(void)fprintf(stderr, "%s\n", w->err.message);
			return 2;
		}
	type->close(w->store);
	return 0;
}

static void four_processes_open_a_new_file_at_once(void **state)
{
	test_world *w = *state;
	int gate[2];
	char go;

	assert_int_equal(pipe(gate), 0);
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			(void)close(gate[1]);
			_exit(read(gate[0], &go, 1) == 0 ? open_and_fill(w) : 9);
		}
	(void)close(gate[0]);
	(void)close(gate[1]);
	for (int i = 0; i < 4; i++) {
		int how;

		assert_true(wait(&how) > 0);
		assert_true(WIFEXITED(how));
		assert_int_equal(WEXITSTATUS(how), 0);
	}
	assert_int_equal(test_world_ask(w, "SELECT count(*) FROM step"), 40);
	assert_int_equal(test_world_ask(w, "SELECT count(*) FROM meta"), 1);
}

static void the_version_of_sqlite_is_logged_once(void **state)
{
	test_world *w = *state;

	test_world_open(w);
	assert_int_equal(w->host.log_count, 1);
	assert_non_null(strstr(w->host.log, sqlite3_libversion()));
	assert_non_null(strstr(w->host.log, "\"component\":\"store\""));
}

static int64_t ask(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t answer;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	answer = sqlite3_column_int64(statement, 0);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	return answer;
}

static void connections_are_set_up_as_the_rules_say(void **state)
{
	static const struct {
		sb_durability durability;
		int64_t synchronous;
	} levels[] = { { SB_DURABILITY_DISK, 2 }, { SB_DURABILITY_PROCESS, 1 } };
	test_world *w = *state;

	for (size_t i = 0; i < 2; i++) {
		const sb_sqlite_store *store;
		int is_on = -1;

		w->options.durability = levels[i].durability;
		test_world_open(w);
		store = (const sb_sqlite_store *)w->store;
		assert_int_equal(ask(store->writer.db, "PRAGMA synchronous"),
				 levels[i].synchronous);
		assert_int_equal(ask(store->writer.db, "PRAGMA wal_autocheckpoint"), 0);
		assert_int_equal(ask(store->writer.db, "PRAGMA page_size"), 4096);
		assert_int_equal(ask(store->writer.db, "PRAGMA temp_store"), 2);
		assert_int_equal(ask(store->writer.db, "PRAGMA foreign_keys"), 0);
		assert_int_equal(ask(store->writer.db, "PRAGMA trusted_schema"), 0);
		assert_int_equal(ask(store->reader.db, "PRAGMA query_only"), 1);
		assert_int_equal(sqlite3_db_readonly(store->reader.db, "main"), 1);
		(void)sqlite3_db_config(store->writer.db, SQLITE_DBCONFIG_DEFENSIVE, -1, &is_on);
		assert_int_equal(is_on, 1);
		(void)sqlite3_db_config(store->writer.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, -1,
					&is_on);
		assert_int_equal(is_on, 1);
		(void)sqlite3_db_config(store->writer.db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, -1,
					&is_on);
		assert_int_equal(is_on, 0);
		test_world_close(w);
	}
	assert_int_equal(test_world_ask(w, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"),
			 1);
}

static void the_tag_is_random_and_as_it_stands_in_ids(void **state)
{
	test_world *w = *state;
	uint8_t id[SB_ID_LEN];

	test_world_open(w);
	sb_id_of_row(77, w->store->tag, id);
	assert_memory_equal(id + 6, w->store->tag, SB_STORE_TAG_LEN);
	assert_int_equal(sb_id_to_row(id, w->store->tag), 77);
	test_world_close(w);
	assert_int_equal(unlink(w->path), 0);
	w->host.has_random = false;
	refuses(w, STEPBUS_ESYSTEM, "random");
	w->host.has_random = true;
	/* Nothing of it was left behind. */
	test_world_open(w);
}

static stepbus_status open_and_close(test_host *t, stepbus_error *err)
{
	sb_store_options options = { .host = &t->host, .durability = SB_DURABILITY_PROCESS };
	test_tempdir dir;
	char path[TEST_PATH_LEN];
	sb_store *store = NULL;
	stepbus_status status;

	test_tempdir_make(&dir);
	test_tempdir_path(&dir, "store.db", path);
	options.path = path;
	status = sb_sqlite_store_open(&options, &store, err);
	if (status == STEPBUS_OK)
		store->type->close(store);
	test_tempdir_remove(&dir);
	return status;
}

static void memory_that_runs_out_while_opening_is_told(void **state)
{
	/* The log record may be lost: that is no failure. */
	const test_scenario scenario = { "open", open_and_close, true };

	(void)state;
	test_fail_each_allocation(&scenario);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, test_world_setup, test_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DISK(a_new_file_is_its_owners_alone_whatever_the_umask),
		ON_DISK(a_path_is_never_taken_for_anything_but_a_file),
		ON_DISK(a_change_of_the_working_directory_does_no_harm),
		cmocka_unit_test(network_file_systems_are_known_by_their_numbers),
		ON_DISK(what_is_no_file_is_refused),
		ON_DISK(a_file_that_is_no_database_is_refused),
		ON_DISK(a_file_of_the_first_version_is_brought_to_this_one),
		ON_DISK(another_programs_database_is_refused_and_left_as_it_was),
		cmocka_unit_test(a_mark_says_whether_a_file_may_be_opened),
		ON_DISK(a_newer_version_is_refused),
		ON_DISK(a_file_that_lost_its_tag_or_a_table_is_refused),
		ON_DISK(a_file_that_was_cut_off_is_refused),
		ON_DISK(what_cannot_be_written_is_refused),
		ON_DISK(a_disk_without_inodes_is_full),
		ON_DISK(four_processes_open_a_new_file_at_once),
		ON_DISK(the_version_of_sqlite_is_logged_once),
		ON_DISK(connections_are_set_up_as_the_rules_say),
		ON_DISK(the_tag_is_random_and_as_it_stands_in_ids),
		cmocka_unit_test(memory_that_runs_out_while_opening_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
