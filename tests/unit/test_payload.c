/* SPDX-License-Identifier: MIT */
/* Payloads: checking structs, copying them into queues, and looking into JSON. */
#include "bridge/payload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/listener.h"
#include "support/thread.h"

/* A step event with everything in it, in memory that can be overwritten in one go. */
typedef struct full_step {
	char texts[9][16];
	stepbus_dependency dependencies[2];
	stepbus_step_event event;
} full_step;

static void fill_step(full_step *s)
{
	static const char *const texts[] = { "correlation", "step", "space", "handler",   "1.2.3",
					     "in\0put",     "type", "{}",    "dependency" };

	memset(s, 0, sizeof *s);
	for (size_t i = 0; i < 9; i++)
		memcpy(s->texts[i], texts[i], i == 5 ? 6 : strlen(texts[i]));
	for (size_t i = 0; i < 2; i++)
		s->dependencies[i] =
			(stepbus_dependency){ .size = sizeof s->dependencies[i],
					      .step_name = s->texts[8],
					      .step_name_len = 10 - i,
					      .result = s->texts[5],
					      .result_len = 6 - i,
					      .content_type = i == 0 ? s->texts[6] : NULL,
					      .content_type_len = i == 0 ? 4 : 0 };
	s->event = (stepbus_step_event){ .size = sizeof s->event,
					 .step_id = { 1, 2, 3 },
					 .task_id = { 4, 5, 6 },
					 .token = UINT64_MAX,
					 .retry_count = 7,
					 .max_retries = 8,
					 .correlation_id = s->texts[0],
					 .correlation_id_len = 11,
					 .step_name = s->texts[1],
					 .step_name_len = 4,
					 .handler_namespace = s->texts[2],
					 .handler_namespace_len = 5,
					 .handler_name = s->texts[3],
					 .handler_name_len = 7,
					 .handler_version = s->texts[4],
					 .handler_version_len = 5,
					 .input = s->texts[5],
					 .input_len = 6,
					 .content_type = s->texts[6],
					 .content_type_len = 4,
					 .step_config = s->texts[7],
					 .step_config_len = 2,
					 .queue = s->texts[1],
					 .queue_len = 3,
					 .traceparent = s->texts[4],
					 .traceparent_len = 4,
					 .cursor = s->texts[5],
					 .cursor_len = 4,
					 .partial_result = s->texts[5],
					 .partial_result_len = 3,
					 .items_processed = UINT64_MAX,
					 .attempt_timeout_ms = INT64_MAX,
					 .dependencies = s->dependencies,
					 .dependency_count = 2 };
}

static bool is_text(const void *text, size_t len, const char *expected, size_t expected_len)
{
	/* Copies end in a NUL that the length does not count. */
	return len == expected_len && memcmp(text, expected, len) == 0 &&
	       ((const char *)text)[len] == '\0';
}

/* The number of the first thing that is not as fill_step made it; 0: all of it is. */
static int find_difference(const stepbus_step_event *e)
{
	static const uint8_t step_id[16] = { 1, 2, 3 }, task_id[16] = { 4, 5, 6 };
	const stepbus_dependency *d = e->dependencies;
	const bool checks[] = {
		e->size == sizeof *e && e->flags == 0 && e->token == UINT64_MAX,
		e->retry_count == 7 && e->max_retries == 8,
		memcmp(e->step_id, step_id, 16) == 0 && memcmp(e->task_id, task_id, 16) == 0,
		is_text(e->correlation_id, e->correlation_id_len, "correlation", 11),
		is_text(e->step_name, e->step_name_len, "step", 4),
		is_text(e->handler_namespace, e->handler_namespace_len, "space", 5),
		is_text(e->handler_name, e->handler_name_len, "handler", 7),
		is_text(e->handler_version, e->handler_version_len, "1.2.3", 5),
		is_text(e->input, e->input_len, "in\0put", 6),
		is_text(e->content_type, e->content_type_len, "type", 4),
		is_text(e->step_config, e->step_config_len, "{}", 2),
		is_text(e->queue, e->queue_len, "ste", 3),
		is_text(e->traceparent, e->traceparent_len, "1.2.", 4),
		is_text(e->cursor, e->cursor_len, "in\0p", 4),
		is_text(e->partial_result, e->partial_result_len, "in\0", 3),
		e->items_processed == UINT64_MAX && e->attempt_timeout_ms == INT64_MAX,
		e->dependency_count == 2 && d[0].size == sizeof *d && d[1].size == sizeof *d,
		is_text(d[0].step_name, d[0].step_name_len, "dependency", 10),
		is_text(d[0].result, d[0].result_len, "in\0put", 6),
		is_text(d[0].content_type, d[0].content_type_len, "type", 4),
		is_text(d[1].step_name, d[1].step_name_len, "dependenc", 9),
		is_text(d[1].result, d[1].result_len, "in\0pu", 5),
		d[1].content_type == NULL && d[1].content_type_len == 0,
	};

	for (size_t i = 0; i < sizeof checks; i++)
		if (!checks[i])
			return (int)i + 1;
	return 0;
}

