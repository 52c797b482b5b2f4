/* SPDX-License-Identifier: MIT */
#include "handlers/writer.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/signals.h"

enum { SPIN_COUNT = 200 };

static void futex_wait(_Atomic(uint32_t) *word, uint32_t value)
{
	(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic(uint32_t) *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

bool sb_writer_is_refusal(stepbus_status status)
{
	switch (status) {
	case STEPBUS_EINVAL:
	case STEPBUS_ENOTFOUND:
	case STEPBUS_EEXISTS:
	case STEPBUS_ELIMIT:
	case STEPBUS_EALREADY:
	case STEPBUS_ESTALE:
	case STEPBUS_ETIMEDOUT:
	case STEPBUS_ECANCELLED:
	case STEPBUS_ESHUTDOWN:
		return true;
	default:
		return false;
	}
}

/*
 * Whether a transaction may be kept though an operation in it answered this. A limit may be the
 * database's, which then has written a part of what it was told.
 */
static bool is_harmless(stepbus_status status)
{
	return status == STEPBUS_OK || (sb_writer_is_refusal(status) && status != STEPBUS_ELIMIT);
}

/* Moves what came in behind the backlog, in the order of its coming. */
static void gather(sb_writer *writer)
{
	sb_operation *newest =
		atomic_exchange_explicit(&writer->incoming, NULL, memory_order_acquire);
	sb_operation *oldest = NULL;

	if (newest == NULL)
		return;
	for (sb_operation *o = newest, *next; o != NULL; o = next) {
		next = o->next;
		o->next = oldest;
		oldest = o;
	}
	if (writer->backlog == NULL)
		writer->backlog = oldest;
	else
		writer->backlog_last->next = oldest;
	writer->backlog_last = newest;
}

/* Takes the operations of the next group off the backlog; at least one, where there is one. */
static sb_operation *take_group(sb_writer *writer)
{
	sb_operation *first, *last = NULL;
	size_t weight = 0;

	gather(writer);
	first = writer->backlog;
	for (sb_operation *o = first; o != NULL; o = o->next) {
		if (last != NULL && weight + o->weight > writer->group_weight_max)
			break;
		weight += o->weight;
		last = o;
	}
	if (last == NULL)
		return NULL;
	writer->backlog = last->next;
	last->next = NULL;
	return first;
}

static stepbus_status run_operations(sb_writer *writer, sb_operation *first, stepbus_error *err)
{
	for (sb_operation *o = first; o != NULL; o = o->next) {
		/* Not all of it, which would cost more than what most of them do. */
		o->err.size = sizeof o->err;
		o->err.code = STEPBUS_OK;
		o->err.message[0] = '\0';
		o->status = o->run(o, writer->store, &o->err);
		if (!is_harmless(o->status)) {
			*err = o->err;
			return o->status;
		}
	}
	return STEPBUS_OK;
}

/* Runs operations and claims in one transaction. */
static stepbus_status run_transaction(sb_writer *writer, sb_operation *first, bool is_claiming,
				      stepbus_error *err)
{
	const sb_store_type *type = writer->store->type;
	stepbus_status status = type->begin(writer->store, err);
	bool is_open = status == STEPBUS_OK;

	if (is_open)
		status = run_operations(writer, first, err);
	if (status == STEPBUS_OK && is_claiming)
		status = writer->hooks.claim(writer->hooks.context, err);
	if (status == STEPBUS_OK) {
		is_open = false;
		status = type->commit(writer->store, err);
	}
	if (is_open)
		type->rollback(writer->store);
	writer->is_failing = status != STEPBUS_OK;
	writer->hooks.ended(writer->hooks.context, status == STEPBUS_OK);
	return status;
}

static void fail_all(sb_operation *first, stepbus_status status, const stepbus_error *err)
{
	for (sb_operation *o = first; o != NULL; o = o->next) {
		o->status = status;
		o->err = *err;
	}
}

/* The last one wakes who waits for the batch; nothing of it is there any more then. */
static void finish_of_batch(sb_operation *operation)
{
	_Atomic(uint32_t) *left_count = &operation->batch->left_count;

	if (operation->done != NULL)
		operation->done(operation);
	if (atomic_fetch_sub_explicit(left_count, 1, memory_order_acq_rel) == 1)
		futex_wake(left_count);
}

static void finish(sb_writer *writer, sb_operation *first)
{
	size_t count = 0;

	/* Before anyone is told, who may look. */
	for (const sb_operation *o = first; o != NULL; o = o->next)
		count++;
	atomic_fetch_add_explicit(&writer->operation_count, count, memory_order_relaxed);
	atomic_fetch_add_explicit(&writer->group_count, 1, memory_order_relaxed);
	for (sb_operation *o = first, *next; o != NULL; o = next) {
		next = o->next; /* whoever is told may free it */
		atomic_fetch_sub_explicit(&writer->waiting_weight, o->weight, memory_order_relaxed);
		if (o->batch != NULL) {
			finish_of_batch(o);
		} else if (o->done != NULL) {
			o->done(o);
		} else {
			atomic_store_explicit(&o->is_done, 1, memory_order_release);
			futex_wake(&o->is_done);
		}
	}
}

/* What made a group fail may be one operation's fault: each gets a transaction of its own. */
static void run_each_alone(sb_writer *writer, sb_operation *first)
{
	for (sb_operation *o = first, *next; o != NULL; o = next) {
		stepbus_error err = STEPBUS_ERROR_INIT;
		stepbus_status status;

		next = o->next;
		o->next = NULL;
		status = run_transaction(writer, o, false, &err);
		if (status != STEPBUS_OK)
			fail_all(o, status, &err);
		finish(writer, o);
	}
	/* It was an operation that failed, not the store; and nothing was claimed yet. */
	writer->is_failing = false;
}

/* Whether a single operation may have done what the whole group suffers from. */
static bool is_worth_separating(stepbus_status status)
{
	return status == STEPBUS_ENOMEM || status == STEPBUS_ENOSPACE || status == STEPBUS_ELIMIT ||
	       status == STEPBUS_ECORRUPT;
}

/* One group, by who leads. False: there was nothing to do. */
static bool run_group(sb_writer *writer)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_operation *first = take_group(writer);
	bool is_claiming = writer->hooks.has_claims(writer->hooks.context) || first != NULL;
	stepbus_status status;

	if (first == NULL && !is_claiming)
		return false;
	status = run_transaction(writer, first, is_claiming, &err);
	if (status != STEPBUS_OK && first != NULL && is_worth_separating(status)) {
		run_each_alone(writer, first);
	} else {
		if (status != STEPBUS_OK)
			fail_all(first, status, &err);
		finish(writer, first);
	}
	writer->hooks.settled(writer->hooks.context);
	return first != NULL || status == STEPBUS_OK;
}

/* A chain, newest first. */
static void push_all(sb_writer *writer, sb_operation *newest, sb_operation *oldest, size_t weight)
{
	sb_operation *head = atomic_load_explicit(&writer->incoming, memory_order_relaxed);

	atomic_fetch_add_explicit(&writer->waiting_weight, weight, memory_order_relaxed);
	do
		oldest->next = head;
	while (!atomic_compare_exchange_weak_explicit(&writer->incoming, &head, newest,
						      memory_order_seq_cst, memory_order_relaxed));
}

static void push(sb_writer *writer, sb_operation *operation)
{
	operation->batch = NULL;
	push_all(writer, operation, operation, operation->weight);
}

void sb_writer_nudge(sb_writer *writer)
{
	atomic_store(&writer->is_wanted, 1);
	if (atomic_load(&writer->is_sleeping) != 0)
		futex_wake(&writer->is_wanted);
}

void sb_writer_submit(sb_writer *writer, sb_operation *operation)
{
	push(writer, operation);
	sb_writer_nudge(writer);
}

void sb_writer_lead(sb_writer *writer)
{
	pthread_mutex_lock(&writer->lead);
}

void sb_writer_yield(sb_writer *writer)
{
	/* Where the store fails, what can be claimed waits for the next look that is due anyway. */
	bool has_work = writer->backlog != NULL ||
			(!writer->is_failing && writer->hooks.has_claims(writer->hooks.context));

	pthread_mutex_unlock(&writer->lead);
	/* What came while we led, and whose callers sleep, must not wait for the next caller. */
	if (has_work || atomic_load(&writer->incoming) != NULL)
		sb_writer_nudge(writer);
}

static bool try_lead(sb_writer *writer)
{
	return pthread_mutex_trylock(&writer->lead) == 0;
}

void sb_writer_offer(sb_writer *writer, sb_operation *operation)
{
	push(writer, operation);
	if (!try_lead(writer)) {
		sb_writer_nudge(writer);
		return;
	}
	run_group(writer);
	sb_writer_yield(writer);
}

static void wait_for(sb_operation *operation)
{
	for (int spin = 0; spin < SPIN_COUNT; spin++) {
		if (atomic_load_explicit(&operation->is_done, memory_order_acquire) != 0)
			return;
		__builtin_ia32_pause();
	}
	while (atomic_load_explicit(&operation->is_done, memory_order_acquire) == 0)
		futex_wait(&operation->is_done, 0);
}

stepbus_status sb_writer_perform(sb_writer *writer, sb_operation *operation, stepbus_error *err)
{
	atomic_store_explicit(&operation->is_done, 0, memory_order_relaxed);
	push(writer, operation);
	if (try_lead(writer)) {
		/* Ours is among the first groups; a leader before us may have done it already. */
		while (atomic_load_explicit(&operation->is_done, memory_order_acquire) == 0)
			run_group(writer);
		sb_writer_yield(writer);
	} else {
		sb_writer_nudge(writer);
		wait_for(operation);
	}
	if (operation->status != STEPBUS_OK && err != NULL)
		sb_fail(err, operation->status, "%s", operation->err.message);
	return operation->status;
}

void sb_writer_batch_add(sb_writer_batch *batch, sb_operation *operation)
{
	operation->batch = batch;
	operation->next = batch->last;
	batch->last = operation;
	if (batch->first == NULL)
		batch->first = operation;
	batch->weight += operation->weight;
	atomic_fetch_add_explicit(&batch->left_count, 1, memory_order_relaxed);
}

static void wait_for_batch(sb_writer_batch *batch)
{
	uint32_t left;

	for (int spin = 0; spin < SPIN_COUNT; spin++) {
		if (atomic_load_explicit(&batch->left_count, memory_order_acquire) == 0)
			return;
		__builtin_ia32_pause();
	}
	while ((left = atomic_load_explicit(&batch->left_count, memory_order_acquire)) != 0)
		futex_wait(&batch->left_count, left);
}

void sb_writer_perform_batch(sb_writer *writer, sb_writer_batch *batch)
{
	if (batch->first == NULL)
		return;
	push_all(writer, batch->last, batch->first, batch->weight);
	if (!try_lead(writer)) {
		sb_writer_nudge(writer);
		wait_for_batch(batch);
		return;
	}
	/* As in _perform. */
	while (atomic_load_explicit(&batch->left_count, memory_order_acquire) != 0)
		run_group(writer);
	sb_writer_yield(writer);
}

bool sb_writer_is_full(const sb_writer *writer)
{
	return atomic_load_explicit(&writer->waiting_weight, memory_order_relaxed) >=
	       writer->waiting_weight_max;
}

static void sleep_until_wanted(sb_writer *writer)
{
	for (int spin = 0; spin < SPIN_COUNT; spin++) {
		if (atomic_load_explicit(&writer->is_wanted, memory_order_relaxed) != 0)
			break;
		__builtin_ia32_pause();
	}
	atomic_store(&writer->is_sleeping, 1);
	while (atomic_load(&writer->is_wanted) == 0)
		futex_wait(&writer->is_wanted, 0);
	atomic_store(&writer->is_sleeping, 0);
	atomic_store(&writer->is_wanted, 0);
}

void sb_writer_work_off(sb_writer *writer)
{
	pthread_mutex_lock(&writer->lead);
	while (run_group(writer))
		;
	pthread_mutex_unlock(&writer->lead);
}

bool sb_writer_turn(sb_writer *writer)
{
	bool has_run;

	if (atomic_exchange(&writer->is_wanted, 0) == 0)
		return false;
	pthread_mutex_lock(&writer->lead);
	has_run = run_group(writer);
	pthread_mutex_unlock(&writer->lead);
	/* The thread goes on until there is nothing to do. */
	if (has_run)
		atomic_store(&writer->is_wanted, 1);
	return true;
}

static void *thread_main(void *user_data)
{
	sb_writer *writer = user_data;

	for (;;) {
		bool is_ending = atomic_load(&writer->is_ending) != 0;

		sb_writer_work_off(writer);
		if (is_ending)
			return NULL;
		sleep_until_wanted(writer);
	}
}

stepbus_status sb_writer_init(sb_writer *writer, const stepbus_host *host, sb_store *store,
			      const sb_writer_hooks *hooks)
{
	writer->host = host;
	writer->store = store;
	writer->hooks = *hooks;
	sb_assert(pthread_mutex_init(&writer->lead, NULL) == 0);
	return STEPBUS_OK;
}

stepbus_status sb_writer_start(sb_writer *writer, stepbus_error *err)
{
	sigset_t before;
	int failure;

	sb_signals_block(&before);
	failure = pthread_create(&writer->thread, NULL, thread_main, writer);
	sb_signals_give_back(&before);
	if (failure != 0)
		return sb_fail(err, STEPBUS_ESYSTEM, "cannot start the writer thread (errno %d)",
			       failure);
	writer->has_thread = true;
	pthread_setname_np(writer->thread, "stepbus-writer");
	return STEPBUS_OK;
}

void sb_writer_stop(sb_writer *writer)
{
	atomic_store(&writer->is_ending, 1);
	if (!writer->has_thread) {
		sb_writer_work_off(writer);
		return;
	}
	sb_writer_nudge(writer);
	pthread_join(writer->thread, NULL);
}

void sb_writer_free(sb_writer *writer)
{
	pthread_mutex_destroy(&writer->lead);
}

void sb_writer_stats_read(const sb_writer *writer, sb_writer_stats *out)
{
	out->group_count = atomic_load(&writer->group_count);
	out->operation_count = atomic_load(&writer->operation_count);
	out->waiting_count = atomic_load(&writer->waiting_weight);
}
