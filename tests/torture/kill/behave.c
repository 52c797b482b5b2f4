/* SPDX-License-Identifier: MIT */
#include "torture/kill/behave.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "torture/history/observer.h"
#include "torture/kill/points.h"
#include "torture/kill/roles.h"

static int64_t nonce_of(const stepbus_step_event *step)
{
	char text[DEED_TEXT_LEN] = "";
	size_t len = step->input_len < sizeof text ? step->input_len : sizeof text - 1;

	if (len > 0)
		memcpy(text, step->input, len);
	return strtoll(text + 1, NULL, 10);
}

int64_t behave_begin(const stepbus_step_event *step)
{
	int64_t id = observer_id_of_bytes(step->step_id);
	int64_t nonce = nonce_of(step);
	char cursor[DEED_TEXT_LEN] = "";

	observer_note(LOG_STARTED, id, (int64_t)step->token, nonce,
		      observer_digest(step->input, step->input_len));
	if (step->cursor_len == 0 && step->items_processed == 0)
		return nonce;
	observer_note(LOG_RESUMED, id, (int64_t)step->token, (int64_t)step->items_processed, 0);
	(void)snprintf(cursor, sizeof cursor, DEED_CURSOR, nonce,
		       (unsigned long)step->items_processed);
	if (step->cursor_len != strlen(cursor) ||
	    memcmp(step->cursor, cursor, step->cursor_len) != 0)
		observer_fail("resume a step", STEPBUS_ECORRUPT, "the cursor is another's");
	return nonce;
}

static void check_in(const stepbus_step_event *step, int64_t nonce, deed *d)
{
	d->outcome = STEPBUS_OUTCOME_CHECKPOINT;
	d->items = step->items_processed + 1;
	d->cursor_len = (size_t)snprintf(d->cursor, sizeof d->cursor, DEED_CURSOR, nonce,
					 (unsigned long)d->items);
}

static bool is_pulled(const stepbus_step_event *step)
{
	return (step->flags & STEPBUS_STEP_PULLED) != 0;
}

void behave(const stepbus_step_event *step, int64_t nonce, deed *d)
{
	int64_t behaviour = nonce % 10;

	*d = (deed){ .outcome = STEPBUS_OUTCOME_SUCCESS };
	d->len = (size_t)snprintf(d->text, sizeof d->text, "n%ld t%lu", nonce,
				  (unsigned long)step->token);
	if (behaviour == BEHAVIOUR_CRASH && nonce / 10 % 10 == 0) {
		points_blame(POINT_CAUSE_HANDLER);
		(void)kill(getpid(), SIGKILL);
	}
	if (behaviour == BEHAVIOUR_SLOW)
		role_pause_us(5000 + (long)(nonce / 10 % 10) * 3000);
	if (behaviour == BEHAVIOUR_SNOOZE && step->token % 2 == 0)
		d->outcome = STEPBUS_OUTCOME_SNOOZE;
	if (behaviour == BEHAVIOUR_RELEASE && step->token % 2 == 0 && is_pulled(step))
		d->outcome = STEPBUS_OUTCOME_RELEASE;
	if (behaviour == BEHAVIOUR_CHECKPOINT && step->items_processed < CHECKPOINT_COUNT)
		check_in(step, nonce, d);
	if (behaviour == BEHAVIOUR_FAIL_FOR_GOOD ||
	    (behaviour == BEHAVIOUR_FAIL_TWICE && step->retry_count < 2)) {
		d->outcome = STEPBUS_OUTCOME_FAILURE;
		d->is_retryable = behaviour == BEHAVIOUR_FAIL_TWICE;
	}
}

void behave_end(const stepbus_step_event *step, const deed *d)
{
	observer_note(LOG_ENDED, observer_id_of_bytes(step->step_id), (int64_t)step->token,
		      d->outcome, (int64_t)d->items);
}
