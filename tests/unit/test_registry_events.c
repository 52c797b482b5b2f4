/* SPDX-License-Identifier: MIT */
/* What a registry tells of its changes: on the bridge it is attached to, and in the log. */
#include <stdio.h>
#include <string.h>

#include "base/syntax.h"
#include "support/cmocka.h"
#include "support/shelf.h"

enum { HEARD_LEN = 1024 };

/* Each event as "name payload\n", in the order of hearing. */
typedef struct fixture {
	test_shelf *shelf;
	stepbus_bridge *bridge;
	char heard[HEARD_LEN];
	size_t heard_len;
	size_t handler_count; /* in the registry, when the last event came */
} fixture;

static fixture f;

static int32_t hear(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	const char *name = "";
	size_t name_len = 0;

	(void)user_data;
	stepbus_bridge_event_name(f.bridge, event_id, &name, &name_len, NULL);
	f.heard_len += (size_t)snprintf(f.heard + f.heard_len, sizeof f.heard - f.heard_len,
					"%s %.*s\n", name, (int)len, (const char *)payload);
	if (f.shelf->registry != NULL)
		f.handler_count = stepbus_registry_count(f.shelf->registry);
	return STEPBUS_OK;
}

static int set_up(void **state)
{
	const stepbus_subscription subscription = { .size = sizeof subscription, .deliver = hear };
	stepbus_bridge_options options = { .size = sizeof options };

	memset(&f, 0, sizeof f);
	test_shelf_begin((void **)&f.shelf);
	options.host = &f.shelf->host.host;
	assert_int_equal(stepbus_bridge_new(&options, &f.bridge, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_start(f.bridge, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_subscribe(f.bridge, STEPBUS_TEXT("handler.*"),
						  &subscription, NULL, NULL),
			 STEPBUS_OK);
	assert_int_equal(stepbus_registry_attach(f.shelf->registry, f.bridge, NULL), STEPBUS_OK);
	*state = f.shelf;
	return 0;
}

static int tear_down(void **state)
{
	test_shelf *shelf = *state;

	if (shelf->registry != NULL)
		stepbus_registry_attach(shelf->registry, NULL, NULL);
	stepbus_bridge_free(f.bridge);
	return test_shelf_end(state);
}

static void expect_heard(const char *expected)
{
	assert_string_equal(f.heard, expected);
	memset(f.heard, 0, sizeof f.heard);
	f.heard_len = 0;
}

#define REGISTERED(name, version)                                        \
	"handler.registered {\"namespace\":\"default\",\"name\":\"" name \
	"\",\"version\":\"" version "\",\"domain\":null}\n"
#define UNREGISTERED(name, version)                                        \
	"handler.unregistered {\"namespace\":\"default\",\"name\":\"" name \
	"\",\"version\":\"" version "\",\"domain\":null}\n"

static void registering_publishes_after_the_change(void **state)
{
	test_shelf_add(*state, "mail", "v1", 0);
	assert_int_equal(f.handler_count, 1);
	expect_heard(REGISTERED("mail", "v1"));
}

static void unregistering_publishes_after_the_change(void **state)
{
	test_shelf_add(*state, "mail", "v1", 0);
	expect_heard(REGISTERED("mail", "v1"));
	test_shelf_remove(*state, "mail", NULL);
	assert_int_equal(f.handler_count, 0);
	expect_heard(UNREGISTERED("mail", "v1"));
}

static void replacing_publishes_that_one_went_and_one_came(void **state)
{
	test_shelf_add(*state, "mail", "v1", 0);
	expect_heard(REGISTERED("mail", "v1"));
	test_shelf_add(*state, "mail", "v1", STEPBUS_HANDLER_OVERRIDE);
	expect_heard(UNREGISTERED("mail", "v1") REGISTERED("mail", "v1"));
}

static void a_change_that_was_refused_publishes_nothing(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", "v1", 0);
	expect_heard(REGISTERED("mail", "v1"));
	assert_int_equal(test_shelf_add(shelf, "mail", "v1", 0), STEPBUS_EEXISTS);
	assert_int_equal(test_shelf_remove(shelf, "sms", NULL), STEPBUS_ENOTFOUND);
	stepbus_registry_seal(shelf->registry, NULL);
	assert_int_equal(test_shelf_remove(shelf, "mail", NULL), STEPBUS_ESEALED);
	assert_int_equal(stepbus_registry_clear(shelf->registry, NULL), STEPBUS_ESEALED);
	expect_heard("");
}

static void a_group_publishes_each_of_its_handlers(void **state)
{
	test_shelf *shelf = *state;
	const stepbus_handler_spec specs[] = { test_spec("invoice", "v1"),
					       test_spec("refund", "v2") };

	assert_int_equal(stepbus_registry_register_domain(shelf->registry, STEPBUS_TEXT("billing"),
							  specs, 2, NULL),
			 STEPBUS_OK);
	expect_heard("handler.registered {\"namespace\":\"default\",\"name\":\"invoice\","
		     "\"version\":\"v1\",\"domain\":\"billing\"}\n"
		     "handler.registered {\"namespace\":\"default\",\"name\":\"refund\","
		     "\"version\":\"v2\",\"domain\":\"billing\"}\n");
	assert_int_equal(f.handler_count, 2);
}

static void clearing_and_freeing_publish_each_handler(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", "v1", 0);
	expect_heard(REGISTERED("mail", "v1"));
	stepbus_registry_clear(shelf->registry, NULL);
	expect_heard(UNREGISTERED("mail", "v1"));
	test_shelf_add(shelf, "mail", "v2", 0);
	expect_heard(REGISTERED("mail", "v2"));
	stepbus_registry_free(shelf->registry);
	shelf->registry = NULL;
	expect_heard(UNREGISTERED("mail", "v2"));
}

static void a_bridge_that_is_not_started_changes_nothing(void **state)
{
	test_shelf *shelf = *state;

	stepbus_bridge_stop(f.bridge, NULL);
	assert_int_equal(test_shelf_add(shelf, "mail", "v1", 0), STEPBUS_OK);
	assert_int_equal(test_shelf_remove(shelf, "mail", NULL), STEPBUS_OK);
	expect_heard("");
}

static int32_t refuse(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	return STEPBUS_EBUSY;
}

static void a_subscriber_that_refuses_the_news_changes_nothing(void **state)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = refuse };

	stepbus_bridge_subscribe(f.bridge, STEPBUS_TEXT("*"), &subscription, NULL, NULL);
	assert_int_equal(test_shelf_add(*state, "mail", "v1", 0), STEPBUS_OK);
	assert_true(test_shelf_has(*state, "mail", "v1"));
}

