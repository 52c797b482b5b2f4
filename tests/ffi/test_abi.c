/* SPDX-License-Identifier: MIT */
/*
 * What a host compiles into itself must not move: where fields stand, how long structs are, what
 * status values mean, and how ids look. New fields come at the end, new values get new numbers.
 */
#include <stdio.h>
#include <string.h>

#include "base/syntax.h"
#include "include/stepbus.h"
#include "support/cmocka.h"

enum { HEADER_LEN_MAX = 256 * 1024 };

typedef struct number_row {
	const char *name;
	size_t actual;
	size_t expected;
} number_row;

static void check_numbers(const number_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i].actual != rows[i].expected)
			fail_msg("%s is %zu, and was %zu", rows[i].name, rows[i].actual,
				 rows[i].expected);
}

#define CHECK_NUMBERS(rows) check_numbers(rows, sizeof(rows) / sizeof *(rows))
#define SIZE(type, expected)                                \
	{                                                   \
		"sizeof(" #type ")", sizeof(type), expected \
	}
#define FIELD(type, field, expected)                              \
	{                                                         \
#type "." #field, offsetof(type, field), expected \
	}

/* The numbers of machines with 64-bit pointers, which is where binaries are exchanged. */
static void need_64_bits(void)
{
	if (sizeof(void *) != 8)
		skip();
}

static const number_row sizes[] = {
	SIZE(stepbus_error, 1024),
	SIZE(stepbus_host, 56),
	SIZE(stepbus_bridge_options, 24),
	SIZE(stepbus_subscription, 48),
	SIZE(stepbus_event_info, 104),
	SIZE(stepbus_route, 32),
	SIZE(stepbus_subscriber_options, 32),
	SIZE(stepbus_dependency, 56),
	SIZE(stepbus_step_event, 280),
	SIZE(stepbus_completion, 272),
	SIZE(stepbus_failure, 80),
	SIZE(stepbus_handler_spec, 264),
	SIZE(stepbus_registry_options, 24),
	SIZE(stepbus_handler_key, 56),
	SIZE(stepbus_handler_filter, 56),
	SIZE(stepbus_execution_options, 48),
	SIZE(stepbus_options, 40),
	SIZE(stepbus_step_spec, 336),
	SIZE(stepbus_enqueued, 32),
	SIZE(stepbus_checkpoint_spec, 72),
	SIZE(stepbus_dispatch_metrics, 72),
};

static void structs_keep_their_sizes(void **state)
{
	(void)state;
	need_64_bits();
	CHECK_NUMBERS(sizes);
}

static const number_row host_fields[] = {
	FIELD(stepbus_error, size, 0),     FIELD(stepbus_error, code, 4),
	FIELD(stepbus_error, message, 8),  FIELD(stepbus_host, size, 0),
	FIELD(stepbus_host, log_level, 4), FIELD(stepbus_host, user_data, 8),
	FIELD(stepbus_host, allocate, 16), FIELD(stepbus_host, log, 24),
	FIELD(stepbus_host, now_us, 32),   FIELD(stepbus_host, elapsed_ns, 40),
	FIELD(stepbus_host, random, 48),
};

static void the_host_keeps_its_fields(void **state)
{
	(void)state;
	need_64_bits();
	CHECK_NUMBERS(host_fields);
}

