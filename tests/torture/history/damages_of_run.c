/* SPDX-License-Identifier: MIT */
/* Damages to what no step tells alone: Q10, Q16 to Q18, errors, the file. */
#include <string.h>

#include "include/stepbus.h"
#include "torture/history/damage.h"
#include "torture/history/damage_search.h"

static bool depend_on_nothing(history *h)
{
	const event *e = search_event(h, NULL, LOG_STARTED, 0);

	if (e != NULL)
		(void)damage_append(
			h, (event){ .kind = LOG_DEPENDS, .a = e->a, .b = INT64_C(1) << 60 });
	return e != NULL;
}

/* A dependency and a dependent that both ran; NULL: there are none. */
static const event *a_dependency(const history *h)
{
	for (const event *e = h->events; e < h->events + h->event_count; e++) {
		const step_row *other = e->kind == LOG_DEPENDS ? history_step(h, e->b) : NULL;

		if (other != NULL && other->state == STATE_COMPLETED && search_has(h, e->a, "S"))
			return e;
	}
	return NULL;
}

static bool run_before_a_dependency(history *h)
{
	const event *depends = a_dependency(h);
	int64_t other = depends != NULL ? depends->b : 0;

	for (size_t i = h->event_count; depends != NULL && i-- > 0;)
		if (h->events[i].a == other && strchr("EDA", h->events[i].kind) != NULL) {
			event moved = h->events[i];

			damage_remove_event(h, &h->events[i]);
			(void)damage_append(h, moved);
			if (moved.kind == LOG_ENDED)
				return true;
		}
	return false;
}

static bool run_behind_a_failure(history *h)
{
	const event *depends = a_dependency(h);

	if (depends != NULL)
		history_step(h, depends->b)->state = STATE_FAILED;
	return depends != NULL;
}

static const event *first_new(const history *h)
{
	for (const event *e = h->events; e < h->events + h->event_count; e++)
		if (e->kind == LOG_ENQUEUED && e->d == 0 && search_has(h, e->c, "S"))
			return e;
	return NULL;
}

/* Without any disturbance the first one comes last. */
static bool starve(history *h)
{
	static const size_t enough = 6000;
	size_t starts = 0, classes = 0;
	const event *e = first_new(h);
	event *start;

	for (size_t i = 0; i < h->event_count; i++) {
		starts += h->events[i].kind == LOG_STARTED;
		if (strchr("ZLM", h->events[i].kind) != NULL)
			h->events[i].kind = LOG_READY;
	}
	for (size_t i = 1; i < h->step_count; i++)
		classes += h->steps[i].priority != h->steps[0].priority;
	if (e == NULL || starts < enough || classes == 0)
		return false;
	for (int64_t step = e->c; (start = search_line(h, step, LOG_STARTED)) != NULL;) {
		event moved = *start;

		start->kind = LOG_READY;
		if (search_line(h, step, LOG_STARTED) == NULL) {
			(void)damage_append(h, moved);
			break;
		}
	}
	return true;
}

static event *last_of(const history *h, char kind)
{
	for (size_t i = h->event_count; i-- > 0;)
		if (h->events[i].kind == kind)
			return &h->events[i];
	return NULL;
}

static bool append_changed(history *h, char kind, int64_t c_change)
{
	const event *e = last_of(h, kind);

	if (e != NULL)
		damage_append(h, *e)->c += c_change;
	return e != NULL;
}

static bool deliver_twice(history *h)
{
	return append_changed(h, LOG_DELIVERED, 0);
}

static bool deliver_out_of_order(history *h)
{
	return append_changed(h, LOG_DELIVERED, -1);
}

static bool deliver_what_nobody_published(history *h)
{
	return append_changed(h, LOG_DELIVERED, 1000000);
}

static bool lose_a_delivery(history *h)
{
	const event *told = last_of(h, LOG_DROPPED);

	for (size_t i = h->event_count; told != NULL && i-- > 0;)
		if (h->events[i].kind == LOG_DELIVERED && h->events[i].a == told->a) {
			h->events[i].kind = LOG_READY;
			return true;
		}
	return false;
}

static bool miscount_a_drop(history *h)
{
	event *e = last_of(h, LOG_DROPPED);

	if (e != NULL)
		e->b++;
	return e != NULL;
}

static bool publish_twice(history *h)
{
	return append_changed(h, LOG_PUBLISHED, 0);
}

static bool miscount_a_state(history *h)
{
	event *e = last_of(h, LOG_COUNTED);

	if (e != NULL)
		e->b++;
	return e != NULL;
}

static bool fail_a_call(history *h)
{
	(void)damage_append(h, (event){ .kind = LOG_ERROR, .a = STEPBUS_ESTORE });
	return true;
}

static bool break_the_file(history *h)
{
	h->is_sound = false;
	return true;
}

const damage damages_of_run[] = {
	{ "a step depends on one that is not there", RULE_Q10_DEPENDENCIES_FIRST,
	  depend_on_nothing },
	{ "a step runs before its dependency ends", RULE_Q10_DEPENDENCIES_FIRST,
	  run_before_a_dependency },
	{ "a step runs behind one that failed", RULE_Q10_DEPENDENCIES_FIRST, run_behind_a_failure },
	{ "the first step comes last", RULE_Q16_NOBODY_STARVES, starve },
	{ "an event is delivered twice", RULE_Q17_BRIDGE_ADDS_UP, deliver_twice },
	{ "an event is delivered out of order", RULE_Q17_BRIDGE_ADDS_UP, deliver_out_of_order },
	{ "an event is delivered that nobody published", RULE_Q17_BRIDGE_ADDS_UP,
	  deliver_what_nobody_published },
	{ "an event is lost", RULE_Q17_BRIDGE_ADDS_UP, lose_a_delivery },
	{ "a drop is counted that was none", RULE_Q17_BRIDGE_ADDS_UP, miscount_a_drop },
	{ "a number is published twice", RULE_Q17_BRIDGE_ADDS_UP, publish_twice },
	{ "a counter of the library is off by one", RULE_Q18_COUNTS_ADD_UP, miscount_a_state },
	{ "a call failed", RULE_NO_ERRORS, fail_a_call },
	{ "the file is damaged", RULE_FILE_IS_SOUND, break_the_file },
	{ NULL, RULE_COUNT, NULL },
};
