/* SPDX-License-Identifier: MIT */
/* A forked child: every object of its parent refuses, and it may make its own. */
#include <string.h>

#include "support/child.h"
#include "support/listener.h"

/* What the child works on; nothing of it may be asserted there. */
typedef struct family {
	test_bridge *b;
	stepbus_subscriber *subscriber;
	test_listener *listener;
	uint32_t event;
} family;

typedef stepbus_status (*call)(family *f);

static stepbus_status call_start(family *f)
{
	return stepbus_bridge_start(f->b->bridge, &f->b->err);
}

static stepbus_status call_stop(family *f)
{
	return stepbus_bridge_stop(f->b->bridge, &f->b->err);
}

static stepbus_status call_event(family *f)
{
	uint32_t event;

	return stepbus_bridge_event(f->b->bridge, STEPBUS_TEXT("order.made"), &event, &f->b->err);
}

static stepbus_status call_event_name(family *f)
{
	const char *name;
	size_t len;

	return stepbus_bridge_event_name(f->b->bridge, f->event, &name, &len, &f->b->err);
}

static stepbus_status call_subscribe(family *f)
{
	stepbus_subscription spec = test_listener_spec(f->listener);
	uint32_t before = f->listener->destroyed_count;
	stepbus_status status =
		stepbus_bridge_subscribe(f->b->bridge, "*", 1, &spec, NULL, &f->b->err);

	/* As for every call that fails. */
	return f->listener->destroyed_count == before + 1 ? status : -1;
}

static stepbus_status call_unsubscribe(family *f)
{
	return stepbus_bridge_unsubscribe(f->b->bridge, f->listener->id, &f->b->err);
}

static stepbus_status call_publish(family *f)
{
	return stepbus_bridge_publish(f->b->bridge, f->event, "x", 1, &f->b->err);
}

static stepbus_status call_publish_nothing(family *f)
{
	return stepbus_bridge_publish(f->b->bridge, 99999, NULL, 0, &f->b->err);
}

static stepbus_status call_publish_name(family *f)
{
	return stepbus_bridge_publish_name(f->b->bridge, STEPBUS_TEXT("order.made"), NULL, 0,
					   &f->b->err);
}

static stepbus_status call_flush(family *f)
{
	return stepbus_bridge_flush(f->b->bridge, 0, &f->b->err);
}

static stepbus_status call_listener_count(family *f)
{
	uint32_t count;

	return stepbus_bridge_listener_count(f->b->bridge, STEPBUS_TEXT("order.made"), &count,
					     &f->b->err);
}

static stepbus_status call_listeners(family *f)
{
	stepbus_text *text;

	return stepbus_bridge_listeners(f->b->bridge, NULL, 0, &text, &f->b->err);
}

static stepbus_status call_stats(family *f)
{
	stepbus_text *text;

	return stepbus_bridge_stats(f->b->bridge, &text, &f->b->err);
}

static stepbus_status call_declare(family *f)
{
	const stepbus_event_info info = { .size = sizeof info, .name = "a.b", .name_len = 3 };

	return stepbus_bridge_declare(f->b->bridge, &info, NULL, &f->b->err);
}

static stepbus_status call_catalog_list(family *f)
{
	stepbus_text *text;

	return stepbus_catalog_list(f->b->bridge, NULL, 0, &text, &f->b->err);
}

static stepbus_status call_catalog_search(family *f)
{
	stepbus_text *text;

	return stepbus_catalog_search(f->b->bridge, "a", 1, &text, &f->b->err);
}

static stepbus_status call_catalog_explain(family *f)
{
	stepbus_text *text;

	return stepbus_catalog_explain(f->b->bridge, STEPBUS_TEXT("order.made"), &text, &f->b->err);
}

static stepbus_status call_subscriber_new(family *f)
{
	const stepbus_route route = { .size = sizeof route,
				      .pattern = "order.made",
				      .pattern_len = 10,
				      .deliver = test_listener_deliver };
	const stepbus_subscriber_options options = { .size = sizeof options,
						     .route_count = 1,
						     .routes = &route };
	stepbus_subscriber *made;

	return stepbus_subscriber_new(f->b->bridge, &options, &made, &f->b->err);
}

