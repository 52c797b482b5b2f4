/* SPDX-License-Identifier: MIT */
#include "handlers/enqueue.h"

#include <stddef.h>

#include "base/ids.h"
#include "base/utf8.h"
#include "base/words.h"
#include "handlers/news.h"
#include "handlers/step_spec.h"
#include "handlers/unique.h"

static const char queue_default[] = "default";

static const unsigned open_states = 1U << SB_STEP_WAITING | 1U << SB_STEP_SCHEDULED |
				    1U << SB_STEP_READY | 1U << SB_STEP_PARKED |
				    1U << SB_STEP_RUNNING;

/* One spec on its way, with what is found out about it. */
typedef struct newcomer {
	const sb_enqueue *enqueue;
	sb_store *store;
	const stepbus_step_spec *spec;
	bool is_checked; /* it may be refused */
	sb_slice queue;
	sb_handler_row handler;
	int64_t existing_id; /* 0: it is new */
	sb_step_row row;
	sb_step_status status;
	sb_unique_bytes idempotency_key;
	sb_unique_bytes unique_key;
} newcomer;

/* Whether this is the writer's own transaction: only then the engine remembers, and tells, of it. */
static bool is_own(const sb_enqueue *enqueue)
{
	return enqueue->names == &enqueue->engine->names;
}

static int64_t now_us_of(const sb_enqueue *enqueue)
{
	return is_own(enqueue) ? sb_engine_now_us(enqueue->engine) : enqueue->now_us;
}

static void name(newcomer *n)
{
	const stepbus_step_spec *spec = n->spec;

	n->queue = spec->queue_len > 0 ? sb_slice_of(spec->queue, spec->queue_len) :
					 sb_slice_of(queue_default, sizeof queue_default - 1);
	n->handler = (sb_handler_row){
		.handler_namespace =
			spec->handler_namespace_len > 0 ?
				sb_slice_of(spec->handler_namespace, spec->handler_namespace_len) :
				sb_slice_of(SB_NAMESPACE_DEFAULT, sizeof SB_NAMESPACE_DEFAULT - 1),
		.name = sb_slice_of(spec->handler_name, spec->handler_name_len),
		.version = sb_slice_of(spec->handler_version, spec->handler_version_len),
	};
}

static stepbus_status check_known(const newcomer *n, stepbus_error *err)
{
	bool is_recorded = false;
	sb_shown shown;
	stepbus_status status =
		n->store->type->handler_is_recorded(n->store, &n->handler, &is_recorded, err);

	if (status != STEPBUS_OK || is_recorded)
		return status;
	return sb_fail(err, STEPBUS_ENOTFOUND,
		       "no worker ever served handler '%s': start one that has it, or open the "
		       "engine without strict_handlers",
		       sb_show(&shown, n->handler.name.data, n->handler.name.len));
}

/* What the handler says, where it is registered here. */
static stepbus_status check_permissions(const newcomer *n, const stepbus_handler_spec *handler,
					stepbus_error *err)
{
	sb_slice queues = sb_slice_of(handler->permitted_queues, handler->permitted_queues_len);
	sb_slice callers = sb_slice_of(handler->permitted_callers, handler->permitted_callers_len);
	sb_slice caller = sb_slice_of(n->spec->caller, n->spec->caller_len);
	sb_shown shown;

	if (queues.len > 0 && !sb_words_has(queues, n->queue))
		return sb_fail(err, STEPBUS_EINVAL,
			       "handler '%s' may not run in queue '%s': see its permitted_queues",
			       handler->name, sb_show(&shown, n->queue.data, n->queue.len));
	if (callers.len > 0 && (caller.len == 0 || !sb_words_has(callers, caller)))
		return sb_fail(err, STEPBUS_EINVAL,
			       "caller '%s' may not enqueue handler '%s': see its "
			       "permitted_callers",
			       sb_show(&shown, caller.data, caller.len), handler->name);
	return STEPBUS_OK;
}

/* A look at the handler, and what came of it. */
typedef struct consultation {
	newcomer *newcomer;
	stepbus_status status;
	stepbus_error *err;
} consultation;

