/* SPDX-License-Identifier: MIT */
/* Damages to what is there: Q1 to Q5, Q8, Q14, Q15, Q19, Q20, blame, crashes. */
#include <string.h>

#include "include/stepbus.h"
#include "torture/history/damage.h"
#include "torture/history/damage_search.h"

enum { STRANGER = 1 << 30 };

static event *a_new_one(const history *h)
{
	for (event *e = h->events; e < h->events + h->event_count; e++)
		if (e->kind == LOG_ENQUEUED && e->d == 0 && history_step(h, e->c) != NULL)
			return e;
	return NULL;
}

static bool drop_acknowledged(history *h)
{
	const event *e = a_new_one(h);

	if (e != NULL)
		damage_remove_step(h, history_step(h, e->c));
	return e != NULL;
}

static bool lose_its_input(history *h)
{
	const event *e = a_new_one(h);

	if (e != NULL)
		history_step(h, e->c)->nonce = 0;
	return e != NULL;
}

static bool acknowledge_twice(history *h)
{
	const event *e = a_new_one(h);

	if (e != NULL)
		(void)damage_append(h, *e);
	return e != NULL;
}

static bool forget_an_invocation(history *h)
{
	const event *e = a_new_one(h);

	if (e == NULL)
		return false;
	for (size_t i = h->event_count; i-- > 0;)
		if (h->events[i].kind == LOG_INVOKED && h->events[i].a == e->a)
			h->events[i].kind = LOG_READY;
	return true;
}

static bool run_what_is_not(history *h)
{
	event *e = search_event(h, NULL, LOG_STARTED, 0);

	if (e != NULL)
		e->a += INT64_C(1) << 60;
	return e != NULL;
}

static bool enqueue_twice(history *h)
{
	if (h->step_count < 2)
		return false;
	h->steps[1].nonce = h->steps[0].nonce;
	return true;
}

static bool invent_a_failure(history *h)
{
	attempt_row row = { .outcome = "failure" };
	const step_row *step = search_state(h, STATE_COMPLETED, "");

	if (step == NULL)
		return false;
	row.step_id = step->id;
	row.token = 1;
	history_put_attempt(h, &row);
	return true;
}

static bool give_another_key(history *h)
{
	const event *e = a_new_one(h);

	if (e != NULL)
		history_step(h, e->c)->key = INT64_C(1) << 60;
	return e != NULL;
}

static bool give_a_key_twice(history *h)
{
	const step_row *a = NULL;

	for (size_t i = 0; i < h->step_count; i++) {
		if (h->steps[i].key < 0)
			continue;
		if (a != NULL) {
			h->steps[i].key = a->key;
			return true;
		}
		a = &h->steps[i];
	}
	return false;
}

static bool answer_a_key_with_another(history *h)
{
	for (event *e = h->events; e < h->events + h->event_count; e++)
		if (e->kind == LOG_ENQUEUED && e->b >= 0) {
			event other = *e;

			other.c++;
			other.d = 1;
			(void)damage_append(h, other);
			return true;
		}
	return false;
}

static bool complete_twice(history *h)
{
	const event *e = search_event(h, NULL, LOG_COMPLETED, STEPBUS_OUTCOME_SUCCESS);

	if (e != NULL)
		(void)damage_append(h, *e);
	return e != NULL;
}

static bool complete_by_two(history *h)
{
	const event *e = search_event(h, NULL, LOG_COMPLETED, STEPBUS_OUTCOME_SUCCESS);

	if (e != NULL)
		damage_append(h, *e)->b++;
	return e != NULL;
}

static bool keep_the_result_of_another(history *h)
{
	step_row *row = search_state(h, STATE_COMPLETED, "");

	if (row != NULL)
		row->result_token = row->token - 1;
	return row != NULL;
}

static bool change_a_result(history *h)
{
	event *e = NULL;

	while ((e = search_event(h, e, LOG_COMPLETED, STEPBUS_OUTCOME_SUCCESS)) != NULL)
		if (e->d != 0 && history_step(h, e->a) != NULL &&
		    history_step(h, e->a)->result_digest != 0) {
			history_step(h, e->a)->result_digest ^= 2;
			return true;
		}
	return false;
}