static stepbus_status call_subscriber_start(family *f)
{
	return stepbus_subscriber_start(f->subscriber, &f->b->err);
}

static stepbus_status call_subscriber_stop(family *f)
{
	return stepbus_subscriber_stop(f->subscriber, &f->b->err);
}

static const call calls[] = {
	call_start,
	call_stop,
	call_event,
	call_event_name,
	call_subscribe,
	call_unsubscribe,
	call_publish,
	call_publish_nothing,
	call_publish_name,
	call_flush,
	call_listener_count,
	call_listeners,
	call_stats,
	call_declare,
	call_catalog_list,
	call_catalog_search,
	call_catalog_explain,
	call_subscriber_new,
	call_subscriber_start,
	call_subscriber_stop,
};

/* 0, or the number of the first call (from 1) that did not answer as it should. */
static int try_every_call(void *context)
{
	family *f = context;

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		f->b->err = (stepbus_error)STEPBUS_ERROR_INIT;
		if (calls[i](f) != STEPBUS_EFORKED || f->b->err.code != STEPBUS_EFORKED ||
		    f->b->err.message[0] == '\0')
			return (int)i + 1;
	}
	return 0;
}

static void open_family(test_bridge *b, family *f, test_listener *l)
{
	const stepbus_route route = { .size = sizeof route,
				      .pattern = "order.*",
				      .pattern_len = 7,
				      .deliver = test_listener_deliver };
	const stepbus_subscriber_options options = {
		.size = sizeof options, .route_count = 1, .routes = &route, .user_data = l
	};

	*f = (family){ .b = b, .listener = l, .event = test_declare(b, "order.made") };
	test_listen(b, l, "order.made", 0, 0);
	assert_int_equal(stepbus_subscriber_new(b->bridge, &options, &f->subscriber, &b->err),
			 STEPBUS_OK);
	assert_int_equal(stepbus_subscriber_start(f->subscriber, &b->err), STEPBUS_OK);
}

static void close_family(family *f)
{
	stepbus_subscriber_free(f->subscriber);
	test_bridge_free(f->b);
}

static void every_call_of_a_child_is_refused(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 0 };
	family f;

	open_family(b, &f, &l);
	assert_int_equal(test_in_child(try_every_call, &f), 0);
	assert_int_equal(l.delivered_count, 0);
	/* The parent does not notice. */
	test_publish(b, f.event);
	assert_int_equal(l.delivered_count, 2);
	close_family(&f);
}

static void every_call_of_a_child_is_refused_with_a_loop_thread_too(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 0 }, queued = { .mark = 0 };
	family f;

	open_family(b, &f, &l);
	test_listen(b, &queued, "*", STEPBUS_SUBSCRIPTION_QUEUED, 0);
	test_publish(b, f.event);
	stepbus_bridge_flush(b->bridge, -1, NULL);
	assert_int_equal(test_in_child(try_every_call, &f), 0);
	close_family(&f);
	assert_int_equal(queued.destroyed_count, 1);
}

static int end_everything(void *context)
{
	family *f = context;
	int is_active = stepbus_bridge_is_active(f->b->bridge);

	stepbus_subscriber_free(f->subscriber);
	stepbus_bridge_free(f->b->bridge);
	return is_active * 10 + (int)f->listener->destroyed_count;
}

static void freeing_in_a_child_runs_and_frees_nothing(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 0 };
	size_t live_count;
	family f;

	open_family(b, &f, &l);
	live_count = b->t.live_count;
	assert_int_equal(test_in_child(end_everything, &f), 0);
	assert_int_equal(b->t.live_count, live_count);
	assert_int_equal(stepbus_bridge_is_active(b->bridge), 1);
	close_family(&f);
	assert_int_equal(l.destroyed_count, 1);
}