static const number_row bridge_fields[] = {
	FIELD(stepbus_bridge_options, size, 0),
	FIELD(stepbus_bridge_options, flags, 4),
	FIELD(stepbus_bridge_options, host, 8),
	FIELD(stepbus_bridge_options, event_count_max, 16),
	FIELD(stepbus_bridge_options, subscription_count_max, 20),
	FIELD(stepbus_subscription, size, 0),
	FIELD(stepbus_subscription, flags, 4),
	FIELD(stepbus_subscription, priority, 8),
	FIELD(stepbus_subscription, overflow, 12),
	FIELD(stepbus_subscription, queue_count_max, 16),
	FIELD(stepbus_subscription, reserved, 20),
	FIELD(stepbus_subscription, deliver, 24),
	FIELD(stepbus_subscription, user_data, 32),
	FIELD(stepbus_subscription, destroy, 40),
	FIELD(stepbus_event_info, size, 0),
	FIELD(stepbus_event_info, flags, 4),
	FIELD(stepbus_event_info, name, 8),
	FIELD(stepbus_event_info, name_len, 16),
	FIELD(stepbus_event_info, category, 24),
	FIELD(stepbus_event_info, category_len, 32),
	FIELD(stepbus_event_info, description, 40),
	FIELD(stepbus_event_info, description_len, 48),
	FIELD(stepbus_event_info, schema, 56),
	FIELD(stepbus_event_info, schema_len, 64),
	FIELD(stepbus_event_info, example, 72),
	FIELD(stepbus_event_info, example_len, 80),
	FIELD(stepbus_event_info, fired_by, 88),
	FIELD(stepbus_event_info, fired_by_len, 96),
	FIELD(stepbus_route, size, 0),
	FIELD(stepbus_route, priority, 4),
	FIELD(stepbus_route, pattern, 8),
	FIELD(stepbus_route, pattern_len, 16),
	FIELD(stepbus_route, deliver, 24),
	FIELD(stepbus_subscriber_options, size, 0),
	FIELD(stepbus_subscriber_options, route_count, 4),
	FIELD(stepbus_subscriber_options, routes, 8),
	FIELD(stepbus_subscriber_options, user_data, 16),
	FIELD(stepbus_subscriber_options, destroy, 24),
};

static void structs_of_the_bridge_keep_their_fields(void **state)
{
	(void)state;
	need_64_bits();
	CHECK_NUMBERS(bridge_fields);
}

static const number_row step_fields[] = {
	FIELD(stepbus_dependency, size, 0),
	FIELD(stepbus_dependency, reserved, 4),
	FIELD(stepbus_dependency, step_name, 8),
	FIELD(stepbus_dependency, step_name_len, 16),
	FIELD(stepbus_dependency, result, 24),
	FIELD(stepbus_dependency, result_len, 32),
	FIELD(stepbus_dependency, content_type, 40),
	FIELD(stepbus_dependency, content_type_len, 48),
	FIELD(stepbus_step_event, size, 0),
	FIELD(stepbus_step_event, flags, 4),
	FIELD(stepbus_step_event, step_id, 8),
	FIELD(stepbus_step_event, task_id, 24),
	FIELD(stepbus_step_event, token, 40),
	FIELD(stepbus_step_event, retry_count, 48),
	FIELD(stepbus_step_event, max_retries, 52),
	FIELD(stepbus_step_event, correlation_id, 56),
	FIELD(stepbus_step_event, correlation_id_len, 64),
	FIELD(stepbus_step_event, step_name, 72),
	FIELD(stepbus_step_event, step_name_len, 80),
	FIELD(stepbus_step_event, handler_namespace, 88),
	FIELD(stepbus_step_event, handler_namespace_len, 96),
	FIELD(stepbus_step_event, handler_name, 104),
	FIELD(stepbus_step_event, handler_name_len, 112),
	FIELD(stepbus_step_event, handler_version, 120),
	FIELD(stepbus_step_event, handler_version_len, 128),
	FIELD(stepbus_step_event, input, 136),
	FIELD(stepbus_step_event, input_len, 144),
	FIELD(stepbus_step_event, content_type, 152),
	FIELD(stepbus_step_event, content_type_len, 160),
	FIELD(stepbus_step_event, step_config, 168),
	FIELD(stepbus_step_event, step_config_len, 176),
	FIELD(stepbus_step_event, dependencies, 184),
	FIELD(stepbus_step_event, dependency_count, 192),
	FIELD(stepbus_step_event, queue, 200),
	FIELD(stepbus_step_event, queue_len, 208),
	FIELD(stepbus_step_event, traceparent, 216),
	FIELD(stepbus_step_event, traceparent_len, 224),
	FIELD(stepbus_step_event, cursor, 232),
	FIELD(stepbus_step_event, cursor_len, 240),
	FIELD(stepbus_step_event, partial_result, 248),
	FIELD(stepbus_step_event, partial_result_len, 256),
	FIELD(stepbus_step_event, items_processed, 264),
	FIELD(stepbus_step_event, attempt_timeout_ms, 272),
};

static void a_step_event_keeps_its_fields(void **state)
{
	(void)state;
	need_64_bits();
	CHECK_NUMBERS(step_fields);
}

