/* SPDX-License-Identifier: MIT */
/* Whether what the store shows follows from what was called, answered, and from the time. */
#include <string.h>

#include "sim/sim/chronicle.h"
#include "sim/sim/policy.h"
#include "torture/history/history.h"

enum { US_PER_MS = 1000, NS_PER_MS = 1000000 };

static bool is_final(int state)
{
	return state >= STEPBUS_STEP_COMPLETED;
}

static int64_t wall_top_of(const sim *s, const sim_step *st)
{
	int64_t top_us = sim_model_wall_top_us(s);

	return top_us > st->wall_max_us ? top_us : st->wall_max_us;
}

static bool is_lease_over(sim *s, const sim_attempt *a)
{
	const sim_lease *lease = sim_model_lease(s, a->worker_id);

	return lease != NULL && (lease->is_ended || s->world.elapsed_ns >= lease->until_ns);
}

static bool is_attempt_overdue(const sim *s, const sim_attempt *a)
{
	int64_t timeout_ms = s->steps[a->step].attempt_timeout_ms;

	return a->is_polled && timeout_ms > 0 &&
	       s->world.elapsed_ns >= a->polled_at_ns + timeout_ms * NS_PER_MS;
}

static bool is_step_overdue(const sim *s, const sim_step *st)
{
	return st->row.deadline_us != 0 && wall_top_of(s, st) >= st->row.deadline_us;
}

/* An attempt failed, or was lost: what may follow, and when. */
static bool may_retry(const sim_step *st, bool is_retryable)
{
	return is_retryable && st->retry_kind != STEPBUS_RETRY_NONE &&
	       st->charged_count < st->attempt_count_max;
}

static void charge(sim *s, sim_step *st, int64_t retry_after_ms, bool is_retryable)
{
	st->charged_count++;
	st->is_spent = !may_retry(st, is_retryable);
	if (!st->is_spent)
		sim_model_delay(s, st, policy_delay_min_us(st, retry_after_ms));
}

/* An answer was accepted. */
static void keep(sim *s, sim_attempt *a, const sim_answer *answer)
{
	sim_step *st = &s->steps[a->step];

	a->is_kept = a->is_over = true;
	a->over_by = s->actor != NULL ? s->actor->number : 0;
	a->ending = SIM_ENDED_ANSWERED;
	s->has_marks = true;
	a->outcome = answer->outcome;
	a->content = answer->content;
	a->is_retryable = answer->is_retryable;
	a->retry_after_ms = answer->retry_after_ms;
	switch (answer->outcome) {
	case STEPBUS_OUTCOME_SUCCESS:
		if (++st->success_count > 1)
			sim_violate(s, a->step, "Q4", "a second success was accepted");
		st->result = answer->content;
		break;
	case STEPBUS_OUTCOME_FAILURE:
		charge(s, st, answer->retry_after_ms, answer->is_retryable);
		break;
	case STEPBUS_OUTCOME_SNOOZE:
		sim_model_delay(s, st, answer->retry_after_ms * US_PER_MS);
		break;
	case STEPBUS_OUTCOME_CHECKPOINT:
		st->checkpoint = answer->content;
		sim_model_delay(s, st, 0);
		break;
	default:
		sim_model_delay(s, st, 0);
		break;
	}
}

/* Whether a row looks as if this had been accepted. */
static bool is_consistent(const sim_attempt *a, const sim_row *now)
{
	if (a->doubtful_outcome == STEPBUS_OUTCOME_SUCCESS)
		return now->state == STEPBUS_STEP_COMPLETED && now->token == a->token;
	if (a->doubtful_outcome == STEPBUS_OUTCOME_CHECKPOINT)
		return now->checkpoint_count > 0;
	return now->state != STEPBUS_STEP_COMPLETED && now->state != STEPBUS_STEP_CANCELLED;
}

static void lose(sim *s, sim_attempt *a)
{
	sim_step *st = &s->steps[a->step];

	if (!a->is_polled) {
		sim_model_delay(s, st, 0);
		return;
	}
	a->ending = SIM_ENDED_LOST;
	st->loss_count++;
	charge(s, st, -1, true);
}

