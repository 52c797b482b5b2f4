/* SPDX-License-Identifier: MIT */
#include "handlers/enlist.h"

#include <stddef.h>
#include <unistd.h>

#include "base/words.h"
#include "handlers/claim.h"
#include "handlers/news.h"
#include "handlers/serving.h"

typedef struct enlistment {
	sb_operation operation;
	stepbus_worker *worker;
} enlistment;

static stepbus_worker *worker_of(sb_operation *operation)
{
	return ((enlistment *)(void *)operation)->worker;
}

/* What the registry has, as rows. */
typedef struct served_list {
	sb_notice notice;
	stepbus *engine;
	stepbus_handler **handlers;
	size_t count;
	sb_served_row *rows; /* of those that the worker's kind runs */
	size_t row_count;
} served_list;

static void tell_nobody(sb_notice *notice, stepbus_bridge *bridge)
{
	(void)notice;
	(void)bridge;
}

static void dispose_served(sb_notice *notice)
{
	served_list *list = (served_list *)(void *)notice;
	const stepbus_host *host = &list->engine->host;

	sb_registry_release_all(list->engine->registry, list->handlers, list->count);
	sb_release(host, list->rows);
	sb_release(host, list);
}

/* The last reference calls the host's destroy, which whoever leads the writer must not. */
static void release_served(served_list *list)
{
	list->notice.tell = tell_nobody;
	list->notice.dispose = dispose_served;
	sb_notices_add(&list->engine->notices, &list->notice, &list->notice, 1);
}

static bool fill_rows(served_list *list, const stepbus_worker *worker)
{
	list->rows = sb_alloc_array(&list->engine->host, list->count + 1, sizeof *list->rows);
	for (size_t i = 0; list->rows != NULL && i < list->count; i++) {
		const stepbus_handler_spec *spec = &list->handlers[i]->facts->spec;

		if (((spec->flags & STEPBUS_HANDLER_PULLED) != 0) != worker->options.is_pull)
			continue;
		list->rows[list->row_count++] = (sb_served_row){
			.worker_id = worker->row.id,
			.handler_namespace =
				sb_slice_of(spec->handler_namespace, spec->handler_namespace_len),
			.name = sb_slice_of(spec->name, spec->name_len),
			.version = sb_slice_of(spec->version, spec->version_len),
		};
	}
	return list->rows != NULL;
}

static stepbus_status write_rows(const served_list *list, sb_store *store, int64_t worker_id,
				 stepbus_error *err)
{
	stepbus_status status =
		store->type->served_put(store, worker_id, list->rows, list->row_count, err);

	for (size_t i = 0; status == STEPBUS_OK && i < list->row_count; i++) {
		const sb_handler_row row = { .handler_namespace = list->rows[i].handler_namespace,
					     .name = list->rows[i].name,
					     .version = list->rows[i].version,
					     .recorded_at_us = sb_engine_now_us(list->engine) };

		status = store->type->handler_record(store, &row, err);
	}
	return status;
}

static stepbus_status write_served(stepbus_worker *worker, sb_store *store, stepbus_error *err)
{
	stepbus *engine = worker->engine;
	served_list *list = sb_alloc(&engine->host, sizeof *list);
	stepbus_status status;

	if (list == NULL)
		return sb_fail_memory(err, "tell which handlers a worker serves");
	list->engine = engine;
	status = sb_registry_hold_all(engine->registry, &list->handlers, &list->count, err);
	if (status != STEPBUS_OK) {
		sb_release(&engine->host, list);
		return status;
	}
	status = fill_rows(list, worker) ?
			 write_rows(list, store, worker->row.id, err) :
			 sb_fail_memory(err, "tell which handlers a worker serves");
	release_served(list);
	return status;
}

