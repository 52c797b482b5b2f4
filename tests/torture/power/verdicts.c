/* SPDX-License-Identifier: MIT */
#include "torture/power/verdicts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/step_state.h"
#include "torture/power/pages.h"

const char *fault_name(fault f)
{
	static const char *const names[FAULT_COUNT] = {
		"none",
		"unreadable",
		"torn",
		"acknowledged and lost",
		"acknowledged too early",
		"illegal move",
		"other rows",
	};

	return names[f];
}

void judge_open(judge *j, record *r)
{
	memset(j, 0, sizeof *j);
	j->record = r;
}

void judge_close(judge *j)
{
	for (size_t i = 0; i < j->version_count; i++)
		facts_free(&j->versions[i].facts);
	free(j->versions);
	memset(j, 0, sizeof *j);
}

static fault say(judge *j, fault what, const char *text, int64_t step)
{
	(void)snprintf(j->message, sizeof j->message, "%s (step %lld)", text, (long long)step);
	return what;
}

static bool is_redriven(const judge *j, int64_t step, size_t at)
{
	const record *r = j->record;

	for (size_t i = 0; i < r->ack_count; i++)
		if ((r->acks[i].kind == ACK_REDRIVEN || r->acks[i].kind == ACK_MAYBE_REDRIVEN) &&
		    r->acks[i].called < at && (r->acks[i].step == step || r->acks[i].step == 0))
			return true;
	return false;
}

static bool is_final(int64_t state)
{
	return sb_step_state_is_final((sb_step_state)state);
}

static fault compare_step(judge *j, const step_fact *old, const step_fact *new, size_t at)
{
	if (new == NULL)
		return is_final(old->state) ?
			       FAULT_NONE :
			       say(j, FAULT_ILLEGAL, "a step that was open is gone", old->id);
	if (new->input != old->input)
		return say(j, FAULT_ILLEGAL, "an input changed", old->id);
	if (new->token < old->token)
		return say(j, FAULT_ILLEGAL, "a token went back", old->id);
	if (old->state == SB_STEP_COMPLETED &&
	    (new->state != old->state || new->token != old->token || new->result != old->result))
		return say(j, FAULT_ILLEGAL, "a completion changed", old->id);
	if (is_final(old->state) && new->state != old->state && !is_redriven(j, old->id, at))
		return say(j, FAULT_ILLEGAL, "what was final is not, and nobody asked", old->id);
	return FAULT_NONE;
}

static fault compare(judge *j, const facts *old, const facts *new, size_t at)
{
	int64_t last = old->step_count > 0 ? old->steps[old->step_count - 1].id : 0;
	fault found = FAULT_NONE;
	size_t known = 0;

	for (size_t i = 0; i < old->step_count && found == FAULT_NONE; i++) {
		const step_fact *there = facts_step(new, old->steps[i].id);

		known += there != NULL;
		found = compare_step(j, &old->steps[i], there, at);
	}
	for (size_t i = known; i < new->step_count &&found == FAULT_NONE; i++)
		if (new->steps[i].id <= last)
			found = say(j, FAULT_ILLEGAL, "an id was given twice", new->steps[i].id);
	return found;
}

static bool is_in(const facts *f, const ack *a)
{
	const step_fact *step = facts_step(f, a->step);
	const name_fact *name;

	switch (a->kind) {
	case ACK_ENQUEUED:
		return step != NULL && step->input == a->digest;
	case ACK_CLAIMED:
		return step != NULL && step->token >= a->token;
	case ACK_SUCCEEDED:
		return step != NULL && step->state == SB_STEP_COMPLETED &&
		       step->token == a->token && step->result == a->digest;
	case ACK_TRIED:
		return facts_attempt(f, a->step, a->token) != NULL;
	case ACK_CHECKPOINT:
		return step != NULL && step->checkpoint_token == a->token &&
		       step->cursor == a->digest;
	case ACK_RELEASED:
		return step != NULL && step->token >= a->token &&
		       (step->state != SB_STEP_RUNNING || step->token > a->token);
	case ACK_CANCELLED:
		return step != NULL && step->state == SB_STEP_CANCELLED;
	case ACK_REDRIVEN:
		return a->step == 0 || (step != NULL && !is_final(step->state));
	case ACK_PAUSED:
	case ACK_RESUMED:
		name = facts_queue(f, a->digest);
		return name != NULL && name->value == (a->kind == ACK_PAUSED);
	case ACK_CRON_SET:
	case ACK_CRON_REMOVED:
		name = facts_cron(f, a->digest);
		return (name != NULL) == (a->kind == ACK_CRON_SET);
	case ACK_MAYBE_REDRIVEN:
	case ACK_COUNT:
	default:
		return false;
	}
}

/* The newest version that could be seen when so many operations were done. */
static int version_at(const judge *j, size_t at)
{
	int index = (int)j->version_count - 1;

	while (index > 0 && j->versions[index].at > at)
		index--;
	return index;
}

/* The commit that an acknowledgement is in: between its call and its answer, or before both. */
static fault place(judge *j, ack *a)
{
	int first = version_at(j, a->called), last = version_at(j, a->at);

	a->version = -1;
	if (a->kind == ACK_MAYBE_REDRIVEN)
		return FAULT_NONE;
	if (is_in(&j->versions[first].facts, a)) {
		for (a->version = first;
		     a->version > 0 && is_in(&j->versions[a->version - 1].facts, a);)
			a->version--;
		return FAULT_NONE;
	}
	for (int v = first + 1; v <= last && a->version < 0; v++)
		if (is_in(&j->versions[v].facts, a))
			a->version = v;
	if (a->version >= 0)
		return FAULT_NONE;
	(void)snprintf(j->message, sizeof j->message,
		       "acknowledgement %d of step %lld, token %lld, is in no commit before it",
		       (int)a->kind, (long long)a->step, (long long)a->token);
	return FAULT_UNFOUNDED;
}