enum { COMPLETION_TEXT_COUNT = 12 };

typedef struct full_completion {
	char texts[COMPLETION_TEXT_COUNT][16];
	stepbus_completion completion;
} full_completion;

static const char *const completion_texts[] = { "correlation", "handler",   "1.2.3", "worker",
						"re\0sult",    "type",      "oops",  "it failed",
						"E42",         "{\"a\":1}", "at\nb", "cu\0r" };
static const size_t completion_lens[] = { 11, 7, 5, 6, 7, 4, 4, 9, 3, 7, 4, 4 };

static void fill_completion(full_completion *c)
{
	memset(c, 0, sizeof *c);
	for (size_t i = 0; i < COMPLETION_TEXT_COUNT; i++)
		memcpy(c->texts[i], completion_texts[i], completion_lens[i]);
	c->completion = (stepbus_completion){ .size = sizeof c->completion,
					      .outcome = STEPBUS_OUTCOME_FAILURE,
					      .step_id = { 1, 2, 3 },
					      .task_id = { 4, 5, 6 },
					      .token = UINT64_MAX,
					      .execution_time_us = INT64_MAX,
					      .retry_after_ms = -1,
					      .is_retryable = 1,
					      .correlation_id = c->texts[0],
					      .correlation_id_len = completion_lens[0],
					      .handler_name = c->texts[1],
					      .handler_name_len = completion_lens[1],
					      .handler_version = c->texts[2],
					      .handler_version_len = completion_lens[2],
					      .worker_id = c->texts[3],
					      .worker_id_len = completion_lens[3],
					      .result = c->texts[4],
					      .result_len = completion_lens[4],
					      .content_type = c->texts[5],
					      .content_type_len = completion_lens[5],
					      .error_type = c->texts[6],
					      .error_type_len = completion_lens[6],
					      .error_message = c->texts[7],
					      .error_message_len = completion_lens[7],
					      .error_code = c->texts[8],
					      .error_code_len = completion_lens[8],
					      .metadata = c->texts[9],
					      .metadata_len = completion_lens[9],
					      .backtrace = c->texts[10],
					      .backtrace_len = completion_lens[10],
					      .cursor = c->texts[11],
					      .cursor_len = completion_lens[11],
					      .items_processed = UINT64_MAX };
}

static int find_completion_difference(const stepbus_completion *c)
{
	static const uint8_t step_id[16] = { 1, 2, 3 }, task_id[16] = { 4, 5, 6 };
	const void *texts[] = { c->correlation_id, c->handler_name,  c->handler_version,
				c->worker_id,      c->result,        c->content_type,
				c->error_type,     c->error_message, c->error_code,
				c->metadata,       c->backtrace,     c->cursor };
	const size_t lens[] = { c->correlation_id_len, c->handler_name_len,  c->handler_version_len,
				c->worker_id_len,      c->result_len,        c->content_type_len,
				c->error_type_len,     c->error_message_len, c->error_code_len,
				c->metadata_len,       c->backtrace_len,     c->cursor_len };

	if (c->size != sizeof *c || c->outcome != STEPBUS_OUTCOME_FAILURE || c->reserved != 0 ||
	    c->token != UINT64_MAX || c->execution_time_us != INT64_MAX ||
	    c->retry_after_ms != -1 || c->is_retryable != 1 || c->items_processed != UINT64_MAX ||
	    memcmp(c->step_id, step_id, 16) != 0 || memcmp(c->task_id, task_id, 16) != 0)
		return 1;
	for (size_t i = 0; i < COMPLETION_TEXT_COUNT; i++)
		if (!is_text(texts[i], lens[i], completion_texts[i], completion_lens[i]))
			return (int)i + 2;
	return 0;
}