static const number_row completion_fields[] = {
	FIELD(stepbus_completion, size, 0),
	FIELD(stepbus_completion, outcome, 4),
	FIELD(stepbus_completion, step_id, 8),
	FIELD(stepbus_completion, task_id, 24),
	FIELD(stepbus_completion, token, 40),
	FIELD(stepbus_completion, execution_time_us, 48),
	FIELD(stepbus_completion, retry_after_ms, 56),
	FIELD(stepbus_completion, is_retryable, 64),
	FIELD(stepbus_completion, reserved, 68),
	FIELD(stepbus_completion, correlation_id, 72),
	FIELD(stepbus_completion, correlation_id_len, 80),
	FIELD(stepbus_completion, handler_name, 88),
	FIELD(stepbus_completion, handler_name_len, 96),
	FIELD(stepbus_completion, handler_version, 104),
	FIELD(stepbus_completion, handler_version_len, 112),
	FIELD(stepbus_completion, worker_id, 120),
	FIELD(stepbus_completion, worker_id_len, 128),
	FIELD(stepbus_completion, result, 136),
	FIELD(stepbus_completion, result_len, 144),
	FIELD(stepbus_completion, content_type, 152),
	FIELD(stepbus_completion, content_type_len, 160),
	FIELD(stepbus_completion, error_type, 168),
	FIELD(stepbus_completion, error_type_len, 176),
	FIELD(stepbus_completion, error_message, 184),
	FIELD(stepbus_completion, error_message_len, 192),
	FIELD(stepbus_completion, error_code, 200),
	FIELD(stepbus_completion, error_code_len, 208),
	FIELD(stepbus_completion, metadata, 216),
	FIELD(stepbus_completion, metadata_len, 224),
	FIELD(stepbus_completion, backtrace, 232),
	FIELD(stepbus_completion, backtrace_len, 240),
	FIELD(stepbus_completion, cursor, 248),
	FIELD(stepbus_completion, cursor_len, 256),
	FIELD(stepbus_completion, items_processed, 264),
	FIELD(stepbus_failure, size, 0),
	FIELD(stepbus_failure, is_retryable, 4),
	FIELD(stepbus_failure, retry_after_ms, 8),
	FIELD(stepbus_failure, message, 16),
	FIELD(stepbus_failure, message_len, 24),
	FIELD(stepbus_failure, error_type, 32),
	FIELD(stepbus_failure, error_type_len, 40),
	FIELD(stepbus_failure, error_code, 48),
	FIELD(stepbus_failure, error_code_len, 56),
	FIELD(stepbus_failure, backtrace, 64),
	FIELD(stepbus_failure, backtrace_len, 72),
};

static const number_row checkpoint_fields[] = {
	FIELD(stepbus_checkpoint_spec, size, 0),
	FIELD(stepbus_checkpoint_spec, reserved, 4),
	FIELD(stepbus_checkpoint_spec, step_id, 8),
	FIELD(stepbus_checkpoint_spec, token, 24),
	FIELD(stepbus_checkpoint_spec, items_processed, 32),
	FIELD(stepbus_checkpoint_spec, cursor, 40),
	FIELD(stepbus_checkpoint_spec, cursor_len, 48),
	FIELD(stepbus_checkpoint_spec, partial_result, 56),
	FIELD(stepbus_checkpoint_spec, partial_result_len, 64),
};

static void a_checkpoint_keeps_its_fields(void **state)
{
	(void)state;
	need_64_bits();
	CHECK_NUMBERS(checkpoint_fields);
}

static void a_completion_keeps_its_fields(void **state)
{
	(void)state;
	need_64_bits();
	CHECK_NUMBERS(completion_fields);
}

