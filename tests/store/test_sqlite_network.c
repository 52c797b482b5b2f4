/* SPDX-License-Identifier: MIT */
/* A store on a network file system, as far as statfs can make one believe in it. */
#include <string.h>
#include <sys/statfs.h>

#include "store/sqlite_store.h"
#include "support/cmocka.h"
#include "support/sqlite_world.h"

static long file_system_type;

/* In front of the system's own. */
int statfs(const char *path, struct statfs *out)
{
	(void)path;
	memset(out, 0, sizeof *out);
	out->f_type = file_system_type;
	return 0;
}

static void it_is_refused_by_its_name(void **state)
{
	test_world *w = *state;

	file_system_type = 0x6969;
	assert_int_equal(sb_sqlite_store_open(&w->options, &w->store, &w->err), STEPBUS_ENETWORK);
	assert_null(w->store);
	assert_non_null(strstr(w->err.message, "NFS"));
	assert_non_null(strstr(w->err.message, w->path));
	file_system_type = 0xEF53;
	test_world_open(w);
}

static bool count_view(void *context, const sb_step_view *view)
{
	(void)view;
	++*(int *)context;
	return true;
}

static void it_is_used_without_a_log_where_that_is_allowed(void **state)
{
	test_world *w = *state;
	sb_step_filter filter = { .count_max = 9 };
	sb_store_stats stats;
	int seen = 0;

	file_system_type = 0x6969;
	w->options.is_network_allowed = true;
	test_world_open(w);
	assert_int_equal(test_world_fill(w, 3), 3);
	assert_int_equal(test_world_ask(w, "SELECT journal_mode = 'delete'"
					   " FROM pragma_journal_mode"),
			 1);
	test_ok(w, w->store->type->step_list(w->store, &filter, count_view, &seen, &w->err));
	assert_int_equal(seen, 3);
	w->store->type->stats(w->store, &stats);
	assert_int_equal(stats.commit_count, 2);
	assert_int_equal(stats.checkpoint_count, 0);
	assert_int_equal(stats.wal_bytes, 0);
}

/* Without a log a commit has to wait until nobody reads. */
static void a_reader_that_stays_makes_it_busy_and_no_more(void **state)
{
	test_world *w = *state;
	sqlite3_stmt *statement;
	sqlite3 *reader;

	file_system_type = 0x6969;
	w->options.is_network_allowed = true;
	w->options.busy_timeout_ms = 5;
	test_world_open(w);
	test_world_fill(w, 3);
	reader = test_world_connect(w);
	assert_int_equal(sqlite3_prepare_v2(reader, "SELECT id FROM step", -1, &statement, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	test_world_begin(w);
	test_world_insert(w, sb_slice_z("x"));
	assert_int_equal(w->store->type->commit(w->store, &w->err), STEPBUS_EBUSY);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	assert_int_equal(test_world_fill(w, 1), 4);
	assert_int_equal(sqlite3_close(reader), SQLITE_OK);
}

/*
 * Deleting its journal is what ends a transaction: a journal that came back would undo it. And a
 * journal of which the disk has only the head would be put into the database.
 */
static void without_a_log_each_level_syncs_more(void **state)
{
	static const struct {
		sb_durability durability;
		int64_t synchronous;
	} levels[] = { { SB_DURABILITY_DISK, 3 }, { SB_DURABILITY_PROCESS, 2 } };
	test_world *w = *state;

	file_system_type = 0x6969;
	w->options.is_network_allowed = true;
	for (size_t i = 0; i < 2; i++) {
		sqlite3_stmt *statement;

		w->options.durability = levels[i].durability;
		test_world_open(w);
		assert_int_equal(sqlite3_prepare_v2(((sb_sqlite_store *)w->store)->writer.db,
						    "PRAGMA synchronous", -1, &statement, NULL),
				 SQLITE_OK);
		assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
		assert_int_equal(sqlite3_column_int64(statement, 0), levels[i].synchronous);
		assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
		test_world_close(w);
	}
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, test_world_setup, test_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DISK(it_is_refused_by_its_name),
		ON_DISK(it_is_used_without_a_log_where_that_is_allowed),
		ON_DISK(a_reader_that_stays_makes_it_busy_and_no_more),
		ON_DISK(without_a_log_each_level_syncs_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