/* Turns the names of queues into numbers, which are made where there are none. */
static stepbus_status find_queues(stepbus_worker *worker, sb_store *store, stepbus_error *err)
{
	sb_slice words = worker->options.queues;
	stepbus_status status = STEPBUS_OK;
	sb_slice word;

	worker->queue_count = 0;
	while (status == STEPBUS_OK && words.len > 0 && sb_words_next(&words, &word)) {
		if (worker->queue_count == SB_WORKER_QUEUE_MAX)
			return sb_fail(err, STEPBUS_ELIMIT, "a worker has at most %d queues",
				       SB_WORKER_QUEUE_MAX);
		status = sb_names_queue(&worker->engine->names, store, word,
					&worker->queue_ids[worker->queue_count], err);
		worker->queue_count += status == STEPBUS_OK;
	}
	return status;
}

static int64_t lease_end_ns(const stepbus *engine)
{
	return sb_clock_elapsed_ns(&engine->host) + engine->options.lease_ms * 1000000;
}

static stepbus_status insert_row(stepbus_worker *worker, sb_store *store, stepbus_error *err)
{
	stepbus *engine = worker->engine;
	const char *strategy = sb_claim_strategy_name((int)worker->options.strategy);
	stepbus_status status;

	worker->started_at_us = sb_engine_now_us(engine);
	worker->row = (sb_worker_row){
		.name = worker->options.name,
		.strategy = sb_slice_z(strategy),
		.queues = worker->options.queues,
		.capabilities = worker->options.capabilities,
		.pid = getpid(),
		.started_at_us = worker->started_at_us,
		.heartbeat_at_us = sb_engine_now_us(engine),
		.lease_until_ns = lease_end_ns(engine),
		.block_size = worker->options.block_size,
		.pool_size = worker->options.pool_size,
	};
	memcpy(worker->row.boot_id, engine->boot_id, sizeof worker->row.boot_id);
	status = store->type->worker_insert(store, &worker->row, err);
	return status == STEPBUS_OK ? write_served(worker, store, err) : status;
}

static stepbus_status run_enlist(sb_operation *operation, sb_store *store, stepbus_error *err)
{
	stepbus_worker *worker = worker_of(operation);
	stepbus_status status = find_queues(worker, store, err);

	return status == STEPBUS_OK ? insert_row(worker, store, err) : status;
}

stepbus_status sb_enlist(stepbus_worker *worker, stepbus_error *err)
{
	enlistment e = { .operation = { .run = run_enlist, .weight = 1 }, .worker = worker };
	stepbus_status status = sb_writer_perform(&worker->engine->writer, &e.operation, err);

	if (status != STEPBUS_OK) {
		worker->row.id = 0;
		return status;
	}
	atomic_store(&worker->lease_until_ns, worker->row.lease_until_ns);
	atomic_store(&worker->beaten_at_ns, sb_clock_elapsed_ns(&worker->engine->host));
	return STEPBUS_OK;
}

static void count_up(stepbus_worker *worker)
{
	worker->row.completed_count = atomic_load(&worker->completed_count);
	worker->row.failed_count = atomic_load(&worker->failed_count);
	worker->row.active_count = atomic_load(&worker->unsettled_count);
}

/* Where something could not be settled or given back, the row stays, its lease over: for others. */
static stepbus_status run_end(sb_operation *operation, sb_store *store, stepbus_error *err)
{
	stepbus_worker *worker = worker_of(operation);
	const sb_scan scan = { .kind = SB_SCAN_RUNNING, .worker_id = worker->row.id };
	sb_step_status left;
	size_t left_count = 0;
	stepbus_status status = store->type->step_scan(store, &scan, &left, 1, &left_count, err);

	if (status != STEPBUS_OK)
		return status;
	count_up(worker);
	worker->row.stopped_at_us = left_count == 0 ? sb_engine_now_us(worker->engine) : 0;
	worker->row.lease_until_ns = 0;
	status = store->type->worker_update(store, &worker->row, err);
	if (status == STEPBUS_OK && left_count == 0)
		status = store->type->served_put(store, worker->row.id, NULL, 0, err);
	return status;
}

bool sb_enlist_end(stepbus_worker *worker)
{
	enlistment e = { .operation = { .run = run_end, .weight = 1 }, .worker = worker };
	stepbus_status status = sb_writer_perform(&worker->engine->writer, &e.operation, NULL);

	/* Not found: others have taken over all there was. */
	return status == STEPBUS_ENOTFOUND ||
	       (status == STEPBUS_OK && worker->row.stopped_at_us != 0);
}