/* The attempt that a row showed is not the one that runs any more: why. */
static void end_attempt(sim *s, sim_attempt *a, const sim_row *now)
{
	sim_step *st = &s->steps[a->step];

	if (a->is_kept || a->is_over)
		return;
	a->is_over = true;
	a->over_by = s->actor != NULL ? s->actor->number : 0;
	if (st->is_cancelled && now->state == STEPBUS_STEP_CANCELLED) {
		/* One whose lease was over may have been taken over first. */
		if (!is_lease_over(s, a) && !is_attempt_overdue(s, a))
			a->ending = SIM_ENDED_CANCELLED;
		return;
	}
	if (a->is_doubtful && is_consistent(a, now)) {
		const sim_answer answer = { .outcome = a->doubtful_outcome,
					    .content = a->doubtful_content,
					    .is_retryable = a->doubtful_is_retryable,
					    .retry_after_ms = a->doubtful_retry_after_ms };

		keep(s, a, &answer);
		CHRONICLE(s, LOG_ENDED, s->actor, now->id, a->token, answer.outcome,
			  answer.outcome == STEPBUS_OUTCOME_CHECKPOINT ? answer.content : 0);
		CHRONICLE(s, LOG_ANSWERED, s->actor, now->id, a->token, STEPBUS_OK);
	} else if (now->state == STEPBUS_STEP_FAILED && is_step_overdue(s, st)) {
		return;
	} else if (is_attempt_overdue(s, a)) {
		a->ending = SIM_ENDED_LATE;
		st->loss_count += is_lease_over(s, a);
		charge(s, st, -1, true);
	} else if (is_lease_over(s, a)) {
		lose(s, a);
	} else if (!a->is_polled && s->actor != NULL && s->actor->was_starved) {
		/* It was refused for want of memory, and nobody was told. */
		st->charged_count = now->attempt_count;
		sim_model_delay(s, st, 0);
	} else {
		sim_violate(s, a->step, "Q9",
			    "attempt %lld ended though nobody answered it and its lease holds",
			    (long long)a->token);
	}
}

static const sim_attempt *newest(const sim *s, const sim_step *st)
{
	return st->newest >= 0 ? &s->attempts[st->newest] : NULL;
}

static void judge_completed(sim *s, int step, const sim_row *now)
{
	const sim_step *st = &s->steps[step];
	const sim_attempt *a = newest(s, st);

	if (a == NULL || a->token != now->token || a->outcome != STEPBUS_OUTCOME_SUCCESS)
		sim_violate(s, step, "Q5",
			    "it is completed though no success of attempt %lld was accepted",
			    (long long)now->token);
}

static void judge_failed(sim *s, int step)
{
	const sim_step *st = &s->steps[step];
	const sim_attempt *a = newest(s, st);
	bool is_retryable = a == NULL || a->outcome != STEPBUS_OUTCOME_FAILURE || a->is_retryable;

	if (is_step_overdue(s, st))
		return;
	if (a == NULL || may_retry(st, is_retryable))
		sim_violate(s, step, "Q8", "it failed for good after %d of %d attempts",
			    st->charged_count, st->attempt_count_max);
}

static void judge_end(sim *s, int step, const sim_row *now)
{
	sim_step *st = &s->steps[step];

	switch (now->state) {
	case STEPBUS_STEP_COMPLETED:
		judge_completed(s, step, now);
		break;
	case STEPBUS_STEP_FAILED:
		judge_failed(s, step);
		break;
	case STEPBUS_STEP_CANCELLED:
		if (!st->is_cancelled)
			sim_violate(s, step, "Q12", "it is cancelled and nobody asked for it");
		break;
	default:
		if (st->loss_count < CRASH_COUNT_MAX_SIM)
			sim_violate(s, step, "Q8", "it is in quarantine after %d losses",
				    st->loss_count);
		break;
	}
	st->final_at_us = s->wall_before_us;
	st->wall_max_us = 0;
}

static void add_attempt(sim *s, int step, const sim_row *now)
{
	const sim_lease *lease = sim_model_lease(s, now->worker_id);

	if (s->attempt_count == ATTEMPT_MAX)
		return;
	s->attempts[s->attempt_count] =
		(sim_attempt){ .step = step,
			       .token = now->token,
			       .generation = s->steps[step].generation,
			       .number = now->attempt_count,
			       .worker_id = now->worker_id,
			       .slot = -1, /* until it is handed out */
			       .process = lease != NULL ? lease->process : 0,
			       .life = lease != NULL ? lease->life : 0 };
	s->steps[step].newest = s->attempt_count++;
	CHRONICLE(s, LOG_CLAIMED, s->actor, now->id, now->token,
		  lease != NULL ? lease->until_ns / 1000 : 0, 0);
}

