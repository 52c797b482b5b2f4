/* SPDX-License-Identifier: MIT */
/*
 * What a host of version 0.1 was built against before steps could be pulled: the structs as long as they
 * were then. Frozen, and never made to follow include/stepbus.h: tests/abi/host_0_1.c is built from it,
 * and must go on running with every library of the same number.
 */
/* clang-format off */
#ifndef TESTS_ABI_DECLARATIONS_0_1_H
#define TESTS_ABI_DECLARATIONS_0_1_H

#include <stddef.h>
#include <stdint.h>

enum {
	STEPBUS_ABI_VERSION = 0,
};
typedef int32_t stepbus_status;
enum {
	STEPBUS_OK = 0,
	STEPBUS_EINVAL = 1,
	STEPBUS_ENOTFOUND = 3,
	STEPBUS_EDELIVERY = 7,
};
typedef struct stepbus_error {
	uint32_t size;
	int32_t code;
	char message[1016];
} stepbus_error;
const char *stepbus_status_name(int32_t code);
const char *stepbus_version(void);
uint32_t stepbus_abi_version(void);
typedef struct stepbus_text stepbus_text;
const char *stepbus_text_data(const stepbus_text *text);
size_t stepbus_text_len(const stepbus_text *text);
void stepbus_text_free(stepbus_text *text);
typedef struct stepbus_host {
	uint32_t size;
	int32_t log_level;
	void *user_data;
	void *(*allocate)(void *user_data, void *block, size_t len);
	void (*log)(void *user_data, int32_t level, const char *record, size_t len);
	int64_t (*now_us)(void *user_data);
	int64_t (*elapsed_ns)(void *user_data);
	int32_t (*random)(void *user_data, void *bytes, size_t len);
} stepbus_host;
typedef struct stepbus_bridge stepbus_bridge;
typedef struct stepbus_bridge_options {
	uint32_t size;
	uint32_t flags;
	const stepbus_host *host;
	uint32_t event_count_max;
	uint32_t subscription_count_max;
} stepbus_bridge_options;
stepbus_status stepbus_bridge_new(const stepbus_bridge_options *options, stepbus_bridge **out,
	stepbus_error *err);
void stepbus_bridge_free(stepbus_bridge *bridge);
stepbus_status stepbus_bridge_start(stepbus_bridge *bridge, stepbus_error *err);
stepbus_status stepbus_bridge_event(stepbus_bridge *bridge, const char *name, size_t len, uint32_t
	*event_id, stepbus_error *err);
typedef int32_t (*stepbus_event_fn)(void *user_data, uint32_t event_id, const void *payload, size_t
	len);
typedef struct stepbus_subscription {
	uint32_t size;
	uint32_t flags;
	int32_t priority;
	int32_t overflow;
	uint32_t queue_count_max;
	uint32_t reserved;
	stepbus_event_fn deliver;
	void *user_data;
	void (*destroy)(void *user_data);
} stepbus_subscription;
stepbus_status stepbus_bridge_subscribe(stepbus_bridge *bridge, const char *pattern, size_t len,
	const stepbus_subscription *subscription, uint64_t *id, stepbus_error *err);
stepbus_status stepbus_bridge_publish_name(stepbus_bridge *bridge, const char *name, size_t
	name_len, const void *payload, size_t len, stepbus_error *err);
typedef struct stepbus_event_info {
	uint32_t size;
	uint32_t flags;
	const char *name;
	size_t name_len;
	const char *category;
	size_t category_len;
	const char *description;
	size_t description_len;
	const char *schema;
	size_t schema_len;
	const char *example;
	size_t example_len;
	const char *fired_by;
	size_t fired_by_len;
} stepbus_event_info;
stepbus_status stepbus_bridge_declare(stepbus_bridge *bridge, const stepbus_event_info *info,
	uint32_t *event_id, stepbus_error *err);
