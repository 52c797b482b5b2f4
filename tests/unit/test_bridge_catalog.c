/* SPDX-License-Identifier: MIT */
/* The catalog of events, declaring, and what a bridge tells of its subscriptions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/catalog_standard.h"
#include "support/answer.h"
#include "support/listener.h"

static cJSON *list(test_bridge *b, const char *category)
{
	stepbus_text *text = NULL;

	assert_int_equal(stepbus_catalog_list(b->bridge, category,
					      category != NULL ? strlen(category) : 0, &text,
					      &b->err),
			 STEPBUS_OK);
	return test_answer_take(text);
}

static cJSON *search(test_bridge *b, const char *wanted)
{
	stepbus_text *text = NULL;

	assert_int_equal(stepbus_catalog_search(b->bridge, wanted, strlen(wanted), &text, &b->err),
			 STEPBUS_OK);
	return test_answer_take(text);
}

static cJSON *explain(test_bridge *b, const char *name)
{
	stepbus_text *text = NULL;

	assert_int_equal(stepbus_catalog_explain(b->bridge, name, strlen(name), &text, &b->err),
			 STEPBUS_OK);
	return test_answer_take(text);
}

static const cJSON *entry_of(const cJSON *entries, const char *name)
{
	const cJSON *entry;

	cJSON_ArrayForEach(entry, entries) if (strcmp(test_answer_text(entry, "name"), name) ==
					       0) return entry;
	return NULL;
}

static void the_standard_events_are_listed_with_all_that_is_known(void **state)
{
	cJSON *entries = list(*state, NULL);

	assert_int_equal(cJSON_GetArraySize(entries), sb_catalog_standard_count);
	for (size_t i = 0; i < sb_catalog_standard_count; i++) {
		const sb_standard_event *standard = &sb_catalog_standard[i];
		const cJSON *entry = cJSON_GetArrayItem(entries, (int)i);

		assert_string_equal(test_answer_text(entry, "name"), standard->name);
		assert_string_equal(test_answer_text(entry, "category"), standard->category);
		assert_string_equal(test_answer_text(entry, "description"), standard->description);
		assert_true(cJSON_IsObject(cJSON_GetObjectItem(entry, "payload_schema")));
		assert_true(cJSON_IsObject(cJSON_GetObjectItem(entry, "example_payload")));
		assert_true(cJSON_GetArraySize(cJSON_GetObjectItem(entry, "fired_by")) > 0);
		assert_int_equal(cJSON_GetArraySize(entry), 6);
	}
	cJSON_Delete(entries);
}

static void the_events_of_the_header_are_standard(void **state)
{
	static const char *const names[] = {
		STEPBUS_EVENT_STEP_EXECUTION_RECEIVED,
		STEPBUS_EVENT_STEP_COMPLETION_SENT,
		STEPBUS_EVENT_STEP_CHECKPOINT_YIELD_SENT,
		STEPBUS_EVENT_HANDLER_REGISTERED,
		STEPBUS_EVENT_HANDLER_UNREGISTERED,
		STEPBUS_EVENT_HANDLER_ERROR,
		"poller.metrics",
		"poller.error",
	};
	test_bridge *b = *state;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		uint32_t event = test_event(b, names[i]);
		const char *name = NULL;
		size_t len = 0;

		assert_int_equal(stepbus_bridge_event_name(b->bridge, event, &name, &len, NULL),
				 STEPBUS_OK);
		assert_string_equal(name, names[i]);
		assert_int_equal(len, strlen(names[i]));
	}
}

static void every_example_has_what_its_schema_requires(void **state)
{
	cJSON *entries = list(*state, NULL);
	const cJSON *entry;

	cJSON_ArrayForEach(entry, entries)
	{
		const cJSON *schema = cJSON_GetObjectItem(entry, "payload_schema");
		const cJSON *example = cJSON_GetObjectItem(entry, "example_payload");
		const cJSON *properties = cJSON_GetObjectItem(schema, "properties");
		const cJSON *name;

		cJSON_ArrayForEach(
			name,
			cJSON_GetObjectItem(
				schema,
				"required")) if (!test_answer_has(properties, name->valuestring) ||
						 !test_answer_has(example, name->valuestring))
			fail_msg("%s: '%s' is missing", test_answer_text(entry, "name"),
				 name->valuestring);
		cJSON_ArrayForEach(name, example) if (!test_answer_has(properties, name->string))
			fail_msg("%s: the schema has no '%s'", test_answer_text(entry, "name"),
				 name->string);
	}
	cJSON_Delete(entries);
}

static void a_category_lists_its_own(void **state)
{
	static const char *const categories[] = { "task",   "step",   "workflow",      "handler",
						  "poller", "worker", "observability", "custom" };
	test_bridge *b = *state;
	int sum = 0;

	test_declare(b, "order.made");
	for (size_t i = 0; i < 8; i++) {
		cJSON *entries = list(b, categories[i]);
		const cJSON *entry;

		cJSON_ArrayForEach(entry, entries)
			assert_string_equal(test_answer_text(entry, "category"), categories[i]);
		assert_true(cJSON_GetArraySize(entries) > 0);
		sum += cJSON_GetArraySize(entries);
		cJSON_Delete(entries);
	}
	assert_int_equal(sum, sb_catalog_standard_count + 1);
}

static void a_category_that_does_not_exist_is_refused(void **state)
{
	static const char *const categories[] = { "steps", "Step", "ste", "step ", "*", "\xff" };
	test_bridge *b = *state;
	stepbus_text *text = NULL;

	for (size_t i = 0; i < sizeof categories / sizeof *categories; i++)
		assert_int_equal(stepbus_catalog_list(b->bridge, categories[i],
						      strlen(categories[i]), &text, &b->err),
				 STEPBUS_EINVAL);
	assert_null(text);
}

static void searching_looks_at_names_and_descriptions_in_any_case(void **state)
{
	test_bridge *b = *state;
	const stepbus_event_info info = { .size = sizeof info,
					  .name = "order.made",
					  .name_len = 10,
					  .description = "Somebody Bought a Thing",
					  .description_len = 23 };
	static const char *const found[] = { "order.made", "ORDER",   "der.ma",
					     "bought",     "a thing", "BOUGHT A" };
	static const char *const lost[] = { "order.madex", "buys", "bought  a", "*" };

	assert_int_equal(stepbus_bridge_declare(b->bridge, &info, NULL, NULL), STEPBUS_OK);
	for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
		cJSON *entries = search(b, found[i]);

		if (entry_of(entries, "order.made") == NULL)
			fail_msg("'%s' should find it", found[i]);
		cJSON_Delete(entries);
	}
	for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
		cJSON *entries = search(b, lost[i]);

		assert_int_equal(cJSON_GetArraySize(entries), 0);
		cJSON_Delete(entries);
	}
}

static void searching_for_nothing_finds_all(void **state)
{
	cJSON *entries = search(*state, "");

	assert_int_equal(cJSON_GetArraySize(entries), sb_catalog_standard_count);
	cJSON_Delete(entries);
}

static void an_event_of_the_host_is_explained_as_it_was_declared(void **state)
{
	test_bridge *b = *state;
	const stepbus_event_info info = {
		.size = sizeof info,
		.name = "order.made",
		.name_len = 10,
		.category = "workflow",
		.category_len = 8,
		.description = "Caf\xc3\xa9 \"order\"",
		.description_len = 13,
		.schema = "{ \"maximum\" : 9007199254740993 }",
		.schema_len = 32,
		.example = "[1,\"\\u00e9\"]",
		.example_len = 12,
		.fired_by = "shop, till",
		.fired_by_len = 10,
	};
	stepbus_text *text = NULL;

	assert_int_equal(stepbus_bridge_declare(b->bridge, &info, NULL, &b->err), STEPBUS_OK);
	assert_int_equal(
		stepbus_catalog_explain(b->bridge, STEPBUS_TEXT("order.made"), &text, &b->err),
		STEPBUS_OK);
	assert_string_equal(stepbus_text_data(text),
			    "{\"name\":\"order.made\",\"category\":\"workflow\","
			    "\"description\":\"Caf\xc3\xa9 \\\"order\\\"\","
			    "\"payload_schema\":{ \"maximum\" : 9007199254740993 },"
			    "\"example_payload\":[1,\"\\u00e9\"],"
			    "\"fired_by\":[\"shop\",\"till\"]}");
	stepbus_text_free(text);
}

static void what_was_left_out_is_explained_as_null(void **state)
{
	test_bridge *b = *state;
	cJSON *entry;

	test_declare(b, "order.made");
	entry = explain(b, "order.made");
	assert_string_equal(test_answer_text(entry, "category"), "custom");
	assert_true(test_answer_is_null(entry, "description"));
	assert_true(test_answer_is_null(entry, "payload_schema"));
	assert_true(test_answer_is_null(entry, "example_payload"));
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(entry, "fired_by")), 0);
	cJSON_Delete(entry);
}

static void a_long_word_in_fired_by_is_listed(void **state)
{
	test_bridge *b = *state;
	char fired_by[700];
	const stepbus_event_info info = { .size = sizeof info,
					  .name = "order.made",
					  .name_len = 10,
					  .fired_by = fired_by,
					  .fired_by_len = sizeof fired_by };
	const cJSON *words;
	cJSON *entry;

	memset(fired_by, 'x', sizeof fired_by);
	fired_by[600] = ',';
	assert_int_equal(stepbus_bridge_declare(b->bridge, &info, NULL, NULL), STEPBUS_OK);
	entry = explain(b, "order.made");
	words = cJSON_GetObjectItem(entry, "fired_by");
	assert_int_equal(cJSON_GetArraySize(words), 2);
	assert_int_equal(strlen(cJSON_GetArrayItem(words, 0)->valuestring), 600);
	assert_int_equal(strlen(cJSON_GetArrayItem(words, 1)->valuestring), 99);
	cJSON_Delete(entry);
}

static void a_missing_event_is_refused_with_the_nearest_name(void **state)
{
	test_bridge *b = *state;
	stepbus_text *text = NULL;
	uint32_t id = 77, count = 77;

	assert_int_equal(
		stepbus_catalog_explain(b->bridge, STEPBUS_TEXT("handler.eror"), &text, &b->err),
		STEPBUS_ENOTFOUND);
	assert_non_null(strstr(b->err.message, "did you mean 'handler.error'?"));
	assert_int_equal(
		stepbus_bridge_event(b->bridge, STEPBUS_TEXT("HANDLER.ERROR"), &id, &b->err),
		STEPBUS_ENOTFOUND);
	assert_non_null(strstr(b->err.message, "did you mean 'handler.error'?"));
	assert_int_equal(stepbus_bridge_listener_count(b->bridge, STEPBUS_TEXT("handler.errors"),
						       &count, &b->err),
			 STEPBUS_ENOTFOUND);
	assert_non_null(strstr(b->err.message, "did you mean 'handler.error'?"));
	assert_int_equal(stepbus_bridge_publish_name(b->bridge, STEPBUS_TEXT("hndler.error"), NULL,
						     0, &b->err),
			 STEPBUS_ENOTFOUND);
	assert_non_null(strstr(b->err.message, "did you mean 'handler.error'?"));
	assert_int_equal(
		stepbus_bridge_event(b->bridge, STEPBUS_TEXT("nothing-like-it"), &id, &b->err),
		STEPBUS_ENOTFOUND);
	assert_null(strstr(b->err.message, "did you mean"));
	assert_non_null(strstr(b->err.message, "nothing-like-it"));
	assert_int_equal(id, 77);
	assert_int_equal(count, 77);
	assert_null(text);
}

static void names_that_are_not_allowed_are_refused_everywhere(void **state)
{
	test_bridge *b = *state;
	static const char *const names[] = { "", "a..b", "a.", "*", "a b", "\xff" };
	stepbus_text *text = NULL;
	uint32_t number;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t len = strlen(names[i]);

		assert_int_equal(stepbus_catalog_explain(b->bridge, names[i], len, &text, &b->err),
				 STEPBUS_EINVAL);
		assert_int_equal(stepbus_bridge_event(b->bridge, names[i], len, &number, &b->err),
				 STEPBUS_EINVAL);
		assert_int_equal(
			stepbus_bridge_listener_count(b->bridge, names[i], len, &number, &b->err),
			STEPBUS_EINVAL);
		assert_int_equal(stepbus_bridge_listeners(b->bridge, names[i], len, &text, &b->err),
				 STEPBUS_EINVAL);
	}
	assert_null(text);
}

static void arguments_that_are_missing_are_refused(void **state)
{
	test_bridge *b = *state;
	stepbus_text *text = NULL;
	uint32_t number = 0;
	const char *name = NULL;
	size_t len = 0;

	assert_int_equal(stepbus_catalog_list(NULL, NULL, 0, &text, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_catalog_list(b->bridge, NULL, 0, NULL, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_catalog_list(b->bridge, NULL, 1, &text, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_catalog_search(NULL, "a", 1, &text, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_catalog_search(b->bridge, NULL, 1, &text, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_catalog_search(b->bridge, "a", 1, NULL, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_catalog_explain(b->bridge, NULL, 1, &text, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_catalog_explain(b->bridge, "a", 1, NULL, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_event(b->bridge, "a", 1, NULL, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_event(NULL, "a", 1, &number, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_event_name(NULL, 0, &name, &len, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_event_name(b->bridge, 0, NULL, &len, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_event_name(b->bridge, 0, &name, NULL, NULL),
			 STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_listeners(NULL, NULL, 0, &text, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_listeners(b->bridge, NULL, 0, NULL, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_stats(NULL, &text, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_stats(b->bridge, NULL, NULL), STEPBUS_EINVAL);
	assert_null(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(the_standard_events_are_listed_with_all_that_is_known),
		BRIDGE_TEST(the_events_of_the_header_are_standard),
		BRIDGE_TEST(every_example_has_what_its_schema_requires),
		BRIDGE_TEST(a_category_lists_its_own),
		BRIDGE_TEST(a_category_that_does_not_exist_is_refused),
		BRIDGE_TEST(searching_looks_at_names_and_descriptions_in_any_case),
		BRIDGE_TEST(searching_for_nothing_finds_all),
		BRIDGE_TEST(an_event_of_the_host_is_explained_as_it_was_declared),
		BRIDGE_TEST(what_was_left_out_is_explained_as_null),
		BRIDGE_TEST(a_long_word_in_fired_by_is_listed),
		BRIDGE_TEST(a_missing_event_is_refused_with_the_nearest_name),
		BRIDGE_TEST(names_that_are_not_allowed_are_refused_everywhere),
		BRIDGE_TEST(arguments_that_are_missing_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
