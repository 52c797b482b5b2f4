/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "include/stepbus.h"
#include "torture/history/judge.h"

static void *make_room(void *rows, size_t wanted, size_t *room, size_t len)
{
	void *grown = rows;

	if (wanted <= *room)
		return rows;
	*room = 2 * wanted + 64;
	grown = realloc(rows, *room * len);
	if (grown == NULL)
		abort();
	return grown;
}

static void gather(life *l)
{
	checker *j = l->judge;
	struct life_room *room = &j->room;

	room->events =
		make_room(room->events, l->entry->count, &room->event_room, sizeof *room->events);
	for (uint32_t at = l->entry->first; at != 0; at = j->next[at - 1])
		room->events[l->event_count++] = &j->history->events[at - 1];
	l->events = room->events;
}

/* The lines of which b is a token. */
static bool is_of_turn(const event *e)
{
	return strchr("CSJHEAD", e->kind) != NULL;
}

static int compare_turns(const void *a, const void *b)
{
	const turn *x = a, *y = b;

	return x->token < y->token ? -1 : x->token > y->token;
}

/* One for each token, once. Mostly they come in order. */
static void list_turns(life *l)
{
	struct life_room *room = &l->judge->room;
	size_t count = 0, kept = 0;
	bool is_sorted = true;

	room->turns = make_room(room->turns, l->event_count + l->attempt_count, &room->turn_room,
				sizeof *room->turns);
	l->turns = room->turns;
	for (size_t i = 0; i < l->event_count + l->attempt_count; i++) {
		int64_t token = i < l->event_count ? l->events[i]->b :
						     l->attempts[i - l->event_count].token;

		if (i < l->event_count && !is_of_turn(l->events[i]))
			continue;
		if (count > 0 && l->turns[count - 1].token == token)
			continue;
		is_sorted = is_sorted && (count == 0 || l->turns[count - 1].token < token);
		l->turns[count++] = (turn){ .token = token };
	}
	if (!is_sorted)
		qsort(l->turns, count, sizeof *l->turns, compare_turns);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || l->turns[kept - 1].token != l->turns[i].token)
			l->turns[kept++] = l->turns[i];
	l->turn_count = kept;
}

turn *life_turn(const life *l, int64_t token)
{
	const turn wanted = { .token = token };

	return l->turn_count == 0 ?
		       NULL :
		       bsearch(&wanted, l->turns, l->turn_count, sizeof *l->turns, compare_turns);
}

static void keep_first(const event **slot, const event *e)
{
	if (*slot == NULL)
		*slot = e;
}

static void note_beat(turn *t, const event *e)
{
	if (e->c == BEAT_CHECKPOINT || e->c == BEAT_RELEASE)
		keep_first(&t->given, e);
	if (e->c == BEAT_RENEWAL && e->d > t->lease_until_us)
		t->lease_until_us = e->d;
}

static void note(turn *t, const event *e)
{
	switch (e->kind) {
	case LOG_CLAIMED:
		keep_first(&t->claim, e);
		t->lease_until_us = e->c;
		break;
	case LOG_STARTED:
		keep_first(&t->start, e);
		t->start_count++;
		break;
	case LOG_RESUMED:
		keep_first(&t->resumed, e);
		break;
	case LOG_BEAT:
		note_beat(t, e);
		break;
	case LOG_ENDED:
		keep_first(&t->end, e);
		t->end_last = e;
		break;
	case LOG_ANSWERED:
		if (e->c != STEPBUS_OK || t->answer != NULL)
			break;
		t->answer = e;
		t->answered_outcome = t->end_last != NULL ? t->end_last->c : 0;
		break;
	case LOG_COMPLETED:
		keep_first(&t->sent, e);
		t->sent_count++;
		break;
	default:
		break;
	}
}

static row_outcome outcome_of(const attempt_row *row)
{
	static const char *const names[] = {
		[ROW_SUCCESS] = "success",       [ROW_FAILURE] = "failure",
		[ROW_SNOOZED] = "snoozed",       [ROW_LOST] = "lost",
		[ROW_TIMED_OUT] = "timed_out",   [ROW_CANCELLED] = "cancelled",
		[ROW_GIVEN_BACK] = "given_back", [ROW_ABANDONED] = "abandoned",
	};

	for (int i = ROW_SUCCESS; i < ROW_STRANGE; i++)
		if (strncmp(row->outcome, names[i], sizeof row->outcome) == 0)
			return (row_outcome)i;
	return ROW_STRANGE;
}

static void fill_turns(life *l)
{
	turn *t = NULL;

	for (size_t i = 0; i < l->event_count; i++) {
		const event *e = l->events[i];

		if (!is_of_turn(e))
			continue;
		if (t == NULL || t->token != e->b)
			t = life_turn(l, e->b);
		if (t != NULL)
			note(t, e);
	}
	for (size_t i = 0; i < l->attempt_count; i++) {
		t = life_turn(l, l->attempts[i].token);
		if (t == NULL)
			continue;
		t->row = &l->attempts[i];
		t->outcome = outcome_of(t->row);
	}
}