static const number_row handler_fields[] = {
	FIELD(stepbus_handler_spec, size, 0),
	FIELD(stepbus_handler_spec, flags, 4),
	FIELD(stepbus_handler_spec, name, 8),
	FIELD(stepbus_handler_spec, name_len, 16),
	FIELD(stepbus_handler_spec, handler_namespace, 24),
	FIELD(stepbus_handler_spec, handler_namespace_len, 32),
	FIELD(stepbus_handler_spec, version, 40),
	FIELD(stepbus_handler_spec, version_len, 48),
	FIELD(stepbus_handler_spec, domain, 56),
	FIELD(stepbus_handler_spec, domain_len, 64),
	FIELD(stepbus_handler_spec, description, 72),
	FIELD(stepbus_handler_spec, description_len, 80),
	FIELD(stepbus_handler_spec, capabilities, 88),
	FIELD(stepbus_handler_spec, capabilities_len, 96),
	FIELD(stepbus_handler_spec, config_schema, 104),
	FIELD(stepbus_handler_spec, config_schema_len, 112),
	FIELD(stepbus_handler_spec, permitted_queues, 120),
	FIELD(stepbus_handler_spec, permitted_queues_len, 128),
	FIELD(stepbus_handler_spec, permitted_callers, 136),
	FIELD(stepbus_handler_spec, permitted_callers_len, 144),
	FIELD(stepbus_handler_spec, wait_timeout_ms, 152),
	FIELD(stepbus_handler_spec, attempt_timeout_ms, 160),
	FIELD(stepbus_handler_spec, total_timeout_ms, 168),
	FIELD(stepbus_handler_spec, retry_base_ms, 176),
	FIELD(stepbus_handler_spec, retry_cap_ms, 184),
	FIELD(stepbus_handler_spec, retry_kind, 192),
	FIELD(stepbus_handler_spec, attempt_count_max, 196),
	FIELD(stepbus_handler_spec, jitter_percent, 200),
	FIELD(stepbus_handler_spec, concurrency_max, 204),
	FIELD(stepbus_handler_spec, rate_per_minute, 208),
	FIELD(stepbus_handler_spec, instance_scope, 212),
	FIELD(stepbus_handler_spec, call, 216),
	FIELD(stepbus_handler_spec, create, 224),
	FIELD(stepbus_handler_spec, discard, 232),
	FIELD(stepbus_handler_spec, health, 240),
	FIELD(stepbus_handler_spec, user_data, 248),
	FIELD(stepbus_handler_spec, destroy, 256),
};

static void a_handler_spec_keeps_its_fields(void **state)
{
	(void)state;
	need_64_bits();
	CHECK_NUMBERS(handler_fields);
}

static const number_row registry_fields[] = {
	FIELD(stepbus_registry_options, size, 0),
	FIELD(stepbus_registry_options, flags, 4),
	FIELD(stepbus_registry_options, host, 8),
	FIELD(stepbus_registry_options, handler_count_max, 16),
	FIELD(stepbus_registry_options, reserved, 20),
	FIELD(stepbus_handler_key, size, 0),
	FIELD(stepbus_handler_key, flags, 4),
	FIELD(stepbus_handler_key, name, 8),
	FIELD(stepbus_handler_key, name_len, 16),
	FIELD(stepbus_handler_key, handler_namespace, 24),
	FIELD(stepbus_handler_key, handler_namespace_len, 32),
	FIELD(stepbus_handler_key, version, 40),
	FIELD(stepbus_handler_key, version_len, 48),
	FIELD(stepbus_handler_filter, size, 0),
	FIELD(stepbus_handler_filter, flags, 4),
	FIELD(stepbus_handler_filter, handler_namespace, 8),
	FIELD(stepbus_handler_filter, handler_namespace_len, 16),
	FIELD(stepbus_handler_filter, domain, 24),
	FIELD(stepbus_handler_filter, domain_len, 32),
	FIELD(stepbus_handler_filter, capability, 40),
	FIELD(stepbus_handler_filter, capability_len, 48),
	FIELD(stepbus_execution_options, size, 0),
	FIELD(stepbus_execution_options, flags, 4),
	FIELD(stepbus_execution_options, worker_id, 8),
	FIELD(stepbus_execution_options, worker_id_len, 16),
	FIELD(stepbus_execution_options, complete, 24),
	FIELD(stepbus_execution_options, user_data, 32),
	FIELD(stepbus_execution_options, destroy, 40),
};

static void structs_of_the_registry_keep_their_fields(void **state)
{
	(void)state;
	need_64_bits();
	CHECK_NUMBERS(registry_fields);
}

/* A struct that nobody put into the table above would move unseen. */
static void every_struct_of_the_header_is_in_the_table(void **state)
{
	static char text[HEADER_LEN_MAX];
	FILE *file = fopen("include/stepbus.h", "r");
	size_t len, count = 0;

	(void)state;
	if (file == NULL)
		fail_msg("include/stepbus.h cannot be read: run this from the root of the tree");
	len = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	assert_true(len > 1000 && len < sizeof text - 1);
	for (const char *at = text; (at = strstr(at, "\n} stepbus_")) != NULL; at++)
		count++;
	assert_int_equal(count, sizeof sizes / sizeof *sizes);
}

