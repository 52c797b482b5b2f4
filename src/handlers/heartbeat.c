/* SPDX-License-Identifier: MIT */
#include "handlers/heartbeat.h"

#include "handlers/clockwork.h"
#include "handlers/enlist.h"
#include "handlers/news.h"

static stepbus_status run(sb_operation *operation, sb_store *store, stepbus_error *err)
{
	const sb_heartbeat *heartbeat = (const sb_heartbeat *)(const void *)operation;
	stepbus_status status = sb_enlist_renew(heartbeat->engine, err);

	(void)store;
	/* A refusal would keep half of it. */
	return sb_writer_is_refusal(status) ? STEPBUS_ECORRUPT : status;
}

static void done(sb_operation *operation)
{
	sb_heartbeat *heartbeat = (sb_heartbeat *)(void *)operation;
	stepbus *engine = heartbeat->engine;
	bool is_kept = operation->status == STEPBUS_OK;

	sb_enlist_renewed(engine, is_kept);
	if (!is_kept)
		sb_news_store(engine, SB_EVENT_STORE_ERROR, operation->err.message);
	atomic_store(&heartbeat->has_failed, !is_kept);
	atomic_store(&heartbeat->is_waiting, 0);
	/* Sweeps have waited for it. */
	sb_clockwork_wake(engine->clockwork);
}

void sb_heartbeat_init(sb_heartbeat *heartbeat, stepbus *engine)
{
	*heartbeat = (sb_heartbeat){ .engine = engine };
	heartbeat->operation.run = run;
	heartbeat->operation.done = done;
	heartbeat->operation.weight = 1;
}

void sb_heartbeat_submit(sb_heartbeat *heartbeat)
{
	atomic_store(&heartbeat->is_waiting, 1);
	sb_writer_submit(&heartbeat->engine->writer, &heartbeat->operation);
}
