/* SPDX-License-Identifier: MIT */
#include "handlers/execution.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/log.h"
#include "base/status.h"
#include "base/utf8.h"
#include "bridge/publish.h"
#include "bridge/roster.h"
#include "handlers/context.h"
#include "handlers/instances.h"
#include "handlers/resolve.h"
#include "handlers/result.h"

struct stepbus_execution_subscriber {
	stepbus_bridge *bridge;
	stepbus_registry *registry;
	stepbus_host host;
	sb_completion_door door;
	sb_instances instances;
	uint32_t completion_event_id;
	uint32_t error_event_id;
	sb_slice worker_id;
	_Atomic(uint32_t) ref_count;
	_Atomic(uint32_t) stop_count;      /* tells a start that a stop came in between */
	_Atomic(uint64_t) subscription_id; /* 0: not started */
	pthread_mutex_t lock; /* one start at a time; stop takes none, a handler may call it */
};

/* One step on its way. */
typedef struct run {
	stepbus_execution_subscriber *subscriber;
	const stepbus_step_event *step;
	stepbus_handler *handler; /* NULL: not found */
	stepbus_result result;
	int64_t duration_us;
	bool has_host_failed;
} run;

static const char content_type_default[] = "application/json";

static void unref(stepbus_execution_subscriber *subscriber)
{
	stepbus_host host = subscriber->host;
	char *worker_id;

	if (atomic_fetch_sub_explicit(&subscriber->ref_count, 1, memory_order_acq_rel) != 1)
		return;
	sb_instances_free(&subscriber->instances);
	if (subscriber->door.destroy != NULL)
		subscriber->door.destroy(subscriber->door.context);
	memcpy(&worker_id, &subscriber->worker_id.data, sizeof worker_id);
	sb_release(&host, worker_id);
	pthread_mutex_destroy(&subscriber->lock);
	sb_release(&host, subscriber);
}

static void call_handler(run *r, const stepbus_context *context, void *instance)
{
	int32_t answer = r->handler->facts->spec.call(instance, context, &r->result);

	r->has_host_failed = answer != STEPBUS_OK;
	/* A host that failed may have said more than its number; but it did not succeed. */
	if (r->has_host_failed && r->result.outcome != STEPBUS_OUTCOME_FAILURE) {
		stepbus_error message = STEPBUS_ERROR_INIT;

		sb_fail(&message, STEPBUS_EHANDLER, "handler '%s' failed with status %d",
			r->handler->facts->spec.name, answer);
		sb_result_fail_plainly(&r->result, "handler_error", message.message, true);
	} else if (r->result.outcome == 0) {
		stepbus_error message = STEPBUS_ERROR_INIT;

		sb_fail(&message, STEPBUS_EHANDLER,
			"handler '%s' returned without a result: call stepbus_result_success or "
			"_failure",
			r->handler->facts->spec.name);
		sb_result_fail_plainly(&r->result, "handler_error", message.message, false);
	}
}

/* Whoever takes the result in may know why the handler must not run this step. */
static bool is_allowed(run *r, stepbus_context *context)
{
	const sb_completion_door *door = &r->subscriber->door;
	stepbus_error err = STEPBUS_ERROR_INIT;

	if (door->begin == NULL || door->begin(door->context, r->step, &r->handler->facts->spec,
					       context, &err) == STEPBUS_OK)
		return true;
	sb_result_fail_plainly(&r->result, "not_permitted", err.message, false);
	return false;
}

static void execute(run *r)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_context context = { .step = r->step };
	stepbus_status status = sb_resolve(r->subscriber->registry, r->step, &r->handler, &err);
	sb_instance instance;

	if (status != STEPBUS_OK) {
		/* Out of memory says nothing about the handler: another attempt may find it. */
		bool is_missing = status != STEPBUS_ENOMEM;

		sb_result_fail_plainly(&r->result,
				       is_missing ? "handler_not_found" : "handler_error",
				       err.message, !is_missing);
		return;
	}
	if (r->handler->facts->spec.call == NULL) {
		sb_result_fail_plainly(&r->result, "handler_error",
				       "the handler is pulled: a pull worker's host runs its steps",
				       true);
		return;
	}
	if (!is_allowed(r, &context))
		return;
	status = sb_instances_acquire(&r->subscriber->instances, r->handler, &instance, &err);
	if (status != STEPBUS_OK) {
		r->has_host_failed = true;
		sb_result_fail_plainly(&r->result, "handler_factory_error", err.message, true);
		return;
	}
	call_handler(r, &context, instance.object);
	sb_instances_release(&r->subscriber->instances, r->handler, &instance);
}

