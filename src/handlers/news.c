/* SPDX-License-Identifier: MIT */
#include "handlers/news.h"

#include <stddef.h>
#include <stdio.h>

#include "base/ids.h"
#include "base/json.h"
#include "bridge/publish.h"

/* A JSON event on its way, in one block. */
typedef struct message {
	sb_notice notice;
	stepbus *engine;
	sb_engine_event event;
	stepbus_text *text;
} message;

static void publish(stepbus *engine, sb_engine_event event, const void *payload, size_t len)
{
	/* That a subscriber refuses what has happened changes nothing about it. */
	(void)sb_publish(engine->bridge, engine->event_ids[event], payload, len, NULL);
}

static void tell_message(sb_notice *notice, stepbus_bridge *bridge)
{
	const message *m = (const message *)(const void *)notice;

	(void)bridge;
	publish(m->engine, m->event, sb_text_data(m->text), sb_text_len(m->text));
}

static void dispose_message(sb_notice *notice)
{
	message *m = (message *)(void *)notice;
	const stepbus_host *host = &m->engine->host;

	sb_text_free(m->text);
	sb_release(host, m);
}

/* Takes a document over and tells it after what was told before; left out where memory runs out. */
static message *new_message(stepbus *engine, sb_engine_event event, sb_json *json, bool is_complete)
{
	stepbus_text *text = NULL;
	message *m;

	if (sb_json_print_take(json, is_complete, &engine->host, &text, NULL) != STEPBUS_OK)
		return NULL;
	m = sb_alloc(&engine->host, sizeof *m);
	if (m == NULL) {
		sb_text_free(text);
		return NULL;
	}
	m->notice.tell = tell_message;
	m->notice.dispose = dispose_message;
	m->engine = engine;
	m->event = event;
	m->text = text;
	return m;
}

static void send(stepbus *engine, message *m)
{
	if (m != NULL)
		sb_notices_add(&engine->notices, &m->notice, &m->notice, 1);
}

static bool add_id(sb_json *json, const char *name, const uint8_t id[SB_ID_LEN])
{
	char text[SB_ID_TEXT_LEN + 1];

	sb_id_format(id, text);
	return sb_json_add_text(json, name, sb_slice_z(text));
}

static bool add_token(sb_json *json, uint64_t token)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%llu", (unsigned long long)token);
	return sb_json_add_text(json, "token", sb_slice_z(text));
}

/* What every event about an attempt begins with. */
static sb_json *attempt_document(const sb_settlement *s, bool *is_complete)
{
	const stepbus_completion *c = &s->completion;
	sb_json *json = sb_json_object_new();
	sb_slice name = sb_slice_of(NULL, 0);

	if (s->claimed != NULL)
		name = sb_slice_of(s->claimed->event.step_name, s->claimed->event.step_name_len);
	*is_complete =
		add_id(json, "step_id", c->step_id) &&
		sb_json_add_foreign(json, "step_name", name) && add_token(json, c->token) &&
		sb_json_add_foreign(json, "correlation_id",
				    sb_slice_of(c->correlation_id, c->correlation_id_len)) &&
		sb_json_add_foreign(json, "worker_id",
				    sb_slice_of(c->worker_id, c->worker_id_len)) &&
		sb_json_add_foreign(json, "handler",
				    sb_slice_of(c->handler_name, c->handler_name_len)) &&
		sb_json_add_int(json, "retry_count",
				s->before.attempt_count > 0 ? s->before.attempt_count - 1 : 0) &&
		sb_json_add_int(json, "execution_duration_ms", c->execution_time_us / 1000);
	return json;
}

static bool add_error(sb_json *json, const stepbus_completion *c)
{
	return sb_json_add_foreign(json, "error_type",
				   sb_slice_of(c->error_type, c->error_type_len)) &&
	       sb_json_add_foreign(json, "error_message",
				   sb_slice_of(c->error_message, c->error_message_len)) &&
	       sb_json_add_bool(json, "is_retryable", c->is_retryable != 0);
}