static void find_late_ones(life *l)
{
	const event *later = NULL;

	for (size_t i = l->turn_count; i-- > 0;) {
		turn *t = &l->turns[i];

		t->later = later;
		t->is_late = t->start != NULL && later != NULL && t->start > later;
		if (t->start != NULL && (later == NULL || t->start < later))
			later = t->start;
		if (t->claim != NULL && (later == NULL || t->claim < later))
			later = t->claim;
	}
}

/* What says that it was not done; any other error leaves it open. */
static bool is_refusal(int64_t status)
{
	return status == STEPBUS_EALREADY || status == STEPBUS_ENOTFOUND ||
	       status == STEPBUS_EINVAL || status == STEPBUS_EBUSY || status == STEPBUS_ESHUTDOWN;
}

static void add_redriving(life *l, const event *call, size_t *count)
{
	struct life_room *room = &l->judge->room;

	room->redrives =
		make_room(room->redrives, *count + 1, &room->redrive_room, sizeof *room->redrives);
	room->redrives[(*count)++] = (redriving){ .call = call };
}

/* An answer belongs to the last call of its process, which makes one at a time. */
static void answer_redriving(struct life_room *room, const event *answer, size_t count)
{
	for (size_t i = count; i-- > 0;) {
		redriving *r = &room->redrives[i];

		if (r->answer != NULL || r->call->process != answer->process)
			continue;
		r->answer = answer;
		return;
	}
}

static void list_redrives(life *l)
{
	struct life_room *room = &l->judge->room;
	const event *last = NULL;
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < l->event_count; i++) {
		if (l->events[i]->kind == LOG_REDRIVING)
			add_redriving(l, l->events[i], &count);
		else if (l->events[i]->kind == LOG_REDRIVEN)
			answer_redriving(room, l->events[i], count);
	}
	for (size_t i = 0; i < count; i++) {
		redriving *r = &room->redrives[i];

		if (r->answer != NULL && is_refusal(r->answer->b))
			continue;
		/* Without an answer, or with one that says nothing, it may be done at any time. */
		if (r->answer == NULL || r->answer->b != STEPBUS_OK)
			last = l->judge->history->events + l->judge->event_count;
		else if (last == NULL || r->answer > last)
			last = r->answer;
		r->answer_last = last;
		room->redrives[kept++] = *r;
	}
	l->redrives = room->redrives;
	l->redrive_count = kept;
}

bool life_is_redriven(const life *l, const event *from, const event *to)
{
	size_t low = 0, high = l->redrive_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->redrives[middle].call < to)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && l->redrives[low - 1].answer_last > from;
}

/* The last call of the same process. */
static const event *call_of(const life *l, size_t answer)
{
	for (size_t i = answer; i-- > 0;)
		if (l->events[i]->kind == LOG_CANCELLING &&
		    l->events[i]->process == l->events[answer]->process)
			return l->events[i];
	return l->events[answer];
}

static void list_cancels(life *l)
{
	struct life_room *room = &l->judge->room;

	for (size_t i = 0; i < l->event_count; i++) {
		const event *e = l->events[i];

		if (e->kind != LOG_CANCELLED || e->b != STEPBUS_OK)
			continue;
		room->cancels = make_room(room->cancels, l->cancel_count + 1, &room->cancel_room,
					  sizeof *room->cancels);
		room->cancels[l->cancel_count++] = (cancelling){ call_of(l, i), e };
	}
	l->cancels = room->cancels;
}

const cancelling *life_cancel_before(const life *l, const event *e)
{
	size_t low = 0, high = l->cancel_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->cancels[middle].answer < e)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? &l->cancels[low - 1] : NULL;
}

/* By its row, by the line that acknowledged it, or by its first start. */
static const event *find_invocation(const life *l)
{
	int64_t nonce = l->row != NULL ? l->row->nonce : -1;
	uint32_t at;

	for (size_t i = 0; nonce < 0 && i < l->event_count; i++) {
		if (l->events[i]->kind == LOG_ENQUEUED && l->events[i]->d == 0)
			nonce = l->events[i]->a;
		else if (l->events[i]->kind == LOG_STARTED)
			nonce = l->events[i]->c;
	}
	at = numbers_find(&l->judge->invoked, nonce);
	return at != 0 ? &l->judge->history->events[at - 1] : NULL;
}

void life_read(life *l, checker *j, verdict *v, step_entry *entry)
{
	*l = (life){ .judge = j, .verdict = v, .entry = entry, .id = entry->id };
	l->row = history_step(j->history, entry->id);
	l->attempts = history_attempts(j->history, entry->id, &l->attempt_count);
	gather(l);
	list_turns(l);
	fill_turns(l);
	find_late_ones(l);
	list_redrives(l);
	list_cancels(l);
	l->invoked = find_invocation(l);
}

/* 0: any. */
bool turn_is_accepted(const turn *t, int64_t outcome)
{
	if (t->sent != NULL && (outcome == 0 || t->sent->c == outcome))
		return true;
	return t->answer != NULL && (outcome == 0 || t->answered_outcome == outcome);
}

const event *turn_acceptance(const turn *t)
{
	if (t->end != NULL)
		return t->end;
	return t->answer != NULL ? t->answer : t->sent;
}

bool life_is_given_back(const life *l, const turn *t)
{
	return t->outcome == ROW_NONE && t->start != NULL &&
	       (t->is_late || judge_process(l->judge, t->start->process)->has_stalled);
}
