/* SPDX-License-Identifier: MIT */
#include "handlers/answer.h"

#include <stddef.h>

#include "base/ids.h"
#include "handlers/late.h"
#include "handlers/news.h"
#include "handlers/polled.h"
#include "handlers/submit.h"
#include "handlers/worker_line.h"

static sb_settlement *settlement_of(const sb_answer *answer)
{
	return answer->own != NULL ? answer->own : &answer->claimed->settlement;
}

/* All under one lock. */
static void find_all(stepbus *engine, sb_answer *answers, size_t count)
{
	sb_claimed_table *table = &engine->claimed;

	pthread_mutex_lock(&table->lock);
	for (size_t i = 0; i < count; i++) {
		const stepbus_completion *c = answers[i].completion;
		sb_claimed_key key;

		if (answers[i].status != STEPBUS_OK)
			continue;
		key = (sb_claimed_key){ sb_id_to_row(c->step_id, engine->store->tag),
					(int64_t)c->token };
		answers[i].claimed =
			(sb_claimed *)(void *)sb_map_find(&table->by_key, &key, sizeof key);
		if (answers[i].claimed != NULL)
			sb_claimed_ref(answers[i].claimed);
	}
	pthread_mutex_unlock(&table->lock);
}

static void dispose_notice(sb_notice *notice)
{
	sb_settlement *s =
		(sb_settlement *)(void *)((char *)notice - offsetof(sb_settlement, notice));

	sb_claimed_unref(&s->engine->host, s->claimed);
}

/* By the leader, behind the transaction: the rest is done by the caller, who waits. */
static void answered(sb_operation *operation)
{
	sb_settlement *s =
		(sb_settlement *)(void *)((char *)operation - offsetof(sb_settlement, operation));

	if (operation->status != STEPBUS_OK)
		return;
	sb_submit_count(s);
	if (!sb_news_is_settlement_heard(s))
		return;
	sb_claimed_ref(s->claimed);
	s->notice.tell = sb_news_tell_settled;
	s->notice.dispose = dispose_notice;
	sb_engine_add_notice(s->engine, &s->notice);
}

/* What a host need not say again. */
static void complete_what_is_known(sb_claimed *claimed)
{
	stepbus_completion *c = &claimed->settlement.completion;
	const stepbus_worker *worker = claimed->worker;

	c->worker_id = worker->options.name.data;
	c->worker_id_len = worker->options.name.len;
	if (c->handler_version_len == 0) {
		c->handler_version = claimed->event.handler_version;
		c->handler_version_len = claimed->event.handler_version_len;
	}
	if (c->execution_time_us == 0)
		c->execution_time_us = (sb_clock_elapsed_ns(&worker->engine->host) -
					atomic_load(&claimed->started_ns)) /
				       1000;
}

static void take_polled(sb_answer *answer, sb_writer_batch *batch)
{
	sb_claimed *claimed = answer->claimed;
	sb_settlement *s = &claimed->settlement;
	stepbus_worker *worker = claimed->worker;

	sb_start_log_mark(worker->start_log, claimed->start_slot, SB_START_ENDED);
	sb_submit_prepare(claimed);
	answer->status = sb_settlement_fill(s, &worker->engine->host, answer->completion, NULL);
	if (answer->status != STEPBUS_OK) {
		sb_polled_return(claimed);
		return;
	}
	complete_what_is_known(claimed);
	s->operation.done = answered;
	answer->is_submitted = true;
	sb_writer_batch_add(batch, &s->operation);
}

