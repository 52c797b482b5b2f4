/* SPDX-License-Identifier: MIT */
/* What the query planner makes of every statement: none walks a great table, or sorts. */
#include <stdio.h>
#include <string.h>

#include "store/sqlite_sql.h"
#include "store/sqlite_store.h"
#include "support/cmocka.h"
#include "support/sqlite_world.h"

/* Small tables, and walks that are what the statement is for. */
static const struct {
	sb_sql sql;
	const char *plan;
} allowed[] = {
	{ SB_SQL_QUEUE_LIST, "SCAN main.queue" },
	{ SB_SQL_WORKER_LIST, "SCAN main.worker" },
	{ SB_SQL_SERVED_LIST, "SCAN w" },
	{ SB_SQL_CRON_LIST, "SCAN main.cron" },
	/* Of a part of the statement, which the part inside has bounded. */
	{ SB_SQL_RUNNING_OF_QUEUE, "SCAN (subquery-1)" },
	{ SB_SQL_RUNNING_OF_KEY, "SCAN (subquery-1)" },
};

static bool is_allowed(sb_sql sql, const char *plan)
{
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
		if (allowed[i].sql == sql && strcmp(allowed[i].plan, plan) == 0)
			return true;
	return false;
}

static void check_plan(sb_sql sql, const char *plan)
{
	bool is_bad = strstr(plan, "TEMP B-TREE") != NULL || strstr(plan, "AUTOMATIC") != NULL ||
		      (strncmp(plan, "SCAN ", 5) == 0 && strcmp(plan, "SCAN CONSTANT ROW") != 0);

	if (is_bad && !is_allowed(sql, plan))
		fail_msg("%s\n%s", sb_sql_table[sql].text, plan);
}

static void explain(sqlite3 *db, sb_sql sql)
{
	sqlite3_stmt *statement;
	char *text = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sb_sql_table[sql].text);

	assert_non_null(text);
	if (sqlite3_prepare_v2(db, text, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	while (sqlite3_step(statement) == SQLITE_ROW)
		check_plan(sql, (const char *)sqlite3_column_text(statement, 3));
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	sqlite3_free(text);
}

static void no_statement_walks_a_great_table_or_sorts(void **state)
{
	test_world *w = *state;
	sqlite3 *db;

	test_world_open(w);
	db = ((sb_sqlite_store *)w->store)->writer.db;
	for (int sql = 0; sql < SB_SQL_COUNT; sql++)
		explain(db, (sb_sql)sql);
}

static void every_statement_has_a_text_and_a_purpose(void **state)
{
	(void)state;
	for (int sql = 0; sql < SB_SQL_COUNT; sql++) {
		assert_non_null(sb_sql_table[sql].text);
		assert_non_null(sb_sql_table[sql].purpose);
	}
}

/* The details of those that every claim runs. */
static void scans_go_by_the_index_of_their_own(void **state)
{
	static const struct {
		sb_sql sql;
		const char *plan;
	} rows[] = {
		{ SB_SQL_SCAN_READY, "INDEX state_place (place=? AND rank=? AND rowid>?)" },
		{ SB_SQL_SCAN_READY_LAST, "INDEX state_place (place=? AND rank=? AND rowid<?)" },
		{ SB_SQL_SCAN_PARKED, "INDEX state_place (place=? AND rank=? AND rowid>?)" },
		{ SB_SQL_SCAN_RUNNING, "INDEX state_place (place=? AND rank=? AND rowid>?)" },
		{ SB_SQL_SCAN_DUE, "INDEX state_place (place=? AND rank<?)" },
		{ SB_SQL_SCAN_OVERDUE, "INDEX state_deadline (deadline_at<?)" },
		{ SB_SQL_SCAN_ALL, "INTEGER PRIMARY KEY (rowid>?)" },
		{ SB_SQL_LANE_NEXT, "COVERING INDEX state_place ((place,rank)>(?,?))" },
		{ SB_SQL_LANE_LAST, "COVERING INDEX state_place (place=? AND rank=?)" },
		{ SB_SQL_PARK_NEXT, "COVERING INDEX state_place (place=? AND rank>?)" },
		{ SB_SQL_DUE_NEXT, "INDEX state_place (place=?)" },
		{ SB_SQL_VIEW_NEWEST_OF_TAG, "PRIMARY KEY (tag=? AND step_id>? AND step_id<?)" },
		{ SB_SQL_VIEW_NEWEST_OF_CORRELATION,
		  "INDEX step_correlation (correlation_id=? AND rowid>? AND rowid<?)" },
	};
	test_world *w = *state;
	sqlite3 *db;

	test_world_open(w);
	db = ((sb_sqlite_store *)w->store)->writer.db;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *text =
			sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sb_sql_table[rows[i].sql].text);
		sqlite3_stmt *statement;
		bool is_found = false;

		assert_int_equal(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
		while (sqlite3_step(statement) == SQLITE_ROW)
			is_found =
				is_found || strstr((const char *)sqlite3_column_text(statement, 3),
						   rows[i].plan) != NULL;
		if (!is_found) {
			(void)sqlite3_reset(statement);
			while (sqlite3_step(statement) == SQLITE_ROW)
				print_message("%s\n", sqlite3_column_text(statement, 3));
			fail_msg("%s is not by %s", text, rows[i].plan);
		}
		(void)sqlite3_finalize(statement);
		sqlite3_free(text);
	}
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, test_world_setup, test_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DISK(no_statement_walks_a_great_table_or_sorts),
		cmocka_unit_test(every_statement_has_a_text_and_a_purpose),
		ON_DISK(scans_go_by_the_index_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