static void take_advice(void *context, const stepbus_handler_spec *handler)
{
	consultation *c = context;
	sb_step_row *row = &c->newcomer->row;

	if (c->newcomer->is_checked)
		c->status = check_permissions(c->newcomer, handler, c->err);
	if (row->wait_timeout_us == 0 && handler->wait_timeout_ms <= SB_STEP_SPEC_TIME_MS_MAX)
		row->wait_timeout_us = handler->wait_timeout_ms * 1000;
	if (row->total_timeout_us == 0 && handler->total_timeout_ms <= SB_STEP_SPEC_TIME_MS_MAX)
		row->total_timeout_us = handler->total_timeout_ms * 1000;
}

static stepbus_status consult_handler(newcomer *n, stepbus_error *err)
{
	const sb_handler_name handler_name = { .handler_namespace = n->handler.handler_namespace,
					       .name = n->handler.name,
					       .version = n->handler.version };
	consultation c = { n, STEPBUS_OK, err };

	n->row.wait_timeout_us = n->spec->wait_timeout_ms * 1000;
	n->row.total_timeout_us = n->spec->total_timeout_ms * 1000;
	(void)sb_registry_peek(n->enqueue->engine->registry, &handler_name, take_advice, &c);
	return c.status;
}

static stepbus_status compose_keys(newcomer *n, int64_t now_us, stepbus_error *err)
{
	const stepbus_step_spec *spec = n->spec;
	const sb_unique_scope scope = { .flags = spec->unique_scope,
					.queue = n->queue,
					.handler_namespace = n->handler.handler_namespace,
					.name = n->handler.name,
					.period_us = spec->unique_period_ms * 1000,
					.now_us = now_us };
	bool is_composed = true;

	if (spec->idempotency_key_len > 0) {
		is_composed = sb_unique_idempotency(
			sb_slice_of(spec->idempotency_key, spec->idempotency_key_len),
			&n->idempotency_key);
		n->row.idempotency_key = sb_unique_slice(&n->idempotency_key);
	}
	if (is_composed && spec->unique_key_len > 0) {
		is_composed = sb_unique_compose(sb_slice_of(spec->unique_key, spec->unique_key_len),
						&scope, &n->unique_key);
		n->row.unique_key = sb_unique_slice(&n->unique_key);
	}
	return is_composed ? STEPBUS_OK : sb_fail(err, STEPBUS_EINVAL, "a key is too long");
}

/*
 * What may refuse a spec, before anything of any spec is written. Of several, this is done for all
 * first; what a handler permits may be another thing by the time they are placed, and is not asked
 * again.
 */
static stepbus_status examine(newcomer *n, stepbus_error *err)
{
	stepbus_status status = STEPBUS_OK;

	name(n);
	if (n->is_checked && n->enqueue->engine->options.is_strict)
		status = check_known(n, err);
	if (status == STEPBUS_OK)
		status = consult_handler(n, err);
	return status == STEPBUS_OK ? compose_keys(n, now_us_of(n->enqueue), err) : status;
}

/* The step that has a key, where it is in one of these states. */
static stepbus_status find_holder(newcomer *n, sb_slice key, unsigned states, stepbus_error *err)
{
	sb_step_status holder;
	int64_t id = 0;
	stepbus_status status;

	if (key.len == 0 || n->existing_id != 0)
		return STEPBUS_OK;
	status = n->store->type->unique_find(n->store, key, &id, err);
	if (status != STEPBUS_OK || id == 0)
		return status;
	status = n->store->type->step_status_read(n->store, id, &holder, NULL);
	if (status == STEPBUS_ENOTFOUND)
		return STEPBUS_OK;
	/* Another program may have written a state that there is not. */
	if (status == STEPBUS_OK && sb_step_state_name((int)holder.state) != NULL &&
	    (states >> holder.state & 1) != 0)
		n->existing_id = id;
	return status;
}

