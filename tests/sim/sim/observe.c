/* SPDX-License-Identifier: MIT */
/* Looks at the store: on disk with a connection and with statements of its own. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sim/model.h"
#include "torture/history/observer.h"

enum { CHUNK = 128 };

static sb_store *store_of(const sim *s)
{
	return s->world.processes[0].engine->store;
}

static void open_observer(sim *s)
{
	static const char scan[] =
		"SELECT id, state, token, worker_id, attempt_count, crash_count, due_at,"
		" deadline_at, checkpoint_count FROM state ORDER BY id";

	static const char attempts[] =
		"SELECT step_id, token, iif(error_type = 'abandoned', error_type, outcome),"
		" coalesce(is_retryable, 0) FROM v_attempts WHERE step_id = ? ORDER BY token";

	disk_enter(0);
	if (sqlite3_open_v2(s->world.path, &s->observer, SQLITE_OPEN_READWRITE, NULL) !=
		    SQLITE_OK ||
	    sqlite3_prepare_v2(s->observer, scan, -1, &s->observer_scan, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(s->observer, attempts, -1, &s->observer_attempts, NULL) != SQLITE_OK)
		sim_violate(s, -1, "store", "an observer cannot look: %s",
			    sqlite3_errmsg(s->observer));
}

void sim_observe_end(sim *s)
{
	(void)sqlite3_finalize(s->observer_scan);
	(void)sqlite3_finalize(s->observer_attempts);
	(void)sqlite3_close(s->observer);
	s->observer_scan = s->observer_attempts = NULL;
	s->observer = NULL;
	s->seen_change = 0;
}

bool sim_observe_has_changed(sim *s)
{
	sb_store_stats stats;
	uint64_t change;

	if (s->options.is_on_disk) {
		change = disk_write_count() + 1;
	} else {
		store_of(s)->type->stats(store_of(s), &stats);
		change = stats.commit_count + 1;
	}
	if (change == s->seen_change)
		return false;
	s->seen_change = change;
	return true;
}

static void observe_disk(sim *s, void (*visit)(sim *s, const sim_row *row))
{
	sqlite3_stmt *scan;
	int code;

	if (s->observer == NULL)
		open_observer(s);
	scan = s->observer_scan;
	if (scan == NULL)
		return;
	disk_enter(0);
	while ((code = sqlite3_step(scan)) == SQLITE_ROW) {
		const sim_row row = { .id = sqlite3_column_int64(scan, 0),
				      .state = sqlite3_column_int(scan, 1),
				      .token = sqlite3_column_int64(scan, 2),
				      .worker_id = sqlite3_column_int64(scan, 3),
				      .attempt_count = sqlite3_column_int(scan, 4),
				      .crash_count = sqlite3_column_int(scan, 5),
				      .due_us = sqlite3_column_int64(scan, 6),
				      .deadline_us = sqlite3_column_int64(scan, 7),
				      .checkpoint_count = sqlite3_column_int(scan, 8) };

		visit(s, &row);
	}
	if (code != SQLITE_DONE)
		sim_violate(s, -1, "store", "an observer cannot read: %s",
			    sqlite3_errmsg(s->observer));
	(void)sqlite3_reset(scan);
}

static void observe_memory(sim *s, void (*visit)(sim *s, const sim_row *row))
{
	sb_store *store = store_of(s);
	sb_scan scan = { .kind = SB_SCAN_ALL };
	sb_step_status rows[CHUNK];
	size_t count = CHUNK;

	if (store->type->begin(store, NULL) != STEPBUS_OK)
		return;
	while (count == CHUNK) {
		if (store->type->step_scan(store, &scan, rows, CHUNK, &count, NULL) != STEPBUS_OK)
			break;
		for (size_t i = 0; i < count; i++) {
			const sb_step_status *r = &rows[i];
			const sim_row row = { .id = r->id,
					      .state = (int)r->state,
					      .token = r->token,
					      .worker_id = r->worker_id,
					      .attempt_count = (int)r->attempt_count,
					      .crash_count = (int)r->crash_count,
					      .due_us = r->due_at_us,
					      .deadline_us = r->deadline_at_us,
					      .checkpoint_count = (int)r->checkpoint_count };

			visit(s, &row);
		}
		if (count > 0)
			scan.after_id = rows[count - 1].id;
	}
	store->type->rollback(store);
}

void sim_observe(sim *s, void (*visit)(sim *s, const sim_row *row))
{
	if (s->options.is_on_disk)
		observe_disk(s, visit);
	else
		observe_memory(s, visit);
}

static int nonce_of(const void *input, size_t len)
{
	char text[INPUT_LEN] = { 0 };
	int nonce = -1;

	if (len > 0 && len < sizeof text)
		memcpy(text, input, len);
	if (sscanf(text, "{\"n\":%d}", &nonce) != 1)
		return -1;
	return nonce;
}

typedef struct look {
	int nonce;
	int64_t input, result; /* digests */
} look;