static int use_a_bridge_of_its_own(void *context)
{
	family *f = context;
	test_listener l = { .mark = 0 };
	stepbus_subscription spec = test_listener_spec(&l);
	stepbus_bridge *own = NULL;
	uint64_t id = 0;

	if (stepbus_bridge_new(NULL, &own, NULL) != STEPBUS_OK ||
	    stepbus_bridge_start(own, NULL) != STEPBUS_OK ||
	    stepbus_bridge_subscribe(own, "*", 1, &spec, &id, NULL) != STEPBUS_OK ||
	    stepbus_bridge_publish(own, 0, NULL, 0, NULL) != STEPBUS_OK)
		return 1;
	if (stepbus_bridge_unsubscribe(own, id, NULL) != STEPBUS_OK || l.delivered_count != 1 ||
	    l.destroyed_count != 1)
		return 2;
	stepbus_bridge_free(own);
	return stepbus_bridge_publish(f->b->bridge, f->event, NULL, 0, NULL) == STEPBUS_EFORKED ?
		       0 :
		       3;
}

static void a_child_may_make_a_bridge_of_its_own(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 0 };
	family f;

	open_family(b, &f, &l);
	test_publish(b, f.event);
	assert_int_equal(test_in_child(use_a_bridge_of_its_own, &f), 0);
	close_family(&f);
}

static int use_the_default_bridge(void *context)
{
	stepbus_bridge *bridge = NULL;

	(void)context;
	if (stepbus_bridge_default(&bridge, NULL) != STEPBUS_OK ||
	    stepbus_bridge_publish(bridge, 0, NULL, 0, NULL) != STEPBUS_EFORKED ||
	    stepbus_bridge_is_active(bridge) != 0)
		return 1;
	stepbus_bridge_default_reset();
	if (stepbus_bridge_default(&bridge, NULL) != STEPBUS_OK ||
	    stepbus_bridge_publish(bridge, 0, NULL, 0, NULL) != STEPBUS_OK ||
	    stepbus_bridge_is_active(bridge) != 1)
		return 2;
	stepbus_bridge_default_reset();
	return 0;
}

static void a_child_gets_a_default_bridge_of_its_own_by_a_reset(void **state)
{
	stepbus_bridge *bridge = NULL;

	(void)state;
	assert_int_equal(stepbus_bridge_default(&bridge, NULL), STEPBUS_OK);
	assert_int_equal(test_in_child(use_the_default_bridge, NULL), 0);
	assert_int_equal(stepbus_bridge_publish(bridge, 0, NULL, 0, NULL), STEPBUS_OK);
	stepbus_bridge_default_reset();
}

/* Forks from inside a callback; the child tries what it may not do, and ends there. */
static void act_fork(test_listener *listener, uint32_t event_id)
{
	family *f = listener->object;

	(void)event_id;
	listener->status = test_in_child(try_every_call, f);
}

static void a_child_of_a_callback_is_refused_too(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 0 }, forking = { .act = act_fork, .status = -1 };
	family f;

	open_family(b, &f, &l);
	forking.object = &f;
	test_listen(b, &forking, "order.made", 0, 0);
	test_publish(b, f.event);
	assert_int_equal(forking.status, 0);
	close_family(&f);
}

static int is_refused_in_grandchild(void *context)
{
	return test_in_child(try_every_call, context);
}

static void a_grandchild_is_refused_too(void **state)
{
	test_bridge *b = *state;
	test_listener l = { .mark = 0 };
	family f;

	open_family(b, &f, &l);
	assert_int_equal(test_in_child(is_refused_in_grandchild, &f), 0);
	close_family(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(every_call_of_a_child_is_refused),
		BRIDGE_TEST(every_call_of_a_child_is_refused_with_a_loop_thread_too),
		BRIDGE_TEST(freeing_in_a_child_runs_and_frees_nothing),
		BRIDGE_TEST(a_child_may_make_a_bridge_of_its_own),
		cmocka_unit_test(a_child_gets_a_default_bridge_of_its_own_by_a_reset),
		BRIDGE_TEST(a_child_of_a_callback_is_refused_too),
		BRIDGE_TEST(a_grandchild_is_refused_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