static bool lose_a_result(history *h)
{
	step_row *row = search_state(h, STATE_COMPLETED, "D");

	if (row != NULL)
		row->result_token = row->result_nonce = -1;
	return row != NULL;
}

static bool complete_without_an_end(history *h)
{
	const step_row *row = search_state(h, STATE_COMPLETED, "");

	for (size_t i = h->event_count; row != NULL && i-- > 0;)
		if (h->events[i].kind == LOG_ENDED && h->events[i].a == row->id)
			h->events[i].kind = LOG_READY;
	return row != NULL;
}

static bool lose_a_completion(history *h)
{
	const event *e = search_event(h, NULL, LOG_COMPLETED, STEPBUS_OUTCOME_SUCCESS);

	if (e != NULL)
		history_step(h, e->a)->state = STATE_RUNNING;
	return e != NULL;
}

static bool lose_an_answered_one(history *h)
{
	for (event *e = h->events; e < h->events + h->event_count; e++) {
		step_row *row = e->kind == LOG_ANSWERED && e->c == STEPBUS_OK ?
					history_step(h, e->a) :
					NULL;

		if (row == NULL || row->state != STATE_COMPLETED || row->token != e->b)
			continue;
		row->state = STATE_FAILED;
		for (event *d = h->events; d < h->events + h->event_count; d++)
			if (d->kind == LOG_COMPLETED && d->a == row->id)
				d->kind = LOG_READY;
		return true;
	}
	return false;
}

static bool lose_a_failure(history *h)
{
	const event *e = NULL;

	while ((e = search_event(h, e, LOG_COMPLETED, STEPBUS_OUTCOME_FAILURE)) != NULL)
		if (search_attempt(h, e->a, e->b) != NULL) {
			search_attempt(h, e->a, e->b)->outcome[0] = '-';
			return true;
		}
	return false;
}

static bool charge_too_many(history *h)
{
	step_row *row = search_state(h, STATE_COMPLETED, "");

	if (row != NULL)
		row->attempt_count = 1000000;
	return row != NULL;
}

static bool charge_what_nobody_saw(history *h)
{
	for (size_t i = 0; i < h->step_count; i++) {
		step_row *row = &h->steps[i];

		if (row->state != STATE_COMPLETED || row->attempt_count != 1 ||
		    search_has(h, row->id, "rH"))
			continue;
		row->attempt_count = 2;
		if (search_tokens(h, row->id) == 1)
			return true;
		row->attempt_count = 1;
	}
	return false;
}

static bool charge_too_few(history *h)
{
	for (size_t i = 0; i < h->step_count; i++) {
		step_row *row = &h->steps[i];

		if (row->state != STATE_COMPLETED || row->attempt_count != 1 ||
		    search_has(h, row->id, "rM"))
			continue;
		row->attempt_count = 0;
		return true;
	}
	return false;
}

static bool run_too_often(history *h)
{
	const step_row *row = search_state(h, STATE_COMPLETED, "r");
	const event *e = row != NULL ? search_line(h, row->id, LOG_STARTED) : NULL;

	for (int64_t i = 1; e != NULL && i <= 30; i++) {
		event more = *e;

		more.b = row->token + i;
		(void)damage_append(h, more);
		e = search_line(h, row->id, LOG_STARTED);
	}
	return e != NULL;
}

static bool count_too_many_crashes(history *h)
{
	step_row *row = search_state(h, STATE_QUARANTINED, "");

	if (row != NULL)
		row->crash_count = h->limits.crash_count_max + 1;
	return row != NULL;
}

static bool let_a_crasher_live(history *h)
{
	step_row *row = search_state(h, STATE_QUARANTINED, "rE");

	if (row != NULL)
		row->state = STATE_FAILED;
	return row != NULL;
}

static bool count_too_few_crashes(history *h)
{
	step_row *row = search_state(h, STATE_QUARANTINED, "");

	if (row != NULL)
		row->crash_count = 1;
	return row != NULL;
}

static bool quarantine_the_good(history *h)
{
	for (size_t i = 0; i < h->step_count; i++)
		if (h->steps[i].state == STATE_FAILED && h->steps[i].crash_count == 0) {
			h->steps[i].state = STATE_QUARANTINED;
			return true;
		}
	return false;
}

