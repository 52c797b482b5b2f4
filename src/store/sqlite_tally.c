/* SPDX-License-Identifier: MIT */
#include "store/sqlite_tally.h"

#include "base/memory.h"
#include "store/sqlite_reader.h"
#include "store/sqlite_statement.h"

enum { ID_RANGE = 50000, STATE_COUNT = SB_STEP_STATE_MAX + 1 };

/* The steps of one queue, by state. */
typedef struct queue_tally {
	int64_t queue_id;
	int64_t counts[STATE_COUNT];
} queue_tally;

/* By queue id, ascending: queues are listed so. */
typedef struct tally_walk {
	queue_tally *queues;
	size_t count;
	size_t room;
	sb_tally_visit visit;
	void *context;
} tally_walk;

static bool visit_queue(void *context, const sb_query *query)
{
	tally_walk *walk = context;

	if (walk->count < walk->room)
		walk->queues[walk->count] = (queue_tally){ .queue_id = sb_query_int(query, 0) };
	walk->count++;
	return true;
}

static queue_tally *find(const tally_walk *walk, int64_t queue_id)
{
	size_t low = 0, high = walk->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (walk->queues[middle].queue_id < queue_id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < walk->count && walk->queues[low].queue_id == queue_id ? &walk->queues[low] :
									     NULL;
}

/* A step of a queue that has been made since the walk began waits for the next tally. */
static bool visit_step(void *context, const sb_query *query)
{
	queue_tally *tally = find(context, sb_query_int(query, 0));
	int64_t state = sb_query_int(query, 1);

	if (tally != NULL && state >= 0 && state < STATE_COUNT)
		tally->counts[state]++;
	return true;
}

static bool tell_queue(void *context, const sb_query *query)
{
	const tally_walk *walk = context;
	const queue_tally *tally = find(walk, sb_query_int(query, 0));
	sb_slice name = sb_query_slice(query, 1);

	for (int state = SB_STEP_STATE_MIN; tally != NULL && state <= SB_STEP_STATE_MAX; state++)
		if (tally->counts[state] > 0 &&
		    !walk->visit(walk->context, name, (sb_step_state)state, tally->counts[state]))
			return false;
	return true;
}

static stepbus_status list_queues(sb_connection *connection, sb_query_visit visit, tally_walk *walk,
				  stepbus_error *err)
{
	sb_query query;
	stepbus_status status = sb_query_open(connection, SB_SQL_QUEUE_LIST, &query, err);

	return status == STEPBUS_OK ? sb_query_walk(&query, visit, walk, err) : status;
}

/* Counts the queues, makes room for them, and notes them. */
static stepbus_status note_queues(sb_connection *connection, tally_walk *walk, stepbus_error *err)
{
	stepbus_status status = list_queues(connection, visit_queue, walk, err);

	if (status != STEPBUS_OK)
		return status;
	walk->room = walk->count;
	walk->count = 0;
	walk->queues = sb_alloc_array(connection->host, walk->room, sizeof *walk->queues);
	if (walk->queues == NULL)
		return sb_fail_memory(err, "count steps");
	status = list_queues(connection, visit_queue, walk, err);
	if (walk->count > walk->room)
		walk->count = walk->room;
	return status;
}

/* Goes on from *low_id, and moves it behind what was looked at. */
static stepbus_status count_range(sb_connection *connection, int64_t *low_id, tally_walk *walk,
				  stepbus_error *err)
{
	sb_query query;
	stepbus_status status = sb_query_open(connection, SB_SQL_TALLY, &query, err);

	if (status != STEPBUS_OK)
		return status;
	sb_query_bind(&query, 1, *low_id);
	*low_id = *low_id > INT64_MAX - ID_RANGE ? INT64_MAX : *low_id + ID_RANGE;
	sb_query_bind(&query, 2, *low_id - 1);
	return sb_query_walk(&query, visit_step, walk, err);
}

stepbus_status sb_sqlite_tally_read(sb_store *base, sb_tally_visit visit, void *context,
				    stepbus_error *err)
{
	sb_sqlite_store *store = sb_sqlite_store_of(base);
	sb_connection *connection = sb_sqlite_enter_reader(store);
	tally_walk walk = { .visit = visit, .context = context };
	int64_t last_id = 0, id = 1;
	stepbus_status status = note_queues(connection, &walk, err);

	if (status == STEPBUS_OK)
		status = sb_query_number(connection, SB_SQL_STEP_LAST, &last_id, err);
	while (status == STEPBUS_OK) {
		status = sb_sqlite_reader_seek(connection, true, &id, err);
		if (status != STEPBUS_OK || id == 0 || id > last_id || id == INT64_MAX)
			break;
		status = count_range(connection, &id, &walk, err);
	}
	if (status == STEPBUS_OK)
		status = list_queues(connection, tell_queue, &walk, err);
	sb_sqlite_leave(store, connection);
	sb_release(base->host, walk.queues);
	return status;
}