typedef struct stepbus_subscriber stepbus_subscriber;
typedef struct stepbus_route {
	uint32_t size;
	int32_t priority;
	const char *pattern;
	size_t pattern_len;
	stepbus_event_fn deliver;
} stepbus_route;
typedef struct stepbus_subscriber_options {
	uint32_t size;
	uint32_t route_count;
	const stepbus_route *routes;
	void *user_data;
	void (*destroy)(void *user_data);
} stepbus_subscriber_options;
stepbus_status stepbus_subscriber_new(stepbus_bridge *bridge, const stepbus_subscriber_options
	*options, stepbus_subscriber **out, stepbus_error *err);
stepbus_status stepbus_subscriber_start(stepbus_subscriber *subscriber, stepbus_error *err);
void stepbus_subscriber_free(stepbus_subscriber *subscriber);
typedef struct stepbus_dependency {
	uint32_t size;
	uint32_t reserved;
	const char *step_name;
	size_t step_name_len;
	const void *result;
	size_t result_len;
	const char *content_type;
	size_t content_type_len;
} stepbus_dependency;
typedef struct stepbus_step_event {
	uint32_t size;
	uint32_t flags;
	uint8_t step_id[16];
	uint8_t task_id[16];
	uint64_t token;
	uint32_t retry_count;
	uint32_t max_retries;
	const char *correlation_id;
	size_t correlation_id_len;
	const char *step_name;
	size_t step_name_len;
	const char *handler_namespace;
	size_t handler_namespace_len;
	const char *handler_name;
	size_t handler_name_len;
	const char *handler_version;
	size_t handler_version_len;
	const void *input;
	size_t input_len;
	const char *content_type;
	size_t content_type_len;
	const char *step_config;
	size_t step_config_len;
	const stepbus_dependency *dependencies;
	size_t dependency_count;
} stepbus_step_event;
enum {
	STEPBUS_OUTCOME_SUCCESS = 1,
	STEPBUS_OUTCOME_FAILURE = 2,
};
typedef struct stepbus_completion {
	uint32_t size;
	int32_t outcome;
	uint8_t step_id[16];
	uint8_t task_id[16];
	uint64_t token;
	int64_t execution_time_us;
	int64_t retry_after_ms;
	uint32_t is_retryable;
	uint32_t reserved;
	const char *correlation_id;
	size_t correlation_id_len;
	const char *handler_name;
	size_t handler_name_len;
	const char *handler_version;
	size_t handler_version_len;
	const char *worker_id;
	size_t worker_id_len;
	const void *result;
	size_t result_len;
	const char *content_type;
	size_t content_type_len;
	const char *error_type;
	size_t error_type_len;
	const char *error_message;
	size_t error_message_len;
	const char *error_code;
	size_t error_code_len;
	const char *metadata;
	size_t metadata_len;
} stepbus_completion;
stepbus_status stepbus_payload_step_event(const void *payload, size_t len, const stepbus_step_event
	**out, stepbus_error *err);
stepbus_status stepbus_payload_completion(const void *payload, size_t len, const stepbus_completion
	**out, stepbus_error *err);
typedef struct stepbus_context stepbus_context;
const stepbus_step_event *stepbus_context_step(const stepbus_context *context);
typedef struct stepbus_result stepbus_result;
stepbus_status stepbus_result_success(stepbus_result *result, const void *bytes, size_t len,
	stepbus_error *err);
typedef struct stepbus_failure {
	uint32_t size;
	uint32_t is_retryable;
	int64_t retry_after_ms;
	const char *message;
	size_t message_len;
	const char *error_type;
	size_t error_type_len;
	const char *error_code;
	size_t error_code_len;
} stepbus_failure;
stepbus_status stepbus_result_failure(stepbus_result *result, const stepbus_failure *failure,
	stepbus_error *err);
typedef struct stepbus_registry stepbus_registry;
typedef struct stepbus_handler stepbus_handler;
typedef int32_t (*stepbus_handler_fn)(void *instance, const stepbus_context *context,
	stepbus_result *result);