static bool look_at(void *context, const sb_step_view *view)
{
	const sb_slice input = view->row.input, result = view->result.bytes;

	*(look *)context = (look){
		.nonce = nonce_of(input.data, input.len),
		.input = observer_digest(input.data, input.len),
		.result = view->has_result ? observer_digest(result.data, result.len) : 0,
	};
	return false;
}

/* Of one step: its input, or its result. */
static look look_on_disk(sim *s, const char *sql, int64_t row_id)
{
	sqlite3_stmt *find = NULL;
	look l = { -1, 0, 0 };

	if (s->observer == NULL)
		open_observer(s);
	disk_enter(0);
	if (sqlite3_prepare_v2(s->observer, sql, -1, &find, NULL) == SQLITE_OK &&
	    sqlite3_bind_int64(find, 1, row_id) == SQLITE_OK && sqlite3_step(find) == SQLITE_ROW) {
		const void *bytes = sqlite3_column_blob(find, 0);
		size_t len = (size_t)sqlite3_column_bytes(find, 0);

		l = (look){ nonce_of(bytes, len), observer_digest(bytes, len),
			    observer_digest(bytes, len) };
	}
	(void)sqlite3_finalize(find);
	return l;
}

static look look_in_memory(sim *s, int64_t row_id)
{
	look l = { -1, 0, 0 };

	(void)store_of(s)->type->step_view(store_of(s), row_id, look_at, &l, NULL);
	return l;
}

int sim_observe_nonce(sim *s, int64_t row_id, int64_t *digest)
{
	look l = s->options.is_on_disk ?
			 look_on_disk(s, "SELECT input FROM step WHERE id = ?", row_id) :
			 look_in_memory(s, row_id);

	*digest = l.input;
	return l.nonce;
}

int64_t sim_observe_result(sim *s, int64_t row_id)
{
	look l = s->options.is_on_disk ?
			 look_on_disk(s, "SELECT result FROM v_steps WHERE id = ?", row_id) :
			 look_in_memory(s, row_id);

	return l.result;
}

static bool show_attempt(void *context, const sb_attempt_row *row, sb_slice worker)
{
	static const char *const names[] = { "",     "success",   "failure",   "snoozed",
					     "lost", "timed_out", "cancelled", "given_back" };
	sim_record_visit visit = *(const sim_record_visit *)context;
	bool is_abandoned =
		row->error_type.len == 9 && memcmp(row->error_type.data, "abandoned", 9) == 0;
	const sim_record record = { .step_id = row->step_id,
				    .token = row->token,
				    .outcome = is_abandoned ? "abandoned" : names[row->outcome],
				    .is_retryable = row->is_retryable };

	(void)worker;
	visit(&record);
	return true;
}

static void attempts_on_disk(sim *s, int64_t row_id, sim_record_visit visit)
{
	sqlite3_stmt *scan;

	if (s->observer == NULL)
		open_observer(s);
	scan = s->observer_attempts;
	disk_enter(0);
	(void)sqlite3_bind_int64(scan, 1, row_id);
	while (sqlite3_step(scan) == SQLITE_ROW) {
		const sim_record record = { .step_id = sqlite3_column_int64(scan, 0),
					    .token = sqlite3_column_int64(scan, 1),
					    .outcome = (const char *)sqlite3_column_text(scan, 2),
					    .is_retryable = sqlite3_column_int(scan, 3) };

		visit(&record);
	}
	if (sqlite3_reset(scan) != SQLITE_OK)
		sim_violate(s, -1, "store", "an observer cannot read: %s",
			    sqlite3_errmsg(s->observer));
}

void sim_observe_attempts(sim *s, int64_t row_id, sim_record_visit visit)
{
	sb_store *store;

	if (s->options.is_on_disk) {
		attempts_on_disk(s, row_id, visit);
		return;
	}
	store = store_of(s);
	(void)store->type->attempt_list(store, row_id, show_attempt, &visit, NULL);
}