static bool leave_one_running(history *h)
{
	step_row *row = search_state(h, STATE_COMPLETED, "");

	if (row != NULL)
		row->state = STATE_RUNNING;
	return row != NULL;
}

static bool lose_a_record(history *h)
{
	int tries = 200;

	for (size_t i = 0; i < h->attempt_count && tries > 0; i++) {
		attempt_row *a = &h->attempts[i];
		trace t;

		if (strcmp(a->outcome, "failure") != 0)
			continue;
		tries--;
		t = search_trace(h, a->step_id, a->token);
		if (t.start == NULL || search_is_stalled(h, t.start->process))
			continue;
		damage_remove_attempt(h, a);
		return true;
	}
	return false;
}

static bool begin_without_an_end(history *h)
{
	const event *e = search_event(h, NULL, LOG_COMPLETED, STEPBUS_OUTCOME_SUCCESS);

	if (e == NULL)
		return false;
	(void)damage_append(h, (event){ .kind = LOG_STARTED,
					.time_us = e->time_us,
					.process = STRANGER,
					.a = e->a,
					.b = e->b + 1 });
	return true;
}

static bool find_nothing(history *h)
{
	const event *e = a_new_one(h);

	if (e == NULL)
		return false;
	(void)damage_append(h, (event){ .kind = LOG_SEEN, .time_us = e->time_us, .a = e->c });
	return true;
}

static bool find_what_is_not(history *h)
{
	(void)damage_append(h, (event){ .kind = LOG_SEEN, .a = INT64_C(1) << 60, .b = 1 });
	return true;
}

static bool change_an_input(history *h)
{
	event *e = search_event(h, NULL, LOG_STARTED, 0);

	if (e != NULL)
		e->c++;
	return e != NULL;
}

static bool change_a_byte(history *h)
{
	event *e = search_event(h, NULL, LOG_STARTED, 0);

	if (e == NULL || e->d == 0 || history_step(h, e->a) == NULL ||
	    history_step(h, e->a)->input_digest == 0)
		return false;
	e->d ^= 2;
	return true;
}

static bool keep_another_byte(history *h)
{
	const event *e = a_new_one(h);

	if (e == NULL || search_line(h, e->a, LOG_GIVEN) == NULL ||
	    history_step(h, e->c)->input_digest == 0)
		return false;
	search_line(h, e->a, LOG_GIVEN)->b ^= 2;
	return true;
}

static bool forget_a_checkpoint(history *h)
{
	const event *kept = NULL;

	while ((kept = search_event(h, kept, LOG_COMPLETED, STEPBUS_OUTCOME_CHECKPOINT)) != NULL)
		for (event *e = h->events; e < h->events + h->event_count; e++)
			if (e->kind == LOG_RESUMED && e->a == kept->a && e->b > kept->b &&
			    e->c > 0) {
				e->c = 0;
				return true;
			}
	return false;
}

static bool blame_one_that_never_ran(history *h)
{
	for (size_t i = 0; i < h->step_count; i++) {
		const step_row *row = &h->steps[i];
		size_t count = 0;
		const attempt_row *rows = history_attempts(h, row->id, &count);

		if (row->state != STATE_FAILED || count == 0 ||
		    strcmp(rows[0].outcome, "timed_out") == 0 || row->token == 0)
			continue;
		for (event *e = h->events; e < h->events + h->event_count; e++)
			if (e->a == row->id && e->kind == LOG_STARTED)
				e->kind = LOG_READY;
		return true;
	}
	return false;
}

static bool charge_what_never_began(history *h)
{
	size_t kills = 0, changed = 0;

	for (event *e = h->events; e < h->events + h->event_count; e++) {
		const attempt_row *row =
			e->kind == LOG_STARTED ? search_attempt(h, e->a, e->b) : NULL;

		kills += e->kind == LOG_KILLED;
		if (row == NULL || strcmp(row->outcome, "lost") != 0)
			continue;
		e->kind = LOG_READY;
		changed++;
	}
	return changed > 3 + kills * (size_t)h->limits.unstarted_percent / 100;
}

