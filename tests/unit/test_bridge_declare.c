/* SPDX-License-Identifier: MIT */
/* Declaring events: what is refused, what is declared unasked, and how many there may be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/catalog_standard.h"
#include "support/answer.h"
#include "support/listener.h"
#include "support/thread.h"

static stepbus_event_info info_of(const char *name)
{
	return (stepbus_event_info){ .size = sizeof(stepbus_event_info),
				     .name = name,
				     .name_len = strlen(name) };
}

static stepbus_status declare(test_bridge *b, const stepbus_event_info *info)
{
	b->err = (stepbus_error)STEPBUS_ERROR_INIT;
	return stepbus_bridge_declare(b->bridge, info, NULL, &b->err);
}

static void open_with(test_bridge *b, uint32_t flags, uint32_t event_count_max)
{
	const stepbus_bridge_options options = { .size = sizeof options,
						 .flags = flags,
						 .host = &b->t.host,
						 .event_count_max = event_count_max };

	assert_int_equal(stepbus_bridge_new(&options, &b->bridge, &b->err), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_start(b->bridge, &b->err), STEPBUS_OK);
}

static void ids_are_small_and_in_order(void **state)
{
	test_bridge *b = *state;
	uint32_t first = test_declare(b, "order.made"), second = test_declare(b, "order.paid");

	assert_int_equal(first, sb_catalog_standard_count);
	assert_int_equal(second, first + 1);
	assert_int_equal(test_event(b, "order.made"), first);
	assert_int_equal(test_event(b, "order.paid"), second);
}

static void a_name_that_is_taken_is_refused(void **state)
{
	test_bridge *b = *state;
	stepbus_event_info info = info_of("order.made");
	uint32_t event = test_declare(b, "order.made");

	assert_int_equal(declare(b, &info), STEPBUS_EEXISTS);
	assert_non_null(strstr(b->err.message, "order.made"));
	info = info_of(STEPBUS_EVENT_HANDLER_ERROR);
	assert_int_equal(declare(b, &info), STEPBUS_EEXISTS);
	assert_int_equal(test_event(b, "order.made"), event);
	/* Another case is another name. */
	info = info_of("Order.made");
	assert_int_equal(declare(b, &info), STEPBUS_OK);
}

/* What is wrong with a declaration, and the word by which the message names it. */
typedef struct refusal {
	const char *name;
	const char *category;
	const char *description;
	const char *schema;
	const char *example;
	const char *fired_by;
	const char *said;
} refusal;

static const refusal refusals[] = {
	{ .name = "", .said = "name" },
	{ .name = "order.*", .said = "name" },
	{ .name = "order made", .said = "name" },
	{ .name = "order.", .said = "name" },
	{ .name = "\xc3\xa4", .said = "name" },
	{ .name = "a.b", .category = "orders", .said = "category" },
	{ .name = "a.b", .category = "Task", .said = "category" },
	{ .name = "a.b", .category = "\xff", .said = "category" },
	{ .name = "a.b", .description = "\xff", .said = "description" },
	{ .name = "a.b", .fired_by = "\xc3", .said = "fired_by" },
	{ .name = "a.b", .schema = "{", .said = "schema" },
	{ .name = "a.b", .schema = "{}}", .said = "schema" },
	{ .name = "a.b", .schema = "{'a':1}", .said = "schema" },
	{ .name = "a.b", .schema = " ", .said = "schema" },
	{ .name = "a.b", .schema = "{\"a\":\"\\ud800\"}", .said = "schema" },
	{ .name = "a.b", .example = "nope", .said = "example" },
	{ .name = "a.b", .example = "\xef\xbb\xbf{}", .said = "example" },
	{ .name = "a.b", .example = "[1,]", .said = "example" },
};

static size_t len_of(const char *text)
{
	return text != NULL ? strlen(text) : 0;
}

static void what_is_wrong_is_refused_by_its_name(void **state)
{
	test_bridge *b = *state;

	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		const refusal *r = &refusals[i];
		const stepbus_event_info info = { .size = sizeof info,
						  .name = r->name,
						  .name_len = len_of(r->name),
						  .category = r->category,
						  .category_len = len_of(r->category),
						  .description = r->description,
						  .description_len = len_of(r->description),
						  .schema = r->schema,
						  .schema_len = len_of(r->schema),
						  .example = r->example,
						  .example_len = len_of(r->example),
						  .fired_by = r->fired_by,
						  .fired_by_len = len_of(r->fired_by) };

		if (declare(b, &info) != STEPBUS_EINVAL)
			fail_msg("row %zu should be refused", i);
		if (strstr(b->err.message, r->said) == NULL)
			fail_msg("row %zu: '%s' does not name '%s'", i, b->err.message, r->said);
	}
	assert_int_equal(test_stat(b, "events"), sb_catalog_standard_count);
}

