/* SPDX-License-Identifier: MIT */
#include "torture/history/damage_search.h"

#include <string.h>

/* Looking for the lines of an attempt takes as long as the log is. */
enum { TRIES_MAX = 200 };

event *search_event(const history *h, const event *from, char kind, int64_t c)
{
	for (event *e = h->events + (from != NULL ? from - h->events + 1 : 0);
	     e < h->events + h->event_count; e++)
		if (e->kind == kind && (c == 0 || e->c == c))
			return e;
	return NULL;
}

event *search_line(const history *h, int64_t step, char kind)
{
	for (event *e = h->events; e < h->events + h->event_count; e++)
		if (e->kind == kind && e->a == step)
			return e;
	return NULL;
}

bool search_has(const history *h, int64_t step, const char *kinds)
{
	for (const event *e = h->events; e < h->events + h->event_count; e++)
		if (e->a == step && strchr(kinds, e->kind) != NULL)
			return true;
	return false;
}

step_row *search_state(const history *h, char state, const char *but_kinds)
{
	int tries = TRIES_MAX;

	for (size_t i = 0; i < h->step_count && tries > 0; i++) {
		if (h->steps[i].state != state)
			continue;
		if (!search_has(h, h->steps[i].id, but_kinds))
			return &h->steps[i];
		tries--;
	}
	return NULL;
}

size_t search_tokens(const history *h, int64_t step)
{
	size_t count = 0;

	(void)history_attempts(h, step, &count);
	return count;
}

static void note(trace *t, event *e, int64_t token)
{
	bool is_own = e->b == token, is_later = e->b > token;

	if (e->kind == LOG_CLAIMED && is_own)
		t->claim = e;
	if (e->kind == LOG_CLAIMED && is_later && t->next_claim == NULL)
		t->next_claim = e;
	if (e->kind == LOG_STARTED && is_own)
		t->start = e;
	if (e->kind == LOG_STARTED && is_later && t->next_start == NULL)
		t->next_start = e;
	if (e->kind == LOG_ENDED && is_own)
		t->end = e;
}

trace search_trace(const history *h, int64_t step, int64_t token)
{
	trace t = { 0 };

	for (event *e = h->events; e < h->events + h->event_count; e++)
		if (e->a == step && strchr("CSE", e->kind) != NULL)
			note(&t, e, token);
	return t;
}

bool search_lost(const history *h, trace *out, bool with_claims)
{
	int tries = TRIES_MAX;

	for (size_t i = 0; i < h->attempt_count && tries > 0; i++) {
		const attempt_row *a = &h->attempts[i];

		if (strcmp(a->outcome, "lost") != 0)
			continue;
		tries--;
		*out = search_trace(h, a->step_id, a->token);
		if (out->start != NULL && out->next_start != NULL && out->next_start > out->start &&
		    (out->end == NULL || (with_claims && out->end > out->next_start)) &&
		    (!with_claims || (out->claim != NULL && out->next_claim != NULL)))
			return true;
	}
	return false;
}

attempt_row *search_attempt(const history *h, int64_t step, int64_t token)
{
	size_t count = 0;
	attempt_row *rows = history_attempts(h, step, &count);

	for (size_t i = 0; i < count; i++)
		if (rows[i].token == token)
			return &rows[i];
	return NULL;
}

bool search_is_stalled(const history *h, int32_t process)
{
	for (const event *e = h->events; e < h->events + h->event_count; e++)
		if (e->kind == LOG_NEMESIS && e->process == process)
			return true;
	return false;
}

event *damage_append(history *h, event e)
{
	history_add_event(h, &e);
	return &h->events[h->event_count - 1];
}

void damage_remove_event(history *h, event *e)
{
	memmove(e, e + 1, (size_t)(h->events + h->event_count - e - 1) * sizeof *e);
	h->event_count--;
}

void damage_remove_step(history *h, step_row *row)
{
	memmove(row, row + 1, (size_t)(h->steps + h->step_count - row - 1) * sizeof *row);
	h->step_count--;
}

void damage_remove_attempt(history *h, attempt_row *row)
{
	memmove(row, row + 1, (size_t)(h->attempts + h->attempt_count - row - 1) * sizeof *row);
	h->attempt_count--;
}
