/* SPDX-License-Identifier: MIT */
/* Starting, stopping, freeing, the default bridge, and when destroy runs. */
#include <stdlib.h>
#include <string.h>

#include "support/listener.h"
#include "support/thread.h"

static void a_new_bridge_is_not_active(void **state)
{
	test_bridge *b = *state;
	const stepbus_bridge_options options = { .size = sizeof options, .host = &b->t.host };

	assert_int_equal(stepbus_bridge_new(&options, &b->bridge, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_is_active(b->bridge), 0);
	assert_int_equal(stepbus_bridge_publish(b->bridge, 0, NULL, 0, &b->err), STEPBUS_EINACTIVE);
	assert_int_equal(stepbus_bridge_start(b->bridge, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_is_active(b->bridge), 1);
	assert_int_equal(stepbus_bridge_publish(b->bridge, 0, NULL, 0, NULL), STEPBUS_OK);
}

static void starting_and_stopping_twice_does_nothing(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 'a' };

	test_declare(b, "order.made");
	test_listen(b, &l, "order.made", 0, 0);
	assert_int_equal(stepbus_bridge_start(b->bridge, NULL), STEPBUS_OK);
	test_publish(b, test_event(b, "order.made"));
	assert_int_equal(stepbus_bridge_stop(b->bridge, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_stop(b->bridge, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_is_active(b->bridge), 0);
	assert_string_equal(test_trace_take(&b->trace), "aA");
}

static void stopping_a_stopped_bridge_removes_what_subscribed_since(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 0 };

	stepbus_bridge_stop(b->bridge, NULL);
	test_listen(b, &l, "*", 0, 0);
	assert_int_equal(test_stat(b, "subscriptions"), 1);
	stepbus_bridge_stop(b->bridge, NULL);
	assert_int_equal(test_stat(b, "subscriptions"), 0);
	assert_int_equal(l.destroyed_count, 1);
}

static void a_stopped_bridge_refuses_counts_and_logs_ever_more_rarely(void **state)
{
	test_bridge *b = *state;
	uint32_t event = test_declare(b, "order.made");
	size_t logged = b->t.log_count;

	stepbus_bridge_stop(b->bridge, NULL);
	for (uint32_t i = 1; i <= 1000; i++) {
		b->err = (stepbus_error)STEPBUS_ERROR_INIT;
		assert_int_equal(stepbus_bridge_publish(b->bridge, event, NULL, 0, &b->err),
				 STEPBUS_EINACTIVE);
		assert_non_null(strstr(b->err.message, "order.made"));
		/* The 1st, the 2nd, the 4th, … */
		if ((i & (i - 1)) == 0)
			logged++;
		assert_int_equal(b->t.log_count, logged);
	}
	assert_int_equal(test_stat(b, "refused"), 1000);
	assert_non_null(strstr(b->t.log, "\"level\":\"warn\""));
	assert_non_null(strstr(b->t.log, "\"entity_id\":\"order.made\""));
	assert_int_equal(
		stepbus_bridge_publish_name(b->bridge, STEPBUS_TEXT("order.made"), NULL, 0, NULL),
		STEPBUS_EINACTIVE);
	assert_int_equal(test_stat(b, "refused"), 1001);
	/* Started again it goes on counting. */
	stepbus_bridge_start(b->bridge, NULL);
	test_publish(b, event);
	assert_int_equal(test_stat(b, "refused"), 1001);
}

static void a_stopped_bridge_can_be_used_but_for_publishing(void **state)
{
	test_bridge *b = *state;
	stepbus_text *text = NULL;

	stepbus_bridge_stop(b->bridge, NULL);
	test_declare(b, "order.made");
	test_event(b, "order.made");
	assert_int_equal(stepbus_catalog_list(b->bridge, NULL, 0, &text, NULL), STEPBUS_OK);
	stepbus_text_free(text);
	assert_int_equal(stepbus_bridge_flush(b->bridge, -1, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_publish(b->bridge, 99999, NULL, 0, NULL),
			 STEPBUS_ENOTFOUND);
}

static void stopping_delivers_what_waits(void **state)
{
	enum { COUNT = 1000 };
	test_bridge *b = *state;
	test_listener l = { .mark = 0 };
	uint32_t event = test_declare(b, "order.made");

	test_listen(b, &l, "order.made", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	for (int i = 0; i < COUNT; i++)
		test_publish(b, event);
	assert_int_equal(stepbus_bridge_stop(b->bridge, NULL), STEPBUS_OK);
	assert_int_equal(l.returned_count, COUNT);
	assert_int_equal(l.destroyed_count, 1);
	assert_int_equal(test_stat(b, "queued.delivered"), COUNT);
	assert_int_equal(test_stat(b, "queued.dropped"), 0);
}

static void a_bridge_can_be_started_again(void **state)
{
	test_bridge *b = *state;
	uint32_t event = test_declare(b, "order.made");

	for (uint32_t i = 0; i < 20; i++) {
		test_listener plain = { .mark = 0 }, queued = { .mark = 0 };

		test_listen(b, &plain, "order.made", 0, 0);
		test_listen(b, &queued, "*", STEPBUS_SUBSCRIPTION_QUEUED, 0);
		test_publish(b, event);
		assert_int_equal(stepbus_bridge_stop(b->bridge, NULL), STEPBUS_OK);
		assert_int_equal(plain.delivered_count, 1);
		assert_int_equal(queued.delivered_count, 1);
		assert_int_equal(plain.destroyed_count + queued.destroyed_count, 2);
		assert_int_equal(stepbus_bridge_start(b->bridge, NULL), STEPBUS_OK);
		test_publish(b, event);
		assert_int_equal(plain.delivered_count, 1);
	}
	/* Declarations outlive a stop. */
	assert_int_equal(test_event(b, "order.made"), event);
}

static void freeing_an_active_bridge_ends_everything(void **state)
{
	test_bridge *b = *state;
	test_listener l[4] = { { .mark = 0 } };
	static const uint32_t flags[] = { 0, STEPBUS_SUBSCRIPTION_ONCE, STEPBUS_SUBSCRIPTION_QUEUED,
					  STEPBUS_SUBSCRIPTION_QUEUED | STEPBUS_SUBSCRIPTION_ONCE };
	uint32_t event = test_declare(b, "order.made"), other = test_declare(b, "order.paid");

	for (size_t i = 0; i < 4; i++)
		test_listen(b, &l[i], i % 2 == 0 ? "*" : "order.paid", flags[i], 0);
	for (int i = 0; i < 10; i++)
		test_publish(b, event);
	(void)other;
	test_bridge_free(b);
	assert_int_equal(l[0].delivered_count, 10);
	assert_int_equal(l[2].delivered_count, 10);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(l[i].destroyed_count, 1);
}

static void no_bridge_at_all_is_refused_or_free(void **state)
{
	(void)state;
	stepbus_bridge_free(NULL);
	assert_int_equal(stepbus_bridge_start(NULL, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_stop(NULL, NULL), STEPBUS_EINVAL);
	assert_int_equal(stepbus_bridge_is_active(NULL), 0);
}

/* A destroy that uses the bridge. */
typedef struct last_words {
	test_bridge *b;
	void (*act)(struct last_words *words);
	uint64_t other_id;
	stepbus_status status;
	int destroyed_count;
} last_words;

static int32_t deliver_nothing(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	return STEPBUS_OK;
}

static void act_on_destroy(void *user_data)
{
	last_words *words = user_data;

	words->destroyed_count++;
	words->act(words);
}

static uint64_t subscribe_words(test_bridge *b, last_words *words)
{
	const stepbus_subscription spec = { .size = sizeof spec,
					    .deliver = deliver_nothing,
					    .user_data = words,
					    .destroy = act_on_destroy };
	uint64_t id = 0;

	words->b = b;
	assert_int_equal(stepbus_bridge_subscribe(b->bridge, "*", 1, &spec, &id, &b->err),
			 STEPBUS_OK);
	return id;
}

static void do_everything(last_words *words)
{
	stepbus_bridge *bridge = words->b->bridge;
	const stepbus_event_info info = { .size = sizeof info, .name = "last", .name_len = 4 };
	stepbus_text *text = NULL;
	uint32_t event = 0;

	words->status = stepbus_bridge_declare(bridge, &info, &event, NULL);
	words->status |= stepbus_bridge_publish(bridge, event, NULL, 0, NULL);
	words->status |= stepbus_bridge_unsubscribe(bridge, words->other_id, NULL);
	words->status |= stepbus_bridge_listeners(bridge, NULL, 0, &text, NULL);
	stepbus_text_free(text);
}

static void destroy_may_use_the_bridge(void **state)
{
	test_bridge *b = *state;
	last_words words = { .act = do_everything };
	test_listener reached = { .mark = 0 }, ended = { .mark = 0 };
	uint64_t id;

	test_listen(b, &reached, "*", 0, 0);
	test_listen(b, &ended, "*", 0, -1);
	words.other_id = ended.id;
	id = subscribe_words(b, &words);
	assert_int_equal(stepbus_bridge_unsubscribe(b->bridge, id, NULL), STEPBUS_OK);
	assert_int_equal(words.status, STEPBUS_OK);
	assert_int_equal(words.destroyed_count, 1);
	assert_int_equal(reached.delivered_count, 1);
	assert_int_equal(ended.destroyed_count, 1);
	test_unlisten(&reached);
}

static void stop_the_bridge(last_words *words)
{
	words->status = stepbus_bridge_stop(words->b->bridge, NULL);
}

static void destroy_may_stop_the_bridge(void **state)
{
	test_bridge *b = *state;
	last_words words = { .act = stop_the_bridge };
	test_listener other = { .mark = 0 };
	uint64_t id = subscribe_words(b, &words);

	test_listen(b, &other, "*", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	assert_int_equal(stepbus_bridge_unsubscribe(b->bridge, id, NULL), STEPBUS_OK);
	assert_int_equal(words.status, STEPBUS_OK);
	assert_int_equal(other.destroyed_count, 1);
	assert_int_equal(words.destroyed_count, 1);
}

static void free_the_bridge(last_words *words)
{
	stepbus_bridge_free(words->b->bridge);
}

static void destroy_may_free_the_bridge_when_unsubscribing(void **state)
{
	test_bridge *b = *state;
	last_words words = { .act = free_the_bridge };
	test_listener other = { .mark = 0 };
	uint64_t id = subscribe_words(b, &words);

	test_listen(b, &other, "*", 0, 0);
	assert_int_equal(stepbus_bridge_unsubscribe(b->bridge, id, NULL), STEPBUS_OK);
	b->bridge = NULL;
	assert_int_equal(words.destroyed_count, 1);
	assert_int_equal(other.destroyed_count, 1);
	assert_int_equal(b->t.live_count, 0);
}

static void destroy_may_free_the_bridge_when_stopping(void **state)
{
	test_bridge *b = *state;
	last_words words = { .act = free_the_bridge };
	test_listener l[2] = { { .mark = 0 } };

	test_listen(b, &l[0], "*", 0, 0);
	subscribe_words(b, &words);
	test_listen(b, &l[1], "*", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	assert_int_equal(stepbus_bridge_stop(b->bridge, NULL), STEPBUS_OK);
	b->bridge = NULL;
	assert_int_equal(words.destroyed_count, 1);
	assert_int_equal(l[0].destroyed_count + l[1].destroyed_count, 2);
	assert_int_equal(b->t.live_count, 0);
}

static void the_default_bridge_is_one_started_and_made_anew_after_a_reset(void **state)
{
	stepbus_bridge *first = NULL, *second = NULL;
	uint32_t event = 0;

	(void)state;
	assert_int_equal(stepbus_bridge_default(&first, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_default(&second, NULL), STEPBUS_OK);
	assert_ptr_equal(first, second);
	assert_int_equal(stepbus_bridge_is_active(first), 1);
	assert_int_equal(
		stepbus_bridge_declare(first,
				       &(stepbus_event_info){ .size = sizeof(stepbus_event_info),
							      .name = "order.made",
							      .name_len = 10 },
				       NULL, NULL),
		STEPBUS_OK);
	stepbus_bridge_default_reset();
	assert_int_equal(stepbus_bridge_default(&second, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_is_active(second), 1);
	assert_int_equal(stepbus_bridge_event(second, STEPBUS_TEXT("order.made"), &event, NULL),
			 STEPBUS_ENOTFOUND);
	stepbus_bridge_default_reset();
	stepbus_bridge_default_reset();
	assert_int_equal(stepbus_bridge_default(NULL, NULL), STEPBUS_EINVAL);
}

typedef struct seeker {
	pthread_barrier_t *barrier;
	stepbus_bridge *found;
	test_thread thread;
} seeker;

static void seek_default(void *context)
{
	seeker *s = context;

	pthread_barrier_wait(s->barrier);
	stepbus_bridge_default(&s->found, NULL);
}

static void threads_that_ask_at_once_get_one_default_bridge(void **state)
{
	enum { COUNT = 4 };
	pthread_barrier_t barrier;
	seeker seekers[COUNT];

	(void)state;
	pthread_barrier_init(&barrier, NULL, COUNT);
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < COUNT; i++) {
			seekers[i] = (seeker){ .barrier = &barrier };
			test_thread_start(&seekers[i].thread, seek_default, &seekers[i]);
		}
		for (size_t i = 0; i < COUNT; i++) {
			test_thread_join(&seekers[i].thread);
			assert_non_null(seekers[i].found);
			assert_ptr_equal(seekers[i].found, seekers[0].found);
		}
		stepbus_bridge_default_reset();
	}
	pthread_barrier_destroy(&barrier);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_new_bridge_is_not_active, test_bridge_open_none,
						test_bridge_close),
		BRIDGE_TEST(starting_and_stopping_twice_does_nothing),
		BRIDGE_TEST(stopping_a_stopped_bridge_removes_what_subscribed_since),
		BRIDGE_TEST(a_stopped_bridge_refuses_counts_and_logs_ever_more_rarely),
		BRIDGE_TEST(a_stopped_bridge_can_be_used_but_for_publishing),
		BRIDGE_TEST(stopping_delivers_what_waits),
		BRIDGE_TEST(a_bridge_can_be_started_again),
		BRIDGE_TEST(freeing_an_active_bridge_ends_everything),
		cmocka_unit_test(no_bridge_at_all_is_refused_or_free),
		BRIDGE_TEST(destroy_may_use_the_bridge),
		BRIDGE_TEST(destroy_may_stop_the_bridge),
		BRIDGE_TEST(destroy_may_free_the_bridge_when_unsubscribing),
		BRIDGE_TEST(destroy_may_free_the_bridge_when_stopping),
		cmocka_unit_test(the_default_bridge_is_one_started_and_made_anew_after_a_reset),
		cmocka_unit_test(threads_that_ask_at_once_get_one_default_bridge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