static void a_length_without_text_is_refused(void **state)
{
	test_bridge *b = *state;
	size_t offsets[] = { offsetof(stepbus_event_info, name_len),
			     offsetof(stepbus_event_info, category_len),
			     offsetof(stepbus_event_info, description_len),
			     offsetof(stepbus_event_info, schema_len),
			     offsetof(stepbus_event_info, example_len),
			     offsetof(stepbus_event_info, fired_by_len) };

	for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
		stepbus_event_info info = info_of("a.b");
		const size_t len = 3;

		if (i == 0)
			info.name = NULL;
		memcpy((char *)&info + offsets[i], &len, sizeof len);
		assert_int_equal(declare(b, &info), STEPBUS_EINVAL);
	}
}

static void texts_have_limits(void **state)
{
	test_bridge *b = *state;
	stepbus_event_info info;
	char *text = malloc(4097), name[129];

	memset(text, 'x', 4097);
	memset(name, 'n', sizeof name);
	info = (stepbus_event_info){ .size = sizeof info, .name = name, .name_len = 129 };
	assert_int_equal(declare(b, &info), STEPBUS_EINVAL);
	info.name_len = 128;
	info.description = text;
	info.description_len = 4097;
	assert_int_equal(declare(b, &info), STEPBUS_EINVAL);
	info.description_len = 4096;
	info.fired_by = text;
	info.fired_by_len = 4097;
	assert_int_equal(declare(b, &info), STEPBUS_EINVAL);
	info.fired_by_len = 4096;
	assert_int_equal(declare(b, &info), STEPBUS_OK);
	free(text);
}

static void structs_that_cannot_be_are_refused(void **state)
{
	test_bridge *b = *state;
	stepbus_event_info info = info_of("a.b");

	assert_int_equal(declare(b, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_declare(NULL, &info, NULL, NULL), STEPBUS_EINVAL);
	info.flags = 1;
	assert_int_equal(declare(b, &info), STEPBUS_EINVAL);
	info = info_of("a.b");
	info.size = 0;
	assert_int_equal(declare(b, &info), STEPBUS_EINVAL);
	/* An older header ends behind the name. */
	info.size = offsetof(stepbus_event_info, category);
	assert_int_equal(declare(b, &info), STEPBUS_OK);
}

static void an_undeclared_name_is_refused_where_that_was_not_asked_for(void **state)
{
	test_bridge *b = *state;
	uint32_t event = 77;

	assert_int_equal(stepbus_bridge_event(b->bridge, STEPBUS_TEXT("order.made"), &event, NULL),
			 STEPBUS_ENOTFOUND);
	assert_int_equal(
		stepbus_bridge_publish_name(b->bridge, STEPBUS_TEXT("order.made"), NULL, 0, NULL),
		STEPBUS_ENOTFOUND);
	assert_int_equal(event, 77);
	assert_int_equal(test_stat(b, "events"), sb_catalog_standard_count);
}

static void an_undeclared_name_is_declared_where_that_was_asked_for(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 'a' };
	stepbus_text *text = NULL;
	uint32_t event;
	cJSON *entry;

	open_with(b, STEPBUS_BRIDGE_ALLOW_UNDECLARED, 0);
	test_listen(b, &l, "order.*", 0, 0);
	assert_int_equal(
		stepbus_bridge_publish_name(b->bridge, STEPBUS_TEXT("order.made"), NULL, 0, NULL),
		STEPBUS_OK);
	assert_string_equal(test_trace_take(&b->trace), "a");
	event = test_event(b, "order.paid");
	assert_int_equal(event, test_event(b, "order.made") + 1);
	test_publish(b, event);
	assert_string_equal(test_trace_take(&b->trace), "a");
	assert_int_equal(
		stepbus_catalog_explain(b->bridge, STEPBUS_TEXT("order.paid"), &text, NULL),
		STEPBUS_OK);
	entry = test_answer_take(text);
	assert_string_equal(test_answer_text(entry, "category"), "custom");
	cJSON_Delete(entry);
	/* What is no name is not declared, and looking or subscribing declares nothing. */
	assert_int_equal(
		stepbus_bridge_publish_name(b->bridge, STEPBUS_TEXT("order.*"), NULL, 0, NULL),
		STEPBUS_EINVAL);
	assert_int_equal(
		stepbus_catalog_explain(b->bridge, STEPBUS_TEXT("order.lost"), &text, NULL),
		STEPBUS_ENOTFOUND);
	assert_int_equal(
		stepbus_bridge_listener_count(b->bridge, STEPBUS_TEXT("order.lost"), &event, NULL),
		STEPBUS_ENOTFOUND);
	test_bridge_free(b);
}