static void publish_json(stepbus *engine, sb_engine_event event, sb_json *json, bool is_complete)
{
	stepbus_text *text = NULL;

	if (sb_json_print_take(json, is_complete, &engine->host, &text, NULL) == STEPBUS_OK)
		publish(engine, event, sb_text_data(text), sb_text_len(text));
	sb_text_free(text);
}

static void publish_attempt(const sb_settlement *s, sb_engine_event event)
{
	bool is_complete = false;
	sb_json *json;

	if (!sb_engine_is_heard(s->engine, event))
		return;
	json = attempt_document(s, &is_complete);
	if (event == SB_EVENT_FAILED)
		is_complete = is_complete && add_error(json, &s->completion);
	publish_json(s->engine, event, json, is_complete);
}

static void publish_delay(const sb_settlement *s, sb_engine_event event)
{
	bool is_complete = false;
	int64_t delay_us = s->after.due_at_us > 0 ? s->after.due_at_us - s->after.changed_at_us : 0;
	sb_json *json;

	if (!sb_engine_is_heard(s->engine, event))
		return;
	json = attempt_document(s, &is_complete);
	is_complete = is_complete && sb_json_add_int(json, "delay_ms", delay_us / 1000) &&
		      sb_json_add_time(json, "run_at", s->after.changed_at_us + delay_us) &&
		      sb_json_add_foreign(
			      json, "reason",
			      sb_slice_of(s->completion.error_type, s->completion.error_type_len));
	publish_json(s->engine, event, json, is_complete);
}

static void publish_checkpoint(const sb_settlement *s)
{
	const stepbus_completion *c = &s->completion;
	bool is_complete = false;
	sb_json *json;

	if (!sb_engine_is_heard(s->engine, SB_EVENT_CHECKPOINT))
		return;
	json = attempt_document(s, &is_complete);
	is_complete = is_complete &&
		      sb_json_add_bytes(json, "cursor", "cursor_base64",
					sb_slice_of(c->cursor, c->cursor_len), &s->engine->host) &&
		      sb_json_add_int(json, "items_processed", (int64_t)c->items_processed) &&
		      sb_json_add_int(json, "partial_result_len", (int64_t)c->result_len) &&
		      sb_json_add_int(json, "checkpoint_count", s->after.checkpoint_count);
	publish_json(s->engine, SB_EVENT_CHECKPOINT, json, is_complete);
}

static void publish_retries_used(const sb_settlement *s)
{
	bool is_complete = false;
	sb_json *json;

	if (!sb_engine_is_heard(s->engine, SB_EVENT_RETRIES_USED))
		return;
	json = attempt_document(s, &is_complete);
	is_complete = is_complete && add_error(json, &s->completion) &&
		      sb_json_add_int(json, "max_retries",
				      s->attempt_count_max > 0 ? s->attempt_count_max - 1 : 0);
	publish_json(s->engine, SB_EVENT_RETRIES_USED, json, is_complete);
}

static void publish_failure(const sb_settlement *s)
{
	publish_attempt(s, SB_EVENT_FAILED);
	if (s->after.state != SB_STEP_FAILED)
		publish_delay(s, SB_EVENT_RETRY);
	else if (s->completion.is_retryable != 0)
		publish_retries_used(s);
}

void sb_news_publish_settled(const sb_settlement *s, stepbus_bridge *bridge)
{
	(void)bridge;
	/* As if it had not been handed out. */
	if (s->completion.outcome == STEPBUS_OUTCOME_RELEASE)
		return;
	publish(s->engine, SB_EVENT_COMPLETION, &s->completion, sizeof s->completion);
	if (s->completion.outcome == STEPBUS_OUTCOME_SUCCESS)
		publish_attempt(s, SB_EVENT_COMPLETED);
	else if (s->completion.outcome == STEPBUS_OUTCOME_SNOOZE)
		publish_delay(s, SB_EVENT_SNOOZED);
	else if (s->completion.outcome == STEPBUS_OUTCOME_CHECKPOINT)
		publish_checkpoint(s);
	else
		publish_failure(s);
}

