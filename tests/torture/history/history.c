/* SPDX-License-Identifier: MIT */
#include "torture/history/history.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "torture/history/observer.h"

static void *grow(void *rows, size_t count, size_t len)
{
	void *grown = rows;

	/* At each power of two. */
	if ((count & (count - 1)) == 0)
		grown = realloc(rows, (count == 0 ? 1 : 2 * count) * len);
	if (grown == NULL)
		abort();
	return grown;
}

static bool read_log(history *h, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[256];

	if (file == NULL)
		return false;
	while (fgets(line, sizeof line, file) != NULL) {
		event e = { 0 };
		int count;

		count = sscanf(line, "%c %ld %d %ld %ld %ld %ld", &e.kind, &e.time_us, &e.process,
			       &e.a, &e.b, &e.c, &e.d);
		if (count != 7) {
			(void)fprintf(stderr, "no line of a log: %s", line);
			(void)fclose(file);
			return false;
		}
		h->events = grow(h->events, h->event_count, sizeof *h->events);
		h->events[h->event_count++] = e;
	}
	(void)fclose(file);
	return true;
}

static int64_t number_after(const char *text, char mark)
{
	const char *at = text != NULL ? strchr(text, mark) : NULL;

	return at != NULL ? strtoll(at + 1, NULL, 10) : -1;
}

static void add_step(history *h, sqlite3_stmt *row)
{
	const char *input = (const char *)sqlite3_column_text(row, 1);
	const char *result = (const char *)sqlite3_column_text(row, 6);
	const char *state = (const char *)sqlite3_column_text(row, 3);
	step_row step = {
		.id = observer_id_of((const char *)sqlite3_column_text(row, 0)),
		.nonce = number_after(input, 'n'),
		.key = number_after((const char *)sqlite3_column_text(row, 2), 'k'),
		.state = state != NULL ? state[0] : '?',
		.attempt_count = sqlite3_column_int(row, 4),
		.crash_count = sqlite3_column_int(row, 5),
		.result_nonce = number_after(result, 'n'),
		.result_token = number_after(result, 't'),
		.token = sqlite3_column_int64(row, 7),
	};

	h->steps = grow(h->steps, h->step_count, sizeof *h->steps);
	h->steps[h->step_count++] = step;
}

static void add_attempt(history *h, sqlite3_stmt *row)
{
	const char *outcome = (const char *)sqlite3_column_text(row, 2);
	attempt_row attempt = {
		.step_id = sqlite3_column_int64(row, 0),
		.token = sqlite3_column_int64(row, 1),
	};

	(void)snprintf(attempt.outcome, sizeof attempt.outcome, "%s",
		       outcome != NULL ? outcome : "?");
	h->attempts = grow(h->attempts, h->attempt_count, sizeof *h->attempts);
	h->attempts[h->attempt_count++] = attempt;
}

static void note_soundness(history *h, sqlite3_stmt *row)
{
	const char *answer = (const char *)sqlite3_column_text(row, 0);

	h->is_sound = answer != NULL && strcmp(answer, "ok") == 0;
	if (!h->is_sound)
		(void)fprintf(stderr, "integrity_check: %s\n", answer);
}

static bool read_rows(history *h, sqlite3 *db, const char *sql,
		      void (*add)(history *h, sqlite3_stmt *row))
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(statement);
		if (code == SQLITE_ROW)
			add(h, statement);
	}
	if (code != SQLITE_DONE)
		(void)fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
	(void)sqlite3_finalize(statement);
	return code == SQLITE_DONE;
}

static int compare_steps(const void *a, const void *b)
{
	const step_row *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static bool read_database(history *h, const char *path)
{
	sqlite3 *db = NULL;
	bool is_read = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK;

	(void)sqlite3_busy_timeout(db, 10000);
	/* The views say what anyone may know; keys, behind three bytes of ours, and tokens do not. */
	is_read =
		is_read &&
		read_rows(h, db,
			  "SELECT v.uuid, v.input, substr(s.idempotency_key, 4), v.state, "
			  "v.attempt_count,"
			  " v.crash_count, v.result, coalesce(st.token, 0) FROM v_steps AS v"
			  " JOIN step AS s ON s.id = v.id JOIN state AS st ON st.id = v.id",
			  add_step) &&
		read_rows(h, db,
			  "SELECT step_id, token, outcome FROM v_attempts ORDER BY step_id, token",
			  add_attempt) &&
		read_rows(h, db, "PRAGMA integrity_check", note_soundness);
	(void)sqlite3_close(db);
	if (h->step_count > 0)
		qsort(h->steps, h->step_count, sizeof *h->steps, compare_steps);
	return is_read;
}

bool history_read(history *h, const char *log_path, const char *database_path)
{
	*h = (history){ 0 };
	return read_log(h, log_path) && read_database(h, database_path);
}

void history_free(history *h)
{
	free(h->events);
	free(h->steps);
	free(h->attempts);
}

static void *copy(const void *rows, size_t count, size_t len)
{
	void *copied = calloc(count + HISTORY_SPARE, len);

	if (copied == NULL)
		abort();
	if (count > 0)
		memcpy(copied, rows, count * len);
	return copied;
}

history history_copy(const history *h)
{
	history c = *h;

	c.events = copy(h->events, h->event_count, sizeof *h->events);
	c.steps = copy(h->steps, h->step_count, sizeof *h->steps);
	c.attempts = copy(h->attempts, h->attempt_count, sizeof *h->attempts);
	return c;
}

step_row *history_step(const history *h, int64_t id)
{
	const step_row wanted = { .id = id };

	return h->step_count == 0 ?
		       NULL :
		       bsearch(&wanted, h->steps, h->step_count, sizeof *h->steps, compare_steps);
}