/* A step that the library knows nothing of but what the store says. */
static void take_foreign(stepbus *engine, sb_answer *answer, sb_writer_batch *batch)
{
	int64_t id = sb_id_to_row(answer->completion->step_id, engine->store->tag);

	answer->status = sb_engine_check(engine, true, NULL);
	if (answer->status == STEPBUS_OK && id == 0)
		answer->status = STEPBUS_ENOTFOUND;
	if (answer->status == STEPBUS_OK && sb_writer_is_full(&engine->writer))
		answer->status = STEPBUS_EBUSY;
	if (answer->status != STEPBUS_OK)
		return;
	answer->own = sb_alloc(&engine->host, sizeof *answer->own);
	if (answer->own == NULL) {
		answer->status = STEPBUS_ENOMEM;
		return;
	}
	answer->own->engine = engine;
	answer->own->id = id;
	answer->status = sb_settlement_fill(answer->own, &engine->host, answer->completion, NULL);
	if (answer->status != STEPBUS_OK)
		return;
	answer->is_submitted = true;
	sb_writer_batch_add(batch, &answer->own->operation);
}

static void refuse_late(stepbus *engine, sb_answer *answer)
{
	answer->status = sb_claimed_refusal(answer->claimed);
	sb_polled_part(engine, answer->claimed, false);
}

/*
 * The library has ended the attempt before the host did. Or so it seems here: where the same was
 * accepted through another engine, the store knows. Where the store knows of no end yet, because the
 * library's is still on its way, it is refused all the same: the host may have been told so.
 */
static void take_late(stepbus *engine, sb_answer *answer, sb_writer_batch *batch)
{
	take_foreign(engine, answer, batch);
	answer->is_late = answer->is_submitted;
	if (answer->is_late)
		answer->own->refusal = sb_claimed_refusal(answer->claimed);
	if (answer->status == STEPBUS_ESHUTDOWN)
		refuse_late(engine, answer);
}

static void take(stepbus *engine, sb_answer *answer, sb_writer_batch *batch)
{
	sb_claimed *claimed = answer->claimed;
	bool is_polled = claimed != NULL && atomic_load(&claimed->is_polled) != 0;

	if (is_polled && sb_submit_win(claimed, SB_CLAIMED_ANSWERING))
		take_polled(answer, batch);
	else if (is_polled && sb_claimed_is_ended(claimed))
		take_late(engine, answer, batch);
	else
		/* Where another answer is on its way, the store says whether this one is the same. */
		take_foreign(engine, answer, batch);
}

static void conclude_polled(stepbus *engine, sb_claimed *claimed, stepbus_status status)
{
	if (status != STEPBUS_OK && !sb_writer_is_refusal(status)) {
		sb_polled_return(claimed);
		return;
	}
	sb_worker_release(claimed->worker, claimed);
	/* The transaction that ended it could not claim in its place. */
	sb_worker_line_ask(claimed->worker);
	sb_polled_part(engine, claimed,
		       status == STEPBUS_OK &&
			       claimed->settlement.completion.outcome != STEPBUS_OUTCOME_FAILURE);
	sb_claimed_unref(&engine->host, claimed);
}

static void conclude_foreign(stepbus *engine, const sb_answer *answer)
{
	stepbus_status status = answer->own->operation.status;

	if (answer->is_late && (status == STEPBUS_OK || sb_writer_is_refusal(status)))
		sb_polled_part(engine, answer->claimed, answer->status == STEPBUS_OK);
	if (answer->status != STEPBUS_OK)
		return;
	sb_claimed_table_interrupt(&engine->claimed, answer->own->id,
				   (int64_t)answer->own->completion.token, STEPBUS_ESTALE);
}

/* What a refusal without an operation is about. */
static void explain(stepbus_status status, stepbus_error *err)
{
	switch (status) {
	case STEPBUS_ENOTFOUND:
		(void)sb_fail(err, status, "the step id is none of this store");
		break;
	case STEPBUS_ENOMEM:
		(void)sb_fail_memory(err, "take a completion in");
		break;
	case STEPBUS_ESHUTDOWN:
		(void)sb_fail(err, status, "the engine is being stopped");
		break;
	case STEPBUS_EBUSY:
		(void)sb_fail(err, status,
			      "too much waits to be written: the step is still yours, try again");
		break;
	case STEPBUS_ETIMEDOUT:
		(void)sb_fail(err, status,
			      "the time of the attempt was over before it was completed");
		break;
	default:
		(void)sb_fail(err, status, "the attempt was ended before it was completed");
		break;
	}
}