static void the_limit_of_events_is_kept(void **state)
{
	test_bridge *b = *state;
	stepbus_event_info info = info_of("order.sent");
	uint32_t event = 77;

	open_with(b, STEPBUS_BRIDGE_ALLOW_UNDECLARED, (uint32_t)sb_catalog_standard_count + 2);
	test_declare(b, "order.made");
	assert_int_equal(test_event(b, "order.paid"), sb_catalog_standard_count + 1);
	assert_int_equal(declare(b, &info), STEPBUS_ELIMIT);
	assert_non_null(strstr(b->err.message, "event_count_max"));
	assert_int_equal(stepbus_bridge_event(b->bridge, STEPBUS_TEXT("order.sent"), &event, NULL),
			 STEPBUS_ELIMIT);
	assert_int_equal(
		stepbus_bridge_publish_name(b->bridge, STEPBUS_TEXT("order.sent"), NULL, 0, NULL),
		STEPBUS_ELIMIT);
	assert_int_equal(event, 77);
	test_publish(b, test_event(b, "order.paid"));
}

static void options_that_are_not_allowed_are_refused(void **state)
{
	static const stepbus_bridge_options rows[] = {
		{ .size = sizeof rows[0], .flags = 2 },
		{ .size = sizeof rows[0], .event_count_max = 1 },
		{ .size = sizeof rows[0], .event_count_max = 1048577 },
		{ .size = sizeof rows[0], .subscription_count_max = 1048577 },
		{ .size = 4 },
	};
	test_bridge *b = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(stepbus_bridge_new(&rows[i], &b->bridge, &b->err), STEPBUS_EINVAL);
		assert_null(b->bridge);
	}
	assert_int_equal(stepbus_bridge_new(NULL, NULL, &b->err), STEPBUS_EINVAL);
}

