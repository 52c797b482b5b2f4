/* SPDX-License-Identifier: MIT */
/* Memory runs out in the bridge, its catalog, subscriber objects, and looks into payloads. */
#include <sched.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/famine.h"

static int32_t deliver(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	return STEPBUS_OK;
}

/* Nothing beside the world itself: making a bridge and a registry. */
static stepbus_status do_nothing(test_famine *f, stepbus_error *err)
{
	(void)f;
	(void)err;
	return STEPBUS_OK;
}

FAMINE_TEST(making_a_bridge_and_a_registry, do_nothing);

static stepbus_status declare(test_famine *f, stepbus_error *err)
{
	const stepbus_event_info info = { .size = sizeof info,
					  .name = "my.event",
					  .name_len = 8,
					  .category = "task",
					  .category_len = 4,
					  .description = "mine",
					  .description_len = 4,
					  .schema = "{}",
					  .schema_len = 2,
					  .example = "{}",
					  .example_len = 2,
					  .fired_by = "me, you",
					  .fired_by_len = 7 };
	uint32_t event_id = 0, count = 0;
	stepbus_status status = stepbus_bridge_declare(f->bridge, &info, &event_id, err);

	/* Where it failed, the name is as unknown as before. */
	if (status != STEPBUS_OK && stepbus_bridge_listener_count(f->bridge, "my.event", 8, &count,
								  NULL) != STEPBUS_ENOTFOUND)
		return test_famine_breach(err, "half an event was declared");
	return status;
}

FAMINE_TEST(declaring_an_event, declare);

static stepbus_status subscribe(test_famine *f, const char *pattern, uint32_t flags, uint64_t *id,
				stepbus_error *err)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .flags = flags,
						    .deliver = deliver,
						    .user_data = f,
						    .destroy = test_famine_destroy };

	test_famine_give(f);
	return stepbus_bridge_subscribe(f->bridge, pattern, strlen(pattern), &subscription, id,
					err);
}

/* Where it failed, nobody listens. */
static stepbus_status try_subscribe(test_famine *f, const char *pattern, uint32_t flags,
				    stepbus_error *err)
{
	uint32_t count = 0;
	uint64_t id = 0;
	stepbus_status status = subscribe(f, pattern, flags, &id, err);

	stepbus_bridge_listener_count(f->bridge, STEPBUS_TEXT("handler.error"), &count, NULL);
	if (count != (status == STEPBUS_OK))
		return test_famine_breach(err, "the listeners and the status differ");
	return status;
}

static stepbus_status subscribe_plainly(test_famine *f, stepbus_error *err)
{
	return try_subscribe(f, "handler.error", 0, err);
}

static stepbus_status subscribe_to_all(test_famine *f, stepbus_error *err)
{
	return try_subscribe(f, "*", 0, err);
}

static stepbus_status subscribe_once(test_famine *f, stepbus_error *err)
{
	return try_subscribe(f, "handler.error", STEPBUS_SUBSCRIPTION_ONCE, err);
}

static stepbus_status subscribe_queued(test_famine *f, stepbus_error *err)
{
	return try_subscribe(f, "handler.*", STEPBUS_SUBSCRIPTION_QUEUED, err);
}

FAMINE_TEST(subscribing_to_one_event, subscribe_plainly);
FAMINE_TEST(subscribing_to_all_events, subscribe_to_all);
FAMINE_TEST(subscribing_once, subscribe_once);
FAMINE_TEST(subscribing_with_a_queue, subscribe_queued);

static stepbus_status declare_while_subscribed(test_famine *f, stepbus_error *err)
{
	stepbus_status status = f->extra == NULL ? subscribe(f, "my.*", 0, NULL, err) : STEPBUS_OK;
	uint32_t count = 0;

	if (status != STEPBUS_OK)
		return status;
	f->extra = f; /* subscribed */
	status = declare(f, err);
	if (status != STEPBUS_OK)
		return status;
	stepbus_bridge_listener_count(f->bridge, STEPBUS_TEXT("my.event"), &count, NULL);
	return count == 1 ? STEPBUS_OK :
			    test_famine_breach(err, "the pattern does not reach the new event");
}

FAMINE_TEST(declaring_an_event_that_a_pattern_matches, declare_while_subscribed);