static void a_detached_bridge_hears_nothing_more(void **state)
{
	test_shelf *shelf = *state;

	assert_int_equal(stepbus_registry_attach(shelf->registry, NULL, NULL), STEPBUS_OK);
	test_shelf_add(shelf, "mail", "v1", 0);
	test_shelf_remove(shelf, "mail", NULL);
	expect_heard("");
}

/* The log may call the library, and comes before the news: from then on the bridge may be gone. */
static void detach_in_log(void *user_data, int32_t level, const char *record, size_t len)
{
	(void)user_data;
	(void)level;
	(void)record;
	(void)len;
	stepbus_registry_attach(f.shelf->registry, NULL, NULL);
}

static void a_bridge_that_is_detached_during_a_change_hears_nothing_more(void **state)
{
	test_shelf *shelf = *state;
	stepbus_host host = shelf->host.host;
	stepbus_registry_options options = { .size = sizeof options, .host = &host };

	host.log = detach_in_log;
	stepbus_registry_free(shelf->registry);
	assert_int_equal(stepbus_registry_new(&options, &shelf->registry, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_registry_attach(shelf->registry, f.bridge, NULL), STEPBUS_OK);
	assert_int_equal(test_shelf_add(shelf, "mail", "v1", 0), STEPBUS_OK);
	expect_heard("");
}

/* A subscriber of the news that makes a change of its own. */
static int32_t follow(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)event_id;
	(void)payload;
	(void)len;
	if (!test_shelf_has(user_data, "follower", NULL))
		test_shelf_add(user_data, "follower", "v1", 0);
	return STEPBUS_OK;
}

static void a_subscriber_of_the_news_may_change_the_registry(void **state)
{
	test_shelf *shelf = *state;
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = follow,
						    .user_data = shelf };

	stepbus_bridge_subscribe(f.bridge, STEPBUS_TEXT("handler.registered"), &subscription, NULL,
				 NULL);
	test_shelf_add(shelf, "mail", "v1", 0);
	assert_true(test_shelf_has(shelf, "follower", "v1"));
	expect_heard(REGISTERED("mail", "v1") REGISTERED("follower", "v1"));
}