void sb_news_tell_settled(sb_notice *notice, stepbus_bridge *bridge)
{
	sb_news_publish_settled(
		(const sb_settlement *)(const void *)((const char *)notice -
						      offsetof(sb_settlement, notice)),
		bridge);
}

bool sb_news_is_settlement_heard(const sb_settlement *s)
{
	const stepbus *engine = s->engine;

	if (s->completion.outcome == STEPBUS_OUTCOME_RELEASE)
		return false;
	if (sb_engine_is_heard(engine, SB_EVENT_COMPLETION))
		return true;
	if (s->completion.outcome == STEPBUS_OUTCOME_SUCCESS)
		return sb_engine_is_heard(engine, SB_EVENT_COMPLETED);
	if (s->completion.outcome == STEPBUS_OUTCOME_CHECKPOINT)
		return sb_engine_is_heard(engine, SB_EVENT_CHECKPOINT);
	return sb_engine_is_heard(engine, SB_EVENT_FAILED) ||
	       sb_engine_is_heard(engine, SB_EVENT_RETRY) ||
	       sb_engine_is_heard(engine, SB_EVENT_SNOOZED) ||
	       sb_engine_is_heard(engine, SB_EVENT_RETRIES_USED);
}

void sb_news_publish_started(const sb_claimed *claimed)
{
	const stepbus_step_event *event = &claimed->event;
	stepbus *engine = claimed->worker->engine;
	sb_json *json;
	bool is_complete;

	if (!sb_engine_is_heard(engine, SB_EVENT_STARTED))
		return;
	json = sb_json_object_new();
	is_complete =
		add_id(json, "step_id", event->step_id) &&
		sb_json_add_foreign(json, "step_name",
				    sb_slice_of(event->step_name, event->step_name_len)) &&
		add_token(json, event->token) &&
		sb_json_add_foreign(
			json, "correlation_id",
			sb_slice_of(event->correlation_id, event->correlation_id_len)) &&
		sb_json_add_text(json, "worker_id", claimed->worker->options.name) &&
		sb_json_add_foreign(json, "handler",
				    sb_slice_of(event->handler_name, event->handler_name_len)) &&
		sb_json_add_int(json, "retry_count", event->retry_count);
	publish_json(engine, SB_EVENT_STARTED, json, is_complete);
}

static sb_json *step_document(stepbus *engine, const sb_step_news *news, bool *is_complete)
{
	sb_json *json = sb_json_object_new();
	uint8_t id[SB_ID_LEN];

	sb_id_of_row(news->id, engine->store->tag, id);
	*is_complete = add_id(json, "step_id", id) &&
		       sb_json_add_foreign(json, "step_name", news->step_name) &&
		       sb_json_add_foreign(json, "correlation_id", news->correlation_id) &&
		       sb_json_add_int(json, "retry_count", news->retry_count);
	if (news->token != 0)
		*is_complete = *is_complete && add_token(json, (uint64_t)news->token);
	if (news->handler.len > 0)
		*is_complete = *is_complete && sb_json_add_foreign(json, "handler", news->handler);
	if (news->worker.len > 0)
		*is_complete = *is_complete && sb_json_add_foreign(json, "worker_id", news->worker);
	if (news->queue.len > 0)
		*is_complete = *is_complete && sb_json_add_foreign(json, "queue", news->queue);
	if (news->reason.len > 0)
		*is_complete = *is_complete && sb_json_add_foreign(json, "reason", news->reason);
	if (news->error_type.len > 0)
		*is_complete = *is_complete &&
			       sb_json_add_foreign(json, "error_type", news->error_type) &&
			       sb_json_add_foreign(json, "error_message", news->error_message) &&
			       sb_json_add_bool(json, "is_retryable", news->is_retryable);
	if (news->run_at_us != 0)
		*is_complete = *is_complete && sb_json_add_time(json, "run_at", news->run_at_us) &&
			       sb_json_add_int(json, "delay_ms", news->delay_us / 1000);
	return json;
}

void sb_news_step(stepbus *engine, const sb_step_news *news)
{
	bool is_complete = false;
	sb_json *json;
	message *m;

	if (!sb_engine_is_heard(engine, news->event))
		return;
	json = step_document(engine, news, &is_complete);
	m = new_message(engine, news->event, json, is_complete);
	if (m != NULL)
		sb_engine_add_tentative(engine, &m->notice);
}