/* A concurrency key as a number below 0. That two keys share one is harmless: they share a limit. */
static int64_t hash_key(int64_t queue_id, sb_slice key)
{
	uint64_t hash = 14695981039346656037ULL ^ (uint64_t)queue_id;

	if (key.len == 0)
		return 0;
	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (unsigned char)key.data[i]) * 1099511628211ULL;
	return -(int64_t)(hash >> 1) - 1;
}

static void fill_texts(newcomer *n)
{
	const stepbus_step_spec *spec = n->spec;
	sb_step_row *row = &n->row;

	row->input = sb_slice_of(spec->input, spec->input_len);
	row->content_type = sb_slice_of(spec->content_type, spec->content_type_len);
	row->step_name = sb_slice_of(spec->step_name, spec->step_name_len);
	row->step_config = sb_slice_of(spec->step_config, spec->step_config_len);
	row->correlation_id = sb_slice_of(spec->correlation_id, spec->correlation_id_len);
	row->traceparent = sb_slice_of(spec->traceparent, spec->traceparent_len);
	row->caller = sb_slice_of(spec->caller, spec->caller_len);
	row->tags = sb_slice_of(spec->tags, spec->tags_len);
	row->concurrency_key = sb_slice_of(spec->concurrency_key, spec->concurrency_key_len);
}

static void fill_row(newcomer *n, int64_t now_us)
{
	const stepbus_step_spec *spec = n->spec;
	sb_step_row *row = &n->row;
	int64_t run_at_us = now_us + spec->delay_ms * 1000;

	fill_texts(n);
	row->created_at_us = now_us;
	row->run_at_us = spec->run_at_us > run_at_us ? spec->run_at_us : run_at_us;
	row->attempt_timeout_us = spec->attempt_timeout_ms * 1000;
	row->priority = spec->priority > 0 ? spec->priority : SB_PRIORITY_DEFAULT;
	row->retry_kind = spec->retry_kind;
	row->attempt_count_max = spec->attempt_count_max;
	row->retry_base_us = spec->retry_base_ms * 1000;
	row->retry_cap_us = spec->retry_cap_ms * 1000;
	row->jitter_percent = spec->jitter_percent;
}

int64_t sb_enqueue_deadline_us(const sb_step_row *row, int64_t from_us)
{
	int64_t shorter = row->wait_timeout_us;

	/* Rows may have been written by anybody: what is below 0 is not said. */
	if (shorter <= 0 || (row->total_timeout_us > 0 && row->total_timeout_us < shorter))
		shorter = row->total_timeout_us;
	if (shorter <= 0)
		return 0;
	return from_us > INT64_MAX - shorter ? INT64_MAX : from_us + shorter;
}

static void fill_status(newcomer *n, int64_t now_us)
{
	const sb_step_row *row = &n->row;

	n->status = (sb_step_status){
		.state = row->run_at_us > now_us ? SB_STEP_SCHEDULED : SB_STEP_READY,
		.due_at_us = row->run_at_us > now_us ? row->run_at_us : 0,
		/* Waiting begins when it may run. */
		.deadline_at_us = sb_enqueue_deadline_us(row, row->run_at_us),
		.concurrency_key = hash_key(row->queue_id, row->concurrency_key),
		.changed_at_us = now_us,
	};
	if (row->run_at_us <= now_us)
		n->row.run_at_us = 0;
}

static void tell(const newcomer *n)
{
	const sb_step_row *row = &n->row;

	sb_news_step(n->enqueue->engine,
		     &(sb_step_news){ .event = SB_EVENT_REQUESTED,
				      .id = row->id,
				      .queue = n->queue,
				      .handler = n->handler.name,
				      .step_name = row->step_name,
				      .correlation_id = row->correlation_id,
				      .run_at_us = row->run_at_us != 0 ? row->run_at_us :
									 row->created_at_us });
}

