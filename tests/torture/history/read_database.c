/* SPDX-License-Identifier: MIT */
#include "torture/history/read.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "torture/history/observer.h"

/* A schema may be made so that it yields rows, or looks for them, for ever. */
enum { ROW_COUNT_MAX = 50000000, STEPS_BETWEEN_LOOKS = 1000000 };

static const int64_t patience_us = 120000000;

static int64_t number_after(const char *text, char mark)
{
	const char *at = text != NULL ? strchr(text, mark) : NULL;

	return at != NULL ? strtoll(at + 1, NULL, 10) : -1;
}

static const char *text_of(sqlite3_stmt *row, int column)
{
	return (const char *)sqlite3_column_text(row, column);
}

static int64_t digest_of(sqlite3_stmt *row, int column)
{
	const void *bytes = sqlite3_column_blob(row, column);
	int len = sqlite3_column_bytes(row, column);

	return observer_digest(bytes, bytes != NULL ? (size_t)len : 0);
}

/* The first letter, but where two states have the same. */
static char state_of(const char *name)
{
	if (name == NULL)
		return '?';
	if (strcmp(name, "cancelled") == 0)
		return STATE_CANCELLED;
	if (strcmp(name, "running") == 0)
		return STATE_RUNNING;
	return name[0];
}

static bool is_in_order(history *h, bool is_behind, const char *what, int64_t id)
{
	if (is_behind)
		return true;
	if (h->is_sound)
		(void)fprintf(stderr, "the %s of step %lld is there twice, or not in order\n", what,
			      (long long)id);
	h->is_sound = false;
	return false;
}

static void add_step(history *h, sqlite3_stmt *row)
{
	const step_row step = {
		.id = observer_id_of(text_of(row, 0)),
		.input_digest = digest_of(row, 1),
		.nonce = number_after(text_of(row, 1), 'n'),
		.key = number_after(text_of(row, 2), 'k'),
		.state = state_of(text_of(row, 3)),
		.attempt_count = sqlite3_column_int(row, 4),
		.crash_count = sqlite3_column_int(row, 5),
		.result_digest = digest_of(row, 6),
		.result_nonce = number_after(text_of(row, 6), 'n'),
		.result_token = number_after(text_of(row, 6), 't'),
		.token = sqlite3_column_int64(row, 7),
		.priority = sqlite3_column_int(row, 8),
	};

	if (is_in_order(h, h->step_count == 0 || h->steps[h->step_count - 1].id < step.id, "row",
			step.id))
		history_put_step(h, &step);
}

static void add_attempt(history *h, sqlite3_stmt *row)
{
	const attempt_row *last = h->attempt_count > 0 ? &h->attempts[h->attempt_count - 1] : NULL;
	const char *outcome = text_of(row, 2);
	attempt_row attempt = {
		.step_id = sqlite3_column_int64(row, 0),
		.token = sqlite3_column_int64(row, 1),
		.is_retryable = sqlite3_column_type(row, 3) == SQLITE_INTEGER ?
					sqlite3_column_int(row, 3) != 0 :
					-1,
	};

	(void)snprintf(attempt.outcome, sizeof attempt.outcome, "%s",
		       outcome != NULL ? outcome : "?");
	if (is_in_order(h,
			last == NULL || last->step_id < attempt.step_id ||
				(last->step_id == attempt.step_id && last->token < attempt.token),
			"attempt", attempt.step_id))
		history_put_attempt(h, &attempt);
}

static void note_soundness(history *h, sqlite3_stmt *row)
{
	const char *answer = text_of(row, 0);
	bool is_ok = answer != NULL && strcmp(answer, "ok") == 0;

	if (!is_ok && h->is_sound)
		(void)fprintf(stderr, "integrity_check: %s\n", answer != NULL ? answer : "NULL");
	h->is_sound = h->is_sound && is_ok;
}

static bool read_rows(history *h, sqlite3 *db, const char *sql,
		      void (*add)(history *h, sqlite3_stmt *row))
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	size_t count = 0;

	while (code == SQLITE_OK || (code == SQLITE_ROW && count < ROW_COUNT_MAX)) {
		code = sqlite3_step(statement);
		if (code == SQLITE_ROW) {
			add(h, statement);
			count++;
		}
	}
	if (code != SQLITE_DONE)
		(void)fprintf(stderr, "%s\n  cannot be read: %s\n", sql,
			      code == SQLITE_ROW ? "it has no end" : sqlite3_errmsg(db));
	(void)sqlite3_finalize(statement);
	return code == SQLITE_DONE;
}

static int is_too_late(void *context)
{
	const int64_t *until_us = context;

	return observer_now_us() > *until_us;
}

static bool read_all(history *h, sqlite3 *db)
{
	/* The views say what anyone may know; keys, behind three bytes of ours, and tokens do not. */
	return read_rows(h, db, "PRAGMA integrity_check(1)", note_soundness) &&
	       read_rows(h, db,
			 "SELECT v.uuid, v.input, substr(s.idempotency_key, 4), v.state,"
			 " v.attempt_count, v.crash_count, v.result, coalesce(st.token, 0),"
			 " v.priority FROM v_steps AS v"
			 " JOIN step AS s ON s.id = v.id JOIN state AS st ON st.id = v.id"
			 " ORDER BY v.id",
			 add_step) &&
	       read_rows(
		       h, db,
		       "SELECT step_id, token, iif(error_type = 'abandoned', error_type, outcome),"
		       " coalesce(is_retryable, 0) FROM v_attempts"
		       " ORDER BY step_id, token",
		       add_attempt);
}

bool history_read_database(history *h, const char *path)
{
	int64_t until_us = observer_now_us() + patience_us;
	sqlite3 *db = NULL;
	bool is_read;

	h->has_rows = true;
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
		(void)fprintf(stderr, "%s: %s\n", path, sqlite3_errmsg(db));
		(void)sqlite3_close(db);
		return false;
	}
	(void)sqlite3_busy_timeout(db, 10000);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_progress_handler(db, STEPS_BETWEEN_LOOKS, is_too_late, &until_us);
	is_read = read_all(h, db);
	(void)sqlite3_close(db);
	h->touched_count = 0;
	return is_read;
}
