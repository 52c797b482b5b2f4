/* SPDX-License-Identifier: MIT */
#include "handlers/claimed.h"

#include <pthread.h>

#include "base/ids.h"
#include "handlers/worker.h"

static const char content_type_default[] = "application/json";

static size_t texts_len(const sb_step_row *row, const sb_handler_row *handler)
{
	return row->input.len + row->content_type.len + row->step_name.len + row->step_config.len +
	       row->correlation_id.len + row->traceparent.len + handler->handler_namespace.len +
	       handler->name.len + handler->version.len;
}

static const char *put(char **at, sb_slice text)
{
	char *copy = *at;

	if (text.len == 0)
		return NULL;
	memcpy(copy, text.data, text.len);
	*at += text.len;
	return copy;
}

static void put_handler(stepbus_step_event *event, char **at, const sb_handler_row *handler)
{
	event->handler_namespace = put(at, handler->handler_namespace);
	event->handler_namespace_len = handler->handler_namespace.len;
	event->handler_name = put(at, handler->name);
	event->handler_name_len = handler->name.len;
	event->handler_version = put(at, handler->version);
	event->handler_version_len = handler->version.len;
}

static void put_texts(sb_claimed *c, const sb_step_row *row, const sb_handler_row *handler,
		      sb_slice queue)
{
	stepbus_step_event *event = &c->event;
	char *at = c->texts;

	event->input = put(&at, row->input);
	event->input_len = row->input.len;
	event->step_name = put(&at, row->step_name);
	event->step_name_len = row->step_name.len;
	event->step_config = put(&at, row->step_config);
	event->step_config_len = row->step_config.len;
	event->correlation_id = put(&at, row->correlation_id);
	event->correlation_id_len = row->correlation_id.len;
	event->traceparent = put(&at, row->traceparent);
	event->traceparent_len = row->traceparent.len;
	event->content_type = put(&at, row->content_type);
	event->content_type_len = row->content_type.len;
	if (event->content_type == NULL) {
		event->content_type = content_type_default;
		event->content_type_len = sizeof content_type_default - 1;
	}
	put_handler(event, &at, handler);
	event->queue = put(&at, queue);
	event->queue_len = queue.len;
	c->queue = sb_slice_of(event->queue, queue.len);
}

sb_claimed *sb_claimed_new(const stepbus_host *host, const sb_step_row *row,
			   const sb_step_status *status, const sb_handler_row *handler,
			   sb_slice queue, const uint8_t tag[SB_STORE_TAG_LEN])
{
	sb_claimed *c = sb_alloc(host, sizeof *c + texts_len(row, handler) + queue.len);

	if (c == NULL)
		return NULL;
	atomic_init(&c->ref_count, 1);
	atomic_init(&c->hold_count, 1);
	c->start_slot = UINT32_MAX;
	c->status = *status;
	c->key = (sb_claimed_key){ status->id, status->token };
	c->retry = (sb_retry_policy){ row->retry_kind, row->attempt_count_max, row->retry_base_us,
				      row->retry_cap_us, row->jitter_percent };
	c->attempt_timeout_us = row->attempt_timeout_us;
	c->event = (stepbus_step_event){
		.size = sizeof c->event,
		.token = (uint64_t)status->token,
		.retry_count = status->attempt_count > 0 ? status->attempt_count - 1 : 0,
		.attempt_timeout_ms = row->attempt_timeout_us / 1000,
	};
	sb_id_of_row(status->id, tag, c->event.step_id);
	put_texts(c, row, handler, queue);
	return c;
}

bool sb_claimed_set_progress(const stepbus_host *host, sb_claimed *claimed,
			     const sb_checkpoint_row *checkpoint)
{
	size_t len = checkpoint->cursor.len + checkpoint->partial_result.len;
	stepbus_step_event *event = &claimed->event;
	char *at;

	event->items_processed =
		checkpoint->items_processed > 0 ? (uint64_t)checkpoint->items_processed : 0;
	if (len == 0)
		return true;
	claimed->progress = sb_alloc(host, len);
	at = claimed->progress;
	if (at == NULL)
		return false;
	event->cursor = put(&at, checkpoint->cursor);
	event->cursor_len = checkpoint->cursor.len;
	event->partial_result = put(&at, checkpoint->partial_result);
	event->partial_result_len = checkpoint->partial_result.len;
	return true;
}