static void expect_record(test_shelf *shelf, const char *message, const char *event_type,
			  const char *entity_id)
{
	char part[512];

	assert_true(sb_syntax_is_json(shelf->host.log, strlen(shelf->host.log), NULL));
	snprintf(part, sizeof part,
		 "{\"timestamp\":\"2026-11-21T10:30:45.123456Z\",\"level\":\"info\","
		 "\"component\":\"registry\",\"message\":\"%s\",\"version\":\"" STEPBUS_VERSION
		 "\",\"process_id\":",
		 message);
	if (strncmp(shelf->host.log, part, strlen(part)) != 0)
		fail_msg("%s\nshould begin with\n%s", shelf->host.log, part);
	snprintf(part, sizeof part,
		 ",\"event_type\":\"%s\",\"entity_type\":\"handler\",\"entity_id\":\"%s\"}",
		 event_type, entity_id);
	if (strstr(shelf->host.log, part) == NULL)
		fail_msg("%s\nshould end with\n%s", shelf->host.log, part);
}

static void each_change_leaves_one_log_record(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", "v1", 0);
	assert_int_equal(shelf->host.log_count, 1);
	expect_record(shelf, "a handler was registered", "registered", "default/mail/v1");
	test_shelf_remove(shelf, "mail", "v1");
	assert_int_equal(shelf->host.log_count, 2);
	expect_record(shelf, "a handler was unregistered", "unregistered", "default/mail/v1");
	test_shelf_add(shelf, "a:b/c", NULL, 0);
	expect_record(shelf, "a handler was registered", "registered", "default/a:b/c/0.1.0");
}

static void replacing_leaves_two_log_records(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", "v1", 0);
	test_shelf_add(shelf, "mail", "v1", STEPBUS_HANDLER_OVERRIDE);
	assert_int_equal(shelf->host.log_count, 3);
}

static void a_host_that_wants_only_warnings_gets_no_record(void **state)
{
	test_shelf *shelf = *state;
	stepbus_host host = shelf->host.host;
	stepbus_registry_options options = { .size = sizeof options, .host = &host };

	host.log_level = STEPBUS_LOG_WARN;
	stepbus_registry_free(shelf->registry);
	assert_int_equal(stepbus_registry_new(&options, &shelf->registry, NULL), STEPBUS_OK);
	test_shelf_add(shelf, "mail", "v1", 0);
	assert_int_equal(shelf->host.log_count, 0);
}

static void change_in_log(void *user_data, int32_t level, const char *record, size_t len)
{
	(void)user_data;
	(void)level;
	(void)record;
	(void)len;
	/* Once: the record of what it does itself comes here too. */
	if (f.shelf->destroyed == 0 && !test_shelf_has(f.shelf, "logged", NULL))
		test_shelf_add(f.shelf, "logged", NULL, 0);
}

static void the_log_may_change_the_registry(void **state)
{
	test_shelf *shelf = *state;
	stepbus_host host = shelf->host.host;
	stepbus_registry_options options = { .size = sizeof options, .host = &host };

	host.log = change_in_log;
	stepbus_registry_free(shelf->registry);
	assert_int_equal(stepbus_registry_new(&options, &shelf->registry, NULL), STEPBUS_OK);
	test_shelf_add(shelf, "mail", "v1", 0);
	assert_int_equal(stepbus_registry_count(shelf->registry), 2);
	atomic_store(&shelf->destroyed, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registering_publishes_after_the_change),
		TEST(unregistering_publishes_after_the_change),
		TEST(replacing_publishes_that_one_went_and_one_came),
		TEST(a_change_that_was_refused_publishes_nothing),
		TEST(a_group_publishes_each_of_its_handlers),
		TEST(clearing_and_freeing_publish_each_handler),
		TEST(a_bridge_that_is_not_started_changes_nothing),
		TEST(a_subscriber_that_refuses_the_news_changes_nothing),
		TEST(a_detached_bridge_hears_nothing_more),
		TEST(a_bridge_that_is_detached_during_a_change_hears_nothing_more),
		TEST(a_subscriber_of_the_news_may_change_the_registry),
		TEST(each_change_leaves_one_log_record),
		TEST(replacing_leaves_two_log_records),
		TEST(a_host_that_wants_only_warnings_gets_no_record),
		TEST(the_log_may_change_the_registry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