static void judge_claim(sim *s, int step, const sim_row *now)
{
	const sim_step *st = &s->steps[step];

	if (wall_top_of(s, st) < st->not_before_us)
		sim_violate(s, step, "Q11", "it was claimed %lld us before its time",
			    (long long)(st->not_before_us - wall_top_of(s, st)));
	if (!st->is_cron && s->world.queues[st->queue].is_paused)
		sim_violate(s, step, "pause", "it was claimed from a queue that is paused");
	if (now->attempt_count > st->attempt_count_max)
		sim_violate(s, step, "Q8", "attempt %d of %d", now->attempt_count,
			    st->attempt_count_max);
	add_attempt(s, step, now);
}

/* What the row counts is what was seen. */
static void judge_count(sim *s, int step, const sim_row *now)
{
	sim_step *st = &s->steps[step];
	int wanted = st->charged_count + (now->state == STEPBUS_STEP_RUNNING);

	if (is_final(now->state))
		return;
	if (st->is_spent)
		sim_violate(s, step, "Q8", "it goes on though its last attempt has failed");
	if (now->attempt_count != wanted)
		sim_violate(s, step, "Q8", "it counts %d attempts where %d were charged",
			    now->attempt_count, wanted);
}

void sim_judge_change(sim *s, int step, const sim_row *before, const sim_row *now)
{
	sim_step *st = &s->steps[step];
	bool was_running = before->state == STEPBUS_STEP_RUNNING;
	bool is_claimed =
		now->state == STEPBUS_STEP_RUNNING && (!was_running || now->token != before->token);

	trace_note(&s->trace, &(trace_entry){ .name = "row",
					      .action = s->action_number,
					      .process = s->actor != NULL ? s->actor->number : 0,
					      .step = step,
					      .elapsed_us = s->world.elapsed_ns / 1000,
					      .a = now->state,
					      .b = now->token,
					      .c = now->attempt_count });
	if (s->doubtful_redrive == step + 1 && is_final(before->state) && !is_final(now->state))
		sim_model_redrive(s, st);
	if (now->token < before->token || (is_claimed && now->token == before->token))
		sim_violate(s, step, "Q6", "token %lld follows %lld", (long long)now->token,
			    (long long)before->token);
	if (is_final(before->state) && !st->is_redriven && now->state != before->state)
		sim_violate(s, step, "Q13", "it was in state %d and is in state %d", before->state,
			    now->state);
	if (was_running && (now->state != STEPBUS_STEP_RUNNING || is_claimed) && st->newest >= 0)
		end_attempt(s, &s->attempts[st->newest], now);
	if (is_final(now->state) && now->state != before->state)
		judge_end(s, step, now);
	if (is_claimed)
		judge_claim(s, step, now);
	judge_count(s, step, now);
}

void sim_judge_newcomer(sim *s, int step, const sim_row *row)
{
	const sim_step *st = &s->steps[step];
	const sim_row nothing = { .id = row->id };

	if (st->is_cron || st->not_before_us > 0 || row->state != STEPBUS_STEP_SCHEDULED) {
		sim_judge_change(s, step, &nothing, row);
		return;
	}
	sim_violate(s, step, "Q11", "it waits for a time that nobody said");
}

bool sim_judge_may_be_gone(const sim *s, int step)
{
	const sim_step *st = &s->steps[step];

	if (!st->is_there)
		return true;
	return st->row.state == STEPBUS_STEP_COMPLETED && s->world.keep_completed_us >= 0 &&
	       wall_top_of(s, st) >= st->final_at_us + s->world.keep_completed_us;
}

void sim_judge_absence(sim *s, int step)
{
	sim_step *st = &s->steps[step];

	if (!sim_judge_may_be_gone(s, step))
		sim_violate(s, step, "Q1", "in state %d it is gone from the store", st->row.state);
	st->is_there = false;
	st->is_removed = true;
}

void sim_judge_limits(sim *s)
{
	int running[QUEUE_COUNT] = { 0 };
	int of_key[QUEUE_COUNT][KEY_COUNT] = { { 0 } };

	for (int i = 0; i < s->step_count; i++) {
		const sim_step *st = &s->steps[i];

		if (!st->is_there || st->row.state != STEPBUS_STEP_RUNNING || st->is_cron)
			continue;
		running[st->queue]++;
		if (st->concurrency_key >= 0)
			of_key[st->queue][st->concurrency_key]++;
	}
	for (int q = 0; q < QUEUE_COUNT; q++) {
		const sim_queue *queue = &s->world.queues[q];

		if (queue->concurrency_max > 0 && running[q] > queue->concurrency_max)
			sim_violate(s, -1, "limit", "%d steps of queue %s run", running[q],
				    queue->name);
		for (int k = 0; k < KEY_COUNT && queue->key_concurrency_max > 0; k++)
			if (of_key[q][k] > queue->key_concurrency_max)
				sim_violate(s, -1, "limit", "%d steps of key %d run", of_key[q][k],
					    k);
	}
}