static fault take_acks(judge *j, size_t at)
{
	fault found = FAULT_NONE;

	for (; j->acks_seen < j->record->ack_count; j->acks_seen++) {
		ack *a = &j->record->acks[j->acks_seen];
		fault one;

		if (a->at > at)
			break;
		one = place(j, a);
		if (one != FAULT_NONE)
			found = one;
		if (a->level >= DURABILITY_DISK && a->version > j->needed)
			j->needed = a->version;
	}
	return found;
}

static fault add_version(judge *j, image *live, uint64_t pages, size_t at)
{
	sqlite3 *db = pages_open(live, j->message, sizeof j->message);
	fault found = FAULT_UNREADABLE;
	version *v;

	j->versions = record_grow(j->versions, &j->version_room, j->version_count + 1,
				  sizeof *j->versions);
	v = &j->versions[j->version_count++];
	*v = (version){ .pages = pages, .at = at };
	if (db != NULL && pages_check(db, true, j->message, sizeof j->message)) {
		found = FAULT_NONE;
		if (!facts_read(&v->facts, db))
			found = say(j, FAULT_UNREADABLE, sqlite3_errmsg(db), 0);
	}
	pages_close(db);
	if (found == FAULT_NONE && j->version_count > 1)
		found = compare(j, &v[-1].facts, &v->facts, at);
	return found;
}

/* Opening may undo a transaction that is under way, which must stay under way. */
static fault look(judge *j, image *live, size_t at)
{
	uint64_t pages = 0;
	bool is_read;
	fault found = FAULT_NONE;

	image_try(live);
	is_read = pages_hash(live, &pages, j->message, sizeof j->message);
	if (!is_read)
		found = FAULT_UNREADABLE;
	else if (j->version_count == 0 || j->versions[j->version_count - 1].pages != pages)
		found = add_version(j, live, pages, at);
	image_undo_all(live);
	return found;
}

fault judge_advance(judge *j, image *live, size_t at)
{
	fault found = live != NULL ? look(j, live, at) : FAULT_NONE;
	fault answered = take_acks(j, at);

	return found != FAULT_NONE ? found : answered;
}

/* Names the first acknowledgement that a version lacks. */
static fault say_lost(judge *j, int index)
{
	const ack *a = j->record->acks;

	while (a->version <= index || a->level < DURABILITY_DISK)
		a++;
	(void)snprintf(j->message, sizeof j->message,
		       "commit %d, without acknowledgement %d of step %lld, token %lld, called at "
		       "%zu, heard at %zu, of commit %d",
		       index, (int)a->kind, (long long)a->step, (long long)a->token, a->called,
		       a->at, a->version);
	return FAULT_LOST;
}

/*
 * A journal does not keep pages that were free, so a database that was brought back by one may
 * differ in those, and in nothing else.
 */
static fault find_by_rows(judge *j, image *state, int *index)
{
	sqlite3 *db = pages_open(state, j->message, sizeof j->message);
	fault found = FAULT_UNREADABLE;
	facts there = { 0 };

	if (db != NULL && pages_check(db, true, j->message, sizeof j->message) &&
	    facts_read(&there, db)) {
		found = say(j, FAULT_TORN, "it is as no commit left it", 0);
		for (int v = (int)j->version_count - 1; v >= 0 && found != FAULT_NONE; v--)
			if (facts_equal(&there, &j->versions[v].facts)) {
				*index = v;
				found = FAULT_NONE;
			}
	}
	facts_free(&there);
	pages_close(db);
	return found;
}

fault judge_state(judge *j, image *state, int *index)
{
	uint64_t pages = 0;
	fault found = FAULT_NONE;

	*index = -1;
	if (!pages_hash(state, &pages, j->message, sizeof j->message))
		return FAULT_UNREADABLE;
	for (int v = (int)j->version_count - 1; v >= 0 && *index < 0; v--)
		if (j->versions[v].pages == pages)
			*index = v;
	if (*index < 0)
		found = find_by_rows(j, state, index);
	return found == FAULT_NONE && *index < j->needed ? say_lost(j, *index) : found;
}

fault judge_rows(judge *j, image *state, int index, bool is_thorough)
{
	sqlite3 *db = pages_open(state, j->message, sizeof j->message);
	fault found = FAULT_UNREADABLE;
	facts there = { 0 };

	if (db != NULL && pages_check(db, is_thorough, j->message, sizeof j->message)) {
		found = facts_read(&there, db) ? FAULT_NONE :
						 say(j, FAULT_UNREADABLE, sqlite3_errmsg(db), 0);
		if (found == FAULT_NONE && index >= 0 &&
		    !facts_equal(&there, &j->versions[index].facts))
			found = say(j, FAULT_ROWS, "its rows are not those of its pages", 0);
	}
	facts_free(&there);
	pages_close(db);
	return found;
}

size_t judge_count_lost(const judge *j, size_t at, int index)
{
	size_t count = 0;

	for (size_t i = 0; i < j->record->ack_count && j->record->acks[i].at <= at; i++)
		count += j->record->acks[i].level >= DURABILITY_DISK &&
			 j->record->acks[i].version > index;
	return count;
}
