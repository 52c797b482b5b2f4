/* SPDX-License-Identifier: MIT */
/*
 * What an engine tells its bridge, as the catalog describes it: the completion of each attempt as a
 * struct, everything else as JSON. Nothing is built that nobody listens to.
 */
#ifndef SB_HANDLERS_NEWS_H
#define SB_HANDLERS_NEWS_H

#include "handlers/worker.h"

/* Whether anyone listens to what a settlement would tell. */
bool sb_news_is_settlement_heard(const sb_settlement *settlement);
/* notice.tell of a settlement that is durable. */
void sb_news_tell_settled(sb_notice *notice, stepbus_bridge *bridge);
void sb_news_publish_settled(const sb_settlement *settlement, stepbus_bridge *bridge);

/* A step was claimed, and is about to be run. On the notices' thread. */
void sb_news_publish_started(const sb_claimed *claimed);

/* A step has changed without an attempt's end: by an enqueue, a cancel, a redrive, a lost lease. */
typedef struct sb_step_news {
	sb_engine_event event;
	int64_t id;
	int64_t token;
	sb_slice worker;
	sb_slice handler;
	sb_slice queue;
	sb_slice step_name;
	sb_slice correlation_id;
	sb_slice reason;
	sb_slice error_type; /* of a failure: told with what follows */
	sb_slice error_message;
	bool is_retryable;
	int64_t run_at_us;
	int64_t delay_us;
	uint32_t retry_count;
} sb_step_news;
/* Inside: it is told when the transaction is committed. Texts are copied. */
void sb_news_step(stepbus *engine, const sb_step_news *news);
/* Of a worker. By the leader or any thread. */
void sb_news_worker(stepbus *engine, sb_engine_event event, const stepbus_worker *worker);
/* How the host of a pull worker keeps up; but metrics they are trouble. Any thread. */
void sb_news_dispatch(const stepbus_worker *worker, sb_engine_event event,
		      const stepbus_dispatch_metrics *metrics);
/* Trouble with the store. Any thread. */
void sb_news_store(stepbus *engine, sb_engine_event event, const char *text);

#endif
