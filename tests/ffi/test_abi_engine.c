/* SPDX-License-Identifier: MIT */
/* What a host of an engine compiles into itself must not move; see test_abi.c. */
#include "include/stepbus.h"
#include "store/store.h"
#include "support/cmocka.h"

typedef struct number_row {
	const char *name;
	size_t actual;
	size_t expected;
} number_row;

#define FIELD(type, field, expected)                              \
	{                                                         \
#type "." #field, offsetof(type, field), expected \
	}
#define VALUE(name, expected)         \
	{                             \
#name, name, expected \
	}

static void check_numbers(const number_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i].actual != rows[i].expected)
			fail_msg("%s is %zu, and was %zu", rows[i].name, rows[i].actual,
				 rows[i].expected);
}

static const number_row fields[] = {
	FIELD(stepbus_options, size, 0),
	FIELD(stepbus_options, flags, 4),
	FIELD(stepbus_options, config, 8),
	FIELD(stepbus_options, config_len, 16),
	FIELD(stepbus_options, host, 24),
	FIELD(stepbus_options, registry, 32),
	FIELD(stepbus_step_spec, size, 0),
	FIELD(stepbus_step_spec, flags, 4),
	FIELD(stepbus_step_spec, handler_name, 8),
	FIELD(stepbus_step_spec, handler_name_len, 16),
	FIELD(stepbus_step_spec, handler_namespace, 24),
	FIELD(stepbus_step_spec, handler_namespace_len, 32),
	FIELD(stepbus_step_spec, handler_version, 40),
	FIELD(stepbus_step_spec, handler_version_len, 48),
	FIELD(stepbus_step_spec, queue, 56),
	FIELD(stepbus_step_spec, queue_len, 64),
	FIELD(stepbus_step_spec, input, 72),
	FIELD(stepbus_step_spec, input_len, 80),
	FIELD(stepbus_step_spec, content_type, 88),
	FIELD(stepbus_step_spec, content_type_len, 96),
	FIELD(stepbus_step_spec, step_name, 104),
	FIELD(stepbus_step_spec, step_name_len, 112),
	FIELD(stepbus_step_spec, step_config, 120),
	FIELD(stepbus_step_spec, step_config_len, 128),
	FIELD(stepbus_step_spec, correlation_id, 136),
	FIELD(stepbus_step_spec, correlation_id_len, 144),
	FIELD(stepbus_step_spec, traceparent, 152),
	FIELD(stepbus_step_spec, traceparent_len, 160),
	FIELD(stepbus_step_spec, caller, 168),
	FIELD(stepbus_step_spec, caller_len, 176),
	FIELD(stepbus_step_spec, tags, 184),
	FIELD(stepbus_step_spec, tags_len, 192),
	FIELD(stepbus_step_spec, concurrency_key, 200),
	FIELD(stepbus_step_spec, concurrency_key_len, 208),
	FIELD(stepbus_step_spec, idempotency_key, 216),
	FIELD(stepbus_step_spec, idempotency_key_len, 224),
	FIELD(stepbus_step_spec, unique_key, 232),
	FIELD(stepbus_step_spec, unique_key_len, 240),
	FIELD(stepbus_step_spec, run_at_us, 248),
	FIELD(stepbus_step_spec, delay_ms, 256),
	FIELD(stepbus_step_spec, wait_timeout_ms, 264),
	FIELD(stepbus_step_spec, attempt_timeout_ms, 272),
	FIELD(stepbus_step_spec, total_timeout_ms, 280),
	FIELD(stepbus_step_spec, retry_base_ms, 288),
	FIELD(stepbus_step_spec, retry_cap_ms, 296),
	FIELD(stepbus_step_spec, unique_period_ms, 304),
	FIELD(stepbus_step_spec, unique_scope, 312),
	FIELD(stepbus_step_spec, unique_states, 316),
	FIELD(stepbus_step_spec, retry_kind, 320),
	FIELD(stepbus_step_spec, attempt_count_max, 324),
	FIELD(stepbus_step_spec, jitter_percent, 328),
	FIELD(stepbus_step_spec, priority, 332),
	FIELD(stepbus_enqueued, size, 0),
	FIELD(stepbus_enqueued, durability, 4),
	FIELD(stepbus_enqueued, step_id, 8),
	FIELD(stepbus_enqueued, is_existing, 24),
	FIELD(stepbus_enqueued, reserved, 28),
};

static void structs_of_the_engine_keep_their_fields(void **state)
{
	(void)state;
	/* The numbers of machines with 64-bit pointers. */
	if (sizeof(void *) != 8)
		skip();
	check_numbers(fields, sizeof fields / sizeof *fields);
}

static const number_row values[] = {
	VALUE(STEPBUS_OUTCOME_SNOOZE, 3),      VALUE(STEPBUS_OUTCOME_CANCELLED, 4),
	VALUE(STEPBUS_OUTCOME_QUARANTINED, 5), VALUE(STEPBUS_DURABILITY_MEMORY, 1),
	VALUE(STEPBUS_DURABILITY_PROCESS, 2),  VALUE(STEPBUS_DURABILITY_DISK, 3),
	VALUE(STEPBUS_STEP_WAITING, 1),        VALUE(STEPBUS_STEP_SCHEDULED, 2),
	VALUE(STEPBUS_STEP_READY, 3),          VALUE(STEPBUS_STEP_PARKED, 4),
	VALUE(STEPBUS_STEP_RUNNING, 5),        VALUE(STEPBUS_STEP_COMPLETED, 6),
	VALUE(STEPBUS_STEP_FAILED, 7),         VALUE(STEPBUS_STEP_CANCELLED, 8),
	VALUE(STEPBUS_STEP_QUARANTINED, 9),    VALUE(STEPBUS_UNIQUE_QUEUE, 1),
	VALUE(STEPBUS_UNIQUE_HANDLER, 2),
};

static void values_of_the_engine_keep_their_meaning(void **state)
{
	(void)state;
	check_numbers(values, sizeof values / sizeof *values);
}

/* The header cannot name what stands in databases, so the two are held together here. */
static void header_and_store_number_alike(void **state)
{
	(void)state;
	assert_int_equal(STEPBUS_STEP_WAITING, SB_STEP_WAITING);
	assert_int_equal(STEPBUS_STEP_SCHEDULED, SB_STEP_SCHEDULED);
	assert_int_equal(STEPBUS_STEP_READY, SB_STEP_READY);
	assert_int_equal(STEPBUS_STEP_PARKED, SB_STEP_PARKED);
	assert_int_equal(STEPBUS_STEP_RUNNING, SB_STEP_RUNNING);
	assert_int_equal(STEPBUS_STEP_COMPLETED, SB_STEP_COMPLETED);
	assert_int_equal(STEPBUS_STEP_FAILED, SB_STEP_FAILED);
	assert_int_equal(STEPBUS_STEP_CANCELLED, SB_STEP_CANCELLED);
	assert_int_equal(STEPBUS_STEP_QUARANTINED, SB_STEP_QUARANTINED);
	assert_int_equal(STEPBUS_DURABILITY_MEMORY, SB_DURABILITY_MEMORY);
	assert_int_equal(STEPBUS_DURABILITY_PROCESS, SB_DURABILITY_PROCESS);
	assert_int_equal(STEPBUS_DURABILITY_DISK, SB_DURABILITY_DISK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(structs_of_the_engine_keep_their_fields),
		cmocka_unit_test(values_of_the_engine_keep_their_meaning),
		cmocka_unit_test(header_and_store_number_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
