/* SPDX-License-Identifier: MIT */
#include "base/words.h"
#include "store/memory_store.h"

/* So many steps are looked at before a reader lets a waiting writer in; one shown counts as many. */
enum { LOOK_COUNT = 2048, SHOWN_LOOK_COUNT = 32 };

/* A walk over all steps, in turns: between two of them the lock is free. */
typedef struct step_walk {
	const sb_step_filter *filter;
	bool is_descending;
	int64_t after_id;
	uint64_t found_count;
	uint64_t count_max;
	sb_step_visit visit; /* NULL: they are only counted */
	void *context;
} step_walk;

static bool is_in_time(const sb_step_filter *filter, int64_t created_at_us)
{
	return created_at_us >= filter->created_from_us &&
	       (filter->created_to_us == 0 || created_at_us < filter->created_to_us);
}

static bool is_by_handler(const sb_memory_store *store, const sb_step_filter *filter,
			  int64_t handler_id)
{
	const sb_handler_row *row;

	if (filter->handler.len == 0 && filter->handler_namespace.len == 0)
		return true;
	row = &sb_memory_handler_of(store, handler_id)->row;
	return (filter->handler.len == 0 || sb_slice_is_equal(filter->handler, row->name)) &&
	       (filter->handler_namespace.len == 0 ||
		sb_slice_is_equal(filter->handler_namespace, row->handler_namespace));
}

static bool is_wanted(const sb_memory_store *store, const sb_step_filter *filter,
		      const sb_memory_step *step)
{
	const sb_step_status *status = &step->status;
	sb_step_row row;

	if (filter->states != 0 && (filter->states & 1U << status->state) == 0)
		return false;
	if (filter->queue_id != 0 && filter->queue_id != status->queue_id)
		return false;
	if (filter->handler_id != 0 && filter->handler_id != status->handler_id)
		return false;
	if (!is_in_time(filter, step->created_at_us) ||
	    !is_by_handler(store, filter, status->handler_id))
		return false;
	if (filter->correlation_id.len == 0 && filter->tag.len == 0)
		return true;
	sb_memory_step_row(step, &row);
	if (filter->correlation_id.len > 0 &&
	    !sb_slice_is_equal(filter->correlation_id, row.correlation_id))
		return false;
	return filter->tag.len == 0 || sb_words_has(row.tags, filter->tag);
}

static const sb_memory_worker *worker_of(const sb_memory_store *store, int64_t id)
{
	const sb_order_key key = { id, 0, 0 };
	sb_order_node *node = sb_order_from(&store->workers, &key);

	return node != NULL && node->key.first == id ?
		       SB_ORDER_OWNER(node, sb_memory_worker, node) :
		       NULL;
}

static sb_slice worker_name(const sb_memory_store *store, int64_t id)
{
	const sb_memory_worker *worker = worker_of(store, id);

	return worker != NULL ? worker->row.name : sb_slice_of(NULL, 0);
}

static const sb_memory_attempt *newest_attempt(const sb_memory_step *step)
{
	const sb_memory_attempt *attempt = step->attempts;

	while (attempt != NULL && attempt->next != NULL)
		attempt = attempt->next;
	return attempt;
}

static bool show(const sb_memory_store *store, const sb_memory_step *step, sb_step_visit visit,
		 void *context)
{
	const sb_memory_attempt *attempt = newest_attempt(step);
	sb_step_view view = {
		.status = step->status,
		.queue = step->queue->row.name,
		.handler = sb_memory_handler_of(store, step->status.handler_id)->row,
		.worker = worker_name(store, step->status.worker_id),
		.has_result = step->result != NULL,
		.has_error = attempt != NULL,
		.has_checkpoint = step->checkpoint != NULL && step->status.checkpoint_count > 0,
	};

	sb_memory_step_row(step, &view.row);
	if (step->result != NULL)
		view.result = step->result->row;
	if (attempt != NULL)
		view.error = attempt->row;
	if (view.has_checkpoint && step->checkpoint != NULL)
		view.checkpoint = step->checkpoint->row;
	return visit(context, &view);
}

stepbus_status sb_memory_step_view(sb_store *base, int64_t id, sb_step_visit visit, void *context,
				   stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	bool is_locked = sb_memory_read_begin(store);
	const sb_memory_step *step = sb_memory_peek(store, id);

	if (step != NULL)
		show(store, step, visit, context);
	sb_memory_read_end(store, is_locked);
	if (step == NULL)
		return sb_fail(err, STEPBUS_ENOTFOUND, "there is no step %lld", (long long)id);
	return STEPBUS_OK;
}