static stepbus_status intern_many(test_famine *f, stepbus_error *err)
{
	stepbus_status status = STEPBUS_OK;
	char name[] = "new.event.000";
	uint32_t event_id;

	/* Enough for the tables to grow. */
	for (int i = 0; status == STEPBUS_OK && i < 200; i++) {
		name[10] = (char)('0' + i / 100);
		name[11] = (char)('0' + i / 10 % 10);
		name[12] = (char)('0' + i % 10);
		status = stepbus_bridge_event(f->bridge, name, strlen(name), &event_id, err);
	}
	return status;
}

FAMINE_TEST(declaring_by_asking_for_a_name, intern_many);

static stepbus_status publish_undeclared(test_famine *f, stepbus_error *err)
{
	return stepbus_bridge_publish_name(f->bridge, STEPBUS_TEXT("brand.new"), "x", 1, err);
}

FAMINE_TEST(publishing_a_name_that_nobody_declared, publish_undeclared);

/* Ending a subscription needs no memory: it may not fail. */
static stepbus_status unsubscribe(test_famine *f, stepbus_error *err)
{
	uint64_t ids[3] = { 0, 0, 0 };
	uint32_t count = 0;
	stepbus_status status = subscribe(f, "handler.error", 0, &ids[0], err);

	if (status == STEPBUS_OK)
		status = subscribe(f, "*", 0, &ids[1], err);
	if (status == STEPBUS_OK)
		status = subscribe(f, "handler.*", STEPBUS_SUBSCRIPTION_QUEUED, &ids[2], err);
	for (int i = 0; i < 3; i++)
		if (ids[i] != 0 &&
		    stepbus_bridge_unsubscribe(f->bridge, ids[i], NULL) != STEPBUS_OK)
			return test_famine_breach(err, "a subscription could not be ended");
	stepbus_bridge_listener_count(f->bridge, STEPBUS_TEXT("handler.error"), &count, NULL);
	if (count != 0)
		return test_famine_breach(err, "an ended subscription is still counted");
	if (f->given != f->destroyed)
		return test_famine_breach(err, "an ended subscription was not destroyed");
	return status;
}

FAMINE_SURVIVAL(unsubscribing_needs_no_memory, unsubscribe);

/* Publishing to plain subscribers needs none either. */
static stepbus_status publish(test_famine *f, stepbus_error *err)
{
	stepbus_status status = subscribe(f, "handler.error", 0, NULL, err);
	uint32_t event_id = 0;
	size_t before;

	if (status == STEPBUS_OK)
		status = subscribe(f, "*", 0, NULL, err);
	if (status == STEPBUS_OK)
		status = stepbus_bridge_event(f->bridge, STEPBUS_TEXT("handler.error"), &event_id,
					      err);
	if (status != STEPBUS_OK)
		return status;
	before = f->t->allocation_count;
	for (int i = 0; i < 10; i++)
		if (stepbus_bridge_publish(f->bridge, event_id, "x", 1, err) != STEPBUS_OK)
			return test_famine_breach(err, "publishing failed");
	if (f->t->allocation_count != before)
		return test_famine_breach(err, "publishing allocates");
	return STEPBUS_OK;
}

FAMINE_SURVIVAL(publishing_needs_no_memory, publish);

/* What cannot be copied into a queue is told, and counted as dropped. */
static stepbus_status publish_queued(test_famine *f, stepbus_error *err)
{
	stepbus_status status = subscribe(f, "handler.*", STEPBUS_SUBSCRIPTION_QUEUED, NULL, err);
	stepbus_status published = STEPBUS_OK;
	stepbus_text *text = NULL;
	int refused = 0;
	char part[32] = "\"dropped\":0";

	for (int i = 0; status == STEPBUS_OK && i < 40; i++) {
		published = stepbus_bridge_publish_name(f->bridge, STEPBUS_TEXT("handler.error"),
							"payload", 7, err);
		if (published != STEPBUS_OK && published != STEPBUS_EDELIVERY &&
		    published != STEPBUS_ENOMEM)
			return test_famine_breach(err, "another status than of memory");
		refused += published != STEPBUS_OK;
	}
	if (status != STEPBUS_OK)
		return status;
	f->t->fail_at = 0;
	if (stepbus_bridge_flush(f->bridge, -1, NULL) != STEPBUS_OK ||
	    stepbus_bridge_stats(f->bridge, &text, NULL) != STEPBUS_OK)
		return test_famine_breach(err, "the bridge cannot be asked");
	part[10] = (char)('0' + refused % 10);
	if (refused < 10 && strstr(stepbus_text_data(text), part) == NULL)
		status = test_famine_breach(err, "what was refused is not what was dropped");
	stepbus_text_free(text);
	return status;
}