static bool add_worker_facts(sb_json *json, sb_engine_event event, const stepbus_worker *worker)
{
	stepbus *engine = worker->engine;
	int64_t now_us = sb_clock_now_us(&engine->host);

	return sb_json_add_text(json, "worker_id", worker->options.name) &&
	       sb_json_add_text(
		       json, "strategy",
		       sb_slice_z(sb_claim_strategy_name((int)worker->options.strategy))) &&
	       sb_json_add_int(json, "running_count", atomic_load(&worker->running_count)) &&
	       sb_json_add_time(json, "beat_at", now_us) &&
	       sb_json_add_int(json, "uptime_ms", (now_us - worker->started_at_us) / 1000) &&
	       sb_json_add_int(json, "success_count", atomic_load(&worker->completed_count)) &&
	       sb_json_add_int(json, "failure_count", atomic_load(&worker->failed_count)) &&
	       (event != SB_EVENT_WORKER_LOST ||
		(sb_json_add_text(json, "error_type", sb_slice_z("lease_lost")) &&
		 sb_json_add_text(json, "message",
				  sb_slice_z("the worker's lease ran out; what it had claimed was "
					     "given to others"))));
}

void sb_news_worker(stepbus *engine, sb_engine_event event, const stepbus_worker *worker)
{
	sb_json *json;

	if (!sb_engine_is_heard(engine, event))
		return;
	json = sb_json_object_new();
	send(engine, new_message(engine, event, json, add_worker_facts(json, event, worker)));
}

static bool add_dispatch(sb_json *json, const stepbus_worker *worker,
			 const stepbus_dispatch_metrics *m)
{
	return sb_json_add_text(json, "worker_id", worker->options.name) &&
	       sb_json_add_int(json, "starving_count", (int64_t)m->starving_count) &&
	       sb_json_add_int(json, "oldest_age_ms", m->oldest_age_ms) &&
	       (m->pending_count == 0 || add_id(json, "oldest_step_id", m->oldest_step_id));
}

static bool add_metrics(sb_json *json, const stepbus_dispatch_metrics *m)
{
	return sb_json_add_int(json, "pending_count", (int64_t)m->pending_count) &&
	       sb_json_add_int(json, "waiting_count", (int64_t)m->waiting_count) &&
	       sb_json_add_int(json, "polled_count", (int64_t)m->polled_count) &&
	       sb_json_add_int(json, "newest_age_ms", m->newest_age_ms) &&
	       sb_json_add_bool(json, "is_starving", m->is_starving != 0);
}

static bool add_starvation(sb_json *json)
{
	return sb_json_add_text(json, "error_type", sb_slice_z("starvation")) &&
	       sb_json_add_text(json, "message",
				sb_slice_z("steps wait for the host to poll them for longer than "
					   "starvation_ms"));
}

void sb_news_dispatch(const stepbus_worker *worker, sb_engine_event event,
		      const stepbus_dispatch_metrics *metrics)
{
	stepbus *engine = worker->engine;
	bool is_complete;
	sb_json *json;

	if (!sb_engine_is_heard(engine, event))
		return;
	json = sb_json_object_new();
	is_complete = add_dispatch(json, worker, metrics);
	if (event == SB_EVENT_POLLER_METRICS)
		is_complete = is_complete && add_metrics(json, metrics);
	else if (event == SB_EVENT_POLLER_ERROR)
		is_complete = is_complete && add_starvation(json);
	send(engine, new_message(engine, event, json, is_complete));
}

void sb_news_store(stepbus *engine, sb_engine_event event, const char *text)
{
	sb_json *json;
	bool is_complete;

	if (!sb_engine_is_heard(engine, event))
		return;
	json = sb_json_object_new();
	is_complete = sb_json_add_text(json, "store", sb_slice_z(engine->store->type->name)) &&
		      sb_json_add_foreign(json, "message", sb_slice_z(text));
	send(engine, new_message(engine, event, json, is_complete));
}
