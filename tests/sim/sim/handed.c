/* SPDX-License-Identifier: MIT */
/* What a poll hands out: whose it is, whether it is what was enqueued, and where it goes on. */
#include <stdio.h>
#include <string.h>

#include "sim/sim/actions.h"
#include "sim/sim/chronicle.h"
#include "torture/history/observer.h"

enum { TEXT_LEN = 32, NS_PER_US = 1000 };

static void judge_bytes(sim *s, int step, const stepbus_step_event *handed)
{
	const sim_step *st = &s->steps[step];
	char input[INPUT_LEN];

	sim_model_input(st->nonce, input);
	if (st->is_cron)
		(void)snprintf(input, sizeof input, "%s", SIM_CRON_INPUT);
	if (handed->input_len != strlen(input) ||
	    memcmp(handed->input, input, handed->input_len) != 0)
		sim_violate(s, step, "Q20", "its input is another one");
	if (handed->handler_name_len != strlen(sim_handler_names[st->handler]) ||
	    memcmp(handed->handler_name, sim_handler_names[st->handler],
		   handed->handler_name_len) != 0)
		sim_violate(s, step, "Q20", "its handler is another one");
}

static void judge_progress(sim *s, int step, const stepbus_step_event *handed)
{
	const sim_step *st = &s->steps[step];
	char cursor[TEXT_LEN] = "";

	if (st->checkpoint > 0)
		(void)snprintf(cursor, sizeof cursor, "c%d", st->checkpoint);
	if (handed->cursor_len != strlen(cursor) ||
	    (handed->cursor_len > 0 && memcmp(handed->cursor, cursor, handed->cursor_len) != 0) ||
	    handed->items_processed != (uint64_t)st->checkpoint)
		sim_violate(s, step, "Q20", "it goes on from '%.*s' where '%s' was kept",
			    (int)handed->cursor_len, (const char *)handed->cursor, cursor);
}

static void judge_right(sim *s, const sim_process *p, const sim_attempt *a)
{
	const sim_lease *lease = sim_model_lease(s, a->worker_id);
	const sim_step *st = &s->steps[a->step];

	if (a->is_polled)
		sim_violate(s, a->step, "Q9", "attempt %lld is handed out twice",
			    (long long)a->token);
	if (a->process != p->number || a->life != p->life)
		sim_violate(s, a->step, "Q9", "attempt %lld is another process' one",
			    (long long)a->token);
	if (lease == NULL || s->elapsed_before_ns >= lease->until_ns)
		sim_violate(s, a->step, "Q9", "it is handed out behind its lease");
	if (st->row.state == STEPBUS_STEP_CANCELLED && st->cancelled_by == p->number &&
	    st->row.token == a->token)
		sim_violate(s, a->step, "Q12", "it is handed out though it was cancelled here");
}

static void note_start(sim *s, const sim_process *p, const sim_attempt *a,
		       const stepbus_step_event *handed)
{
	int64_t id = s->steps[a->step].row.id;
	int64_t digest = observer_digest(handed->input, handed->input_len);

	if (sim_is_lying(s, SIM_LIE_NOTED_BYTES))
		digest++;
	CHRONICLE(s, LOG_STARTED, p, id, a->token, a->step, digest);
	if (sim_is_lying(s, SIM_LIE_NOTED_START))
		CHRONICLE(s, LOG_STARTED, p, id, a->token, a->step, digest);
}

bool sim_judge_poll(sim *s, sim_process *p, int slot, const stepbus_step_event *handed)
{
	int step = sim_model_find(s, handed->step_id);
	int found = step >= 0 ? sim_model_attempt(s, step, (int64_t)handed->token) : -1;
	sim_attempt *a;

	if (found < 0) {
		sim_violate(s, step, "Q2", "attempt %llu was handed out and never claimed",
			    (unsigned long long)handed->token);
		return false;
	}
	a = &s->attempts[found];
	trace_note(&s->trace, &(trace_entry){ "handed out", s->action_number, p->number, step,
					      s->world.elapsed_ns / NS_PER_US, slot,
					      (int64_t)handed->token, handed->retry_count });
	note_start(s, p, a, handed);
	judge_right(s, p, a);
	judge_bytes(s, step, handed);
	if (found == s->steps[step].newest && !a->is_over) {
		CHRONICLE(s, LOG_RESUMED, p, s->steps[step].row.id, a->token,
			  (int64_t)handed->items_processed);
		judge_progress(s, step, handed);
		if ((int)handed->retry_count + 1 != a->number)
			sim_violate(s, step, "Q8", "attempt number %d is told as %u", a->number,
				    handed->retry_count + 1);
	}
	a->is_polled = true;
	a->slot = slot;
	a->polled_at_ns = s->elapsed_before_ns;
	return true;
}