/* Waits until the publisher's memory is gone, and then looks at what it was given. */
typedef struct reader {
	sem_t is_gone;
	sem_t is_read;
	int difference;
	size_t len;
} reader;

static int32_t read_step(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	reader *r = user_data;
	const stepbus_step_event *event = NULL;

	(void)event_id;
	test_semaphore_wait(&r->is_gone);
	r->difference = 99;
	r->len = len;
	if (stepbus_payload_step_event(payload, len, &event, NULL) == STEPBUS_OK)
		r->difference = find_difference(event);
	sem_post(&r->is_read);
	return STEPBUS_OK;
}

static int32_t read_completion(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	reader *r = user_data;
	const stepbus_completion *completion = NULL;

	(void)event_id;
	test_semaphore_wait(&r->is_gone);
	r->difference = 99;
	r->len = len;
	if (stepbus_payload_completion(payload, len, &completion, NULL) == STEPBUS_OK)
		r->difference = find_completion_difference(completion);
	sem_post(&r->is_read);
	return STEPBUS_OK;
}

static void listen_as_reader(test_bridge *b, reader *r, stepbus_event_fn deliver)
{
	const stepbus_subscription spec = { .size = sizeof spec,
					    .flags = STEPBUS_SUBSCRIPTION_QUEUED,
					    .deliver = deliver,
					    .user_data = r };

	sem_init(&r->is_gone, 0, 0);
	sem_init(&r->is_read, 0, 0);
	assert_int_equal(stepbus_bridge_subscribe(b->bridge, "step.*", 6, &spec, NULL, &b->err),
			 STEPBUS_OK);
}

static void a_queued_step_event_outlives_its_publisher(void **state)
{
	test_bridge *b = *state;
	full_step *step = malloc(sizeof *step);
	reader r;

	fill_step(step);
	listen_as_reader(b, &r, read_step);
	assert_int_equal(stepbus_bridge_publish(
				 b->bridge, test_event(b, STEPBUS_EVENT_STEP_EXECUTION_RECEIVED),
				 &step->event, sizeof step->event, &b->err),
			 STEPBUS_OK);
	memset(step, 0xEE, sizeof *step);
	free(step);
	sem_post(&r.is_gone);
	test_semaphore_wait(&r.is_read);
	test_bridge_free(b);
	assert_int_equal(r.difference, 0);
	assert_int_equal(r.len, sizeof(stepbus_step_event));
}

static void a_queued_completion_outlives_its_publisher(void **state)
{
	test_bridge *b = *state;
	full_completion *completion = malloc(sizeof *completion);
	reader r;

	fill_completion(completion);
	listen_as_reader(b, &r, read_completion);
	assert_int_equal(stepbus_bridge_publish(
				 b->bridge, test_event(b, STEPBUS_EVENT_STEP_COMPLETION_SENT),
				 &completion->completion, sizeof completion->completion, &b->err),
			 STEPBUS_OK);
	memset(completion, 0xEE, sizeof *completion);
	free(completion);
	sem_post(&r.is_gone);
	test_semaphore_wait(&r.is_read);
	test_bridge_free(b);
	assert_int_equal(r.difference, 0);
	assert_int_equal(r.len, sizeof(stepbus_completion));
}

static void an_empty_step_event_can_be_copied(void **state)
{
	test_bridge *b = *state;
	const stepbus_step_event event = { .size = sizeof event };
	stepbus_step_event *copy;
	void *block = NULL;

	assert_int_equal(sb_payload_copy(&b->t.host, SB_PAYLOAD_STEP_EVENT, &event, sizeof event,
					 &block, NULL),
			 STEPBUS_OK);
	copy = block;
	assert_int_equal(copy->size, sizeof event);
	assert_int_equal(copy->dependency_count, 0);
	assert_null(copy->step_name);
	b->t.host.allocate(&b->t, block, 0);
}

static void a_newer_struct_is_copied_with_its_tail(void **state)
{
	test_bridge *b = *state;
	struct {
		stepbus_completion known;
		uint64_t tail;
	} newer = { .tail = 0 };
	char name[] = "handler";
	stepbus_completion *copy;
	void *block = NULL;

	newer.known.size = sizeof newer;
	newer.known.handler_name = name;
	newer.known.handler_name_len = 7;
	assert_int_equal(sb_payload_copy(&b->t.host, SB_PAYLOAD_COMPLETION, &newer, sizeof newer,
					 &block, NULL),
			 STEPBUS_OK);
	memset(name, 'x', sizeof name);
	copy = block;
	assert_int_equal(copy->size, sizeof newer);
	assert_string_equal(copy->handler_name, "handler");
	b->t.host.allocate(&b->t, block, 0);
	newer.tail = UINT64_C(1) << 56;
	assert_int_equal(sb_payload_copy(&b->t.host, SB_PAYLOAD_COMPLETION, &newer, sizeof newer,
					 &block, &b->err),
			 STEPBUS_EINVAL);
	assert_null(block);
}