static stepbus_status insert(newcomer *n, stepbus_error *err)
{
	int64_t now_us = now_us_of(n->enqueue);
	const sb_store_type *type = n->store->type;
	stepbus_worker *worker = NULL;
	stepbus_status status =
		sb_names_queue(n->enqueue->names, n->store, n->queue, &n->row.queue_id, err);

	if (status == STEPBUS_OK)
		status = sb_names_handler(n->enqueue->names, n->store, &n->handler,
					  &n->row.handler_id, err);
	if (status != STEPBUS_OK)
		return status;
	fill_row(n, now_us);
	fill_status(n, now_us);
	if (is_own(n->enqueue))
		status = sb_express_offer(n->enqueue->engine, n->enqueue->batch, &n->row,
					  &n->status, &worker, err);
	if (status == STEPBUS_OK)
		status = type->step_insert(n->store, &n->row, &n->status, err);
	if (status == STEPBUS_OK && worker != NULL)
		status = sb_express_claim(worker, &n->row, &n->status, err);
	if (status == STEPBUS_OK && n->row.idempotency_key.len > 0)
		status = type->unique_put(n->store, n->row.idempotency_key, n->row.id, err);
	if (status == STEPBUS_OK && n->row.unique_key.len > 0)
		status = type->unique_put(n->store, n->row.unique_key, n->row.id, err);
	return status;
}

static stepbus_status place(newcomer *n, stepbus_error *err)
{
	unsigned states = n->spec->unique_states != 0 ? n->spec->unique_states : open_states;
	stepbus_status status = find_holder(n, n->row.idempotency_key, UINT32_MAX, err);

	if (status == STEPBUS_OK)
		status = find_holder(n, n->row.unique_key, states, err);
	if (status == STEPBUS_OK && n->existing_id != 0)
		return n->store->type->confirm(n->store, err);
	if (status != STEPBUS_OK)
		return status;
	status = insert(n, err);
	if (status == STEPBUS_OK && is_own(n->enqueue)) {
		sb_engine_note_state(n->enqueue->engine, &n->status);
		tell(n);
	}
	return status;
}

static void answer(const newcomer *n, stepbus_enqueued *out)
{
	/* In a transaction of somebody else's it survives nothing until they commit. */
	*out = (stepbus_enqueued){
		.size = sizeof *out,
		.durability =
			is_own(n->enqueue) ? (uint32_t)n->enqueue->engine->options.durability : 0,
		.is_existing = n->existing_id != 0
	};
	sb_id_of_row(n->existing_id != 0 ? n->existing_id : n->row.id, n->store->tag, out->step_id);
}

/* Clears what the last spec left, but not the room for keys: that is only read as far as written. */
static void begin(newcomer *n, const sb_enqueue *enqueue, sb_store *store, size_t i,
		  bool is_checked)
{
	n->is_checked = is_checked;
	n->enqueue = enqueue;
	n->store = store;
	n->spec = &enqueue->specs[i];
	n->existing_id = 0;
	n->row = (sb_step_row){ 0 };
}

static stepbus_status enqueue_one(newcomer *n, stepbus_enqueued *out, stepbus_error *err)
{
	stepbus_status status = examine(n, err);

	if (status == STEPBUS_OK)
		status = place(n, err);
	if (status == STEPBUS_OK && out != NULL)
		answer(n, out);
	return status;
}

stepbus_status sb_enqueue_run(sb_operation *operation, sb_store *store, stepbus_error *err)
{
	sb_enqueue *enqueue = (sb_enqueue *)(void *)operation;
	bool is_one = enqueue->count == 1;
	stepbus_status status = STEPBUS_OK;
	newcomer n;

	enqueue->batch = sb_express_batch_of(enqueue->specs, enqueue->count);
	for (size_t i = 0; status == STEPBUS_OK && !is_one && i < enqueue->count; i++) {
		begin(&n, enqueue, store, i, true);
		status = examine(&n, err);
		if (status != STEPBUS_OK)
			sb_fail_where(err, "step %zu: ", i);
	}
	if (status != STEPBUS_OK)
		return status;
	for (size_t i = 0; status == STEPBUS_OK && i < enqueue->count; i++) {
		begin(&n, enqueue, store, i, is_one);
		status = enqueue_one(&n, enqueue->out != NULL ? &enqueue->out[i] : NULL, err);
		/* A refusal would keep the steps before it. */
		if (i > 0 && sb_writer_is_refusal(status))
			status = STEPBUS_ECORRUPT;
	}
	return status;
}