void sim_judge_kept(sim *s)
{
	for (int i = 0; i < s->attempt_count; i++) {
		const sim_attempt *a = &s->attempts[i];
		const sim_step *st = &s->steps[a->step];
		bool is_success = a->outcome == STEPBUS_OUTCOME_SUCCESS;

		if (!a->is_kept || !st->is_there)
			continue;
		if (st->row.token == a->token &&
		    (st->row.state == STEPBUS_STEP_RUNNING ||
		     (is_success && st->row.state != STEPBUS_STEP_COMPLETED)))
			sim_violate(s, a->step, "Q5",
				    "outcome %d of attempt %lld was accepted and the "
				    "step is in state %d",
				    a->outcome, (long long)a->token, st->row.state);
	}
}

bool sim_judge_is_excused(const sim *s, const sim_process *p, stepbus_status status)
{
	bool is_fault = status == STEPBUS_EBUSY || status == STEPBUS_ENOMEM ||
			status == STEPBUS_ENOSPACE || status == STEPBUS_ESTORE;

	if (!is_fault)
		return false;
	return p->was_starved || p->was_broken || disk_has_failed(p->number) ||
	       disk_is_cut(p->number) || s->action_number <= p->excused_until ||
	       s->world.elapsed_ns <= p->excused_until_ns;
}

static bool is_same(const sim_attempt *a, const sim_answer *answer)
{
	if (a->outcome != answer->outcome)
		return false;
	switch (answer->outcome) {
	case STEPBUS_OUTCOME_SNOOZE:
		return a->retry_after_ms == answer->retry_after_ms;
	case STEPBUS_OUTCOME_RELEASE:
		return true;
	case STEPBUS_OUTCOME_FAILURE:
		return a->content == answer->content && a->is_retryable == answer->is_retryable;
	default:
		return a->content == answer->content;
	}
}

static void judge_accepted(sim *s, const sim_answer *answer, bool is_current)
{
	sim_attempt *a = &s->attempts[answer->attempt];
	const sim_step *st = &s->steps[a->step];

	if (is_current && !a->is_over && a->outcome == 0) {
		/* Another process may not have heard of it. */
		if (a->refused_process == s->actor->number && a->refused_life == s->actor->life)
			sim_violate(s, a->step, "Q7",
				    "outcome %d of attempt %lld was accepted, though a heartbeat "
				    "said before that it is over",
				    answer->outcome, (long long)a->token);
		keep(s, a, answer);
		a->kept_process = s->actor->number;
		a->kept_life = s->actor->life;
		return;
	}
	if (a->outcome != 0 && is_same(a, answer))
		return;
	/* Of what was given back nothing is kept that another word could differ from. */
	if (answer->outcome == STEPBUS_OUTCOME_RELEASE && st->row.token == a->token)
		return;
	sim_violate(s, a->step, a->outcome != 0 ? "Q4" : "Q7",
		    "outcome %d of attempt %lld was accepted; the newest is %lld, and the accepted "
		    "outcome %d",
		    answer->outcome, (long long)a->token, (long long)st->row.token, a->outcome);
}

/* Whether the attempt was this process' to answer, and nothing stood against it. */
static bool is_refusal_unjust(sim *s, const sim_attempt *a, bool is_current)
{
	const sim_process *p = s->actor;

	return is_current && !a->is_over && p->number == a->process && p->life == a->life &&
	       !is_lease_over(s, a) && !is_attempt_overdue(s, a) &&
	       !is_step_overdue(s, &s->steps[a->step]);
}