/* Pointers of a step event whose lengths stay. */
static const size_t step_pointers[] = {
	offsetof(stepbus_step_event, correlation_id),    offsetof(stepbus_step_event, step_name),
	offsetof(stepbus_step_event, handler_namespace), offsetof(stepbus_step_event, handler_name),
	offsetof(stepbus_step_event, handler_version),   offsetof(stepbus_step_event, input),
	offsetof(stepbus_step_event, content_type),      offsetof(stepbus_step_event, step_config),
	offsetof(stepbus_step_event, dependencies),      offsetof(stepbus_step_event, queue),
	offsetof(stepbus_step_event, traceparent),       offsetof(stepbus_step_event, cursor),
	offsetof(stepbus_step_event, partial_result),
};

enum { POINTER_COUNT = sizeof step_pointers / sizeof *step_pointers };

/* Changes one thing of a full struct so that it is none any more. */
static void spoil_step(full_step *s, int how)
{
	switch (how) {
	case 0:
		s->event.size = sizeof s->event - 1;
		break;
	case 1:
		s->event.size = sizeof s->event + 8;
		break;
	case 2:
		s->event.size = 0;
		break;
	case 3:
		s->event.flags = 2;
		break;
	case 4:
		s->event.dependency_count = 65537;
		break;
	case 5:
		s->event.dependency_count = SIZE_MAX;
		break;
	case 6:
		s->dependencies[1].size = 0;
		break;
	case 7:
		s->dependencies[1].size = sizeof s->dependencies[1] + 8;
		break;
	case 8:
		s->dependencies[1].step_name = NULL;
		break;
	case 9:
		s->dependencies[1].result = NULL;
		break;
	case 10:
		s->dependencies[0].content_type = NULL;
		break;
	default:
		memset((char *)&s->event + step_pointers[how - 11], 0, sizeof(void *));
		break;
	}
}

static void what_is_no_step_event_is_refused(void **state)
{
	const stepbus_step_event *out = NULL;
	full_step s;

	(void)state;
	for (int how = 0; how < 11 + (int)POINTER_COUNT; how++) {
		stepbus_error err = STEPBUS_ERROR_INIT;

		fill_step(&s);
		spoil_step(&s, how);
		if (stepbus_payload_step_event(&s.event, sizeof s.event, &out, &err) !=
		    STEPBUS_EINVAL)
			fail_msg("spoiled as %d it should be refused", how);
		assert_true(err.message[0] != '\0');
		assert_null(out);
	}
	fill_step(&s);
	for (size_t len = 0; len < sizeof s.event; len += 4)
		assert_int_equal(stepbus_payload_step_event(&s.event, len, &out, NULL),
				 STEPBUS_EINVAL);
	assert_int_equal(stepbus_payload_step_event(NULL, sizeof s.event, &out, NULL),
			 STEPBUS_EINVAL);
	assert_int_equal(stepbus_payload_step_event(&s.event, sizeof s.event, NULL, NULL),
			 STEPBUS_EINVAL);
	assert_null(out);
	assert_int_equal(stepbus_payload_step_event(&s.event, sizeof s.event, &out, NULL),
			 STEPBUS_OK);
	assert_ptr_equal(out, &s.event);
}

