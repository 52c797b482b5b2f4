/* SPDX-License-Identifier: MIT */
/* All of a store as one text. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/conformance.h"

enum { STEP_MAX = 256 };

typedef struct dump {
	FILE *out;
	test_store *w;
} dump;

static void write_text(const dump *d, sb_slice text)
{
	fprintf(d->out, " [%zu:", text.len);
	if (text.len > 0)
		fwrite(text.data, 1, text.len, d->out);
	fputs("]", d->out);
}

static void write_number(const dump *d, int64_t number)
{
	fprintf(d->out, " %" PRId64, number);
}

static bool write_queue(void *context, const sb_queue_row *row)
{
	const dump *d = context;

	fputs("\nqueue", d->out);
	write_number(d, row->id);
	write_text(d, row->name);
	write_number(d, row->paused_at_us);
	write_number(d, row->concurrency_max);
	write_number(d, row->key_concurrency_max);
	write_number(d, row->rate_count);
	write_number(d, row->rate_period_us);
	write_number(d, row->rate_room_micro);
	write_number(d, row->rate_at_us);
	return true;
}

static bool write_worker(void *context, const sb_worker_row *row)
{
	const dump *d = context;

	fputs("\nworker", d->out);
	write_number(d, row->id);
	write_text(d, row->name);
	write_number(d, row->heartbeat_at_us);
	write_number(d, row->lease_until_ns);
	write_number(d, row->stopped_at_us);
	write_number(d, row->completed_count);
	write_number(d, row->failed_count);
	write_number(d, row->active_count);
	return true;
}

static bool write_served(void *context, const sb_served_row *row)
{
	const dump *d = context;

	fputs("\nserved", d->out);
	write_number(d, row->worker_id);
	write_text(d, row->handler_namespace);
	write_text(d, row->name);
	write_text(d, row->version);
	return true;
}

static bool write_cron(void *context, const sb_cron_row *row)
{
	const dump *d = context;

	fputs("\ncron", d->out);
	write_text(d, row->name);
	write_text(d, row->expression);
	write_number(d, row->next_at_us);
	write_number(d, row->last_at_us);
	return true;
}

static bool write_tally(void *context, sb_slice queue, sb_step_state state, int64_t count)
{
	const dump *d = context;

	fputs("\ntally", d->out);
	write_text(d, queue);
	write_number(d, (int64_t)state);
	write_number(d, count);
	return true;
}

static bool write_attempt(void *context, const sb_attempt_row *row, sb_slice worker)
{
	const dump *d = context;

	fputs("\n attempt", d->out);
	write_number(d, row->token);
	write_number(d, row->outcome);
	write_text(d, row->message);
	write_text(d, worker);
	return true;
}

static bool write_view(void *context, const sb_step_view *view)
{
	const dump *d = context;
	const sb_step_status *status = &view->status;

	fputs("\nstep", d->out);
	write_number(d, view->row.id);
	write_number(d, (int64_t)status->state);
	write_number(d, status->token);
	write_number(d, status->due_at_us);
	write_number(d, status->deadline_at_us);
	write_number(d, status->worker_id);
	write_number(d, status->park_key);
	write_number(d, status->attempt_count);
	write_text(d, view->queue);
	write_text(d, view->handler.handler_namespace);
	write_text(d, view->handler.name);
	write_text(d, view->handler.version);
	write_number(d, view->handler.recorded_at_us);
	write_text(d, view->row.input);
	if (view->has_result)
		write_text(d, view->result.bytes);
	if (view->has_error)
		write_text(d, view->error.message);
	write_number(d, status->checkpoint_count);
	if (view->has_checkpoint)
		write_text(d, view->checkpoint.cursor);
	return true;
}

static void write_scan(const dump *d, const char *name, sb_scan scan)
{
	static sb_step_status out[STEP_MAX];
	size_t count = 0;

	STORE_OK(d->w, step_scan, &scan, out, STEP_MAX, &count);
	fprintf(d->out, "\n%s", name);
	for (size_t i = 0; i < count; i++)
		write_number(d, out[i].id);
}

static void write_lanes(const dump *d)
{
	sb_lane lane = { 0 };
	bool is_found = true;

	while (is_found) {
		STORE_OK(d->w, lane_next, true, &lane, &is_found);
		if (!is_found)
			break;
		fputs("\nlane", d->out);
		write_number(d, lane.queue_id);
		write_number(d, lane.priority);
		write_number(d, lane.head_id);
		write_scan(d, " ready",
			   (sb_scan){ .kind = SB_SCAN_READY,
				      .queue_id = lane.queue_id,
				      .priority = lane.priority });
	}
}

static void write_parked(const dump *d)
{
	int64_t key = INT64_MIN;
	bool is_found = true;

	while (is_found) {
		STORE_OK(d->w, park_next, &key, &is_found);
		if (is_found)
			write_scan(d, " parked",
				   (sb_scan){ .kind = SB_SCAN_PARKED, .park_key = key });
	}
}

static void write_keys(const dump *d)
{
	static const char *const keys[] = { "k1", "k2", "k3" };

	fputs("\nkeys", d->out);
	for (size_t i = 0; i < 3; i++) {
		int64_t id = -1;

		STORE_OK(d->w, unique_find, sb_slice_z(keys[i]), &id);
		write_number(d, id);
	}
}

static void write_handlers(const dump *d)
{
	for (int64_t id = 1; id < 20; id++) {
		sb_handler_row row;

		if (d->w->type->handler_read(d->w->store, id, &row, NULL) != STEPBUS_OK)
			continue;
		fputs("\nhandler", d->out);
		write_number(d, id);
		write_text(d, row.handler_namespace);
		write_text(d, row.name);
		write_text(d, row.version);
		write_number(d, row.recorded_at_us);
	}
}

static void write_inside(const dump *d)
{
	const int64_t far = INT64_MAX;
	int64_t number = 0;

	write_lanes(d);
	write_parked(d);
	write_keys(d);
	write_handlers(d);
	write_scan(d, "due", (sb_scan){ .kind = SB_SCAN_DUE, .at_us = far });
	write_scan(d, "overdue", (sb_scan){ .kind = SB_SCAN_OVERDUE, .at_us = far });
	write_scan(d, "running",
		   (sb_scan){ .kind = SB_SCAN_RUNNING, .worker_id = d->w->worker_id });
	write_scan(d, "all", (sb_scan){ .kind = SB_SCAN_ALL });
	STORE_OK(d->w, due_next, &number);
	write_number(d, number);
	STORE_OK(d->w, running_count, d->w->queue_ids[0], 0, far, &number);
	write_number(d, number);
	STORE_OK(d->w, running_count, d->w->queue_ids[0], -77, far, &number);
	write_number(d, number);
}

static bool keep_id(void *context, const sb_step_view *view)
{
	int64_t **next = context;

	*(*next)++ = view->status.id;
	return true;
}

static void write_outside(dump *d)
{
	const sb_step_filter all = { .count_max = STEP_MAX };
	int64_t ids[STEP_MAX], *end = ids;

	STORE_OK(d->w, queue_list, write_queue, d);
	STORE_OK(d->w, worker_list, write_worker, d);
	STORE_OK(d->w, served_list, write_served, d);
	STORE_OK(d->w, cron_list, write_cron, d);
	STORE_OK(d->w, tally, write_tally, d);
	STORE_OK(d->w, step_list, &all, keep_id, &end);
	for (const int64_t *id = ids; id < end; id++) {
		STORE_OK(d->w, step_view, *id, write_view, d);
		STORE_OK(d->w, attempt_list, *id, write_attempt, d);
	}
}

char *test_store_dump(test_store *w)
{
	char *text = NULL;
	size_t len = 0;
	dump d = { .out = open_memstream(&text, &len), .w = w };

	assert_non_null(d.out);
	write_outside(&d);
	test_begin(w);
	write_inside(&d);
	test_rollback(w);
	assert_int_equal(fclose(d.out), 0);
	return text;
}