enum {
	STEPBUS_RETRY_FIXED = 2,
};
typedef struct stepbus_handler_spec {
	uint32_t size;
	uint32_t flags;
	const char *name;
	size_t name_len;
	const char *handler_namespace;
	size_t handler_namespace_len;
	const char *version;
	size_t version_len;
	const char *domain;
	size_t domain_len;
	const char *description;
	size_t description_len;
	const char *capabilities;
	size_t capabilities_len;
	const char *config_schema;
	size_t config_schema_len;
	const char *permitted_queues;
	size_t permitted_queues_len;
	const char *permitted_callers;
	size_t permitted_callers_len;
	int64_t wait_timeout_ms;
	int64_t attempt_timeout_ms;
	int64_t total_timeout_ms;
	int64_t retry_base_ms;
	int64_t retry_cap_ms;
	uint32_t retry_kind;
	uint32_t attempt_count_max;
	uint32_t jitter_percent;
	uint32_t concurrency_max;
	uint32_t rate_per_minute;
	uint32_t instance_scope;
	stepbus_handler_fn call;
	int32_t (*create)(void *user_data, void **instance, stepbus_error *err);
	void (*discard)(void *user_data, void *instance);
	int32_t (*health)(void *user_data, stepbus_error *err);
	void *user_data;
	void (*destroy)(void *user_data);
} stepbus_handler_spec;
typedef struct stepbus_registry_options {
	uint32_t size;
	uint32_t flags;
	const stepbus_host *host;
	uint32_t handler_count_max;
	uint32_t reserved;
} stepbus_registry_options;
stepbus_status stepbus_registry_new(const stepbus_registry_options *options, stepbus_registry
	**out, stepbus_error *err);
void stepbus_registry_free(stepbus_registry *registry);
stepbus_status stepbus_registry_register(stepbus_registry *registry, const stepbus_handler_spec
	*spec, stepbus_error *err);
typedef struct stepbus_handler_key {
	uint32_t size;
	uint32_t flags;
	const char *name;
	size_t name_len;
	const char *handler_namespace;
	size_t handler_namespace_len;
	const char *version;
	size_t version_len;
} stepbus_handler_key;
stepbus_status stepbus_registry_resolve(stepbus_registry *registry, const stepbus_handler_key *key,
	stepbus_handler **out, stepbus_error *err);
void stepbus_handler_unref(stepbus_handler *handler);
const stepbus_handler_spec *stepbus_handler_definition(const stepbus_handler *handler);
typedef struct stepbus_handler_filter {
	uint32_t size;
	uint32_t flags;
	const char *handler_namespace;
	size_t handler_namespace_len;
	const char *domain;
	size_t domain_len;
	const char *capability;
	size_t capability_len;
} stepbus_handler_filter;
stepbus_status stepbus_registry_list(stepbus_registry *registry, const stepbus_handler_filter
	*filter, stepbus_text **out, stepbus_error *err);
typedef int32_t (*stepbus_handler_each_fn)(void *user_data, const stepbus_handler_spec *definition);
typedef struct stepbus_execution_subscriber stepbus_execution_subscriber;
typedef int32_t (*stepbus_complete_fn)(void *user_data, const stepbus_completion *completion,
	stepbus_error *err);
typedef struct stepbus_execution_options {
	uint32_t size;
	uint32_t flags;
	const char *worker_id;
	size_t worker_id_len;
	stepbus_complete_fn complete;
	void *user_data;
	void (*destroy)(void *user_data);
} stepbus_execution_options;
stepbus_status stepbus_execution_subscriber_new(stepbus_bridge *bridge, stepbus_registry *registry,
	const stepbus_execution_options *options, stepbus_execution_subscriber **out, stepbus_error *err);
stepbus_status stepbus_execution_subscriber_start(stepbus_execution_subscriber *subscriber,
	stepbus_error *err);
