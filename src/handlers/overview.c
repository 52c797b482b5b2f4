/* SPDX-License-Identifier: MIT */
#include "handlers/overview.h"

#include "handlers/tally.h"

/* A list that grows while the store is walked. */
typedef struct listing {
	const stepbus *engine;
	const sb_tally *tally;
	int64_t now_us;
	int64_t elapsed_ns;
	sb_json *list;
	bool is_complete;
	int64_t count;
	int64_t active_count;
} listing;

static bool add_limit(sb_json *json, const char *name, uint32_t limit)
{
	return limit != 0 ? sb_json_add_int(json, name, limit) : sb_json_add_null(json, name);
}

static bool list_queue(void *context, const sb_queue_row *row)
{
	listing *l = context;
	sb_json *json = sb_json_object_new();
	bool is_complete = sb_json_add_foreign(json, "name", row->name) &&
			   sb_json_add_bool(json, "is_paused", row->paused_at_us != 0) &&
			   sb_json_add_moment(json, "paused_at", row->paused_at_us) &&
			   add_limit(json, "concurrency_max", row->concurrency_max) &&
			   add_limit(json, "key_concurrency_max", row->key_concurrency_max) &&
			   add_limit(json, "rate_count", row->rate_count) &&
			   (row->rate_period_us != 0 ? sb_json_add_int(json, "rate_period_ms",
								       row->rate_period_us / 1000) :
						       sb_json_add_null(json, "rate_period_ms")) &&
			   sb_tally_add(json, "steps", sb_tally_of(l->tally, row->name));

	l->is_complete = sb_json_add_part_take(l->list, NULL, json) && is_complete;
	return l->is_complete;
}

stepbus_status sb_overview_queues(stepbus *engine, stepbus_text **out, stepbus_error *err)
{
	sb_store *store = engine->store;
	sb_tally tally;
	listing l = { .tally = &tally, .is_complete = true };
	stepbus_status status = sb_tally_read(&tally, store, err);

	l.list = sb_json_array_new();
	if (status == STEPBUS_OK)
		status = store->type->queue_list(store, list_queue, &l, err);
	sb_tally_free(&tally);
	if (status == STEPBUS_OK)
		return sb_json_print_take(l.list, l.is_complete, &engine->host, out, err);
	sb_json_free(l.list);
	return status;
}

bool sb_overview_is_active(const sb_worker_row *row, const uint8_t boot_id[SB_BOOT_ID_LEN],
			   int64_t elapsed_ns)
{
	return row->stopped_at_us == 0 && memcmp(row->boot_id, boot_id, SB_BOOT_ID_LEN) == 0 &&
	       row->lease_until_ns > elapsed_ns;
}

static bool add_counts(sb_json *json, const sb_worker_row *row)
{
	int64_t total = row->completed_count + row->failed_count;

	return sb_json_add_int(json, "active_steps", row->active_count) &&
	       sb_json_add_int(json, "total_processed", total) &&
	       sb_json_add_int(json, "completed", row->completed_count) &&
	       sb_json_add_int(json, "failed", row->failed_count) &&
	       (total > 0 ?
			sb_json_add_fraction(json, "success_rate", row->completed_count, total) :
			sb_json_add_null(json, "success_rate"));
}

static bool add_times(sb_json *json, const sb_worker_row *row, int64_t now_us)
{
	/* A clock that was put back makes no heartbeat one of the future. */
	int64_t since_us = now_us > row->heartbeat_at_us ? now_us - row->heartbeat_at_us : 0;

	return sb_json_add_time(json, "started_at", row->started_at_us) &&
	       sb_json_add_time(json, "heartbeat_at", row->heartbeat_at_us) &&
	       sb_json_add_int(json, "seconds_since_heartbeat", since_us / 1000000) &&
	       sb_json_add_moment(json, "stopped_at", row->stopped_at_us);
}

static bool list_worker(void *context, const sb_worker_row *row)
{
	listing *l = context;
	bool is_active = sb_overview_is_active(row, l->engine->boot_id, l->elapsed_ns);
	sb_json *json = sb_json_object_new();
	bool is_complete = sb_json_add_foreign(json, "id", row->name) &&
			   sb_json_add_int(json, "pid", row->pid) &&
			   sb_json_add_foreign(json, "strategy", row->strategy) &&
			   sb_json_add_words(json, "queues", row->queues) &&
			   sb_json_add_words(json, "capabilities", row->capabilities) &&
			   sb_json_add_int(json, "block_size", row->block_size) &&
			   sb_json_add_int(json, "pool_size", row->pool_size) &&
			   sb_json_add_bool(json, "is_active", is_active) &&
			   add_times(json, row, l->now_us) && add_counts(json, row);

	l->is_complete = sb_json_add_part_take(l->list, NULL, json) && is_complete;
	return l->is_complete;
}