static void conclude(stepbus *engine, sb_answer *answer, stepbus_error *err)
{
	sb_settlement *s;

	if (!answer->is_submitted) {
		explain(answer->status, err);
		return;
	}
	s = settlement_of(answer);
	answer->status = s->operation.status;
	if (answer->status != STEPBUS_OK)
		(void)sb_fail(err, answer->status, "%s", s->operation.err.message);
	if (answer->status == STEPBUS_EALREADY || answer->status == STEPBUS_ESTALE)
		answer->status = sb_late_judge(engine, s, answer->status, err);
	if (answer->own == NULL) {
		conclude_polled(engine, answer->claimed, s->operation.status);
		return;
	}
	conclude_foreign(engine, answer);
	if (s->operation.status == STEPBUS_OK)
		sb_news_publish_settled(s, engine->bridge);
}

static void dispose(stepbus *engine, sb_answer *answer)
{
	if (answer->own != NULL) {
		sb_settlement_clear(answer->own, &engine->host);
		sb_release(&engine->host, answer->own);
	}
	if (answer->claimed != NULL)
		sb_claimed_unref(&engine->host, answer->claimed);
}

static bool may_pass(stepbus *engine)
{
	bool is_let_through;

	pthread_mutex_lock(&engine->breaker_lock);
	is_let_through =
		sb_breaker_let_through(&engine->breaker, sb_clock_elapsed_ns(&engine->host));
	pthread_mutex_unlock(&engine->breaker_lock);
	return is_let_through;
}

/* By what became of the batch in the store. */
static sb_breaker_event judge(const sb_answer *answers, size_t count)
{
	sb_breaker_event event = SB_BREAKER_UNDECIDED;

	for (size_t i = 0; i < count && event != SB_BREAKER_FAILED; i++) {
		stepbus_status status;

		if (!answers[i].is_submitted)
			continue;
		status = settlement_of(&answers[i])->operation.status;
		event = status == STEPBUS_OK || sb_writer_is_refusal(status) ? SB_BREAKER_KEPT :
									       SB_BREAKER_FAILED;
	}
	return event;
}

static void note(stepbus *engine, sb_breaker_event event)
{
	pthread_mutex_lock(&engine->breaker_lock);
	sb_breaker_note(&engine->breaker, event, sb_clock_elapsed_ns(&engine->host));
	pthread_mutex_unlock(&engine->breaker_lock);
}

static void refuse_all(sb_answer *answers, size_t count, stepbus_error *err)
{
	for (size_t i = 0; i < count; i++)
		if (answers[i].status == STEPBUS_OK)
			answers[i].status = STEPBUS_EBUSY;
	(void)sb_fail(err, STEPBUS_EBUSY,
		      "the store has failed too often and is left alone for a moment: the step is "
		      "still yours, try again");
}

void sb_answer_all(stepbus *engine, sb_answer *answers, size_t count, stepbus_error *err)
{
	sb_writer_batch batch = { 0 };
	bool is_first = true;

	if (!may_pass(engine)) {
		refuse_all(answers, count, err);
		return;
	}
	find_all(engine, answers, count);
	for (size_t i = 0; i < count; i++) {
		answers[i].is_taken = answers[i].status == STEPBUS_OK;
		if (answers[i].is_taken)
			take(engine, &answers[i], &batch);
	}
	sb_writer_perform_batch(&engine->writer, &batch);
	note(engine, judge(answers, count));
	for (size_t i = 0; i < count; i++) {
		if (answers[i].is_taken)
			conclude(engine, &answers[i], is_first ? err : NULL);
		dispose(engine, &answers[i]);
		is_first = is_first && answers[i].status == STEPBUS_OK;
	}
}