static void fill_completion(const run *r, stepbus_completion *completion)
{
	const stepbus_step_event *step = r->step;
	const stepbus_result *result = &r->result;
	const sb_slice *parts = result->parts;
	sb_slice content_type = parts[SB_RESULT_CONTENT_TYPE];

	if (content_type.len == 0)
		content_type = sb_slice_of(content_type_default, sizeof content_type_default - 1);
	*completion = (stepbus_completion){
		.size = sizeof *completion,
		.outcome = result->outcome,
		.token = step->token,
		.execution_time_us = r->duration_us,
		.retry_after_ms = result->retry_after_ms,
		.is_retryable = result->is_retryable,
		.correlation_id = step->correlation_id,
		.correlation_id_len = step->correlation_id_len,
		.handler_name = step->handler_name,
		.handler_name_len = step->handler_name_len,
		.handler_version = r->handler != NULL ? r->handler->facts->spec.version : NULL,
		.handler_version_len = r->handler != NULL ? r->handler->facts->spec.version_len : 0,
		.worker_id = r->subscriber->worker_id.data,
		.worker_id_len = r->subscriber->worker_id.len,
		.result = parts[SB_RESULT_BYTES].data,
		.result_len = parts[SB_RESULT_BYTES].len,
		.content_type = content_type.data,
		.content_type_len = content_type.len,
		.error_type = parts[SB_RESULT_ERROR_TYPE].data,
		.error_type_len = parts[SB_RESULT_ERROR_TYPE].len,
		.error_message = parts[SB_RESULT_ERROR_MESSAGE].data,
		.error_message_len = parts[SB_RESULT_ERROR_MESSAGE].len,
		.error_code = parts[SB_RESULT_ERROR_CODE].data,
		.error_code_len = parts[SB_RESULT_ERROR_CODE].len,
		.metadata = parts[SB_RESULT_METADATA].data,
		.metadata_len = parts[SB_RESULT_METADATA].len,
		.backtrace = parts[SB_RESULT_BACKTRACE].data,
		.backtrace_len = parts[SB_RESULT_BACKTRACE].len,
		.cursor = parts[SB_RESULT_CURSOR].data,
		.cursor_len = parts[SB_RESULT_CURSOR].len,
		.items_processed =
			result->outcome == STEPBUS_OUTCOME_CHECKPOINT ? result->items_processed : 0,
	};
	memcpy(completion->step_id, step->step_id, sizeof completion->step_id);
	memcpy(completion->task_id, step->task_id, sizeof completion->task_id);
}

static bool add_id(sb_json *json, const char *name, const uint8_t id[SB_ID_LEN])
{
	static const uint8_t none[SB_ID_LEN];
	char text[SB_ID_TEXT_LEN + 1];

	if (memcmp(id, none, SB_ID_LEN) == 0)
		return sb_json_add_text(json, name, sb_slice_of(NULL, 0));
	sb_id_format(id, text);
	return sb_json_add_text(json, name, sb_slice_z(text));
}

/*
 * Nobody waits for this event: where it cannot be made or is refused, the step's own result still
 * says it.
 */
static void publish_error(const run *r)
{
	const stepbus_step_event *step = r->step;
	const sb_slice *parts = r->result.parts;
	sb_json *json = sb_json_object_new();
	stepbus_text *text = NULL;
	char token[24];
	bool is_complete;

	/* As text, since a token may pass what a JSON number holds exactly. */
	(void)snprintf(token, sizeof token, "%llu", (unsigned long long)step->token);
	is_complete =
		add_id(json, "step_id", step->step_id) && add_id(json, "task_id", step->task_id) &&
		sb_json_add_text(json, "token", sb_slice_z(token)) &&
		sb_json_add_foreign(json, "correlation_id",
				    sb_slice_of(step->correlation_id, step->correlation_id_len)) &&
		sb_json_add_foreign(json, "handler",
				    sb_slice_of(step->handler_name, step->handler_name_len)) &&
		sb_json_add_foreign(json, "error_type", parts[SB_RESULT_ERROR_TYPE]) &&
		sb_json_add_foreign(json, "message", parts[SB_RESULT_ERROR_MESSAGE]);
	if (sb_json_print_take(json, is_complete, &r->subscriber->host, &text, NULL) == STEPBUS_OK)
		sb_publish_news(r->subscriber->bridge, r->subscriber->error_event_id,
				sb_text_data(text), sb_text_len(text), NULL);
	sb_text_free(text);
}

