/* SPDX-License-Identifier: MIT */
/* What is said when a handler is not there. */
#include <stdio.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/shelf.h"

/* Asks for what is not there; the message is in err. */
static void miss(test_shelf *shelf, const char *name, const char *version)
{
	const stepbus_handler_key key = test_key(name, version);
	stepbus_handler *handler = NULL;

	assert_int_equal(stepbus_registry_resolve(shelf->registry, &key, &handler, &shelf->err),
			 STEPBUS_ENOTFOUND);
	assert_int_equal(shelf->err.code, STEPBUS_ENOTFOUND);
	assert_null(handler);
}

static void an_empty_registry_says_that_it_is_empty(void **state)
{
	test_shelf *shelf = *state;

	miss(shelf, "send_email", NULL);
	assert_string_equal(
		shelf->err.message,
		"no handler registered for 'send_email' in namespace 'default'. Registered "
		"handlers: []. Register it before its steps run");
}

static void what_is_registered_is_listed_in_order(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "welcome", NULL, 0);
	test_shelf_add(shelf, "backup", NULL, 0);
	test_shelf_add(shelf, "export", NULL, 0);
	miss(shelf, "zzzzzzzzzzzz", NULL);
	assert_string_equal(
		shelf->err.message,
		"no handler registered for 'zzzzzzzzzzzz' in namespace 'default'. Registered "
		"handlers: ['backup', 'export', 'welcome']. Register it before its steps run");
}

static void the_nearest_name_is_suggested(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "send_email", NULL, 0);
	test_shelf_add(shelf, "send_sms", NULL, 0);
	miss(shelf, "send_emial", NULL);
	assert_true(test_shelf_said(shelf, "(did you mean 'send_email'?)"));
}

static void a_long_list_is_cut_and_the_rest_counted(void **state)
{
	test_shelf *shelf = *state;
	char name[24];

	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "handler%02d", i);
		test_shelf_add(shelf, name, NULL, 0);
	}
	miss(shelf, "zzzzzzzzzzzz", NULL);
	assert_true(test_shelf_said(shelf, "'handler00', 'handler01'"));
	assert_true(test_shelf_said(shelf, "'handler11', and 8 more]"));
	assert_false(test_shelf_said(shelf, "handler12"));
}

static void versions_of_one_name_are_listed_as_one(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", "v1", 0);
	test_shelf_add(shelf, "mail", "v2", 0);
	miss(shelf, "zzzzzzzzzzzz", NULL);
	assert_true(test_shelf_said(shelf, "Registered handlers: ['mail']"));
}

static void a_version_that_is_missing_lists_those_there_are(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", "v2", 0);
	test_shelf_add(shelf, "mail", "v3", 0);
	miss(shelf, "mail", "v1");
	assert_string_equal(shelf->err.message,
			    "no version 'v1' of handler 'mail' is available. Registered versions: "
			    "['v3', 'v2']. Register it, or mark one of these as the default");
}

static void a_hundred_versions_fit_into_the_message(void **state)
{
	test_shelf *shelf = *state;
	char version[64];

	for (int i = 0; i < 100; i++) {
		snprintf(version, sizeof version, "%d.0.0-a-rather-long-name-of-a-version", i + 2);
		test_shelf_add(shelf, "mail", version, 0);
	}
	miss(shelf, "mail", "1");
	assert_true(test_shelf_said(shelf, "'101.0.0-a-rather-long-name-of-a-version'"));
	assert_true(strlen(shelf->err.message) < sizeof shelf->err.message);
}

static void add_in(test_shelf *shelf, const char *handler_namespace, const char *name)
{
	stepbus_handler_spec spec = test_counted_spec(name, NULL, &shelf->destroyed);

	spec.handler_namespace = handler_namespace;
	spec.handler_namespace_len = strlen(handler_namespace);
	assert_int_equal(stepbus_registry_register(shelf->registry, &spec, NULL), STEPBUS_OK);
}