static void what_is_no_completion_is_refused(void **state)
{
	static const size_t pointers[] = {
		offsetof(stepbus_completion, correlation_id),
		offsetof(stepbus_completion, handler_name),
		offsetof(stepbus_completion, handler_version),
		offsetof(stepbus_completion, worker_id),
		offsetof(stepbus_completion, result),
		offsetof(stepbus_completion, content_type),
		offsetof(stepbus_completion, error_type),
		offsetof(stepbus_completion, error_message),
		offsetof(stepbus_completion, error_code),
		offsetof(stepbus_completion, metadata),
		offsetof(stepbus_completion, backtrace),
		offsetof(stepbus_completion, cursor),
	};
	const stepbus_completion *out = NULL;
	full_completion c;

	(void)state;
	for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++) {
		fill_completion(&c);
		memset((char *)&c.completion + pointers[i], 0, sizeof(void *));
		assert_int_equal(
			stepbus_payload_completion(&c.completion, sizeof c.completion, &out, NULL),
			STEPBUS_EINVAL);
	}
	fill_completion(&c);
	for (size_t len = 0; len < sizeof c.completion; len += 4)
		assert_int_equal(stepbus_payload_completion(&c.completion, len, &out, NULL),
				 STEPBUS_EINVAL);
	assert_null(out);
	assert_int_equal(stepbus_payload_completion(&c.completion, sizeof c.completion, NULL, NULL),
			 STEPBUS_EINVAL);
	assert_int_equal(stepbus_payload_completion(&c.completion, sizeof c.completion, &out, NULL),
			 STEPBUS_OK);
	assert_ptr_equal(out, &c.completion);
}

static void a_struct_at_an_odd_address_is_refused(void **state)
{
	_Alignas(8) char block[sizeof(stepbus_step_event) + 8];
	const stepbus_step_event event = { .size = sizeof event };
	const stepbus_step_event *out = NULL;

	(void)state;
	for (size_t shift = 1; shift < 8; shift++) {
		memcpy(block + shift, &event, sizeof event);
		assert_int_equal(
			stepbus_payload_step_event(block + shift, sizeof event, &out, NULL),
			STEPBUS_EINVAL);
	}
	assert_null(out);
}

static void a_length_that_no_memory_holds_is_refused(void **state)
{
	test_bridge *b = *state;
	full_completion c;
	full_step s;
	void *block = NULL;

	fill_completion(&c);
	c.completion.result_len = SIZE_MAX;
	assert_int_equal(sb_payload_copy(&b->t.host, SB_PAYLOAD_COMPLETION, &c.completion,
					 sizeof c.completion, &block, NULL),
			 STEPBUS_ENOMEM);
	c.completion.result_len = SIZE_MAX / 2;
	c.completion.metadata_len = SIZE_MAX / 2;
	assert_int_equal(sb_payload_copy(&b->t.host, SB_PAYLOAD_COMPLETION, &c.completion,
					 sizeof c.completion, &block, NULL),
			 STEPBUS_ENOMEM);
	fill_step(&s);
	s.dependencies[1].result_len = SIZE_MAX - 100;
	assert_int_equal(sb_payload_copy(&b->t.host, SB_PAYLOAD_STEP_EVENT, &s.event,
					 sizeof s.event, &block, NULL),
			 STEPBUS_ENOMEM);
	assert_int_equal(sb_payload_copy(&b->t.host, SB_PAYLOAD_BYTES, "x", SIZE_MAX, &block, NULL),
			 STEPBUS_ENOMEM);
	assert_null(block);
}

static void a_queue_refuses_a_struct_that_is_none(void **state)
{
	test_bridge *b = *state;
	test_listener queued = { .mark = 0 }, plain = { .mark = 0 };
	const char *name = STEPBUS_EVENT_STEP_EXECUTION_RECEIVED;
	uint32_t event = test_event(b, name);

	test_listen(b, &queued, name, STEPBUS_SUBSCRIPTION_QUEUED, 0);
	test_listen(b, &plain, name, 0, -1);
	assert_int_equal(stepbus_bridge_publish(b->bridge, event, "bytes", 5, NULL),
			 STEPBUS_EDELIVERY);
	assert_int_equal(plain.delivered_count, 1);
	assert_int_equal(test_stat(b, "queued.offered"), 1);
	assert_int_equal(test_stat(b, "queued.dropped"), 1);
	test_bridge_free(b);
	assert_int_equal(queued.delivered_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(a_queued_step_event_outlives_its_publisher),
		BRIDGE_TEST(a_queued_completion_outlives_its_publisher),
		BRIDGE_TEST(an_empty_step_event_can_be_copied),
		BRIDGE_TEST(a_newer_struct_is_copied_with_its_tail),
		cmocka_unit_test(what_is_no_step_event_is_refused),
		cmocka_unit_test(what_is_no_completion_is_refused),
		cmocka_unit_test(a_struct_at_an_odd_address_is_refused),
		BRIDGE_TEST(a_length_that_no_memory_holds_is_refused),
		BRIDGE_TEST(a_queue_refuses_a_struct_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
