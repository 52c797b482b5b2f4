/* SPDX-License-Identifier: MIT */
/*
 * The standard events as data: what each one means, the schema of its payload, an example that has
 * every field of the schema, and who publishes it. Owns no state and does nothing: the catalog
 * reads the table. Events that tell the same share a schema, and often the example. Pure.
 */
#include "bridge/catalog_standard.h"

#include "bridge/catalog_words.h"

/* Not formatted by tools, which would change the texts that JSON() quotes. */
/* clang-format off */

/* Payloads that are C structs, as their fields would read in JSON. */

static const char step_event_schema[] = SCHEMA_OF_STRUCT(stepbus_step_event,
	JSON("step_id","task_id","token","retry_count","max_retries","handler_name","input"),
	STEP_FIELDS "," DIGITS(token) "," COUNT(retry_count) "," COUNT(max_retries) ","
	TEXT(handler_namespace) "," TEXT(handler_name) "," TEXT(handler_version) ","
	ANY(input) "," TEXT(content_type) "," MAP(step_config) ","
	JSON("dependencies":{"type":"array","items":{"type":"object",)
	JSON("required":["step_name","result"],"properties":{)
	TEXT(step_name) "," ANY(result) "," TEXT(content_type) "}}}" ","
	TEXT(queue) "," TEXT(traceparent) "," ANY(cursor) "," ANY(partial_result) ","
	COUNT(items_processed) "," COUNT(attempt_timeout_ms));

static const char step_event_example[] = OBJECT(STEP
	JSON(,"token":"42","retry_count":0,"max_retries":3,"handler_namespace":"default",)
	JSON("handler_name":"charge_card","handler_version":"1.0.0","input":{"amount_cents":4200},)
	JSON("content_type":"application/json","step_config":{"currency":"EUR"},)
	JSON("dependencies":[{"step_name":"check_stock","result":{"is_in_stock":true},)
	JSON("content_type":"application/json"}],"queue":"default","traceparent":"","cursor":"",)
	JSON("partial_result":"","items_processed":0,"attempt_timeout_ms":60000));

static const char completion_schema[] = SCHEMA_OF_STRUCT(stepbus_completion,
	JSON("outcome","step_id","task_id","token","execution_time_us","retry_after_ms",)
	JSON("is_retryable","handler_name","worker_id"),
	FIELD(outcome, {"type":"integer","enum":[1,2,3,6,7]}) ","
	ID(step_id) "," TASK_FIELDS "," DIGITS(token) "," COUNT(execution_time_us) ","
	FIELD(retry_after_ms, {"type":"integer","minimum":-1}) ","
	FIELD(is_retryable, {"type":"integer","enum":[0,1]}) ","
	TEXT(handler_name) "," TEXT(handler_version) "," TEXT(worker_id) ","
	ANY(result) "," TEXT(content_type) ","
	TEXT(error_type) "," TEXT(error_message) "," TEXT(error_code) "," MAP(metadata) ","
	TEXT(backtrace) "," ANY(cursor) "," COUNT(items_processed));

static const char completion_example[] = OBJECT(STEP_ID "," TASK
	JSON(,"outcome":1,"token":"42","execution_time_us":18250,"retry_after_ms":-1,)
	JSON("is_retryable":0,"handler_name":"charge_card","handler_version":"1.0.0",)
	JSON("worker_id":"billing-1","result":{"receipt":7},"content_type":"application/json",)
	JSON("error_type":"","error_message":"","error_code":"","metadata":{"gateway":"eu-1"},)
	JSON("backtrace":"","cursor":"","items_processed":0));

/* Steps and attempts. */

static const char step_schema[] = SCHEMA(JSON("step_id","step_name","handler"),
	STEP_FIELDS "," TEXT(handler));
static const char step_example[] = OBJECT(STEP JSON(,"handler":"charge_card"));

static const char step_ready_schema[] = SCHEMA(JSON("step_id","queue","run_at"),
	STEP_FIELDS "," TEXT(queue) "," TIME(run_at) "," COUNT(retry_count));

static const char attempt_schema[] = SCHEMA(JSON("step_id","token","worker_id","handler"),
	ATTEMPT_FIELDS "," TEXT(handler));
static const char attempt_example[] = OBJECT(ATTEMPT JSON(,"handler":"charge_card"));

static const char attempt_done_schema[] = SCHEMA(JSON("step_id","token","execution_duration_ms"),
	ATTEMPT_FIELDS "," COUNT(execution_duration_ms) "," COUNT(retry_count));

static const char attempt_failed_schema[] = SCHEMA(
	JSON("step_id","token","error_type","error_message","is_retryable"),
	ATTEMPT_FIELDS "," TEXT(error_type) "," TEXT(error_message) "," FLAG(is_retryable) ","
	COUNT(execution_duration_ms) "," COUNT(retry_count));

static const char step_delay_schema[] = SCHEMA(JSON("step_id","retry_count","delay_ms","run_at"),
	STEP_FIELDS "," COUNT(retry_count) "," COUNT(delay_ms) "," TIME(run_at) "," TEXT(reason));

static const char retries_schema[] = SCHEMA(JSON("step_id","retry_count","max_retries"),
	STEP_FIELDS "," COUNT(retry_count) "," COUNT(max_retries) "," TEXT(error_type));

static const char step_decision_schema[] = SCHEMA(JSON("step_id","reason"),
	STEP_FIELDS "," TEXT(reason) "," TEXT(requested_by));

static const char step_move_schema[] = SCHEMA(JSON("step_id","from_state","to_state"),
	STEP_FIELDS "," TEXT(from_state) "," TEXT(to_state));

static const char checkpoint_schema[] = SCHEMA(JSON("step_id","token","items_processed"),
	ATTEMPT_FIELDS "," ANY(cursor) "," TEXT(cursor_base64) "," COUNT(items_processed) ","
	COUNT(partial_result_len) "," COUNT(checkpoint_count) "," ANY(accumulated_results));

/* Tasks and the steps they are made of. */

static const char task_schema[] = SCHEMA(JSON("task_id"), TASK_FIELDS);
static const char task_example[] = OBJECT(TASK);

static const char task_template_schema[] = SCHEMA(JSON("task_id","template"),
	TASK_FIELDS "," TEXT(template) "," TEXT(template_version));
static const char task_template_example[] = OBJECT(TASK
	JSON(,"template":"place_order","template_version":"1.0.0"));

static const char task_started_schema[] = SCHEMA(JSON("task_id","started_at"),
	TASK_FIELDS "," TIME(started_at));
static const char task_started_example[] = OBJECT(TASK
	JSON(,"started_at":"2026-11-21T10:30:45.123456Z"));

static const char task_done_schema[] = SCHEMA(JSON("task_id","execution_duration_ms"),
	TASK_FIELDS "," COUNT(execution_duration_ms) "," COUNT(step_count) "," TIME(completed_at));
static const char task_done_example[] = OBJECT(TASK
	JSON(,"execution_duration_ms":45200,"step_count":4,)
	JSON("completed_at":"2026-11-21T10:31:30.323456Z"));

static const char task_failed_schema[] = SCHEMA(JSON("task_id","error_message"),
	TASK_FIELDS "," TEXT(error_type) "," TEXT(error_message) "," ID(failed_step_id) ","
	TEXT(failed_step_name) "," COUNT(execution_duration_ms));
static const char task_failed_example[] = OBJECT(TASK
	JSON(,"error_type":"card_declined","error_message":"the bank declined the card",)
	JSON("failed_step_id":"01a1fda8-9083-7c41-9b5e-3d2a6f80c714",)
	JSON("failed_step_name":"charge_card","execution_duration_ms":45200));

static const char task_decision_schema[] = SCHEMA(JSON("task_id","reason"),
	TASK_FIELDS "," TEXT(reason) "," TEXT(requested_by));

static const char task_move_schema[] = SCHEMA(JSON("task_id","from_state","to_state"),
	TASK_FIELDS "," TEXT(from_state) "," TEXT(to_state));

static const char task_steps_schema[] = SCHEMA(JSON("task_id","step_ids","step_count"),
	TASK_FIELDS "," COUNT(step_count) ","
	FIELD(step_ids, {"type":"array","items":{"type":"string","format":"uuid"}}));
static const char task_steps_example[] = OBJECT(TASK
	JSON(,"step_count":2,"step_ids":["01a1fda8-9083-7c41-9b5e-3d2a6f80c714",)
	JSON("01a1fda8-9083-7c42-8f10-6a7b21c9e045"]));

static const char task_counts_schema[] = SCHEMA(JSON("task_id","state"),
	TASK_FIELDS "," TEXT(state) "," COUNT(complete_count) "," COUNT(failed_count) ","
	COUNT(waiting_count) "," COUNT(running_count));
static const char task_waits_example[] = OBJECT(TASK JSON(,"state":"in_progress",)
	JSON("complete_count":3,"failed_count":0,"waiting_count":1,"running_count":0));
static const char task_ended_example[] = OBJECT(TASK JSON(,"state":"complete",)
	JSON("complete_count":4,"failed_count":0,"waiting_count":0,"running_count":0));

static const char steps_done_schema[] = SCHEMA(JSON("task_id","success_count","failure_count"),
	TASK_FIELDS "," COUNT(success_count) "," COUNT(failure_count) ","
	COUNT(execution_duration_ms));

static const char task_look_schema[] = SCHEMA(JSON("task_id","step_count","duration_us"),
	TASK_FIELDS "," COUNT(step_count) "," COUNT(duration_us));
static const char task_look_example[] = OBJECT(TASK JSON(,"step_count":2,"duration_us":140));

static const char task_queued_schema[] = SCHEMA(JSON("task_id","queue","run_at"),
	TASK_FIELDS "," TEXT(queue) "," TIME(run_at));

static const char requeue_schema[] = SCHEMA(JSON("task_id","reason"),
	TASK_FIELDS "," TEXT(reason));
static const char requeue_example[] = OBJECT(TASK JSON(,"reason":"steps wait for a retry"));

static const char requeue_later_schema[] = SCHEMA(JSON("task_id","delay_ms","run_at"),
	TASK_FIELDS "," TEXT(reason) "," COUNT(delay_ms) "," TIME(run_at));

/* Handlers, subscribers and the registry. */

static const char handler_schema[] = SCHEMA(JSON("namespace","name","version","domain"),
	TEXT(namespace) "," TEXT(name) "," TEXT(version) "," TEXT_OR_NULL(domain));
static const char handler_example[] =
	JSON({"namespace":"default","name":"charge_card","version":"1.0.0","domain":"billing"});

static const char handler_error_schema[] = SCHEMA(
	JSON("step_id","task_id","token","correlation_id","handler","error_type","message"),
	ID(step_id) "," ID_OR_NULL(task_id) "," DIGITS(token) "," TEXT_OR_NULL(correlation_id) ","
	TEXT(handler) "," TEXT(error_type) "," TEXT(message));

static const char handler_refused_schema[] = SCHEMA(JSON("name","field","message"),
	TEXT(namespace) "," TEXT(name) "," TEXT(version) "," TEXT(field) "," TEXT(message));

static const char subscriber_schema[] = SCHEMA(JSON("subscription_id","pattern"),
	COUNT(subscription_id) "," TEXT(pattern));
static const char subscriber_example[] = JSON({"subscription_id":7,"pattern":"task.*"});

static const char subscriber_refused_schema[] = SCHEMA(JSON("pattern","message"),
	TEXT(pattern) "," TEXT(message));

static const char sync_schema[] = SCHEMA(JSON("requested_by"),
	TEXT(requested_by) "," TEXT(reason));

static const char health_schema[] = SCHEMA(JSON("status","registry_size","handlers"),
	FIELD(status, {"type":"string","enum":["healthy","unhealthy"]}) "," COUNT(registry_size) ","
	JSON("handlers":{"type":"array","items":{"type":"object","required":["name","status"],)
	JSON("properties":{"name":{"type":"string"},"status":{"type":"string"},)
	JSON("message":{"type":["string","null"]}}}}));

static const char stats_schema[] = SCHEMA(JSON("total_handlers"),
	COUNT(total_handlers) "," FLAG(sealed) "," COUNT(runs) "," COUNT(failures));

static const char applied_schema[] = SCHEMA(JSON("added_count","replaced_count","removed_count"),
	COUNT(added_count) "," COUNT(replaced_count) "," COUNT(removed_count));

/* Workers, their polling, and how things go. */

static const char worker_schema[] = SCHEMA(JSON("worker_id"),
	TEXT(worker_id) "," TEXT(strategy) "," COUNT(handler_count));
static const char worker_example[] =
	JSON({"worker_id":"billing-1","strategy":"priority","handler_count":12});

static const char worker_stopping_schema[] = SCHEMA(JSON("worker_id","running_count"),
	TEXT(worker_id) "," COUNT(running_count) "," COUNT(timeout_ms));

static const char worker_stopped_schema[] = SCHEMA(JSON("worker_id","uptime_ms"),
	TEXT(worker_id) "," COUNT(uptime_ms) "," COUNT(success_count) "," COUNT(failure_count));

static const char heartbeat_schema[] = SCHEMA(JSON("worker_id","beat_at"),
	TEXT(worker_id) "," TIME(beat_at) "," COUNT(running_count));

static const char worker_error_schema[] = SCHEMA(JSON("worker_id","error_type","message"),
	TEXT(worker_id) "," TEXT(error_type) "," TEXT(message));

static const char poller_schema[] = SCHEMA(JSON("worker_id"),
	TEXT(worker_id) "," COUNT(poll_interval_ms));
static const char poller_example[] = JSON({"worker_id":"billing-1","poll_interval_ms":100});

static const char poller_metrics_schema[] = SCHEMA(
	JSON("worker_id","pending_count","is_starving","starving_count"),
	TEXT(worker_id) "," COUNT(pending_count) "," COUNT(waiting_count) "," COUNT(polled_count) ","
	ID(oldest_step_id) "," COUNT(oldest_age_ms) "," COUNT(newest_age_ms) ","
	FLAG(is_starving) "," COUNT(starving_count));

static const char poller_cycle_schema[] = SCHEMA(JSON("worker_id","claimed_count"),
	TEXT(worker_id) "," COUNT(cycle_count) "," COUNT(claimed_count) "," COUNT(duration_us));

static const char starvation_schema[] = SCHEMA(JSON("worker_id","starving_count","oldest_age_ms"),
	TEXT(worker_id) "," COUNT(starving_count) "," ID(oldest_step_id) "," COUNT(oldest_age_ms));

static const char metrics_schema[] = SCHEMA(JSON("source","metrics","collected_at"),
	TEXT(source) "," MAP(metrics) "," TIME(collected_at));

static const char metrics_error_schema[] = SCHEMA(JSON("source","error_type","message"),
	TEXT(source) "," TEXT(error_type) "," TEXT(message));

static const char store_schema[] = SCHEMA(JSON("store","message"),
	TEXT(store) "," TEXT(message));
static const char store_example[] =
	JSON({"store":"sqlite","message":"a reader keeps the write-ahead log from being reused"});

static const char bridge_error_schema[] = SCHEMA(JSON("event","status","message"),
	TEXT(event) "," COUNT(subscription_id) "," TEXT(status) "," TEXT(message));

const sb_standard_event sb_catalog_standard[] = {
	/* What every host meets. */
	{ "step.execution.received", "step",
	  "An attempt of a step is leased and goes to whoever runs its handler.",
	  step_event_schema, step_event_example, "worker,host", SB_PAYLOAD_STEP_EVENT },
	{ "step.completion.sent", "step",
	  "The result of an attempt has been taken in by the completion function.",
	  completion_schema, completion_example, "execution subscriber", SB_PAYLOAD_COMPLETION },
	{ "step.checkpoint_yield.sent", "step",
	  "A step has saved how far it came and gives its worker back, to go on from there later.",
	  checkpoint_schema, OBJECT(ATTEMPT JSON(,"cursor":"row=2000","items_processed":2000,)
		 JSON("partial_result_len":81,"checkpoint_count":2)), "worker,execution subscriber", BYTES },
	{ "handler.registered", "handler",
	  "A handler has entered the registry or replaced its former self there.",
	  handler_schema, handler_example, "registry", BYTES },
	{ "handler.unregistered", "handler",
	  "A handler has left the registry and gets no new steps.",
	  handler_schema, handler_example, "registry", BYTES },
	{ "handler.error", "handler",
	  "A handler breaks down, as with an exception, instead of answering with a result.",
	  handler_error_schema, OBJECT(STEP_ID "," TASK JSON(,"token":"42","handler":"charge_card",)
		 JSON("error_type":"handler_error","message":"the handler returned 17")),
	  "execution subscriber", BYTES },
	{ "poller.metrics", "poller",
	  "A worker tells how many of its claimed steps nobody runs yet, and how old they are.",
	  poller_metrics_schema,
	  JSON({"worker_id":"billing-1","pending_count":3,"waiting_count":1,"polled_count":2,)
	  JSON("oldest_step_id":"01a1fda8-9083-7c41-9b5e-3d2a6f80c714","oldest_age_ms":850,)
	  JSON("newest_age_ms":12,"is_starving":false,"starving_count":0}), "worker", BYTES },
	{ "poller.error", "poller",
	  "Steps do not get from a worker to whoever runs them; it goes on trying.",
	  worker_error_schema,
	  JSON({"worker_id":"billing-1","error_type":"starvation",)
	  JSON("message":"steps wait for the host to poll them"}),
	  "worker", BYTES },

	/* The life of a task. */
	{ "task.initialize_requested", "task",
	  "A task is asked for whose steps are yet to be made from its template.",
	  task_template_schema, task_template_example, "host", BYTES },
	{ "task.start_requested", "task",
	  "A task has its first steps and may begin.",
	  task_template_schema, task_template_example, "workflow", BYTES },
	{ "task.started", "task",
	  "The first step of a task begins to run.",
	  task_started_schema, task_started_example, "worker", BYTES },
	{ "task.completed", "task",
	  "A task is complete: so are all its steps, or they were resolved by hand.",
	  task_done_schema, task_done_example, "workflow", BYTES },
	{ "task.failed", "task",
	  "A task cannot go on, as one of its steps has failed for good.",
	  task_failed_schema, task_failed_example, "workflow", BYTES },
	{ "task.retry_requested", "task",
	  "A failed task is asked to run its failed steps once more.",
	  task_decision_schema,
	  OBJECT(TASK JSON(,"reason":"the bank is back","requested_by":"operator")),
	  "host,workflow", BYTES },
	{ "task.cancelled", "task",
	  "A task is called off, and with it the steps that have not finished.",
	  task_decision_schema,
	  OBJECT(TASK JSON(,"reason":"the customer withdrew","requested_by":"shop")),
	  "host", BYTES },
	{ "task.resolved_manually", "task",
	  "A person declares a failed task settled.",
	  task_decision_schema,
	  OBJECT(TASK JSON(,"reason":"paid in cash","requested_by":"operator")), "host", BYTES },
	{ "task.before_transition", "task",
	  "A task is about to change its state, which a subscriber can watch but not prevent.",
	  task_move_schema, OBJECT(TASK JSON(,"from_state":"in_progress","to_state":"complete")),
	  "store", BYTES },

	/* The life of a step. */
	{ "step.initialize_requested", "step",
	  "A step is to be made, from a template or by itself.",
	  step_schema, step_example, "host,workflow", BYTES },
	{ "step.execution_requested", "step",
	  "A step waits for nothing but a worker, from the time run_at on.",
	  step_ready_schema,
	  OBJECT(STEP JSON(,"queue":"default","run_at":"2026-11-21T10:30:45.123456Z",)
		 JSON("retry_count":0)), "workflow,store", BYTES },
	{ "step.started", "step",
	  "A worker has claimed a step, which begins a new attempt.",
	  attempt_schema, attempt_example, "worker", BYTES },
	{ "step.before_handle", "step",
	  "A step is about to be handed to its handler, which is found and ready.",
	  attempt_schema, attempt_example, "execution subscriber", BYTES },
	{ "step.handle", "step",
	  "A step is in the hands of its handler.",
	  attempt_schema, attempt_example, "execution subscriber", BYTES },
	{ "step.completed", "step",
	  "A step is complete and its result can be read by the steps that depend on it.",
	  attempt_done_schema, OBJECT(ATTEMPT JSON(,"execution_duration_ms":18,"retry_count":0)),
	  "store", BYTES },
	{ "step.failed", "step",
	  "An attempt of a step has failed; is_retryable tells whether another one may help.",
	  attempt_failed_schema,
	  OBJECT(ATTEMPT JSON(,"error_type":"gateway_timeout","error_message":"no answer in 5 s",)
		 JSON("is_retryable":true,"execution_duration_ms":5003,"retry_count":0)),
	  "store", BYTES },
	{ "step.retry_requested", "step",
	  "A failed step gets another attempt, after a delay.",
	  step_delay_schema,
	  OBJECT(STEP JSON(,"retry_count":1,"delay_ms":2000,"run_at":"2026-11-21T10:30:47.123456Z",)
		 JSON("reason":"gateway_timeout")), "store,host", BYTES },
	{ "step.snoozed", "step",
	  "A handler put its step off; no attempt is charged for that.",
	  step_delay_schema,
	  OBJECT(STEP JSON(,"retry_count":0,"delay_ms":60000,)
		 JSON("run_at":"2026-11-21T10:31:45.123456Z")), "store", BYTES },
	{ "step.quarantined", "step",
	  "A step ended its process too often and is not run again by itself.",
	  step_decision_schema, OBJECT(STEP JSON(,"reason":"worker_lost")), "store", BYTES },
	{ "step.redriven", "step",
	  "A step that had failed, was cancelled or quarantined is to run again.",
	  step_decision_schema, OBJECT(STEP JSON(,"reason":"redriven","requested_by":"operator")),
	  "host", BYTES },
	{ "step.cancelled", "step",
	  "A step is called off; one that runs is told so.",
	  step_decision_schema,
	  OBJECT(STEP JSON(,"reason":"its task was cancelled","requested_by":"shop")),
	  "host,workflow", BYTES },
	{ "step.resolved_manually", "step",
	  "A person declares a step settled, so that those behind it can run.",
	  step_decision_schema,
	  OBJECT(STEP JSON(,"reason":"charged by telephone","requested_by":"operator")),
	  "host", BYTES },
	{ "step.before_transition", "step",
	  "A step is about to change its state, which a subscriber can watch but not prevent.",
	  step_move_schema, OBJECT(STEP JSON(,"from_state":"pending","to_state":"in_progress")),
	  "store", BYTES },

	/* How a task's graph advances. */
	{ "workflow.task_started", "workflow",
	  "The graph of a task is built, and its root steps can run.",
	  task_started_schema, task_started_example, "workflow", BYTES },
	{ "workflow.task_completed", "workflow",
	  "The graph of a task has no step left to run, and none failed.",
	  task_done_schema, task_done_example, "workflow", BYTES },
	{ "workflow.task_failed", "workflow",
	  "The graph of a task is stuck behind a step that will not be tried again.",
	  task_failed_schema, task_failed_example, "workflow", BYTES },
	{ "workflow.step_completed", "workflow",
	  "The graph of a task has noted that a step is complete and looks at what depends on it.",
	  step_schema, step_example, "workflow", BYTES },
	{ "workflow.step_failed", "workflow",
	  "The graph of a task has noted that a step failed and weighs what that blocks.",
	  step_schema, step_example, "workflow", BYTES },
	{ "workflow.viable_steps_discovered", "workflow",
	  "Some steps of a task have become ready, as all they depend on is complete.",
	  task_steps_schema, task_steps_example, "workflow", BYTES },
	{ "workflow.no_viable_steps", "workflow",
	  "A look at a task finds no step that is ready now.",
	  task_counts_schema, task_waits_example, "workflow", BYTES },
	{ "workflow.orchestration_requested", "workflow",
	  "Somebody asks that a task be looked at, to see what it can do next.",
	  task_schema, task_example, "store,host", BYTES },
	{ "workflow.task_finalization_started", "workflow",
	  "No step of a task runs or waits any more, and its outcome is being decided.",
	  task_counts_schema,
	  OBJECT(TASK JSON(,"state":"in_progress","complete_count":4,"failed_count":0,)
		 JSON("waiting_count":0,"running_count":0)), "workflow", BYTES },
	{ "workflow.task_finalization_completed", "workflow",
	  "The outcome of a task is decided and kept.",
	  task_counts_schema, task_ended_example, "workflow", BYTES },
	{ "workflow.task_reenqueue_started", "workflow",
	  "A task that cannot end yet is being put back, to be looked at again.",
	  requeue_schema, requeue_example, "workflow", BYTES },
	{ "workflow.task_reenqueue_requested", "workflow",
	  "A task is to be looked at again as soon as possible.",
	  requeue_schema, requeue_example, "workflow", BYTES },
	{ "workflow.task_reenqueue_failed", "workflow",
	  "A task cannot be put back and stays where it is until the next sweep finds it.",
	  requeue_schema, OBJECT(TASK JSON(,"reason":"the store has no room")), "store", BYTES },
	{ "workflow.task_reenqueue_delayed", "workflow",
	  "A task is to be looked at again, but not before run_at.",
	  requeue_later_schema,
	  OBJECT(TASK JSON(,"reason":"steps wait for a retry","delay_ms":45000,)
		 JSON("run_at":"2026-11-21T10:31:30.123456Z")), "workflow", BYTES },
	{ "workflow.task_state_unclear", "workflow",
	  "The steps of a task add up to no state that the rules know: a person should look at it.",
	  task_counts_schema, task_waits_example, "workflow", BYTES },
	{ "workflow.step_execution_failed", "workflow",
	  "A step of a task cannot be run at all, before any handler sees it.",
	  attempt_failed_schema,
	  OBJECT(ATTEMPT JSON(,"error_type":"handler_not_found","error_message":"no such handler",)
		 JSON("is_retryable":false,"execution_duration_ms":0,"retry_count":0)),
	  "execution subscriber", BYTES },
	{ "workflow.viable_steps_batch_ready", "workflow",
	  "A batch of ready steps of one task is formed and can be claimed as a block.",
	  task_steps_schema, task_steps_example, "workflow", BYTES },
	{ "workflow.steps_execution_started", "workflow",
	  "A worker begins to run a batch of steps of one task.",
	  task_steps_schema, task_steps_example, "worker", BYTES },
	{ "workflow.steps_execution_completed", "workflow",
	  "Every step of a batch has ended, each in its own way.",
	  steps_done_schema,
	  OBJECT(TASK JSON(,"success_count":2,"failure_count":0,"execution_duration_ms":31)),
	  "worker", BYTES },

	/* For those who measure. */
	{ "observability.task.handle", "observability",
	  "A task has been looked at once; duration_us tells how long that took.",
	  task_look_schema, task_look_example, "workflow", BYTES },
	{ "observability.task.enqueue", "observability",
	  "A task has been put into a queue.",
	  task_queued_schema,
	  OBJECT(TASK JSON(,"queue":"default","run_at":"2026-11-21T10:30:45.123456Z")),
	  "store", BYTES },
	{ "observability.task.finalize", "observability",
	  "A task has ended; the counts tell how its steps did.",
	  task_counts_schema, task_ended_example, "workflow", BYTES },
	{ "observability.step.handle", "observability",
	  "A handler has returned; execution_duration_ms tells how long it ran.",
	  attempt_done_schema, OBJECT(ATTEMPT JSON(,"execution_duration_ms":18,"retry_count":0)),
	  "execution subscriber", BYTES },
	{ "observability.step.find_viable", "observability",
	  "The ready steps of a task have been searched for; duration_us tells how long that took.",
	  task_look_schema, task_look_example, "workflow", BYTES },
	{ "observability.step.backoff", "observability",
	  "The delay before the next attempt of a step has been worked out.",
	  step_delay_schema,
	  OBJECT(STEP JSON(,"retry_count":2,"delay_ms":4000,"run_at":"2026-11-21T10:30:49.123456Z",)
		 JSON("reason":"retry_after")), "store", BYTES },
	{ "observability.step.skip", "observability",
	  "A worker passes over a step that it may not run now, and reason tells why.",
	  step_decision_schema,
	  OBJECT(STEP JSON(,"reason":"the queue is paused","requested_by":"billing-1")),
	  "worker", BYTES },
	{ "observability.step.max_retries_reached", "observability",
	  "A step has used up its attempts and will not be tried again by itself.",
	  retries_schema,
	  OBJECT(STEP JSON(,"retry_count":3,"max_retries":3,"error_type":"gateway_timeout")),
	  "store", BYTES },

	/* Handlers, subscribers and the registry. */
	{ "handler.validation_failed", "handler",
	  "A register call is refused because the handler's definition breaks a rule.",
	  handler_refused_schema,
	  JSON({"namespace":"default","name":"charge card","version":"1.0.0","field":"name",)
	  JSON("message":"a space is not allowed in a name"}), "registry", BYTES },
	{ "subscriber.registered", "handler",
	  "A subscription begins to receive the events that match its pattern.",
	  subscriber_schema, subscriber_example, "bridge", BYTES },
	{ "subscriber.unregistered", "handler",
	  "A subscription has ended and receives nothing more.",
	  subscriber_schema, subscriber_example, "bridge", BYTES },
	{ "subscriber.validation_failed", "handler",
	  "A subscribe call is refused because its pattern or its fields break a rule.",
	  subscriber_refused_schema, JSON({"pattern":"task..*","message":"a segment is empty"}),
	  "bridge", BYTES },
	{ "registry.sync_requested", "handler",
	  "Somebody asks a registry to apply its configuration anew.",
	  sync_schema, JSON({"requested_by":"operator","reason":"the file changed"}),
	  "host", BYTES },
	{ "registry.health_check", "handler",
	  "A registry has asked its handlers how they are.",
	  health_schema,
	  JSON({"status":"unhealthy","registry_size":12,"handlers":[{"name":"charge_card",)
	  JSON("status":"unhealthy","message":"the gateway does not answer"}]}),
	  "registry", BYTES },
	{ "registry.stats_collected", "handler",
	  "A registry has added up what it holds and how often that ran.",
	  stats_schema, JSON({"total_handlers":12,"sealed":false,"runs":4810,"failures":3}),
	  "registry", BYTES },
	{ "registry.coordination_complete", "handler",
	  "A configuration has been applied to a registry, all of it at once.",
	  applied_schema, JSON({"added_count":2,"replaced_count":1,"removed_count":0}),
	  "registry", BYTES },

	/* Workers and their polling. */
	{ "worker.started", "worker",
	  "A worker exists and is getting ready.",
	  worker_schema, worker_example, "worker", BYTES },
	{ "worker.ready", "worker",
	  "A worker begins to claim steps.",
	  worker_schema, worker_example, "worker", BYTES },
	{ "worker.shutdown.started", "worker",
	  "A worker claims no more and waits for the steps it runs.",
	  worker_stopping_schema,
	  JSON({"worker_id":"billing-1","running_count":2,"timeout_ms":30000}), "worker", BYTES },
	{ "worker.stopped", "worker",
	  "A worker has ended and holds no lease.",
	  worker_stopped_schema,
	  JSON({"worker_id":"billing-1","uptime_ms":360000,"success_count":807,"failure_count":3}),
	  "worker", BYTES },
	{ "worker.heartbeat", "worker",
	  "A worker shows that it is alive and so keeps its leases.",
	  heartbeat_schema,
	  JSON({"worker_id":"billing-1","beat_at":"2026-11-21T10:30:45.123456Z","running_count":2}),
	  "worker", BYTES },
	{ "worker.error", "worker",
	  "A worker meets trouble that belongs to no single step.",
	  worker_error_schema,
	  JSON({"worker_id":"billing-1","error_type":"thread","message":"no more threads"}),
	  "worker", BYTES },
	{ "worker.lost", "worker",
	  "A worker's lease ran out; what it had claimed goes on elsewhere.",
	  worker_error_schema,
	  JSON({"worker_id":"billing-1","error_type":"lease_lost","message":"the lease ran out"}),
	  "worker", BYTES },
	{ "poller.started", "poller",
	  "A worker starts to look for steps at an interval.",
	  poller_schema, poller_example, "worker", BYTES },
	{ "poller.stopped", "poller",
	  "A worker no longer looks for steps.",
	  poller_schema, poller_example, "worker", BYTES },
	{ "poller.cycle.complete", "poller",
	  "A worker has looked for steps once and claimed what it found.",
	  poller_cycle_schema,
	  JSON({"worker_id":"billing-1","cycle_count":918,"claimed_count":16,"duration_us":420}),
	  "worker", BYTES },
	{ "poller.starvation.detected", "poller",
	  "Claimed steps wait longer for somebody to run them than they should.",
	  starvation_schema,
	  JSON({"worker_id":"billing-1","starving_count":5,)
	  JSON("oldest_step_id":"01a1fda8-9083-7c41-9b5e-3d2a6f80c714","oldest_age_ms":12400}),
	  "worker", BYTES },

	/* Metrics and the bridge itself. */
	{ "metrics.updated", "observability",
	  "Somebody publishes a new set of numbers about itself.",
	  metrics_schema,
	  JSON({"source":"registry","metrics":{"runs":4810},)
	  JSON("collected_at":"2026-11-21T10:30:45.123456Z"}), "worker,registry,host", BYTES },
	{ "metrics.error", "observability",
	  "A set of numbers cannot be collected.",
	  metrics_error_schema,
	  JSON({"source":"store","error_type":"timeout","message":"no answer within 1 s"}),
	  "worker,host", BYTES },
	{ "store.alarm", "observability",
	  "The store needs more room than it should, since somebody holds it up.",
	  store_schema, store_example, "store", BYTES },
	{ "store.error", "observability",
	  "The store could not do what the engine wanted of it.",
	  store_schema, store_example, "store", BYTES },
	{ "bridge.error", "observability",
	  "An event does not reach a subscriber, or the subscriber refuses it.",
	  bridge_error_schema,
	  JSON({"event":"task.completed","subscription_id":7,"status":"STEPBUS_EFULL",)
	  JSON("message":"the queue of subscription 7 is full"}), "bridge", BYTES },
};

/* clang-format on */

const size_t sb_catalog_standard_count = sizeof(sb_catalog_standard) / sizeof(*sb_catalog_standard);