const damage damages_of_rows[] = {
	{ "an acknowledged step is dropped", RULE_Q1_NOTHING_IS_LOST, drop_acknowledged },
	{ "a step has another input", RULE_Q1_NOTHING_IS_LOST, lose_its_input },
	{ "a step is acknowledged twice", RULE_Q1_NOTHING_IS_LOST, acknowledge_twice },
	{ "nobody enqueued a step", RULE_Q2_NOTHING_IS_INVENTED, forget_an_invocation },
	{ "a step ran that is not there", RULE_Q2_NOTHING_IS_INVENTED, run_what_is_not },
	{ "one enqueue made two steps", RULE_Q2_NOTHING_IS_INVENTED, enqueue_twice },
	{ "an attempt failed that never began", RULE_Q2_NOTHING_IS_INVENTED, invent_a_failure },
	{ "a step has a key of its own", RULE_Q2_NOTHING_IS_INVENTED, give_another_key },
	{ "a key has two steps", RULE_Q3_ONE_STEP_OF_A_KEY, give_a_key_twice },
	{ "a key is answered with two steps", RULE_Q3_ONE_STEP_OF_A_KEY,
	  answer_a_key_with_another },
	{ "an attempt is completed twice", RULE_Q4_ONE_COMPLETION, complete_twice },
	{ "two attempts complete a step", RULE_Q4_ONE_COMPLETION, complete_by_two },
	{ "a result is that of another attempt", RULE_Q4_ONE_COMPLETION,
	  keep_the_result_of_another },
	{ "a result is not what was accepted", RULE_Q4_ONE_COMPLETION, change_a_result },
	{ "a result is gone", RULE_Q4_ONE_COMPLETION, lose_a_result },
	{ "what did not end completed a step", RULE_Q4_ONE_COMPLETION, complete_without_an_end },
	{ "an accepted success is forgotten", RULE_Q5_ACCEPTED_IS_DURABLE, lose_a_completion },
	{ "an answered success is forgotten", RULE_Q5_ACCEPTED_IS_DURABLE, lose_an_answered_one },
	{ "an accepted failure is forgotten", RULE_Q5_ACCEPTED_IS_DURABLE, lose_a_failure },
	{ "too many attempts are charged", RULE_Q8_ATTEMPTS_ARE_BOUNDED, charge_too_many },
	{ "an attempt is charged that nobody saw", RULE_Q8_ATTEMPTS_ARE_BOUNDED,
	  charge_what_nobody_saw },
	{ "an attempt is not charged", RULE_Q8_ATTEMPTS_ARE_BOUNDED, charge_too_few },
	{ "a step runs too often", RULE_Q8_ATTEMPTS_ARE_BOUNDED, run_too_often },
	{ "too many crashes are let pass", RULE_Q8_ATTEMPTS_ARE_BOUNDED, count_too_many_crashes },
	{ "a crasher is not quarantined", RULE_CRASHES_QUARANTINE, let_a_crasher_live },
	{ "a crash is not counted", RULE_CRASHES_QUARANTINE, count_too_few_crashes },
	{ "a step without crashes is quarantined", RULE_CRASHES_QUARANTINE, quarantine_the_good },
	{ "a step is left running", RULE_Q14_ALL_ENDS, leave_one_running },
	{ "a failure has no record", RULE_Q15_ALL_IS_ON_RECORD, lose_a_record },
	{ "what began has no end", RULE_Q15_ALL_IS_ON_RECORD, begin_without_an_end },
	{ "a client does not find its step", RULE_Q19_OWN_WRITES_ARE_READ, find_nothing },
	{ "a client finds what is not there", RULE_Q19_OWN_WRITES_ARE_READ, find_what_is_not },
	{ "a handler gets another input", RULE_Q20_NO_BYTES_CHANGE, change_an_input },
	{ "a handler gets another byte", RULE_Q20_NO_BYTES_CHANGE, change_a_byte },
	{ "a step is kept with another byte", RULE_Q20_NO_BYTES_CHANGE, keep_another_byte },
	{ "a checkpoint is forgotten", RULE_PROGRESS_IS_KEPT, forget_a_checkpoint },
	{ "a step that never ran has failed", RULE_UNRUN_IS_NOT_BLAMED, blame_one_that_never_ran },
	{ "attempts that never began are charged", RULE_UNRUN_IS_NOT_BLAMED,
	  charge_what_never_began },
	{ NULL, RULE_COUNT, NULL },
};