/* Two namespaces, one name: there is one name to list, and no more of them. */
static void a_name_in_two_namespaces_is_listed_once_and_counted_once(void **state)
{
	test_shelf *shelf = *state;

	add_in(shelf, "billing", "mail");
	add_in(shelf, "users", "mail");
	miss(shelf, "zzzzzzzzzzzz", NULL);
	assert_false(test_shelf_said(shelf, "more"));
}

static void the_name_that_was_asked_for_is_not_suggested(void **state)
{
	test_shelf *shelf = *state;

	add_in(shelf, "billing", "mail");
	miss(shelf, "mail", NULL);
	assert_false(test_shelf_said(shelf, "did you mean 'mail'?"));
}

static void unregistering_what_is_not_there_says_the_same(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "send_email", "v1", 0);
	assert_int_equal(test_shelf_remove(shelf, "send_emial", NULL), STEPBUS_ENOTFOUND);
	assert_true(test_shelf_said(shelf, "(did you mean 'send_email'?)"));
	assert_int_equal(test_shelf_remove(shelf, "send_email", "v2"), STEPBUS_ENOTFOUND);
	assert_true(test_shelf_said(shelf, "Registered versions: ['v1']"));
}

static void a_message_without_room_is_cut_on_a_character(void **state)
{
	test_shelf *shelf = *state;
	const stepbus_handler_key key = test_key("send_email", NULL);
	stepbus_handler *handler = NULL;

	/* 8 bytes of header leave 31 characters and a NUL. */
	shelf->err.size = 40;
	memset(shelf->err.message, '#', sizeof shelf->err.message);
	assert_int_equal(stepbus_registry_resolve(shelf->registry, &key, &handler, &shelf->err),
			 STEPBUS_ENOTFOUND);
	assert_string_equal(shelf->err.message, "no handler registered for 'send");
	assert_int_equal(shelf->err.message[32], '#');
}

static void hostile_bytes_do_not_reach_the_message(void **state)
{
	test_shelf *shelf = *state;
	stepbus_handler_key key = test_key("a\n\xff\x1b[2J", NULL);
	stepbus_handler *handler = NULL;

	assert_int_equal(stepbus_registry_resolve(shelf->registry, &key, &handler, &shelf->err),
			 STEPBUS_ENOTFOUND);
	assert_true(test_shelf_said(shelf, "'a???[2J'"));
}

static void missing_one_of_ten_thousand_is_told_too(void **state)
{
	test_shelf *shelf = *state;
	char name[24];

	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof name, "h%05d", i);
		test_shelf_add(shelf, name, NULL, 0);
	}
	miss(shelf, "zzzzzzzzzzzz", NULL);
	assert_true(test_shelf_said(shelf, "'h00011', and many more]"));
}

static void nothing_is_said_where_nobody_listens(void **state)
{
	test_shelf *shelf = *state;
	const stepbus_handler_key key = test_key("mail", NULL);
	stepbus_handler *handler = NULL;

	assert_int_equal(stepbus_registry_resolve(shelf->registry, &key, &handler, NULL),
			 STEPBUS_ENOTFOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_shelf_begin, test_shelf_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_registry_says_that_it_is_empty),
		TEST(what_is_registered_is_listed_in_order),
		TEST(the_nearest_name_is_suggested),
		TEST(a_long_list_is_cut_and_the_rest_counted),
		TEST(versions_of_one_name_are_listed_as_one),
		TEST(a_version_that_is_missing_lists_those_there_are),
		TEST(a_hundred_versions_fit_into_the_message),
		TEST(a_name_in_two_namespaces_is_listed_once_and_counted_once),
		TEST(the_name_that_was_asked_for_is_not_suggested),
		TEST(unregistering_what_is_not_there_says_the_same),
		TEST(a_message_without_room_is_cut_on_a_character),
		TEST(hostile_bytes_do_not_reach_the_message),
		TEST(missing_one_of_ten_thousand_is_told_too),
		TEST(nothing_is_said_where_nobody_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