FAMINE_SURVIVAL(publishing_into_a_queue, publish_queued);

/* A subscriber that holds the loop until the bridge is being stopped. */
static _Atomic(int) delivered_count;
static _Atomic(stepbus_bridge *) held_bridge;

static int32_t hold_until_stopped(void *user_data, uint32_t event_id, const void *payload,
				  size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	while (stepbus_bridge_is_active(atomic_load(&held_bridge)))
		sched_yield();
	atomic_fetch_add(&delivered_count, 1);
	return STEPBUS_OK;
}

static stepbus_status stop_with_a_queue(test_famine *f, stepbus_error *err)
{
	enum { EVENT_COUNT = 1000 };
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .flags = STEPBUS_SUBSCRIPTION_QUEUED,
						    .deliver = hold_until_stopped };
	size_t fail_at = f->t->fail_at;
	stepbus_status status;

	/* Only the stop itself is to run out of memory. */
	f->t->fail_at = 0;
	atomic_store(&delivered_count, 0);
	atomic_store(&held_bridge, f->bridge);
	stepbus_bridge_start(f->bridge, NULL);
	status = stepbus_bridge_subscribe(f->bridge, STEPBUS_TEXT("handler.*"), &subscription, NULL,
					  err);
	for (int i = 0; status == STEPBUS_OK && i < EVENT_COUNT; i++)
		status = stepbus_bridge_publish_name(f->bridge, STEPBUS_TEXT("handler.error"), "x",
						     1, err);
	if (status != STEPBUS_OK)
		return test_famine_breach(err, "could not fill the queue");
	if (fail_at > 0) {
		f->t->fail_at = f->t->allocation_count + 1;
		f->t->is_sticky = true;
	}
	status = stepbus_bridge_stop(f->bridge, err);
	f->t->fail_at = fail_at;
	if (status == STEPBUS_OK && delivered_count != EVENT_COUNT)
		return test_famine_breach(err, "stop dropped what waited, for want of memory");
	return status;
}

static void stopping_delivers_what_waits_also_without_memory(void **state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	test_host t;

	(void)state;
	test_host_init(&t);
	/* Far from anything that is allocated before the stop. */
	t.fail_at = 1000000;
	assert_int_equal(test_famine_try(&t, &err, stop_with_a_queue, false), STEPBUS_OK);
	test_host_end(&t);
}

static stepbus_status flush(test_famine *f, stepbus_error *err)
{
	stepbus_status status = subscribe(f, "handler.*", STEPBUS_SUBSCRIPTION_QUEUED, NULL, err);

	return status == STEPBUS_OK ? stepbus_bridge_flush(f->bridge, -1, err) : status;
}

FAMINE_TEST(flushing, flush);

/* Asks for a text, and gives it back. */
static stepbus_status read_texts(test_famine *f, stepbus_error *err)
{
	stepbus_text *texts[6] = { NULL };
	stepbus_status status = subscribe(f, "handler.*", 0, NULL, err);

	if (status == STEPBUS_OK)
		status = stepbus_bridge_listeners(f->bridge, NULL, 0, &texts[0], err);
	if (status == STEPBUS_OK)
		status = stepbus_bridge_listeners(f->bridge, STEPBUS_TEXT("handler.error"),
						  &texts[1], err);
	if (status == STEPBUS_OK)
		status = stepbus_bridge_stats(f->bridge, &texts[2], err);
	if (status == STEPBUS_OK)
		status = stepbus_catalog_list(f->bridge, STEPBUS_TEXT("handler"), &texts[3], err);
	if (status == STEPBUS_OK)
		status = stepbus_catalog_search(f->bridge, STEPBUS_TEXT("completion.sent"),
						&texts[4], err);
	if (status == STEPBUS_OK)
		status = stepbus_catalog_explain(f->bridge, STEPBUS_TEXT("handler.error"),
						 &texts[5], err);
	for (int i = 0; i < 6; i++)
		stepbus_text_free(texts[i]);
	return status;
}

FAMINE_TEST(describing_the_bridge, read_texts);