/* False: the walk is over. */
static bool look(const sb_memory_store *store, step_walk *walk)
{
	for (size_t looks = 0; looks < LOOK_COUNT; looks++) {
		const sb_memory_step *step;

		if (walk->found_count >= walk->count_max)
			return false;
		step = sb_memory_next_step(store, walk->after_id, walk->is_descending);
		if (step == NULL)
			return false;
		walk->after_id = step->status.id;
		if (!is_wanted(store, walk->filter, step))
			continue;
		walk->found_count++;
		if (walk->visit == NULL)
			continue;
		if (!show(store, step, walk->visit, walk->context))
			return false;
		looks += SHOWN_LOOK_COUNT;
	}
	return true;
}

static void look_at_all(sb_memory_store *store, step_walk *walk)
{
	bool has_more = true;

	while (has_more) {
		bool is_locked = sb_memory_read_begin(store);

		has_more = look(store, walk);
		sb_memory_read_end(store, is_locked);
	}
}

stepbus_status sb_memory_step_list(sb_store *base, const sb_step_filter *filter,
				   sb_step_visit visit, void *context, stepbus_error *err)
{
	step_walk walk = { .filter = filter,
			   .is_descending = !filter->is_ascending,
			   .after_id = filter->after_id,
			   .count_max = filter->count_max,
			   .visit = visit,
			   .context = context };

	(void)err;
	if (walk.is_descending && walk.after_id == 0)
		walk.after_id = INT64_MAX;
	look_at_all(sb_memory_of(base), &walk);
	return STEPBUS_OK;
}

stepbus_status sb_memory_step_count(sb_store *base, const sb_step_filter *filter, int64_t *count,
				    stepbus_error *err)
{
	step_walk walk = { .filter = filter, .count_max = UINT64_MAX };

	(void)err;
	look_at_all(sb_memory_of(base), &walk);
	*count = (int64_t)walk.found_count;
	return STEPBUS_OK;
}

/* The attempt that made a step complete, as its status tells it. */
static sb_attempt_row row_of_success(const sb_step_status *status)
{
	return (sb_attempt_row){ .step_id = status->id,
				 .token = status->token,
				 .worker_id = status->worker_id,
				 .started_at_us = status->changed_at_us - status->execution_us,
				 .finished_at_us = status->changed_at_us,
				 .execution_us = status->execution_us,
				 .number = status->attempt_count,
				 .outcome = SB_ATTEMPT_SUCCESS };
}

static void visit_attempts(const sb_memory_store *store, const sb_memory_step *step,
			   sb_attempt_visit visit, void *context)
{
	const sb_memory_attempt *attempt = step->attempts;
	sb_attempt_row success;
	int64_t newest = 0;

	for (; attempt != NULL; attempt = attempt->next) {
		newest = attempt->row.token;
		if (!visit(context, &attempt->row, worker_name(store, attempt->row.worker_id)))
			return;
	}
	if (step->status.state != SB_STEP_COMPLETED || newest == step->status.token)
		return;
	success = row_of_success(&step->status);
	visit(context, &success, worker_name(store, success.worker_id));
}

stepbus_status sb_memory_attempt_list(sb_store *base, int64_t step_id, sb_attempt_visit visit,
				      void *context, stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	bool is_locked = sb_memory_read_begin(store);
	const sb_memory_step *step = sb_memory_peek(store, step_id);

	if (step != NULL)
		visit_attempts(store, step, visit, context);
	sb_memory_read_end(store, is_locked);
	if (step == NULL)
		return sb_fail(err, STEPBUS_ENOTFOUND, "there is no step %lld", (long long)step_id);
	return STEPBUS_OK;
}

static bool visit_tally(const sb_memory_queue *queue, sb_tally_visit visit, void *context)
{
	for (int state = SB_STEP_STATE_MIN; state <= SB_STEP_STATE_MAX; state++)
		if (queue->tally[state] > 0 &&
		    !visit(context, queue->row.name, (sb_step_state)state, queue->tally[state]))
			return false;
	return true;
}

stepbus_status sb_memory_tally(sb_store *base, sb_tally_visit visit, void *context,
			       stepbus_error *err)
{
	sb_memory_store *store = sb_memory_of(base);
	bool is_locked = sb_memory_read_begin(store);

	(void)err;
	for (size_t i = 0; i < store->queues.count; i++) {
		const sb_memory_queue *queue = store->queues.array[i];

		if (queue != NULL && !visit_tally(queue, visit, context))
			break;
	}
	sb_memory_read_end(store, is_locked);
	return STEPBUS_OK;
}