stepbus_status sb_overview_workers(stepbus *engine, stepbus_text **out, stepbus_error *err)
{
	listing l = { .engine = engine,
		      .now_us = sb_clock_now_us(&engine->host),
		      .elapsed_ns = sb_clock_elapsed_ns(&engine->host),
		      .list = sb_json_array_new(),
		      .is_complete = true };
	stepbus_status status =
		engine->store->type->worker_list(engine->store, list_worker, &l, err);

	if (status == STEPBUS_OK)
		return sb_json_print_take(l.list, l.is_complete, &engine->host, out, err);
	sb_json_free(l.list);
	return status;
}

static bool count_worker(void *context, const sb_worker_row *row)
{
	listing *l = context;

	l->count++;
	l->active_count += sb_overview_is_active(row, l->engine->boot_id, l->elapsed_ns);
	return true;
}

static const char *durability_name(sb_durability durability)
{
	switch (durability) {
	case SB_DURABILITY_MEMORY:
		return "memory";
	case SB_DURABILITY_PROCESS:
		return "process";
	case SB_DURABILITY_DISK:
		break;
	}
	return "disk";
}

static bool add_store(sb_json *json, const stepbus *engine, const sb_store_stats *stats)
{
	sb_json *store = sb_json_object_new();
	bool is_complete =
		sb_json_add_text(store, "name", sb_slice_z(engine->store->type->name)) &&
		sb_json_add_text(store, "durability",
				 sb_slice_z(durability_name(engine->options.durability))) &&
		sb_json_add_int(store, "commits", (int64_t)stats->commit_count) &&
		sb_json_add_int(store, "busy", (int64_t)stats->busy_count) &&
		sb_json_add_int(store, "checkpoints", (int64_t)stats->checkpoint_count) &&
		sb_json_add_int(store, "short_checkpoints",
				(int64_t)stats->checkpoint_short_count) &&
		sb_json_add_int(store, "wal_bytes", stats->wal_bytes) &&
		sb_json_add_int(store, "wal_alarms", (int64_t)stats->wal_alarm_count) &&
		sb_json_add_int(store, "file_bytes", stats->file_bytes);

	return sb_json_add_part_take(json, "store", store) && is_complete;
}

static bool add_writer(sb_json *json, const stepbus *engine)
{
	sb_json *writer = sb_json_object_new();
	sb_writer_stats stats;
	bool is_complete;

	sb_writer_stats_read(&engine->writer, &stats);
	is_complete = sb_json_add_int(writer, "groups", (int64_t)stats.group_count) &&
		      sb_json_add_int(writer, "operations", (int64_t)stats.operation_count) &&
		      sb_json_add_int(writer, "waiting", (int64_t)stats.waiting_count);
	return sb_json_add_part_take(json, "writer", writer) && is_complete;
}

static bool add_workers(sb_json *json, const listing *l)
{
	sb_json *workers = sb_json_object_new();
	bool is_complete = sb_json_add_int(workers, "known", l->count) &&
			   sb_json_add_int(workers, "active", l->active_count);

	return sb_json_add_part_take(json, "workers", workers) && is_complete;
}

static stepbus_status print_stats(stepbus *engine, const sb_tally *tally, const listing *l,
				  stepbus_text **out, stepbus_error *err)
{
	sb_json *json = sb_json_object_new();
	sb_store_stats stats;
	bool is_open = sb_engine_check(engine, true, NULL) == STEPBUS_OK;
	bool is_complete;

	engine->store->type->stats(engine->store, &stats);
	is_complete = sb_json_add_bool(json, "is_healthy",
				       is_open && atomic_load(&engine->is_alarmed) == 0 &&
					       atomic_load(&engine->is_failing) == 0) &&
		      sb_json_add_bool(json, "is_open", is_open) &&
		      sb_json_add_bool(json, "is_alarmed", atomic_load(&engine->is_alarmed) != 0) &&
		      sb_json_add_bool(json, "is_failing", atomic_load(&engine->is_failing) != 0) &&
		      add_store(json, engine, &stats) && add_writer(json, engine) &&
		      sb_tally_add(json, "steps", tally->counts) && add_workers(json, l);
	return sb_json_print_take(json, is_complete, &engine->host, out, err);
}

stepbus_status sb_overview_stats(stepbus *engine, stepbus_text **out, stepbus_error *err)
{
	sb_store *store = engine->store;
	listing l = { .engine = engine, .elapsed_ns = sb_clock_elapsed_ns(&engine->host) };
	sb_tally tally;
	stepbus_status status = sb_tally_read(&tally, store, err);

	if (status == STEPBUS_OK)
		status = store->type->worker_list(store, count_worker, &l, err);
	if (status == STEPBUS_OK)
		status = print_stats(engine, &tally, &l, out, err);
	sb_tally_free(&tally);
	return status;
}