static const stepbus_route routes[] = {
	{ .size = sizeof *routes,
	  .pattern = "handler.error",
	  .pattern_len = 13,
	  .deliver = deliver },
	{ .size = sizeof *routes, .pattern = "*", .pattern_len = 1, .deliver = deliver },
	{ .size = sizeof *routes, .pattern = "step.*", .pattern_len = 6, .deliver = deliver },
};

/* All routes are subscribed, or none of them. */
static stepbus_status start_subscriber(test_famine *f, stepbus_error *err)
{
	const stepbus_subscriber_options options = { .size = sizeof options,
						     .route_count = 3,
						     .routes = routes,
						     .user_data = f,
						     .destroy = test_famine_destroy };
	stepbus_subscriber *subscriber = NULL;
	uint32_t count = 0;
	stepbus_status status;

	test_famine_give(f);
	status = stepbus_subscriber_new(f->bridge, &options, &subscriber, err);
	if (status == STEPBUS_OK)
		status = stepbus_subscriber_start(subscriber, err);
	stepbus_bridge_listener_count(f->bridge, STEPBUS_TEXT("handler.error"), &count, NULL);
	if (count != (status == STEPBUS_OK ? 2 : 0))
		status = test_famine_breach(err, "some routes are subscribed, some are not");
	f->t->fail_at = 0;
	stepbus_subscriber_free(subscriber);
	return status;
}

FAMINE_TEST(starting_a_subscriber, start_subscriber);

static stepbus_status look_into_a_payload(test_famine *f, stepbus_error *err)
{
	static const char payload[] = "{\"name\":\"ada\",\"age\":36}";
	stepbus_text *text = NULL;
	int64_t age = 0;
	stepbus_status status =
		stepbus_payload_text(payload, sizeof payload - 1, STEPBUS_TEXT("name"), &text, err);

	(void)f;
	if (status != STEPBUS_OK && text != NULL)
		return test_famine_breach(err, "a text of a call that failed");
	stepbus_text_free(text);
	if (status == STEPBUS_OK)
		status = stepbus_payload_int(payload, sizeof payload - 1, STEPBUS_TEXT("age"), &age,
					     err);
	if (age != (status == STEPBUS_OK ? 36 : 0))
		return test_famine_breach(err, "a number of a call that failed");
	return status;
}

FAMINE_TEST(looking_into_a_payload, look_into_a_payload);

static stepbus_status tell_the_build(test_famine *f, stepbus_error *err)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_build_info(&text, err);

	(void)f;
	stepbus_text_free(text);
	return status;
}

FAMINE_TEST(telling_the_build, tell_the_build);

/* A refusal is worth a log record; without memory for the record it is still a refusal. */
static stepbus_status publish_on_a_stopped_bridge(test_famine *f, stepbus_error *err)
{
	stepbus_status status;

	stepbus_bridge_stop(f->bridge, NULL);
	status = stepbus_bridge_publish_name(f->bridge, STEPBUS_TEXT("handler.error"), "x", 1, err);
	return status == STEPBUS_EINACTIVE ? STEPBUS_OK :
					     test_famine_breach(err, "not refused as inactive");
}

FAMINE_SURVIVAL(refusing_needs_no_memory, publish_on_a_stopped_bridge);

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(making_a_bridge_and_a_registry),
		cmocka_unit_test(declaring_an_event),
		cmocka_unit_test(subscribing_to_one_event),
		cmocka_unit_test(subscribing_to_all_events),
		cmocka_unit_test(subscribing_once),
		cmocka_unit_test(subscribing_with_a_queue),
		cmocka_unit_test(declaring_an_event_that_a_pattern_matches),
		cmocka_unit_test(declaring_by_asking_for_a_name),
		cmocka_unit_test(publishing_a_name_that_nobody_declared),
		cmocka_unit_test(unsubscribing_needs_no_memory),
		cmocka_unit_test(publishing_needs_no_memory),
		cmocka_unit_test(publishing_into_a_queue),
		cmocka_unit_test(stopping_delivers_what_waits_also_without_memory),
		cmocka_unit_test(flushing),
		cmocka_unit_test(describing_the_bridge),
		cmocka_unit_test(starting_a_subscriber),
		cmocka_unit_test(looking_into_a_payload),
		cmocka_unit_test(telling_the_build),
		cmocka_unit_test(refusing_needs_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
