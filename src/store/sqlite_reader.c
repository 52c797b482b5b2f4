/* SPDX-License-Identifier: MIT */
#include "store/sqlite_reader.h"

#include "store/sqlite_checkpoints.h"
#include "store/sqlite_names.h"
#include "store/sqlite_statement.h"
#include "store/sqlite_steps.h"

enum {
	/* What one transaction looks at and gives at most. */
	ID_RANGE = 20000,
	ROW_COUNT = 200,
	/* Columns of a view, behind one another. */
	AT_STATUS = SB_SQL_STEP_COLUMNS,
	AT_QUEUE = AT_STATUS + SB_SQL_STATE_COLUMNS,
	AT_HANDLER = AT_QUEUE + 1,
	AT_WORKER = AT_HANDLER + SB_SQL_HANDLER_COLUMNS,
	AT_RESULT = AT_WORKER + 1,
	AT_ERROR = AT_RESULT + 4,
	AT_CHECKPOINT = AT_ERROR + SB_SQL_ATTEMPT_COLUMNS,
};

/* A walk over steps: what is wanted, and how far it has come. */
typedef struct step_walk {
	sb_step_visit visit;
	void *context;
	int64_t low_id; /* the ids that are still to be looked at */
	int64_t high_id;
	int64_t last_id; /* the step that was given last; 0: none in this transaction */
	int64_t left_count;
	bool is_over;
} step_walk;

static bool has_value(const sb_query *query, int column)
{
	return sqlite3_column_type(query->statement, column) != SQLITE_NULL;
}

static void get_view(const sb_query *query, sb_step_view *out)
{
	*out = (sb_step_view){
		.queue = sb_query_slice(query, AT_QUEUE),
		.worker = sb_query_slice(query, AT_WORKER),
		.has_result = has_value(query, AT_RESULT),
		.has_error = has_value(query, AT_ERROR),
		.has_checkpoint = has_value(query, AT_CHECKPOINT),
	};
	sb_sqlite_steps_row_get(query, 0, &out->row);
	sb_sqlite_steps_status_get(query, AT_STATUS, &out->status);
	sb_sqlite_names_handler_get(query, AT_HANDLER, &out->handler);
	if (out->has_result)
		out->result = (sb_result_row){
			sb_query_int(query, AT_RESULT),
			sb_query_slice(query, AT_RESULT + 1),
			sb_query_slice(query, AT_RESULT + 2),
			sb_query_slice(query, AT_RESULT + 3),
		};
	if (out->has_error)
		sb_sqlite_steps_attempt_get(query, AT_ERROR, &out->error);
	if (out->has_checkpoint)
		sb_sqlite_checkpoints_get(query, AT_CHECKPOINT, &out->checkpoint);
}

static bool visit_view(void *context, const sb_query *query)
{
	step_walk *walk = context;
	sb_step_view view;

	get_view(query, &view);
	walk->last_id = view.status.id;
	walk->left_count--;
	walk->is_over = !sb_query_is_whole(query) || !walk->visit(walk->context, &view);
	return !walk->is_over;
}

stepbus_status sb_sqlite_reader_step_view(sb_store *base, int64_t id, sb_step_visit visit,
					  void *context, stepbus_error *err)
{
	sb_sqlite_store *store = sb_sqlite_store_of(base);
	sb_connection *connection = sb_sqlite_enter_reader(store);
	step_walk walk = { .visit = visit, .context = context };
	sb_query query;
	stepbus_status status = sb_query_open(connection, SB_SQL_VIEW_ONE, &query, err);

	if (status == STEPBUS_OK) {
		sb_query_bind(&query, 1, id);
		status = sb_query_walk(&query, visit_view, &walk, err);
	}
	sb_sqlite_leave(store, connection);
	if (status == STEPBUS_OK && walk.last_id == 0)
		return sb_fail(err, STEPBUS_ENOTFOUND, "there is no step %lld in '%s'",
			       (long long)id, store->writer.path);
	return status;
}

/* Whichever has an index of its own leads; ids lead where none has. */
static sb_sql list_statement(const sb_step_filter *filter)
{
	bool is_ascending = filter->is_ascending;

	if (filter->correlation_id.len > 0)
		return is_ascending ? SB_SQL_VIEW_OLDEST_OF_CORRELATION :
				      SB_SQL_VIEW_NEWEST_OF_CORRELATION;
	if (filter->tag.len > 0)
		return is_ascending ? SB_SQL_VIEW_OLDEST_OF_TAG : SB_SQL_VIEW_NEWEST_OF_TAG;
	return is_ascending ? SB_SQL_VIEW_OLDEST : SB_SQL_VIEW_NEWEST;
}