/* The one place where all of it is known: which step, which status, and why. */
static void log_refusal(const run *r, const char *event_type, stepbus_status status,
			const stepbus_error *cause)
{
	stepbus_error text = STEPBUS_ERROR_INIT;
	char id[SB_ID_TEXT_LEN + 1] = "";

	sb_fail(&text, status, "%s: %s", sb_status_name(status), cause->message);
	sb_utf8_repair(text.message, strlen(text.message));
	if (r->step != NULL)
		sb_id_format(r->step->step_id, id);
	sb_log(&r->subscriber->host, &(sb_log_record){ .level = STEPBUS_LOG_ERROR,
						       .component = "execution_subscriber",
						       .message = text.message,
						       .event_type = event_type,
						       .entity_type = "step",
						       .entity_id = sb_slice_z(id) });
}

static stepbus_status submit(const run *r)
{
	stepbus_execution_subscriber *subscriber = r->subscriber;
	stepbus_completion completion;
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status;

	fill_completion(r, &completion);
	status = subscriber->door.submit(subscriber->door.context, r->step, &completion, &err);
	if (status == STEPBUS_OK && subscriber->door.publishes)
		return STEPBUS_OK;
	if (status == STEPBUS_OK) {
		/*
		 * The result is kept: that a subscriber of the news refuses it changes nothing
		 * about that.
		 */
		sb_publish_news(subscriber->bridge, subscriber->completion_event_id, &completion,
				sizeof completion, NULL);
		return STEPBUS_OK;
	}
	log_refusal(r, "completion_refused", status, &err);
	return status;
}

static stepbus_status on_step(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	stepbus_execution_subscriber *subscriber = user_data;
	run r = { .subscriber = subscriber };
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_step_event room; /* only written for an older host */
	stepbus_status status = sb_payload_take_step_event(payload, len, &room, &r.step, &err);
	int64_t started_ns;

	(void)event_id;
	if (status == STEPBUS_OK && (r.step->flags & STEPBUS_STEP_PULLED) != 0)
		return STEPBUS_OK;
	if (status != STEPBUS_OK) {
		log_refusal(&r, "step_refused", status, &err);
		return status;
	}
	sb_instances_sweep(&subscriber->instances, subscriber->registry);
	sb_result_init(&r.result, &subscriber->host);
	started_ns = sb_clock_elapsed_ns(&subscriber->host);
	execute(&r);
	/* A handler that forks returns twice: the step belongs to the parent. */
	status = sb_bridge_check(subscriber->bridge, NULL);
	if (status != STEPBUS_OK)
		return status;
	r.duration_us = (sb_clock_elapsed_ns(&subscriber->host) - started_ns) / 1000;
	if (r.handler != NULL)
		sb_handler_count_run(r.handler, r.result.outcome != STEPBUS_OUTCOME_FAILURE,
				     r.duration_us);
	if (r.has_host_failed)
		publish_error(&r);
	status = submit(&r);
	sb_handler_unref(r.handler);
	sb_result_free(&r.result);
	return status;
}

static stepbus_status find_event(stepbus_bridge *bridge, const char *name, uint32_t *event_id,
				 stepbus_error *err)
{
	sb_event *event = NULL;
	stepbus_status status = sb_bridge_event(bridge, sb_slice_z(name), &event, err);

	if (status == STEPBUS_OK)
		*event_id = event->id;
	return status;
}

static stepbus_status set_up(stepbus_execution_subscriber *subscriber, sb_slice worker_id,
			     stepbus_error *err)
{
	stepbus_status status = sb_instances_init(&subscriber->instances, &subscriber->host, err);

	if (status == STEPBUS_OK)
		status = find_event(subscriber->bridge, STEPBUS_EVENT_STEP_COMPLETION_SENT,
				    &subscriber->completion_event_id, err);
	if (status == STEPBUS_OK)
		status = find_event(subscriber->bridge, STEPBUS_EVENT_HANDLER_ERROR,
				    &subscriber->error_event_id, err);
	if (status != STEPBUS_OK)
		return status;
	subscriber->worker_id.data =
		sb_alloc_copy(&subscriber->host, worker_id.data, worker_id.len);
	subscriber->worker_id.len = worker_id.len;
	return subscriber->worker_id.data != NULL ?
		       STEPBUS_OK :
		       sb_fail_memory(err, "make an execution subscriber");
}