stepbus_status sb_enqueue_perform(stepbus *engine, const stepbus_step_spec *specs, size_t count,
				  stepbus_enqueued *out, stepbus_error *err)
{
	sb_enqueue enqueue;

	/* Not zeroed as a whole: it has room for a message, which costs more than all the rest. */
	enqueue.operation.run = sb_enqueue_run;
	enqueue.operation.done = NULL;
	enqueue.operation.batch = NULL;
	enqueue.operation.weight = count;
	enqueue.engine = engine;
	enqueue.names = &engine->names;
	enqueue.now_us = 0;
	enqueue.specs = specs;
	enqueue.count = count;
	enqueue.out = out;
	return sb_writer_perform(&engine->writer, &enqueue.operation, err);
}

static void tell_host(sb_notice *notice, stepbus_bridge *bridge)
{
	const sb_enqueue *enqueue =
		(const sb_enqueue *)(const void *)((const char *)notice -
						   offsetof(sb_enqueue, notice));
	bool is_kept = enqueue->operation.status == STEPBUS_OK;

	(void)bridge;
	enqueue->told(enqueue->user_data, enqueue->operation.status, is_kept ? enqueue->out : NULL,
		      is_kept ? enqueue->count : 0, &enqueue->operation.err);
}

static void dispose(sb_notice *notice)
{
	sb_enqueue *enqueue = (sb_enqueue *)(void *)((char *)notice - offsetof(sb_enqueue, notice));
	const stepbus_host *host = &enqueue->engine->host;

	sb_release(host, enqueue);
}

static void done(sb_operation *operation)
{
	sb_enqueue *enqueue = (sb_enqueue *)(void *)operation;

	enqueue->notice.tell = tell_host;
	enqueue->notice.dispose = dispose;
	if (enqueue->told != NULL)
		sb_engine_add_notice(enqueue->engine, &enqueue->notice);
	else
		dispose(&enqueue->notice);
}

/* All of it in one block: the operation, the specs, room for the answers, and the texts. */
static sb_enqueue *copy_all(stepbus *engine, const stepbus_step_spec *specs, size_t count)
{
	size_t head_len = sizeof(sb_enqueue) + count * (sizeof *specs + sizeof(stepbus_enqueued));
	sb_enqueue *enqueue =
		sb_alloc(&engine->host, head_len + sb_step_spec_copied_len(specs, count));
	stepbus_step_spec *copies;
	char *at;

	if (enqueue == NULL)
		return NULL;
	copies = (stepbus_step_spec *)(void *)(enqueue + 1);
	enqueue->out = (stepbus_enqueued *)(void *)(copies + count);
	enqueue->specs = copies;
	enqueue->count = count;
	at = (char *)(enqueue->out + count);
	for (size_t i = 0; i < count; i++) {
		copies[i] = specs[i];
		sb_step_spec_copy(&copies[i], &at);
	}
	return enqueue;
}

stepbus_status sb_enqueue_submit(stepbus *engine, const stepbus_step_spec *specs, size_t count,
				 stepbus_enqueued_fn told, void *user_data, stepbus_error *err)
{
	sb_enqueue *enqueue;

	if (sb_writer_is_full(&engine->writer))
		return sb_fail(err, STEPBUS_EFULL,
			       "as many steps wait to be written as queue_count_max allows: try "
			       "again, or wait for stepbus_step_enqueue");
	enqueue = copy_all(engine, specs, count);
	if (enqueue == NULL)
		return sb_fail_memory(err, "enqueue steps");
	enqueue->engine = engine;
	enqueue->names = &engine->names;
	enqueue->told = told;
	enqueue->user_data = user_data;
	enqueue->operation.run = sb_enqueue_run;
	enqueue->operation.done = done;
	enqueue->operation.weight = count;
	sb_writer_submit(&engine->writer, &enqueue->operation);
	return STEPBUS_OK;
}
