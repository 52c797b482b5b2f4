/* SPDX-License-Identifier: MIT */
/* Struct payloads of hosts that were built with another header: read as far as they go. */
#include "bridge/payload.h"

#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/memory.h"
#include "support/cmocka.h"

enum {
	EVENT_LEN = sizeof(stepbus_step_event),
	EVENT_LEN_FIRST = offsetof(stepbus_step_event, queue),
	COMPLETION_LEN = sizeof(stepbus_completion),
	COMPLETION_LEN_FIRST = offsetof(stepbus_completion, backtrace)
};

/* The first len bytes of a struct in a block that ends with them, for the sanitizer to guard. */
static void *cut(const void *whole, uint32_t len)
{
	char *block = malloc(len);

	assert_non_null(block);
	memcpy(block, whole, len);
	memcpy(block, &len, sizeof len);
	return block;
}

static stepbus_step_event event_with_all(void)
{
	return (stepbus_step_event){ .token = 7,
				     .handler_name = "work",
				     .handler_name_len = 4,
				     .input = "old",
				     .input_len = 3,
				     .queue = "mail",
				     .queue_len = 4,
				     .cursor = "here",
				     .cursor_len = 4,
				     .items_processed = 5,
				     .attempt_timeout_ms = 6 };
}

static stepbus_completion completion_with_all(void)
{
	return (stepbus_completion){ .outcome = STEPBUS_OUTCOME_SUCCESS,
				     .token = 7,
				     .result = "old",
				     .result_len = 3,
				     .backtrace = "line 1",
				     .backtrace_len = 6,
				     .cursor = "here",
				     .cursor_len = 4,
				     .items_processed = 5 };
}

static void a_shorter_event_is_read_as_if_the_rest_were_zero(void **state)
{
	const stepbus_step_event whole = event_with_all();

	(void)state;
	for (uint32_t len = EVENT_LEN_FIRST; len <= EVENT_LEN; len += 8) {
		stepbus_step_event *given = cut(&whole, len), expected = { .size = EVENT_LEN };
		const stepbus_step_event *out = NULL;
		stepbus_step_event room;

		memcpy((char *)&expected + 4, (char *)given + 4, len - 4);
		assert_int_equal(sb_payload_take_step_event(given, len, &room, &out, NULL),
				 STEPBUS_OK);
		assert_ptr_equal(out, len == EVENT_LEN ? given : &room);
		assert_memory_equal(out, &expected, EVENT_LEN);
		free(given);
	}
}

static void a_longer_event_is_read_where_it_is(void **state)
{
	struct {
		stepbus_step_event event;
		uint64_t newer;
	} given = { event_with_all(), 0 };
	const stepbus_step_event *out = NULL;
	stepbus_step_event room;

	(void)state;
	given.event.size = sizeof given;
	assert_int_equal(sb_payload_take_step_event(&given, sizeof given, &room, &out, NULL),
			 STEPBUS_OK);
	assert_ptr_equal(out, &given);
	given.newer = 1;
	assert_int_equal(sb_payload_take_step_event(&given, sizeof given, &room, &out, NULL),
			 STEPBUS_EINVAL);
}

static void a_shorter_completion_is_one(void **state)
{
	const stepbus_completion whole = completion_with_all();

	(void)state;
	for (uint32_t len = COMPLETION_LEN_FIRST; len <= COMPLETION_LEN; len += 8) {
		stepbus_completion *given = cut(&whole, len);
		const stepbus_completion *out = NULL;

		assert_int_equal(sb_payload_check_completion(given, len, &out, NULL), STEPBUS_OK);
		assert_ptr_equal(out, given);
		free(given);
	}
}

static void what_is_shorter_than_the_first_or_cut_inside_a_field_is_refused(void **state)
{
	const stepbus_step_event event = event_with_all();
	const stepbus_completion completion = completion_with_all();
	static const uint32_t less[] = { 8, 1, 4, 7 };

	(void)state;
	for (size_t i = 0; i < sizeof less / sizeof *less; i++) {
		uint32_t event_len = i == 0 ? EVENT_LEN_FIRST - 8 : EVENT_LEN - less[i];
		uint32_t completion_len =
			i == 0 ? COMPLETION_LEN_FIRST - 8 : COMPLETION_LEN - less[i];
		stepbus_step_event *e = cut(&event, event_len);
		stepbus_completion *c = cut(&completion, completion_len);
		const stepbus_step_event *event_out = NULL;
		const stepbus_completion *completion_out = NULL;

		assert_int_equal(sb_payload_check_step_event(e, event_len, &event_out, NULL),
				 STEPBUS_EINVAL);
		assert_int_equal(
			sb_payload_check_completion(c, completion_len, &completion_out, NULL),
			STEPBUS_EINVAL);
		free(e);
		free(c);
	}
}

/* What waits in a queue is as long as what was published. */
static void a_shorter_payload_is_copied_as_it_is(void **state)
{
	const stepbus_step_event event = event_with_all();
	const stepbus_completion completion = completion_with_all();
	stepbus_step_event *e = cut(&event, EVENT_LEN_FIRST);
	stepbus_completion *c = cut(&completion, COMPLETION_LEN_FIRST);
	stepbus_host host;
	void *copy = NULL;

	(void)state;
	assert_int_equal(sb_host_fill(NULL, &host, NULL), STEPBUS_OK);
	assert_int_equal(
		sb_payload_copy(&host, SB_PAYLOAD_STEP_EVENT, e, EVENT_LEN_FIRST, &copy, NULL),
		STEPBUS_OK);
	assert_int_equal(((stepbus_step_event *)copy)->size, EVENT_LEN_FIRST);
	assert_string_equal(((stepbus_step_event *)copy)->input, "old");
	sb_release(&host, copy);
	assert_int_equal(
		sb_payload_copy(&host, SB_PAYLOAD_COMPLETION, c, COMPLETION_LEN_FIRST, &copy, NULL),
		STEPBUS_OK);
	assert_int_equal(((stepbus_completion *)copy)->size, COMPLETION_LEN_FIRST);
	assert_string_equal(((stepbus_completion *)copy)->result, "old");
	sb_release(&host, copy);
	free(e);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shorter_event_is_read_as_if_the_rest_were_zero),
		cmocka_unit_test(a_longer_event_is_read_where_it_is),
		cmocka_unit_test(a_shorter_completion_is_one),
		cmocka_unit_test(what_is_shorter_than_the_first_or_cut_inside_a_field_is_refused),
		cmocka_unit_test(a_shorter_payload_is_copied_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
