/* SPDX-License-Identifier: MIT */
#include "handlers/polled.h"

#include "handlers/clockwork.h"
#include "handlers/overtime.h"
#include "handlers/submit.h"
#include "handlers/worker_line.h"

static bool is_polled(const sb_claimed *claimed)
{
	return atomic_load(&claimed->is_polled) != 0;
}

void sb_polled_return(sb_claimed *claimed)
{
	stepbus_worker *worker = claimed->worker;
	int64_t due_ns;

	sb_settlement_clear(&claimed->settlement, &worker->engine->host);
	sb_start_log_mark(worker->start_log, claimed->start_slot, SB_START_RUNNING);
	/* It may be abandoned, and the worker freed, as soon as it runs. */
	sb_worker_hold(worker);
	atomic_store(&claimed->phase, SB_CLAIMED_RUNNING);
	if (atomic_load(&worker->is_claiming) == 0)
		(void)sb_claimed_interrupt(claimed, STEPBUS_ESHUTDOWN);
	due_ns = sb_overtime_due_ns(claimed);
	if (due_ns != INT64_MAX)
		sb_clockwork_expect(worker->engine->clockwork, due_ns);
	if (atomic_load(&worker->is_abandoned) != 0)
		sb_polled_abandon(worker);
	sb_worker_let_go(worker);
}

void sb_polled_part(stepbus *engine, sb_claimed *claimed, bool is_success)
{
	int64_t started_ns = atomic_load(&claimed->started_ns);

	if (atomic_exchange(&claimed->is_polled, 0) == 0)
		return;
	sb_handler_count_run(claimed->definition, is_success,
			     (sb_clock_elapsed_ns(&engine->host) - started_ns) / 1000);
	sb_handler_unref_slowly(claimed->definition);
	sb_claimed_table_leave(&engine->claimed, claimed);
	sb_worker_line_leave(claimed->worker);
	sb_claimed_unref(&engine->host, claimed);
}

/*
 * Under the lock of the table, which keeps the worker. A lease that is over may be lost, and this
 * process not have heard of it yet: looked at first, since it is renewed behind the interruption.
 */
static stepbus_status look_at(stepbus *engine, sb_claimed *claimed)
{
	bool is_in_doubt;
	stepbus_status status;

	if (claimed == NULL || !is_polled(claimed))
		return STEPBUS_ENOTFOUND;
	atomic_store(&claimed->noticed_ns, sb_clock_elapsed_ns(&engine->host));
	is_in_doubt = sb_worker_is_lease_over(claimed->worker);
	status = atomic_load(&claimed->interruption);
	return status == STEPBUS_OK && is_in_doubt ? STEPBUS_EBUSY : status;
}

stepbus_status sb_polled_notice(stepbus *engine, const sb_claimed_key *key, stepbus_error *err)
{
	sb_claimed_table *table = &engine->claimed;
	stepbus_status status;

	pthread_mutex_lock(&table->lock);
	status = look_at(engine,
			 (sb_claimed *)(void *)sb_map_find(&table->by_key, key, sizeof *key));
	pthread_mutex_unlock(&table->lock);
	switch (status) {
	case STEPBUS_OK:
		return status;
	case STEPBUS_ENOTFOUND:
		return sb_fail(err, status,
			       "no such attempt was polled here, or it was answered already");
	case STEPBUS_ESHUTDOWN:
		return sb_fail(err, status, "the worker is being stopped: finish the step soon");
	case STEPBUS_EBUSY:
		return sb_fail(err, status,
			       "the lease is over and could not be renewed yet: the step is still "
			       "yours unless another worker has it, ask again before you go on");
	default:
		return sb_fail(err, status, "the attempt was ended: its result will be refused");
	}
}

bool sb_polled_is_in_vain(stepbus *engine, const sb_claimed_key *key)
{
	sb_claimed *claimed = sb_claimed_table_find(&engine->claimed, key);
	stepbus_status why = STEPBUS_ENOTFOUND;

	if (claimed != NULL && is_polled(claimed))
		why = atomic_load(&claimed->interruption);
	if (claimed != NULL)
		sb_claimed_unref(&engine->host, claimed);
	return why != STEPBUS_OK && why != STEPBUS_ESHUTDOWN;
}

/* Some of those that a worker's host has not answered. */
typedef struct unanswered {
	const stepbus_worker *worker;
	size_t count;
	sb_claimed *list[64];
} unanswered;

static bool note_unanswered(void *context, sb_claimed *claimed)
{
	unanswered *u = context;

	/* One that is being answered is its caller's, who looks whether it is abandoned then. */
	if (claimed->worker != u->worker || !is_polled(claimed) ||
	    atomic_load(&claimed->phase) == SB_CLAIMED_ANSWERING)
		return true;
	sb_claimed_ref(claimed);
	u->list[u->count++] = claimed;
	return u->count < sizeof u->list / sizeof *u->list;
}

void sb_polled_abandon(stepbus_worker *worker)
{
	static const sb_submit_failure abandoned = {
		.error_type = "abandoned",
		.message = "the worker was freed before its host answered",
		.is_retryable = true,
		.attempt_outcome = SB_ATTEMPT_LOST,
		.interruption = STEPBUS_ESTALE,
	};
	stepbus *engine = worker->engine;
	unanswered u = { .worker = worker };

	atomic_store(&worker->is_abandoned, 1);
	do {
		u.count = 0;
		sb_claimed_table_each(&engine->claimed, note_unanswered, &u);
		for (size_t i = 0; i < u.count; i++) {
			bool is_ours = sb_submit_failure_of(u.list[i], &abandoned);

			/* An answer may have come in between. */
			if (is_ours || sb_claimed_is_ended(u.list[i]))
				sb_polled_part(engine, u.list[i], false);
			sb_claimed_unref(&engine->host, u.list[i]);
		}
	} while (u.count > 0);
}