static void values_keep_their_meaning(void **state)
{
	static const number_row values[] = {
		{ "STEPBUS_OK", STEPBUS_OK, 0 },
		{ "STEPBUS_EINVAL", STEPBUS_EINVAL, 1 },
		{ "STEPBUS_ENOMEM", STEPBUS_ENOMEM, 2 },
		{ "STEPBUS_ENOTFOUND", STEPBUS_ENOTFOUND, 3 },
		{ "STEPBUS_EEXISTS", STEPBUS_EEXISTS, 4 },
		{ "STEPBUS_EINACTIVE", STEPBUS_EINACTIVE, 5 },
		{ "STEPBUS_EFULL", STEPBUS_EFULL, 6 },
		{ "STEPBUS_EDELIVERY", STEPBUS_EDELIVERY, 7 },
		{ "STEPBUS_EREENTRANT", STEPBUS_EREENTRANT, 8 },
		{ "STEPBUS_ESEALED", STEPBUS_ESEALED, 9 },
		{ "STEPBUS_ELIMIT", STEPBUS_ELIMIT, 10 },
		{ "STEPBUS_EFORKED", STEPBUS_EFORKED, 11 },
		{ "STEPBUS_ESHUTDOWN", STEPBUS_ESHUTDOWN, 12 },
		{ "STEPBUS_ETIMEDOUT", STEPBUS_ETIMEDOUT, 13 },
		{ "STEPBUS_EBUSY", STEPBUS_EBUSY, 14 },
		{ "STEPBUS_EALREADY", STEPBUS_EALREADY, 15 },
		{ "STEPBUS_ESTALE", STEPBUS_ESTALE, 16 },
		{ "STEPBUS_EHANDLER", STEPBUS_EHANDLER, 17 },
		{ "STEPBUS_ESYSTEM", STEPBUS_ESYSTEM, 18 },
		{ "STEPBUS_ESTORE", STEPBUS_ESTORE, 19 },
		{ "STEPBUS_ENOSPACE", STEPBUS_ENOSPACE, 20 },
		{ "STEPBUS_EREADONLY", STEPBUS_EREADONLY, 21 },
		{ "STEPBUS_ECORRUPT", STEPBUS_ECORRUPT, 22 },
		{ "STEPBUS_EVERSION", STEPBUS_EVERSION, 23 },
		{ "STEPBUS_ENETWORK", STEPBUS_ENETWORK, 24 },
		{ "STEPBUS_ECANCELLED", STEPBUS_ECANCELLED, 25 },
	};

	(void)state;
	CHECK_NUMBERS(values);
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		assert_string_equal(stepbus_status_name((int32_t)i), values[i].name);
}

