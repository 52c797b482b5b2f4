/* SPDX-License-Identifier: MIT */
#include "handlers/enqueue_in.h"

#include <pthread.h>

#include "handlers/enqueue.h"

static stepbus_status check_same(const stepbus *engine, const sb_store *store, const char *schema,
				 stepbus_error *err)
{
	if (memcmp(engine->store->tag, store->tag, sizeof store->tag) == 0)
		return STEPBUS_OK;
	return sb_fail(err, STEPBUS_EINVAL,
		       "cannot enqueue in '%s' of this connection: it is another database than the "
		       "engine's",
		       schema);
}

static stepbus_status insert(stepbus *engine, sb_store *store, const sb_enqueue_in *wish,
			     stepbus_error *err)
{
	sb_names names = { 0 };
	sb_enqueue enqueue = { .engine = engine,
			       .names = &names,
			       .now_us = sb_clock_now_us(&engine->host),
			       .specs = wish->specs,
			       .count = wish->count,
			       .out = wish->out };
	stepbus_status status = sb_names_init(&names, &engine->host, err);

	if (status == STEPBUS_OK)
		status = sb_enqueue_run(&enqueue.operation, store, err);
	sb_names_free(&names);
	return status;
}

/* Between a savepoint and its release, so that a failure takes back no more than what it began. */
static stepbus_status insert_all_or_none(stepbus *engine, sb_store *store,
					 const sb_enqueue_in *wish, stepbus_error *err)
{
	const sb_store_type *type = store->type;
	stepbus_status status = type->begin(store, err);

	if (status != STEPBUS_OK)
		return status;
	status = insert(engine, store, wish, err);
	if (status == STEPBUS_OK)
		return type->commit(store, err);
	type->rollback(store);
	return status;
}

stepbus_status sb_enqueue_in_perform(stepbus *engine, const sb_enqueue_in *wish, stepbus_error *err)
{
	sb_store *store = NULL;
	stepbus_status status;

	if (engine->options.is_in_memory)
		return sb_fail(err, STEPBUS_EINVAL,
			       "the engine's store is in memory: no connection leads to it");
	status = sb_sqlite_store_borrow(&engine->host, wish->connection, wish->schema, &store, err);
	if (status == STEPBUS_OK) {
		status = check_same(engine, store, wish->schema, err);
		if (status == STEPBUS_OK)
			status = insert_all_or_none(engine, store, wish, err);
		store->type->close(store);
	}
	if (status == STEPBUS_OK)
		atomic_fetch_add(&engine->change_count, 1);
	return status;
}