stepbus_status sb_execution_new(stepbus_bridge *bridge, stepbus_registry *registry,
				sb_slice worker_id, const sb_completion_door *door,
				stepbus_execution_subscriber **out, stepbus_error *err)
{
	stepbus_status status = sb_bridge_check(bridge, err);
	stepbus_execution_subscriber *subscriber;

	if (status == STEPBUS_OK)
		status = sb_registry_check(registry, err);
	if (status != STEPBUS_OK)
		return status;
	subscriber = sb_alloc(&bridge->host, sizeof *subscriber);
	if (subscriber == NULL)
		return sb_fail_memory(err, "make an execution subscriber");
	subscriber->bridge = bridge;
	subscriber->registry = registry;
	subscriber->host = bridge->host;
	atomic_init(&subscriber->ref_count, 1);
	sb_assert(pthread_mutex_init(&subscriber->lock, NULL) == 0);
	status = set_up(subscriber, worker_id, err);
	if (status != STEPBUS_OK) {
		unref(subscriber);
		return status;
	}
	subscriber->door = *door;
	*out = subscriber;
	return STEPBUS_OK;
}

static void unref_subscriber(void *user_data)
{
	unref(user_data);
}

static stepbus_status subscribe(stepbus_execution_subscriber *subscriber, stepbus_error *err)
{
	const stepbus_subscription spec = { .size = sizeof spec,
					    .deliver = on_step,
					    .user_data = subscriber,
					    .destroy = unref_subscriber };
	uint64_t id = 0;
	stepbus_status status;

	atomic_fetch_add_explicit(&subscriber->ref_count, 1, memory_order_relaxed);
	status = sb_roster_subscribe(subscriber->bridge,
				     sb_slice_z(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED), &spec, &id,
				     err);
	if (status == STEPBUS_OK)
		atomic_store(&subscriber->subscription_id, id);
	else
		unref(subscriber);
	return status;
}

stepbus_status sb_execution_start(stepbus_execution_subscriber *subscriber, stepbus_error *err)
{
	stepbus_status status = sb_bridge_check(subscriber->bridge, err);
	uint32_t stop_count;

	if (status != STEPBUS_OK)
		return status;
	pthread_mutex_lock(&subscriber->lock);
	stop_count = atomic_load(&subscriber->stop_count);
	if (!sb_execution_is_active(subscriber))
		status = subscribe(subscriber, err);
	pthread_mutex_unlock(&subscriber->lock);
	if (atomic_load(&subscriber->stop_count) != stop_count)
		sb_execution_stop(subscriber, NULL);
	return status;
}

stepbus_status sb_execution_stop(stepbus_execution_subscriber *subscriber, stepbus_error *err)
{
	uint32_t round = 0;
	stepbus_status status = sb_bridge_check(subscriber->bridge, err);
	uint64_t id;

	if (status != STEPBUS_OK)
		return status;
	atomic_fetch_add(&subscriber->stop_count, 1);
	id = atomic_exchange(&subscriber->subscription_id, 0);
	/* It may have ended with the bridge's stop: then there is nothing to do. */
	if (id != 0)
		sb_roster_unsubscribe(subscriber->bridge, id, NULL);
	/* Another stop, from inside a handler perhaps, may have left something to wait for. */
	while (!sb_bridge_is_visited(subscriber->bridge) &&
	       atomic_load(&subscriber->subscription_id) == 0 &&
	       atomic_load_explicit(&subscriber->ref_count, memory_order_acquire) > 1)
		sb_guard_backoff(&round);
	sb_instances_clear(&subscriber->instances);
	return STEPBUS_OK;
}

bool sb_execution_is_active(const stepbus_execution_subscriber *subscriber)
{
	uint64_t id = atomic_load(&subscriber->subscription_id);

	return id != 0 && sb_bridge_check(subscriber->bridge, NULL) == STEPBUS_OK &&
	       sb_roster_has(subscriber->bridge, id);
}

void sb_execution_free(stepbus_execution_subscriber *subscriber)
{
	if (subscriber == NULL || sb_execution_stop(subscriber, NULL) != STEPBUS_OK)
		return;
	unref(subscriber);
}