static sb_sql count_statement(const sb_step_filter *filter)
{
	if (filter->correlation_id.len > 0)
		return SB_SQL_COUNT_OF_CORRELATION;
	if (filter->tag.len > 0)
		return SB_SQL_COUNT_OF_TAG;
	return filter->created_from_us == 0 && filter->created_to_us == 0 ? SB_SQL_COUNT_NARROW :
									    SB_SQL_COUNT_ALL;
}

static void bind_filter(sb_query *query, const sb_step_filter *filter)
{
	sb_query_bind(query, 3, filter->states != 0 ? filter->states : UINT32_MAX);
	sb_query_bind(query, 4, filter->queue_id);
	sb_query_bind(query, 5, filter->handler_id);
	sb_query_bind(query, 6, filter->created_from_us != 0 ? filter->created_from_us : INT64_MIN);
	sb_query_bind(query, 7, filter->created_to_us != 0 ? filter->created_to_us : INT64_MAX);
	sb_query_bind_text(query, 8, filter->correlation_id);
	sb_query_bind_text(query, 9, filter->tag);
	sb_query_bind_text(query, 11, filter->handler);
	sb_query_bind_text(query, 12, filter->handler_namespace);
}

static int64_t lower(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The next ids to look at: at most ID_RANGE, from the side where the walk begins. */
static void next_range(const step_walk *walk, bool is_ascending, int64_t *low, int64_t *high)
{
	*low = walk->low_id;
	*high = walk->high_id;
	if (*high - *low < ID_RANGE)
		return;
	if (is_ascending)
		*high = *low + ID_RANGE - 1;
	else
		*low = *high - ID_RANGE + 1;
}

stepbus_status sb_sqlite_reader_seek(sb_connection *connection, bool is_ascending, int64_t *id,
				     stepbus_error *err)
{
	sb_query query;
	bool has_row;
	stepbus_status status = sb_query_open(
		connection, is_ascending ? SB_SQL_STATE_FROM : SB_SQL_STATE_UP_TO, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, *id);
	status = sb_query_step(&query, &has_row, err);
	*id = 0;
	if (status != STEPBUS_OK || !has_row)
		return status;
	*id = sb_query_int(&query, 0);
	sb_query_close(&query);
	return STEPBUS_OK;
}

/* Leaves out what no step has; the walk is over where nothing is left. */
static stepbus_status skip_gap(sb_connection *connection, bool is_ascending, step_walk *walk,
			       stepbus_error *err)
{
	int64_t *bound_id = is_ascending ? &walk->low_id : &walk->high_id;
	int64_t id = *bound_id;
	stepbus_status status = sb_sqlite_reader_seek(connection, is_ascending, &id, err);

	if (status == STEPBUS_OK && id >= walk->low_id && id <= walk->high_id)
		*bound_id = id;
	else
		walk->is_over = true;
	return status;
}

static stepbus_status list_range(sb_connection *connection, const sb_step_filter *filter,
				 step_walk *walk, stepbus_error *err)
{
	int64_t low, high;
	int64_t count_max = lower(walk->left_count, ROW_COUNT);
	int64_t left_before = walk->left_count;
	sb_query query;
	stepbus_status status = skip_gap(connection, filter->is_ascending, walk, err);

	if (status == STEPBUS_OK && !walk->is_over)
		status = sb_query_open(connection, list_statement(filter), &query, err);
	if (status != STEPBUS_OK || walk->is_over)
		return status;
	next_range(walk, filter->is_ascending, &low, &high);
	sb_query_bind(&query, 1, low);
	sb_query_bind(&query, 2, high);
	bind_filter(&query, filter);
	sb_query_bind(&query, 10, count_max);
	status = sb_query_walk(&query, visit_view, walk, err);
	/* A full page may have left some of the range over. */
	if (left_before - walk->left_count == count_max)
		low = high = walk->last_id;
	walk->is_over = walk->is_over || (filter->is_ascending && high == INT64_MAX);
	if (!filter->is_ascending)
		walk->high_id = low - 1;
	else if (!walk->is_over)
		walk->low_id = high + 1;
	return status;
}

/* after_id bounds the ids from the side where the walk begins. */
static void bound(const sb_step_filter *filter, int64_t last_id, step_walk *walk)
{
	walk->low_id = 1;
	walk->high_id = last_id;
	if (filter->after_id == 0)
		return;
	if (filter->is_ascending)
		walk->low_id = filter->after_id < last_id ? filter->after_id + 1 : last_id + 1;
	else
		walk->high_id = lower(last_id, filter->after_id - 1);
}

stepbus_status sb_sqlite_reader_step_list(sb_store *base, const sb_step_filter *filter,
					  sb_step_visit visit, void *context, stepbus_error *err)
{
	sb_sqlite_store *store = sb_sqlite_store_of(base);
	sb_connection *connection = sb_sqlite_enter_reader(store);
	step_walk walk = { .visit = visit, .context = context, .left_count = filter->count_max };
	int64_t last_id;
	stepbus_status status = sb_query_number(connection, SB_SQL_STEP_LAST, &last_id, err);

	bound(filter, last_id, &walk);
	while (status == STEPBUS_OK && !walk.is_over && walk.left_count > 0 &&
	       walk.low_id <= walk.high_id)
		status = list_range(connection, filter, &walk, err);
	sb_sqlite_leave(store, connection);
	return status;
}

/* Goes on from *low_id, and moves it behind what was looked at. */
static stepbus_status count_range(sb_connection *connection, const sb_step_filter *filter,
				  int64_t *low_id, int64_t *count, stepbus_error *err)
{
	sb_query query;
	bool has_row;
	stepbus_status status = sb_query_open(connection, count_statement(filter), &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, *low_id);
	*low_id = lower(*low_id, INT64_MAX - ID_RANGE) + ID_RANGE;
	sb_query_bind(&query, 2, *low_id - 1);
	bind_filter(&query, filter);
	status = sb_query_step(&query, &has_row, err);
	if (status != STEPBUS_OK || !has_row)
		return status;
	*count += sb_query_int(&query, 0);
	sb_query_close(&query);
	return STEPBUS_OK;
}

stepbus_status sb_sqlite_reader_step_count(sb_store *base, const sb_step_filter *filter,
					   int64_t *count, stepbus_error *err)
{
	sb_sqlite_store *store = sb_sqlite_store_of(base);
	sb_connection *connection = sb_sqlite_enter_reader(store);
	int64_t last_id, id = 1;
	stepbus_status status = sb_query_number(connection, SB_SQL_STEP_LAST, &last_id, err);

	*count = 0;
	while (status == STEPBUS_OK) {
		status = sb_sqlite_reader_seek(connection, true, &id, err);
		if (status != STEPBUS_OK || id == 0 || id > last_id || id == INT64_MAX)
			break;
		status = count_range(connection, filter, &id, count, err);
	}
	sb_sqlite_leave(store, connection);
	return status;
}

/* The attempts of a step, and the one that only its status tells of. */
typedef struct attempt_walk {
	sb_attempt_visit visit;
	void *context;
	int64_t last_token;
	bool is_over;
} attempt_walk;

static bool visit_attempt(void *context, const sb_query *query)
{
	attempt_walk *walk = context;
	sb_attempt_row row;
	sb_slice worker;

	sb_sqlite_steps_attempt_get(query, 0, &row);
	walk->last_token = row.token;
	worker = sb_query_slice(query, SB_SQL_ATTEMPT_COLUMNS);
	walk->is_over = !sb_query_is_whole(query) || !walk->visit(walk->context, &row, worker);
	return !walk->is_over;
}

static bool visit_success(void *context, const sb_step_view *view)
{
	attempt_walk *walk = context;
	const sb_step_status *status = &view->status;
	/* Both are anybody's: what is below the lowest number began at no time. */
	sb_attempt_row row = {
		.step_id = status->id,
		.token = status->token,
		.worker_id = status->worker_id,
		.finished_at_us = status->changed_at_us,
		.execution_us = status->execution_us,
		.number = status->attempt_count,
		.outcome = SB_ATTEMPT_SUCCESS,
	};

	if (__builtin_sub_overflow(status->changed_at_us, status->execution_us, &row.started_at_us))
		row.started_at_us = 0;
	if (status->state == SB_STEP_COMPLETED && status->token > walk->last_token)
		(void)walk->visit(walk->context, &row, view->worker);
	return false;
}

stepbus_status sb_sqlite_reader_attempt_list(sb_store *base, int64_t step_id,
					     sb_attempt_visit visit, void *context,
					     stepbus_error *err)
{
	sb_sqlite_store *store = sb_sqlite_store_of(base);
	sb_connection *connection = sb_sqlite_enter_reader(store);
	attempt_walk walk = { .visit = visit, .context = context };
	sb_query query;
	stepbus_status status = sb_query_open(connection, SB_SQL_ATTEMPTS_READ, &query, err);

	if (status == STEPBUS_OK) {
		sb_query_bind(&query, 1, step_id);
		status = sb_query_walk(&query, visit_attempt, &walk, err);
	}
	sb_sqlite_leave(store, connection);
	if (status != STEPBUS_OK || walk.is_over)
		return status;
	status = sb_sqlite_reader_step_view(base, step_id, visit_success, &walk, err);
	return status == STEPBUS_ENOTFOUND && walk.last_token > 0 ? STEPBUS_OK : status;
}
