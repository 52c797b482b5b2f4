/* SPDX-License-Identifier: MIT */
#include "torture/history/judge.h"

#include <stdlib.h>
#include <string.h>

static void *grow(void *rows, size_t count, size_t *room, size_t len)
{
	void *grown = rows;

	if (count < *room)
		return rows;
	*room = count < 32 ? 64 : 2 * count;
	grown = realloc(rows, *room * len);
	if (grown == NULL)
		abort();
	return grown;
}

step_entry *judge_step(checker *j, int64_t id)
{
	uint32_t at = numbers_claim(&j->steps, id, j->step_entry_count + 1);

	if (at > j->step_entry_count) {
		j->step_entries = grow(j->step_entries, j->step_entry_count, &j->step_entry_room,
				       sizeof *j->step_entries);
		j->step_entries[j->step_entry_count++] = (step_entry){ .id = id };
	}
	return &j->step_entries[at - 1];
}

process_entry *judge_process(checker *j, int32_t process)
{
	uint32_t at = numbers_claim(&j->processes, process, j->process_entry_count + 1);

	if (at > j->process_entry_count) {
		j->process_entries = grow(j->process_entries, j->process_entry_count,
					  &j->process_entry_room, sizeof *j->process_entries);
		j->process_entries[j->process_entry_count++] = (process_entry){ 0 };
	}
	return &j->process_entries[at - 1];
}

static void touch(checker *j, step_entry *entry)
{
	if (entry->is_touched)
		return;
	entry->is_touched = true;
	j->touched = grow(j->touched, j->touched_count, &j->touched_room, sizeof *j->touched);
	j->touched[j->touched_count++] = (uint32_t)(entry - j->step_entries);
}

void judge_touch(checker *j, int64_t id)
{
	touch(j, judge_step(j, id));
}

static void chain_to_step(checker *j, int64_t id, uint32_t at)
{
	step_entry *entry = judge_step(j, id);

	if (entry->last != 0)
		j->next[entry->last - 1] = at;
	else
		entry->first = at;
	entry->last = at;
	entry->count++;
	touch(j, entry);
}

static void chain_to_process(checker *j, process_entry *process, uint32_t at, char kind)
{
	if (process->last != 0)
		j->next_of[process->last - 1] = at;
	process->last = at;
	if (kind == LOG_KILLED && process->killed == 0)
		process->killed = at;
}

static void note_nemesis(checker *j, const event *e, process_entry *process, uint32_t at)
{
	if (e->a == NEMESIS_POWER)
		j->has_booted = true;
	if (e->a == NEMESIS_STALL)
		process->has_stalled = true;
	if (e->a != NEMESIS_CLOCK)
		return;
	if (e->process == 0 && j->jumped == 0)
		j->jumped = at;
	else if (process->jumped == 0)
		process->jumped = at;
}

static void absorb_one(checker *j, const event *e, uint32_t at)
{
	process_entry *process = judge_process(j, e->process);

	if (process->first == 0)
		process->first = at;
	switch (e->kind) {
	case LOG_INVOKED:
		(void)numbers_claim(&j->invoked, e->a, at);
		break;
	case LOG_GIVEN:
		(void)numbers_claim(&j->given, e->a, at);
		break;
	case LOG_ENQUEUED:
		chain_to_step(j, e->c, at);
		break;
	case LOG_STARTED:
		chain_to_process(j, process, at, e->kind);
		chain_to_step(j, e->a, at);
		break;
	case LOG_LOST:
	case LOG_KILLED:
		chain_to_process(j, process, at, e->kind);
		break;
	case LOG_NEMESIS:
		note_nemesis(j, e, process, at);
		break;
	case LOG_DEPENDS:
		judge_step(j, e->a)->has_depends = true;
		chain_to_step(j, e->a, at);
		break;
	case LOG_SEEN:
	case LOG_CLAIMED:
	case LOG_RESUMED:
	case LOG_BEAT:
	case LOG_ENDED:
	case LOG_ANSWERED:
	case LOG_COMPLETED:
	case LOG_CANCELLING:
	case LOG_CANCELLED:
	case LOG_REDRIVING:
	case LOG_REDRIVEN:
		chain_to_step(j, e->a, at);
		break;
	default:
		break;
	}
}

/* Room for as many lines as there are, in one go. */
static uint32_t *stretch(uint32_t *rows, size_t known, size_t count, size_t *room)
{
	uint32_t *stretched = rows;

	if (count > *room) {
		*room = count + count / 2 + 64;
		stretched = realloc(rows, *room * sizeof *rows);
	}
	if (stretched == NULL)
		abort();
	memset(stretched + known, 0, (count - known) * sizeof *rows);
	return stretched;
}

void judge_absorb(checker *j)
{
	const history *h = j->history;

	if (h->event_count > j->event_count) {
		j->next = stretch(j->next, j->event_count, h->event_count, &j->next_room);
		j->next_of = stretch(j->next_of, j->event_count, h->event_count, &j->next_of_room);
	}
	for (; j->event_count < h->event_count; j->event_count++)
		absorb_one(j, &h->events[j->event_count], (uint32_t)j->event_count + 1);
	for (size_t i = 0; i < h->touched_count; i++)
		judge_touch(j, h->touched[i]);
	if (j->followed != NULL)
		j->followed->touched_count = 0;
}

size_t judge_acts(const checker *j, const event *from, const event *behind, size_t max)
{
	const event *events = j->history->events;
	uint32_t at = j->next_of[from - events];
	size_t acts = 0;

	while (at != 0 && &events[at - 1] <= behind && events[at - 1].kind == LOG_STARTED)
		at = j->next_of[at - 1];
	for (; at != 0 && acts < max && events[at - 1].kind == LOG_STARTED; acts++)
		at = j->next_of[at - 1];
	return acts;
}

checker *judge_new(history *h)
{
	checker *j = calloc(1, sizeof *j);

	if (j == NULL)
		abort();
	j->history = h;
	j->followed = h;
	return j;
}

void judge_free(checker *j)
{
	numbers_free(&j->steps);
	numbers_free(&j->processes);
	numbers_free(&j->invoked);
	numbers_free(&j->given);
	numbers_free(&j->nonces);
	numbers_free(&j->keys);
	free(j->step_entries);
	free(j->process_entries);
	free(j->next);
	free(j->next_of);
	free(j->touched);
	free(j->room.events);
	free(j->room.turns);
	free(j->room.redrives);
	free(j->room.cancels);
	free(j);
}