static void flags_and_kinds_keep_their_values(void **state)
{
	static const number_row values[] = {
		{ "STEPBUS_LOG_DEBUG", STEPBUS_LOG_DEBUG, 1 },
		{ "STEPBUS_LOG_INFO", STEPBUS_LOG_INFO, 2 },
		{ "STEPBUS_LOG_WARN", STEPBUS_LOG_WARN, 3 },
		{ "STEPBUS_LOG_ERROR", STEPBUS_LOG_ERROR, 4 },
		{ "STEPBUS_BRIDGE_ALLOW_UNDECLARED", STEPBUS_BRIDGE_ALLOW_UNDECLARED, 1 },
		{ "STEPBUS_SUBSCRIPTION_ONCE", STEPBUS_SUBSCRIPTION_ONCE, 1 },
		{ "STEPBUS_SUBSCRIPTION_QUEUED", STEPBUS_SUBSCRIPTION_QUEUED, 2 },
		{ "STEPBUS_OVERFLOW_ERROR", STEPBUS_OVERFLOW_ERROR, 0 },
		{ "STEPBUS_OVERFLOW_BLOCK", STEPBUS_OVERFLOW_BLOCK, 1 },
		{ "STEPBUS_OVERFLOW_DROP_OLDEST", STEPBUS_OVERFLOW_DROP_OLDEST, 2 },
		{ "STEPBUS_OUTCOME_SUCCESS", STEPBUS_OUTCOME_SUCCESS, 1 },
		{ "STEPBUS_OUTCOME_FAILURE", STEPBUS_OUTCOME_FAILURE, 2 },
		{ "STEPBUS_OUTCOME_SNOOZE", STEPBUS_OUTCOME_SNOOZE, 3 },
		{ "STEPBUS_OUTCOME_CANCELLED", STEPBUS_OUTCOME_CANCELLED, 4 },
		{ "STEPBUS_OUTCOME_QUARANTINED", STEPBUS_OUTCOME_QUARANTINED, 5 },
		{ "STEPBUS_OUTCOME_CHECKPOINT", STEPBUS_OUTCOME_CHECKPOINT, 6 },
		{ "STEPBUS_OUTCOME_RELEASE", STEPBUS_OUTCOME_RELEASE, 7 },
		{ "STEPBUS_STEP_PULLED", STEPBUS_STEP_PULLED, 1 },
		{ "STEPBUS_HANDLER_PULLED", STEPBUS_HANDLER_PULLED, 8 },
		{ "STEPBUS_WAKE_EVENTFD", STEPBUS_WAKE_EVENTFD, 1 },
		{ "STEPBUS_WAKE_SOCKET", STEPBUS_WAKE_SOCKET, 2 },
		{ "STEPBUS_HANDLER_OVERRIDE", STEPBUS_HANDLER_OVERRIDE, 1 },
		{ "STEPBUS_HANDLER_DEFAULT", STEPBUS_HANDLER_DEFAULT, 2 },
		{ "STEPBUS_HANDLER_VERSION_FROM_INPUT", STEPBUS_HANDLER_VERSION_FROM_INPUT, 4 },
		{ "STEPBUS_SCOPE_STEP", STEPBUS_SCOPE_STEP, 0 },
		{ "STEPBUS_SCOPE_WORKER", STEPBUS_SCOPE_WORKER, 1 },
		{ "STEPBUS_RETRY_DEFAULT", STEPBUS_RETRY_DEFAULT, 0 },
		{ "STEPBUS_RETRY_NONE", STEPBUS_RETRY_NONE, 1 },
		{ "STEPBUS_RETRY_FIXED", STEPBUS_RETRY_FIXED, 2 },
		{ "STEPBUS_RETRY_LINEAR", STEPBUS_RETRY_LINEAR, 3 },
		{ "STEPBUS_RETRY_EXPONENTIAL", STEPBUS_RETRY_EXPONENTIAL, 4 },
		{ "STEPBUS_RETRY_FIBONACCI", STEPBUS_RETRY_FIBONACCI, 5 },
		{ "STEPBUS_KEY_EXACT", STEPBUS_KEY_EXACT, 1 },
	};

	(void)state;
	CHECK_NUMBERS(values);
}

static void an_empty_error_is_ready_for_its_first_call(void **state)
{
	const stepbus_error err = STEPBUS_ERROR_INIT;

	(void)state;
	assert_int_equal(err.size, sizeof err);
	assert_int_equal(err.code, 0);
	assert_string_equal(err.message, "");
}

/* A foreign host may pass a larger or a smaller block than the struct. */
static void an_error_of_another_size_is_filled_and_not_passed(void **state)
{
	static const uint32_t room[] = { 0, 4, 8, 9, 16, 20, 24, 40, 1024, 2000 };
	char block[2100];

	(void)state;
	for (size_t i = 0; i < sizeof room / sizeof *room; i++) {
		uint64_t aligned[sizeof block / sizeof(uint64_t) + 1];
		stepbus_error *err = (stepbus_error *)(void *)aligned;

		memset(aligned, '#', sizeof aligned);
		memcpy(aligned, &room[i], sizeof room[i]);
		assert_int_equal(stepbus_id_new(NULL, err), STEPBUS_EINVAL);
		memcpy(block, aligned, sizeof block);
		for (size_t at = room[i] < 8 ? 4 : room[i]; at < sizeof block; at++)
			if (block[at] != '#')
				fail_msg("an error of %u bytes was written at %zu", room[i], at);
		if (room[i] > 8 && memchr(block + 8, '\0', room[i] - 8) == NULL)
			fail_msg("an error of %u bytes has no end", room[i]);
	}
}