void stepbus_execution_subscriber_free(stepbus_execution_subscriber *subscriber);
typedef struct stepbus stepbus;
typedef struct stepbus_worker stepbus_worker;
enum {
	STEPBUS_DURABILITY_MEMORY = 1,
};
enum {
	STEPBUS_STEP_COMPLETED = 6,
};
typedef struct stepbus_options {
	uint32_t size;
	uint32_t flags;
	const char *config;
	size_t config_len;
	const stepbus_host *host;
	stepbus_registry *registry;
} stepbus_options;
stepbus_status stepbus_open(const stepbus_options *options, stepbus **out, stepbus_error *err);
void stepbus_close(stepbus *engine);
stepbus_bridge *stepbus_engine_bridge(stepbus *engine);
stepbus_registry *stepbus_engine_registry(stepbus *engine);
typedef struct stepbus_step_spec {
	uint32_t size;
	uint32_t flags;
	const char *handler_name;
	size_t handler_name_len;
	const char *handler_namespace;
	size_t handler_namespace_len;
	const char *handler_version;
	size_t handler_version_len;
	const char *queue;
	size_t queue_len;
	const void *input;
	size_t input_len;
	const char *content_type;
	size_t content_type_len;
	const char *step_name;
	size_t step_name_len;
	const char *step_config;
	size_t step_config_len;
	const char *correlation_id;
	size_t correlation_id_len;
	const char *traceparent;
	size_t traceparent_len;
	const char *caller;
	size_t caller_len;
	const char *tags;
	size_t tags_len;
	const void *concurrency_key;
	size_t concurrency_key_len;
	const void *idempotency_key;
	size_t idempotency_key_len;
	const void *unique_key;
	size_t unique_key_len;
	int64_t run_at_us;
	int64_t delay_ms;
	int64_t wait_timeout_ms;
	int64_t attempt_timeout_ms;
	int64_t total_timeout_ms;
	int64_t retry_base_ms;
	int64_t retry_cap_ms;
	int64_t unique_period_ms;
	uint32_t unique_scope;
	uint32_t unique_states;
	uint32_t retry_kind;
	uint32_t attempt_count_max;
	uint32_t jitter_percent;
	int32_t priority;
} stepbus_step_spec;
typedef struct stepbus_enqueued {
	uint32_t size;
	uint32_t durability;
	uint8_t step_id[16];
	uint32_t is_existing;
	uint32_t reserved;
} stepbus_enqueued;
stepbus_status stepbus_step_enqueue(stepbus *engine, const stepbus_step_spec *specs, size_t count,
	stepbus_enqueued *out, stepbus_error *err);
typedef void (*stepbus_enqueued_fn)(void *user_data, stepbus_status status, const stepbus_enqueued
	*results, size_t count, const stepbus_error *err);
typedef struct stepbus_outcome stepbus_outcome;
stepbus_status stepbus_step_await(stepbus *engine, const uint8_t *step_id, int64_t timeout_ms,
	stepbus_outcome **out, stepbus_error *err);
const stepbus_completion *stepbus_outcome_completion(const stepbus_outcome *outcome);
void stepbus_outcome_free(stepbus_outcome *outcome);
stepbus_status stepbus_step_info(stepbus *engine, const uint8_t *step_id, stepbus_text **out,
	stepbus_error *err);
stepbus_status stepbus_step_count(stepbus *engine, const char *filter, size_t len, uint64_t *count,
	stepbus_error *err);
stepbus_status stepbus_worker_start(stepbus *engine, const char *config, size_t len, stepbus_worker
	**out, stepbus_error *err);
stepbus_status stepbus_worker_stop(stepbus_worker *worker, int64_t timeout_ms, stepbus_text
	**unfinished, stepbus_error *err);
void stepbus_worker_free(stepbus_worker *worker);

/* What came later, with the structs as they were. */
enum {
	STEPBUS_HANDLER_PULLED = 8,
};
stepbus_status stepbus_poll(stepbus_worker *worker, stepbus_step_event *events, size_t count_max,
	int64_t timeout_ms, size_t *count, stepbus_error *err);
stepbus_status stepbus_complete(stepbus *engine, const stepbus_completion *completions, size_t count,
	stepbus_status *each, stepbus_error *err);

#endif