static void judge_refused(sim *s, const sim_answer *answer, stepbus_status status, bool is_current)
{
	const sim_attempt *a = &s->attempts[answer->attempt];
	const sim_step *st = &s->steps[a->step];
	bool is_kept_success =
		a->outcome == STEPBUS_OUTCOME_SUCCESS && !sim_judge_may_be_gone(s, a->step);

	if (is_refusal_unjust(s, a, is_current))
		sim_violate(s, a->step, "Q5", "status %d though attempt %lld holds its lease",
			    status, (long long)a->token);
	/* Whoever let its time run out hears of that, though another process was told the result. */
	if (is_kept_success && is_same(a, answer) &&
	    (a->process != s->actor->number || a->kept_process == s->actor->number))
		sim_violate(s, a->step, "Q4", "status %d for what was accepted before", status);
	if (status == STEPBUS_EALREADY && (a->outcome == 0 || is_same(a, answer)))
		sim_violate(s, a->step, "Q4", "EALREADY though it was never completed otherwise");
	if (status == STEPBUS_ECANCELLED && st->cancelled_by == 0)
		sim_violate(s, a->step, "Q12", "ECANCELLED though nobody cancelled it");
	if (status == STEPBUS_ENOTFOUND && !sim_judge_may_be_gone(s, a->step))
		sim_violate(s, a->step, "Q1", "ENOTFOUND of a step that is there");
}

/*
 * Whether the process knows that the attempt is over. A heartbeat writes and reads nothing: whose lease is
 * over may not have heard of it yet, and what was done through another process is only told later.
 */
bool sim_judge_is_known_over(sim *s, int attempt)
{
	const sim_attempt *a = &s->attempts[attempt];

	if (!a->is_over || is_lease_over(s, a))
		return false;
	/* Who has a lease again has been at the store since it was lost. */
	return a->over_by == a->process || a->ending == SIM_ENDED_LOST;
}

void sim_judge_beat(sim *s, int attempt, stepbus_status status)
{
	sim_attempt *a = &s->attempts[attempt];
	const sim_step *st = &s->steps[a->step];
	bool is_current =
		st->is_there && st->row.state == STEPBUS_STEP_RUNNING && st->row.token == a->token;

	if (status == STEPBUS_OK && sim_judge_is_known_over(s, attempt))
		sim_violate(
			s, a->step, "Q7",
			"a heartbeat of attempt %lld is accepted, which is over: the step is in "
			"state %d with %lld",
			(long long)a->token, st->row.state, (long long)st->row.token);
	if (status == STEPBUS_OK && is_lease_over(s, a))
		sim_violate(s, a->step, "Q7",
			    "a heartbeat of attempt %lld is accepted behind the end of its lease",
			    (long long)a->token);
	if (status != STEPBUS_OK && is_refusal_unjust(s, a, is_current))
		sim_violate(s, a->step, "Q9",
			    "a heartbeat is refused with %d though attempt %lld holds its lease",
			    status, (long long)a->token);
	if (status == STEPBUS_ECANCELLED && st->cancelled_by == 0)
		sim_violate(s, a->step, "Q12", "a heartbeat hears of a cancel that nobody made");
	if (status == STEPBUS_ENOTFOUND && !a->is_done)
		sim_violate(s, a->step, "Q15", "a polled step is not known");
	if (status == STEPBUS_ETIMEDOUT || status == STEPBUS_ESTALE ||
	    status == STEPBUS_ECANCELLED) {
		a->refused_process = s->actor->number;
		a->refused_life = s->actor->life;
	}
}

void sim_judge_answer(sim *s, const sim_answer *answer, stepbus_status status)
{
	sim_attempt *a = &s->attempts[answer->attempt];
	const sim_step *st = &s->steps[a->step];
	bool is_current =
		st->is_there && st->row.state == STEPBUS_STEP_RUNNING && st->row.token == a->token;

	switch (status) {
	case STEPBUS_OK:
		judge_accepted(s, answer, is_current);
		return;
	case STEPBUS_EALREADY:
	case STEPBUS_ESTALE:
	case STEPBUS_ECANCELLED:
	case STEPBUS_ETIMEDOUT:
	case STEPBUS_ENOTFOUND:
		judge_refused(s, answer, status, is_current);
		return;
	default:
		break;
	}
	if (!sim_judge_is_excused(s, s->actor, status))
		sim_violate(s, a->step, "answer", "status %d though nothing had failed", status);
	if (status != STEPBUS_ESTORE || !is_current || a->outcome != 0)
		return;
	/* Nobody can say: the next look at the store does. */
	a->is_doubtful = true;
	s->has_marks = true;
	a->doubtful_outcome = answer->outcome;
	a->doubtful_content = answer->content;
	a->doubtful_is_retryable = answer->is_retryable;
	a->doubtful_retry_after_ms = answer->retry_after_ms;
}