static void an_id_is_a_uuid_of_version_7(void **state)
{
	uint8_t id[16];
	char text[37];

	(void)state;
	assert_int_equal(stepbus_id_new(id, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_id_format(id, text, NULL), STEPBUS_OK);
	assert_int_equal(strlen(text), 36);
	assert_int_equal(text[8], '-');
	assert_int_equal(text[13], '-');
	assert_int_equal(text[14], '7');
	assert_int_equal(text[18], '-');
	assert_non_null(strchr("89ab", text[19]));
	assert_int_equal(text[23], '-');
}

static void an_id_reads_back_as_it_was_written(void **state)
{
	static const char lower[] = "018f0a9b-1c2d-7e3f-8a4b-5c6d7e8f9012";
	static const char upper[] = "018F0A9B-1C2D-7E3F-8A4B-5C6D7E8F9012";
	static const uint8_t bytes[16] = { 0x01, 0x8f, 0x0a, 0x9b, 0x1c, 0x2d, 0x7e, 0x3f,
					   0x8a, 0x4b, 0x5c, 0x6d, 0x7e, 0x8f, 0x90, 0x12 };
	uint8_t id[16] = { 0 };
	char text[37];

	(void)state;
	assert_int_equal(stepbus_id_parse(lower, 36, id, NULL), STEPBUS_OK);
	assert_memory_equal(id, bytes, sizeof id);
	memset(id, 0, sizeof id);
	assert_int_equal(stepbus_id_parse(upper, 36, id, NULL), STEPBUS_OK);
	assert_memory_equal(id, bytes, sizeof id);
	assert_int_equal(stepbus_id_format(id, text, NULL), STEPBUS_OK);
	assert_string_equal(text, lower);
}

static void a_later_id_sorts_later_to_the_millisecond(void **state)
{
	uint8_t before[16], after[16];

	(void)state;
	assert_int_equal(stepbus_id_new(before, NULL), STEPBUS_OK);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(stepbus_id_new(after, NULL), STEPBUS_OK);
		assert_true(memcmp(before, after, 6) <= 0);
		assert_memory_not_equal(before, after, 16);
		memcpy(before, after, sizeof before);
	}
}

static void the_build_tells_its_versions_and_that_discovery_is_compiled_out(void **state)
{
	static const char *const parts[] = {
		"\"name\":\"stepbus\"", "\"version\":\"" STEPBUS_VERSION "\"",
		"\"abi_version\":0",    "\"compiler\":\"",
		"\"libevent\":\"2.",    "\"cjson\":\"1.",
		"\"uthash\":\"2.",      "\"discovery\":\"compiled out\"",
	};
	stepbus_text *text = NULL;

	(void)state;
	assert_int_equal(stepbus_build_info(&text, NULL), STEPBUS_OK);
	assert_true(sb_syntax_is_json(stepbus_text_data(text), stepbus_text_len(text), NULL));
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strstr(stepbus_text_data(text), parts[i]) == NULL)
			fail_msg("%s is not in %s", parts[i], stepbus_text_data(text));
	assert_int_equal(stepbus_text_data(text)[stepbus_text_len(text)], '\0');
	stepbus_text_free(text);
}

static void header_and_library_are_of_one_version(void **state)
{
	(void)state;
	assert_string_equal(stepbus_version(), STEPBUS_VERSION);
	assert_int_equal(stepbus_abi_version(), STEPBUS_ABI_VERSION);
	assert_string_equal(STEPBUS_VERSION, "0.1.0");
	assert_int_equal(STEPBUS_ABI_VERSION, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(structs_keep_their_sizes),
		cmocka_unit_test(the_host_keeps_its_fields),
		cmocka_unit_test(structs_of_the_bridge_keep_their_fields),
		cmocka_unit_test(a_step_event_keeps_its_fields),
		cmocka_unit_test(a_completion_keeps_its_fields),
		cmocka_unit_test(a_checkpoint_keeps_its_fields),
		cmocka_unit_test(a_handler_spec_keeps_its_fields),
		cmocka_unit_test(structs_of_the_registry_keep_their_fields),
		cmocka_unit_test(every_struct_of_the_header_is_in_the_table),
		cmocka_unit_test(values_keep_their_meaning),
		cmocka_unit_test(flags_and_kinds_keep_their_values),
		cmocka_unit_test(an_empty_error_is_ready_for_its_first_call),
		cmocka_unit_test(an_error_of_another_size_is_filled_and_not_passed),
		cmocka_unit_test(an_id_is_a_uuid_of_version_7),
		cmocka_unit_test(an_id_reads_back_as_it_was_written),
		cmocka_unit_test(a_later_id_sorts_later_to_the_millisecond),
		cmocka_unit_test(the_build_tells_its_versions_and_that_discovery_is_compiled_out),
		cmocka_unit_test(header_and_library_are_of_one_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
