/* SPDX-License-Identifier: MIT */
/* What no step tells alone: dependencies (Q10), fairness (Q16), counts (Q18), errors, the file. */
#include <stdlib.h>

#include "include/stepbus.h"
#include "torture/history/judge.h"

enum { PREFETCH_MAX = 512, UNSTARTED_MIN = 3 };

void rules_of_depends(const life *l)
{
	const checker *j = l->judge;
	const event *first = NULL;

	if (!l->entry->has_depends)
		return;
	for (size_t i = 0; i < l->event_count && first == NULL; i++)
		if (l->events[i]->kind == LOG_STARTED || l->events[i]->kind == LOG_CLAIMED)
			first = l->events[i];
	for (size_t i = 0; first != NULL && i < l->event_count; i++) {
		const event *e = l->events[i];
		const step_entry *other;
		uint32_t at;

		if (e->kind != LOG_DEPENDS)
			continue;
		l->verdict->looked[RULE_Q10_DEPENDENCIES_FIRST]++;
		at = numbers_find(&j->steps, e->b);
		other = at != 0 ? &j->step_entries[at - 1] : NULL;
		if (other == NULL || !other->is_succeeded ||
		    &j->history->events[other->succeeded - 1] > first)
			violate(l->verdict, RULE_Q10_DEPENDENCIES_FIRST,
				"step %ld was started before %ld, which it depends on, had "
				"succeeded",
				l->id, e->b);
	}
}

/* What had happened when a step was acknowledged. */
typedef struct standing {
	uint32_t starts;
	uint32_t disturbances;
	uint32_t older; /* acknowledged before, and never started */
	bool is_acknowledged;
	bool is_started;
} standing;

typedef struct fairness {
	uint32_t starts;
	uint32_t disturbances;
	uint32_t waiting;
} fairness;

static bool has_classes(const history *h)
{
	for (size_t i = 1; i < h->step_count; i++)
		if (h->steps[i].priority != h->steps[0].priority)
			return true;
	return false;
}

static bool may_wait(const checker *j, const event *acknowledged, const step_entry *entry)
{
	uint32_t at = numbers_find(&j->invoked, acknowledged->a);

	return at == 0 || j->history->events[at - 1].c > 0 || entry->has_depends;
}

static void judge_wait(const checker *j, verdict *v, const fairness *now, const standing *then,
		       int64_t id)
{
	const history_limits *limits = &j->history->limits;
	uint64_t overtakers = now->starts - then->starts;
	uint64_t tries = (uint64_t)then->older * (uint64_t)limits->attempt_count_max + 1;
	uint64_t bound = tries * (uint64_t)limits->starvation_factor + PREFETCH_MAX;

	/* What a process had claimed that was killed waits for its lease. */
	if (now->disturbances != then->disturbances)
		return;
	v->looked[RULE_Q16_NOBODY_STARVES]++;
	if (overtakers > bound)
		violate(v, RULE_Q16_NOBODY_STARVES,
			"%lu starts came before that of step %ld, which %u steps were ahead of",
			overtakers, id, then->older);
}

static void follow_wait(checker *j, verdict *v, fairness *now, standing *all, const event *e)
{
	int64_t id = e->kind == LOG_ENQUEUED ? e->c : e->a;
	uint32_t at = numbers_find(&j->steps, id);
	standing *own = &all[at - 1];

	if (e->kind == LOG_STARTED) {
		now->starts++;
		if (own->is_acknowledged && !own->is_started) {
			now->waiting--;
			judge_wait(j, v, now, own, id);
		}
		own->is_started = true;
		own->is_acknowledged = false;
	} else if (e->d == 0 && !own->is_started && !own->is_acknowledged &&
		   !may_wait(j, e, &j->step_entries[at - 1])) {
		*own = (standing){ now->starts, now->disturbances, now->waiting++, true, false };
	}
}

/*
 * One of a few claims goes to the oldest step, whatever its priority: so for each step that was
 * ahead, and each of its attempts, only as many can overtake.
 */
static void judge_fairness(checker *j, verdict *v)
{
	const history *h = j->history;
	fairness now = { 0 };
	standing *all;

	if (h->limits.starvation_factor == 0 || !has_classes(h))
		return;
	all = calloc(j->step_entry_count + 1, sizeof *all);
	if (all == NULL)
		abort();
	for (size_t i = 0; i < h->event_count; i++) {
		const event *e = &h->events[i];

		if (e->kind == LOG_ENQUEUED || e->kind == LOG_STARTED)
			follow_wait(j, v, &now, all, e);
		now.disturbances +=
			e->kind == LOG_KILLED || e->kind == LOG_LOST || e->kind == LOG_NEMESIS;
	}
	free(all);
}

static void judge_counts(const checker *j, verdict *v)
{
	const history *h = j->history;
	int64_t told[256], counted[256] = { 0 };

	for (int i = 0; i < 256; i++)
		told[i] = -1;
	for (size_t i = 0; i < h->event_count; i++)
		if (h->events[i].kind == LOG_COUNTED)
			told[(unsigned char)h->events[i].a] = h->events[i].b;
	for (size_t i = 0; i < h->step_count; i++)
		counted[(unsigned char)h->steps[i].state]++;
	for (int i = 0; h->has_rows && i < 256; i++) {
		if (told[i] < 0)
			continue;
		v->looked[RULE_Q18_COUNTS_ADD_UP]++;
		if (told[i] != counted[i])
			violate(v, RULE_Q18_COUNTS_ADD_UP,
				"the library says that %ld steps are %c, and the store has %ld",
				told[i], i, counted[i]);
	}
}

static void judge_errors(const checker *j, verdict *v)
{
	const history *h = j->history;
	size_t kills = 0;

	v->looked[RULE_NO_ERRORS] += h->event_count;
	for (size_t i = 0; i < h->event_count; i++) {
		kills += h->events[i].kind == LOG_KILLED;
		if (h->events[i].kind == LOG_ERROR)
			violate(v, RULE_NO_ERRORS, "process %d, status %ld", h->events[i].process,
				h->events[i].a);
	}
	if (v->unstarted_losses > UNSTARTED_MIN + kills * (size_t)h->limits.unstarted_percent / 100)
		violate(v, RULE_UNRUN_IS_NOT_BLAMED, "%zu attempts were charged that never began",
			v->unstarted_losses);
}

void rules_of_run(checker *j, verdict *v)
{
	judge_fairness(j, v);
	rules_of_bridge(j->history, v);
	judge_counts(j, v);
	judge_errors(j, v);
	v->looked[RULE_FILE_IS_SOUND] += j->history->has_rows;
	if (!j->history->is_sound)
		violate(v, RULE_FILE_IS_SOUND, "the database is damaged");
}