static void twenty_thousand_events_reach_who_subscribes_to_all(void **state)
{
	enum { COUNT = 20000 };
	test_bridge *b = *state;
	test_listener plain = { .mark = 0 }, queued = { .mark = 0 };
	uint32_t first = (uint32_t)sb_catalog_standard_count;
	char name[32];

	open_with(b, 0, COUNT + first);
	test_listen(b, &plain, "*", 0, 0);
	test_listen(b, &queued, "*", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	for (uint32_t i = 0; i < COUNT; i++) {
		(void)snprintf(name, sizeof name, "order-%u.made", i);
		assert_int_equal(test_declare(b, name), first + i);
		if (i % 100 == 0)
			test_publish(b, first + i);
	}
	assert_int_equal(plain.delivered_count, COUNT / 100);
	for (uint32_t i = 0; i < COUNT; i++) {
		(void)snprintf(name, sizeof name, "order-%u.made", i);
		assert_int_equal(
			stepbus_bridge_publish_name(b->bridge, name, strlen(name), NULL, 0, NULL),
			STEPBUS_OK);
		if (i % 500 == 0)
			stepbus_bridge_flush(b->bridge, -1, NULL);
	}
	stepbus_bridge_flush(b->bridge, -1, NULL);
	assert_int_equal(plain.delivered_count, COUNT / 100 + COUNT);
	assert_int_equal(queued.delivered_count, COUNT / 100 + COUNT);
	assert_int_equal(declare(b, &(stepbus_event_info){ .size = sizeof(stepbus_event_info),
							   .name = "a.b",
							   .name_len = 3 }),
			 STEPBUS_ELIMIT);
	test_unlisten(&plain);
	test_publish(b, first + COUNT - 1);
	test_bridge_free(b);
}

/* A host whose allocator stops in the middle of a declaration, until it is let go. */
typedef struct slow_host {
	stepbus_host host;
	_Atomic(int) countdown; /* the allocation at which it becomes 0 stops */
	_Atomic(bool) has_stopped;
	sem_t stopped;
	sem_t released;
	stepbus_bridge *bridge;
	stepbus_status status;
	test_thread thread;
} slow_host;

static void *allocate_slowly(void *user_data, void *block, size_t len)
{
	slow_host *slow = user_data;

	if (len > 0 && atomic_load(&slow->countdown) > 0 &&
	    atomic_fetch_sub(&slow->countdown, 1) == 1) {
		atomic_store(&slow->has_stopped, true);
		sem_post(&slow->stopped);
		test_semaphore_wait(&slow->released);
	}
	if (len > 0)
		return realloc(block, len);
	free(block);
	return NULL;
}

static void open_slow(slow_host *slow)
{
	stepbus_bridge_options options = { .size = sizeof options, .host = &slow->host };

	*slow = (slow_host){ .host = { .size = sizeof slow->host,
				       .user_data = slow,
				       .allocate = allocate_slowly } };
	sem_init(&slow->stopped, 0, 0);
	sem_init(&slow->released, 0, 0);
	assert_int_equal(stepbus_bridge_new(&options, &slow->bridge, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_start(slow->bridge, NULL), STEPBUS_OK);
}

static void declare_slowly(void *context)
{
	slow_host *slow = context;
	const stepbus_event_info info = info_of("order.made");

	slow->status = stepbus_bridge_declare(slow->bridge, &info, NULL, NULL);
	/* Where there was no such allocation. */
	atomic_store(&slow->countdown, 0);
	if (!atomic_load(&slow->has_stopped))
		sem_post(&slow->stopped);
}

static void an_id_is_not_known_before_its_declaration_is_complete(void **state)
{
	const uint32_t event = (uint32_t)sb_catalog_standard_count;

	(void)state;
	for (int n = 1; n <= 8; n++) {
		slow_host slow;
		test_bridge b = { .err = STEPBUS_ERROR_INIT };
		test_listener plain = { .answer = 7 }, queued = { .mark = 0 };
		stepbus_status status;

		open_slow(&slow);
		b.bridge = slow.bridge;
		test_listen(&b, &plain, "*", 0, 0);
		test_listen(&b, &queued, "*", STEPBUS_SUBSCRIPTION_QUEUED, 0);
		atomic_store(&slow.countdown, n);
		test_thread_start(&slow.thread, declare_slowly, &slow);
		test_semaphore_wait(&slow.stopped);
		status = stepbus_bridge_publish(slow.bridge, event, NULL, 0, NULL);
		/* It stopped in the middle, or there was no nth allocation. */
		assert_int_equal(status, atomic_load(&slow.has_stopped) ? STEPBUS_ENOTFOUND :
									  STEPBUS_EDELIVERY);
		assert_int_equal(plain.delivered_count, status == STEPBUS_EDELIVERY);
		sem_post(&slow.released);
		test_thread_join(&slow.thread);
		assert_int_equal(slow.status, STEPBUS_OK);
		stepbus_bridge_free(slow.bridge);
		assert_int_equal(queued.delivered_count, plain.delivered_count);
	}
}

static void stop_bridge(void *context)
{
	slow_host *slow = context;

	slow->status = stepbus_bridge_stop(slow->bridge, NULL);
}

static void stopping_while_a_declaration_grows_the_table_is_safe(void **state)
{
	slow_host slow, stopper;
	test_bridge b = { .err = STEPBUS_ERROR_INIT };
	test_listener l = { .mark = 0 };
	char name[32];

	(void)state;
	open_slow(&slow);
	b.bridge = stopper.bridge = slow.bridge;
	test_listen(&b, &l, "*", 0, 0);
	/* The next one is the first that the table has no room for. */
	for (size_t i = sb_catalog_standard_count; i < 128; i++) {
		(void)snprintf(name, sizeof name, "order-%zu.paid", i);
		test_declare(&b, name);
	}
	atomic_store(&slow.countdown, 1);
	test_thread_start(&slow.thread, declare_slowly, &slow);
	test_semaphore_wait(&slow.stopped);
	test_thread_start(&stopper.thread, stop_bridge, &stopper);
	test_thread_await_sleep(&stopper.thread);
	sem_post(&slow.released);
	test_thread_join(&slow.thread);
	test_thread_join(&stopper.thread);
	assert_int_equal(slow.status, STEPBUS_OK);
	assert_int_equal(stopper.status, STEPBUS_OK);
	assert_int_equal(l.destroyed_count, 1);
	stepbus_bridge_free(slow.bridge);
}

#define OWN_BRIDGE_TEST(test) \
	cmocka_unit_test_setup_teardown(test, test_bridge_open_none, test_bridge_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(ids_are_small_and_in_order),
		BRIDGE_TEST(a_name_that_is_taken_is_refused),
		BRIDGE_TEST(what_is_wrong_is_refused_by_its_name),
		BRIDGE_TEST(a_length_without_text_is_refused),
		BRIDGE_TEST(texts_have_limits),
		BRIDGE_TEST(structs_that_cannot_be_are_refused),
		BRIDGE_TEST(an_undeclared_name_is_refused_where_that_was_not_asked_for),
		OWN_BRIDGE_TEST(an_undeclared_name_is_declared_where_that_was_asked_for),
		OWN_BRIDGE_TEST(the_limit_of_events_is_kept),
		OWN_BRIDGE_TEST(options_that_are_not_allowed_are_refused),
		OWN_BRIDGE_TEST(twenty_thousand_events_reach_who_subscribes_to_all),
		cmocka_unit_test(an_id_is_not_known_before_its_declaration_is_complete),
		cmocka_unit_test(stopping_while_a_declaration_grows_the_table_is_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
