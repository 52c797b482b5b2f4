/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <cjson/cJSON.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/cmocka.h"
#include "support/host.h"

static const sb_log_record full_record = {
	.level = STEPBUS_LOG_WARN,
	.component = "bridge",
	.message = "an event was \"refused\"",
	.event_type = "refused",
	.entity_type = "event",
	.entity_id = { "order.made", 10 },
};

static void assert_text(const cJSON *json, const char *name, const char *expected)
{
	const cJSON *field = cJSON_GetObjectItemCaseSensitive(json, name);

	if (!cJSON_IsString(field))
		fail_msg("'%s' is no text", name);
	assert_string_equal(field->valuestring, expected);
}

static void a_record_has_all_it_was_given(void **state)
{
	test_host t;
	cJSON *json;

	(void)state;
	test_host_init(&t);
	sb_log(&t.host, &full_record);
	assert_int_equal(t.log_count, 1);
	json = cJSON_Parse(t.log);
	assert_non_null(json);
	assert_text(json, "timestamp", "2026-11-21T10:30:45.123456Z");
	assert_text(json, "level", "warn");
	assert_text(json, "component", "bridge");
	assert_text(json, "message", "an event was \"refused\"");
	assert_text(json, "version", STEPBUS_VERSION);
	assert_text(json, "event_type", "refused");
	assert_text(json, "entity_type", "event");
	assert_text(json, "entity_id", "order.made");
	assert_int_equal(cJSON_GetObjectItem(json, "process_id")->valueint, getpid());
	assert_int_equal(cJSON_GetObjectItem(json, "thread_id")->valueint, syscall(SYS_gettid));
	assert_int_equal(cJSON_GetArraySize(json), 10);
	assert_null(strchr(t.log, '\n'));
	cJSON_Delete(json);
	test_host_end(&t);
}

static void what_a_record_does_not_say_is_left_out(void **state)
{
	const sb_log_record record = { .level = STEPBUS_LOG_ERROR,
				       .component = "loop",
				       .message = "" };
	test_host t;
	cJSON *json;

	(void)state;
	test_host_init(&t);
	sb_log(&t.host, &record);
	json = cJSON_Parse(t.log);
	assert_text(json, "level", "error");
	assert_text(json, "message", "");
	assert_int_equal(cJSON_GetArraySize(json), 7);
	cJSON_Delete(json);
	test_host_end(&t);
}

/* JSON would let most of these pass; readers of lines, terminals and JavaScript would not. */
static void what_ends_a_line_or_moves_a_cursor_is_escaped(void **state)
{
	static const char entity[] =
		"a\x7F\xC2\x80\xC2\x9F\xC2\xA0\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAA\n\x1B[";
	sb_log_record record = full_record;
	test_host t;
	cJSON *json;

	(void)state;
	test_host_init(&t);
	record.entity_id = sb_slice_z(entity);
	sb_log(&t.host, &record);
	assert_non_null(strstr(t.log, "\"a\\u007f\\u0080\\u009f\xC2\xA0\\u2028\\u2029\xE2\x80\xAA"
				      "\\n\\u001b[\""));
	json = cJSON_Parse(t.log);
	assert_text(json, "entity_id", entity);
	cJSON_Delete(json);
	/* Without the memory for it, the record is left out. */
	for (t.fail_at = t.allocation_count + 1; t.failed_count == 0; t.fail_at++)
		sb_log(&t.host, &record);
	test_host_end(&t);
}

/* A slice of something longer, at the very end of a block: not a byte behind it may be read. */
static void an_entity_need_not_end_in_nul(void **state)
{
	sb_log_record record = full_record;
	test_host t;
	char *entity;
	cJSON *json;

	(void)state;
	test_host_init(&t);
	entity = t.host.allocate(t.host.user_data, NULL, 4);
	assert_non_null(entity);
	memcpy(entity, "cron", 4);
	record.entity_id = sb_slice_of(entity, 3);
	sb_log(&t.host, &record);
	json = cJSON_Parse(t.log);
	assert_text(json, "entity_id", "cro");
	cJSON_Delete(json);
	record.entity_id = sb_slice_of(entity, 4);
	sb_log(&t.host, &record);
	json = cJSON_Parse(t.log);
	assert_text(json, "entity_id", "cron");
	cJSON_Delete(json);
	t.host.allocate(t.host.user_data, entity, 0);
	test_host_end(&t);
}

static void a_record_below_the_level_is_not_even_built(void **state)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	test_host t;

	(void)state;
	test_host_init(&t);
	for (int32_t level = STEPBUS_LOG_DEBUG; level <= STEPBUS_LOG_ERROR; level++)
		for (int32_t wanted = STEPBUS_LOG_DEBUG; wanted <= STEPBUS_LOG_ERROR; wanted++) {
			sb_log_record record = full_record;
			size_t before = t.log_count, allocations = t.allocation_count;

			record.level = level;
			t.host.log_level = wanted;
			sb_log(&t.host, &record);
			assert_int_equal(t.log_count - before, level >= wanted);
			if (level >= wanted)
				assert_non_null(strstr(t.log, names[level - 1]));
			else
				assert_int_equal(t.allocation_count, allocations);
		}
	test_host_end(&t);
}

static void without_a_log_nothing_is_built(void **state)
{
	test_host t;

	(void)state;
	test_host_init(&t);
	t.host.log = NULL;
	sb_log(&t.host, &full_record);
	assert_int_equal(t.allocation_count, 0);
	test_host_end(&t);
}

static void a_record_that_memory_does_not_suffice_for_is_left_out(void **state)
{
	size_t failed_count = 1;

	(void)state;
	for (size_t n = 1; failed_count > 0; n++) {
		test_host t;

		test_host_init(&t);
		t.fail_at = n;
		sb_log(&t.host, &full_record);
		failed_count = t.failed_count;
		assert_int_equal(t.log_count, failed_count > 0 ? 0 : 1);
		test_host_end(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_has_all_it_was_given),
		cmocka_unit_test(what_a_record_does_not_say_is_left_out),
		cmocka_unit_test(what_ends_a_line_or_moves_a_cursor_is_escaped),
		cmocka_unit_test(an_entity_need_not_end_in_nul),
		cmocka_unit_test(a_record_below_the_level_is_not_even_built),
		cmocka_unit_test(without_a_log_nothing_is_built),
		cmocka_unit_test(a_record_that_memory_does_not_suffice_for_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