typedef struct return_of_steps {
	sb_operation operation;
	stepbus *engine;
	sb_claimed *first;
} return_of_steps;

static stepbus_status run_give_back(sb_operation *operation, sb_store *store, stepbus_error *err)
{
	return_of_steps *r = (return_of_steps *)(void *)operation;
	stepbus_status status = STEPBUS_OK;

	for (const sb_claimed *c = r->first; c != NULL && status == STEPBUS_OK; c = c->next) {
		sb_step_status after = { 0 };
		const sb_loss loss = { .was_started = false };

		status = sb_settle_loss(r->engine, store, &c->status, &loss, &after, err);
	}
	return status;
}

void sb_enlist_give_back(stepbus_worker *worker, sb_claimed *first)
{
	stepbus *engine = worker->engine;
	return_of_steps r = { .operation = { .run = run_give_back, .weight = 1 },
			      .engine = engine,
			      .first = first };

	if (first == NULL)
		return;
	/* Where this fails, the steps come free when the worker's row says that it has stopped. */
	(void)sb_writer_perform(&engine->writer, &r.operation, NULL);
	for (sb_claimed *next; first != NULL; first = next) {
		next = first->next;
		sb_worker_release(worker, first);
		sb_claimed_unref(&engine->host, first);
	}
}

/* Nobody may find the marks of the new row in the log of the old one, which goes with that. */
static stepbus_status begin_anew(stepbus_worker *worker, sb_store *store, stepbus_error *err)
{
	stepbus_status status;

	if (!worker->is_lost)
		worker->row_before = worker->row;
	worker->is_lost = true;
	status = insert_row(worker, store, err);
	if (status == STEPBUS_OK && worker->start_log != NULL)
		status = sb_start_log_renew(worker->start_log,
					    &(sb_start_name){ worker->engine->options.path,
							      worker->row.pid, worker->row.id },
					    err);
	return status;
}

static stepbus_status renew(stepbus_worker *worker, sb_store *store, stepbus_error *err)
{
	stepbus_status status;

	count_up(worker);
	worker->row.heartbeat_at_us = sb_engine_now_us(worker->engine);
	worker->row.lease_until_ns = lease_end_ns(worker->engine);
	status = store->type->worker_update(store, &worker->row, err);
	if (status == STEPBUS_ENOTFOUND)
		return begin_anew(worker, store, err);
	/* What was registered meanwhile is served from now on. */
	return status == STEPBUS_OK ? write_served(worker, store, err) : status;
}

stepbus_status sb_enlist_renew(stepbus *engine, stepbus_error *err)
{
	stepbus_status status = STEPBUS_OK;

	for (stepbus_worker *w = engine->workers; w != NULL && status == STEPBUS_OK; w = w->next)
		status = renew(w, engine->store, err);
	if (status == STEPBUS_OK)
		status = sb_serving_read(engine, err);
	sb_serving_forget(engine);
	return status;
}

static void note_renewal(stepbus_worker *worker, bool is_lost)
{
	stepbus *engine = worker->engine;

	if (is_lost) {
		sb_worker_lose(worker);
		sb_news_worker(engine, SB_EVENT_WORKER_LOST, worker);
	}
	atomic_store(&worker->lease_until_ns, worker->row.lease_until_ns);
	atomic_store(&worker->beaten_at_ns, sb_clock_elapsed_ns(&engine->host));
	sb_worker_resume(worker);
	sb_news_worker(engine, SB_EVENT_WORKER_HEARTBEAT, worker);
}

void sb_enlist_renewed(stepbus *engine, bool is_committed)
{
	for (stepbus_worker *w = engine->workers; w != NULL; w = w->next) {
		bool is_lost = w->is_lost;

		w->is_lost = false;
		if (is_committed) {
			note_renewal(w, is_lost);
			continue;
		}
		/* Its new row was rolled back: nothing may be claimed for a number that is not given. */
		if (is_lost)
			w->row = w->row_before;
		sb_worker_give_up(w);
	}
}