void sb_claimed_ref(sb_claimed *claimed)
{
	atomic_fetch_add_explicit(&claimed->ref_count, 1, memory_order_relaxed);
}

void sb_claimed_unref(const stepbus_host *host, sb_claimed *claimed)
{
	if (atomic_fetch_sub_explicit(&claimed->ref_count, 1, memory_order_acq_rel) != 1)
		return;
	sb_settlement_clear(&claimed->settlement, host);
	sb_release(host, claimed->progress);
	sb_release(host, claimed);
}

stepbus_status sb_claimed_table_init(sb_claimed_table *table, const stepbus_host *host,
				     stepbus_error *err)
{
	table->host = host;
	table->serial = 0;
	sb_assert(pthread_mutex_init(&table->lock, NULL) == 0);
	return sb_map_init(&table->by_key, host, err);
}

void sb_claimed_table_free(sb_claimed_table *table)
{
	pthread_mutex_destroy(&table->lock);
}

bool sb_claimed_table_add(sb_claimed_table *table, sb_claimed *claimed)
{
	bool is_added;

	pthread_mutex_lock(&table->lock);
	claimed->serial = ++table->serial;
	is_added = sb_map_add(&table->by_key, &claimed->node, &claimed->key, sizeof claimed->key);
	pthread_mutex_unlock(&table->lock);
	return is_added;
}

void sb_claimed_table_remove(sb_claimed_table *table, sb_claimed *claimed)
{
	pthread_mutex_lock(&table->lock);
	sb_map_remove(&table->by_key, &claimed->node);
	pthread_mutex_unlock(&table->lock);
}

sb_claimed *sb_claimed_table_find(sb_claimed_table *table, const sb_claimed_key *key)
{
	sb_claimed *found;

	pthread_mutex_lock(&table->lock);
	found = (sb_claimed *)(void *)sb_map_find(&table->by_key, key, sizeof *key);
	if (found != NULL)
		sb_claimed_ref(found);
	pthread_mutex_unlock(&table->lock);
	return found;
}

void sb_claimed_table_leave(sb_claimed_table *table, sb_claimed *claimed)
{
	if (atomic_fetch_sub_explicit(&claimed->hold_count, 1, memory_order_acq_rel) == 1)
		sb_claimed_table_remove(table, claimed);
}

bool sb_claimed_interrupt(sb_claimed *claimed, stepbus_status why)
{
	int32_t before = STEPBUS_OK;

	while (before == STEPBUS_OK || (before == STEPBUS_ESHUTDOWN && before != why))
		if (atomic_compare_exchange_weak(&claimed->interruption, &before, why))
			return true;
	return false;
}

bool sb_claimed_is_ended(const sb_claimed *claimed)
{
	uint32_t phase = atomic_load(&claimed->phase);

	return phase == SB_CLAIMED_SETTLING || phase == SB_CLAIMED_OVERDUE;
}

stepbus_status sb_claimed_refusal(const sb_claimed *claimed)
{
	stepbus_status why = atomic_load(&claimed->interruption);

	if (why != STEPBUS_OK && why != STEPBUS_ESHUTDOWN)
		return why;
	/* Told of it only once it is ended, so perhaps not yet. */
	return atomic_load(&claimed->phase) == SB_CLAIMED_OVERDUE ? STEPBUS_ETIMEDOUT :
								    STEPBUS_ESTALE;
}

void sb_claimed_table_interrupt(sb_claimed_table *table, int64_t id, int64_t token,
				stepbus_status why)
{
	const sb_claimed_key key = { id, token };
	sb_claimed *found;

	pthread_mutex_lock(&table->lock);
	found = (sb_claimed *)(void *)sb_map_find(&table->by_key, &key, sizeof key);
	/* A worker is not freed before all that it has claimed has left the table. */
	if (found != NULL && sb_claimed_interrupt(found, why) &&
	    atomic_load(&found->is_polled) != 0)
		sb_wake_alert(&found->worker->wake);
	pthread_mutex_unlock(&table->lock);
}

void sb_claimed_table_each(sb_claimed_table *table, bool (*visit)(void *context, sb_claimed *c),
			   void *context)
{
	sb_map_node *next;

	pthread_mutex_lock(&table->lock);
	for (sb_map_node *node = sb_map_first(&table->by_key); node != NULL; node = next) {
		next = sb_map_next(node);
		if (!visit(context, (sb_claimed *)(void *)node))
			break;
	}
	pthread_mutex_unlock(&table->lock);
}
