/* SPDX-License-Identifier: MIT */
#include "torture/history/history.h"

#include <stdlib.h>
#include <string.h>

#include "torture/history/read.h"

void history_init(history *h)
{
	*h = (history){
		.limits = { .attempt_count_max = ATTEMPT_COUNT_MAX,
			    .crash_count_max = CRASH_COUNT_MAX,
			    .late_start_max = 4,
			    .starvation_factor = 0,
			    .unstarted_percent = 5,
			    .clock_bound_us = 20000 },
		.is_sound = true,
	};
}

bool history_read(history *h, const char *log_path, const char *database_path)
{
	history_init(h);
	return history_read_log(h, log_path) &&
	       (database_path == NULL || history_read_database(h, database_path));
}

void history_free(history *h)
{
	free(h->events);
	free(h->steps);
	free(h->attempts);
	free(h->touched);
}

static void *grow(void *rows, size_t count, size_t *room, size_t len)
{
	void *grown = rows;

	if (count < *room)
		return rows;
	*room = count < 16 ? 32 : 2 * count;
	grown = realloc(rows, *room * len);
	if (grown == NULL)
		abort();
	return grown;
}

void history_add_event(history *h, const event *e)
{
	h->events = grow(h->events, h->event_count, &h->event_room, sizeof *h->events);
	h->events[h->event_count++] = *e;
}

static int compare_steps(const void *a, const void *b)
{
	const step_row *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static bool is_attempt_before(const attempt_row *a, int64_t step_id, int64_t token)
{
	return a->step_id != step_id ? a->step_id < step_id : a->token < token;
}

/* Where the first attempt is that is not before that one. */
static size_t find_attempt(const history *h, int64_t step_id, int64_t token)
{
	size_t low = 0, high = h->attempt_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (is_attempt_before(&h->attempts[middle], step_id, token))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t find_step(const history *h, int64_t id)
{
	size_t low = 0, high = h->step_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (h->steps[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void touch(history *h, int64_t id)
{
	h->has_rows = true;
	if (h->touched_count > 0 && h->touched[h->touched_count - 1] == id)
		return;
	h->touched = grow(h->touched, h->touched_count, &h->touched_room, sizeof *h->touched);
	h->touched[h->touched_count++] = id;
}

/* Ids and tokens grow, so that a new row mostly belongs at the end. */
void history_put_step(history *h, const step_row *row)
{
	size_t at = h->step_count;

	touch(h, row->id);
	if (at > 0 && h->steps[at - 1].id >= row->id)
		at = find_step(h, row->id);
	if (at < h->step_count && h->steps[at].id == row->id) {
		h->steps[at] = *row;
		return;
	}
	h->steps = grow(h->steps, h->step_count, &h->step_room, sizeof *h->steps);
	memmove(h->steps + at + 1, h->steps + at, (h->step_count - at) * sizeof *h->steps);
	h->steps[at] = *row;
	h->step_count++;
}

void history_put_attempt(history *h, const attempt_row *row)
{
	size_t at = find_attempt(h, row->step_id, row->token);

	touch(h, row->step_id);
	if (at < h->attempt_count && h->attempts[at].step_id == row->step_id &&
	    h->attempts[at].token == row->token) {
		h->attempts[at] = *row;
		return;
	}
	h->attempts = grow(h->attempts, h->attempt_count, &h->attempt_room, sizeof *h->attempts);
	memmove(h->attempts + at + 1, h->attempts + at,
		(h->attempt_count - at) * sizeof *h->attempts);
	h->attempts[at] = *row;
	h->attempt_count++;
}

static void *copy(const void *rows, size_t count, size_t *room, size_t len)
{
	void *copied;

	*room = count + HISTORY_SPARE;
	copied = calloc(*room, len);
	if (copied == NULL)
		abort();
	if (count > 0)
		memcpy(copied, rows, count * len);
	return copied;
}

history history_copy(const history *h)
{
	history c = *h;

	c.events = copy(h->events, h->event_count, &c.event_room, sizeof *h->events);
	c.steps = copy(h->steps, h->step_count, &c.step_room, sizeof *h->steps);
	c.attempts = copy(h->attempts, h->attempt_count, &c.attempt_room, sizeof *h->attempts);
	c.touched = NULL;
	c.touched_count = 0;
	c.touched_room = 0;
	return c;
}

step_row *history_step(const history *h, int64_t id)
{
	const step_row wanted = { .id = id };

	return h->step_count == 0 ?
		       NULL :
		       bsearch(&wanted, h->steps, h->step_count, sizeof *h->steps, compare_steps);
}

attempt_row *history_attempts(const history *h, int64_t id, size_t *count)
{
	size_t at = find_attempt(h, id, INT64_MIN), end = at;

	while (end < h->attempt_count && h->attempts[end].step_id == id)
		end++;
	*count = end - at;
	return *count > 0 ? h->attempts + at : NULL;
}
