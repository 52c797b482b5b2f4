/* SPDX-License-Identifier: MIT */
/* The bridge, its catalog, and subscribers. */
#include <string.h>

#include "torture/famine/world.h"

#define FAMINE_NOTES_CALLS
#include "torture/famine/calls.h"

/* How events of a scenario are heard. */
static stepbus_status subscribe(famine_world *w, const char *pattern, uint32_t flags,
				int32_t overflow)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .flags = flags,
						    .overflow = overflow,
						    .queue_count_max = 2,
						    .deliver = famine_deliver,
						    .user_data = w,
						    .destroy = famine_destroy };

	/* destroy runs also where this fails. */
	atomic_fetch_add(&w->given, 1);
	return stepbus_bridge_subscribe(w->bridge, pattern, strlen(pattern), &subscription,
					&w->subscription, &w->err);
}

static stepbus_status make_bridge(famine_world *w)
{
	stepbus_bridge *bridge = NULL;
	stepbus_status status = stepbus_bridge_new(NULL, &bridge, &w->err);

	if (status == STEPBUS_OK)
		status = stepbus_bridge_start(bridge, &w->err);
	if (status == STEPBUS_OK && !stepbus_bridge_is_active(bridge))
		famine_breach(w, "a started bridge is not active");
	if (status == STEPBUS_OK)
		status = stepbus_bridge_stop(bridge, &w->err);
	stepbus_bridge_free(bridge);
	return status;
}

static stepbus_status use_default_bridge(famine_world *w)
{
	stepbus_bridge *bridge = NULL;
	stepbus_status status = stepbus_bridge_default(&bridge, &w->err);

	if (status == STEPBUS_OK)
		status = stepbus_bridge_default(&bridge, &w->err);
	stepbus_bridge_default_reset();
	return status;
}

static stepbus_status declare(famine_world *w)
{
	const stepbus_event_info info = { .size = sizeof info,
					  .name = "shop.order.paid",
					  .name_len = 15,
					  .description = "An order was paid",
					  .description_len = 17,
					  .schema = "{\"type\":\"object\"}",
					  .schema_len = 17,
					  .example = "{\"order\":1}",
					  .example_len = 11,
					  .fired_by = "shop,till",
					  .fired_by_len = 9 };
	uint32_t event = 0;
	const char *name;
	size_t len;

	FAMINE_TRY(stepbus_bridge_declare(w->bridge, &info, &event, &w->err));
	FAMINE_TRY(stepbus_bridge_event_name(w->bridge, event, &name, &len, &w->err));
	if (len != 15)
		famine_breach(w, "an event has another name");
	return STEPBUS_OK;
}

static stepbus_status look_at_bridge(famine_world *w)
{
	const char *name = NULL;
	size_t len = 0;

	if (!stepbus_bridge_is_active(w->bridge))
		famine_breach(w, "a started bridge is not active");
	return stepbus_bridge_event_name(w->bridge, 1, &name, &len, &w->err);
}

static stepbus_status look_up_undeclared(famine_world *w)
{
	uint32_t event = 0;

	FAMINE_TRY(stepbus_bridge_event(w->bridge, STEPBUS_TEXT("new.one"), &event, &w->err));
	return stepbus_bridge_event(w->bridge, STEPBUS_TEXT("new.other"), &event, &w->err);
}

static stepbus_status subscribe_exactly(famine_world *w)
{
	return subscribe(w, STEPBUS_EVENT_HANDLER_ERROR, 0, 0);
}

static stepbus_status subscribe_by_pattern(famine_world *w)
{
	return subscribe(w, "step.*", STEPBUS_SUBSCRIPTION_ONCE, 0);
}

static stepbus_status subscribe_queued(famine_world *w)
{
	return subscribe(w, "step.*", STEPBUS_SUBSCRIPTION_QUEUED, 0);
}

static stepbus_status publish(famine_world *w)
{
	return stepbus_bridge_publish_name(w->bridge, STEPBUS_TEXT(STEPBUS_EVENT_HANDLER_ERROR),
					   STEPBUS_TEXT("{\"a\":1}"), &w->err);
}

static void hear(famine_world *w)
{
	if (subscribe(w, "*", 0, 0) != STEPBUS_OK ||
	    subscribe(w, STEPBUS_EVENT_HANDLER_ERROR, STEPBUS_SUBSCRIPTION_ONCE, 0) != STEPBUS_OK)
		famine_breach(w, "no subscription");
}

static void hear_queued(famine_world *w)
{
	if (subscribe(w, "*", STEPBUS_SUBSCRIPTION_QUEUED, STEPBUS_OVERFLOW_BLOCK) != STEPBUS_OK)
		famine_breach(w, "no subscription");
}

static void hear_the_newest(famine_world *w)
{
	if (subscribe(w, "*", STEPBUS_SUBSCRIPTION_QUEUED, STEPBUS_OVERFLOW_DROP_OLDEST) !=
	    STEPBUS_OK)
		famine_breach(w, "no subscription");
}

static void is_heard(famine_world *w)
{
	if (atomic_load(&w->delivered) == 0)
		famine_breach(w, "nothing was delivered");
}

static stepbus_status publish_undeclared(famine_world *w)
{
	return stepbus_bridge_publish_name(w->bridge, STEPBUS_TEXT("never.heard.of"), NULL, 0,
					   &w->err);
}

static stepbus_status publish_queued(famine_world *w)
{
	for (int i = 0; i < 4; i++)
		FAMINE_TRY(publish(w));
	return stepbus_bridge_flush(w->bridge, 5000, &w->err);
}

static stepbus_status publish_step_queued(famine_world *w)
{
	const stepbus_dependency dependency = { .size = sizeof dependency,
						.step_name = "before",
						.step_name_len = 6,
						.result = "1",
						.result_len = 1 };
	const stepbus_step_event event = { .size = sizeof event,
					   .handler_name = "echo",
					   .handler_name_len = 4,
					   .input = "bytes",
					   .input_len = 5,
					   .dependencies = &dependency,
					   .dependency_count = 1 };
	uint32_t id = 0;

	FAMINE_TRY(stepbus_bridge_event(
		w->bridge, STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED), &id, &w->err));
	FAMINE_TRY(stepbus_bridge_publish(w->bridge, id, &event, sizeof event, &w->err));
	return stepbus_bridge_flush(w->bridge, 5000, &w->err);
}

static stepbus_status unsubscribe(famine_world *w)
{
	FAMINE_TRY(stepbus_bridge_unsubscribe(w->bridge, w->subscription, &w->err));
	if (atomic_load(&w->destroyed) == 0)
		famine_breach(w, "unsubscribed, and not destroyed");
	return STEPBUS_OK;
}

static stepbus_status stop_and_start(famine_world *w)
{
	FAMINE_TRY(stepbus_bridge_stop(w->bridge, &w->err));
	return stepbus_bridge_start(w->bridge, &w->err);
}

static stepbus_status describe(famine_world *w)
{
	stepbus_text *text = NULL;
	uint32_t count = 0;

	FAMINE_TRY(
		FAMINE_TEXT(w, text, stepbus_bridge_listeners(w->bridge, NULL, 0, &text, &w->err)));
	text = NULL;
	FAMINE_TRY(stepbus_bridge_listener_count(
		w->bridge, STEPBUS_TEXT(STEPBUS_EVENT_HANDLER_ERROR), &count, &w->err));
	return FAMINE_TEXT(w, text, stepbus_bridge_stats(w->bridge, &text, &w->err));
}

static stepbus_status list_catalog(famine_world *w)
{
	stepbus_text *text = NULL;

	return FAMINE_TEXT(w, text,
			   stepbus_catalog_list(w->bridge, STEPBUS_TEXT("step"), &text, &w->err));
}

static stepbus_status search_catalog(famine_world *w)
{
	stepbus_text *text = NULL;

	return FAMINE_TEXT(
		w, text, stepbus_catalog_search(w->bridge, STEPBUS_TEXT("LEASE"), &text, &w->err));
}

static stepbus_status explain_event(famine_world *w)
{
	stepbus_text *text = NULL;

	return FAMINE_TEXT(
		w, text,
		stepbus_catalog_explain(w->bridge, STEPBUS_TEXT("step.completed"), &text, &w->err));
}

static stepbus_status make_subscriber(famine_world *w)
{
	const stepbus_route routes[] = {
		{ sizeof routes[0], 0, "step.*", 6, famine_deliver },
		{ sizeof routes[0], 0, "handler.error", 13, famine_deliver },
	};
	const stepbus_subscriber_options options = { .size = sizeof options,
						     .route_count = 2,
						     .routes = routes,
						     .user_data = w,
						     .destroy = famine_destroy };

	if (w->subscriber == NULL) {
		atomic_fetch_add(&w->given, 1);
		FAMINE_TRY(stepbus_subscriber_new(w->bridge, &options, &w->subscriber, &w->err));
	}
	FAMINE_TRY(stepbus_subscriber_start(w->subscriber, &w->err));
	FAMINE_TRY(stepbus_subscriber_stop(w->subscriber, &w->err));
	return stepbus_subscriber_start(w->subscriber, &w->err);
}

/* A queue without memory refuses an event, and its publisher hears so. */
enum { REFUSED = 1 << STEPBUS_EDELIVERY };

static const famine_scenario bridge[] = {
	{ "make a bridge", FAMINE_COLD, 0, make_bridge, NULL, NULL },
	{ "make another bridge", 0, 0, make_bridge, NULL, NULL },
	{ "default bridge", FAMINE_COLD, 0, use_default_bridge, NULL, NULL },
	{ "look at a bridge", FAMINE_BRIDGE, 0, look_at_bridge, NULL, NULL },
	{ "declare an event", FAMINE_BRIDGE, 0, declare, NULL, NULL },
	{ "look up undeclared events", FAMINE_BRIDGE, 0, look_up_undeclared, NULL, NULL },
	{ "subscribe to an event", FAMINE_BRIDGE, 0, subscribe_exactly, NULL, NULL },
	{ "subscribe to a pattern", FAMINE_BRIDGE, 0, subscribe_by_pattern, NULL, NULL },
	{ "subscribe queued", FAMINE_BRIDGE, 0, subscribe_queued, NULL, NULL },
	{ "publish", FAMINE_BRIDGE, 0, publish, hear, is_heard },
	{ "publish undeclared", FAMINE_BRIDGE, 0, publish_undeclared, hear, is_heard },
	{ "publish to a queue", FAMINE_BRIDGE, REFUSED, publish_queued, hear_queued, is_heard },
	{ "publish to the newest", FAMINE_BRIDGE, REFUSED, publish_queued, hear_the_newest,
	  is_heard },
	{ "publish a step to a queue", FAMINE_BRIDGE, REFUSED, publish_step_queued, hear_queued,
	  is_heard },
	{ "unsubscribe", FAMINE_BRIDGE, 0, unsubscribe, hear, NULL },
	{ "unsubscribe a queue", FAMINE_BRIDGE, 0, unsubscribe, hear_queued, NULL },
	{ "stop and start a bridge", FAMINE_BRIDGE, 0, stop_and_start, hear_queued, NULL },
	{ "describe a bridge", FAMINE_BRIDGE, 0, describe, hear, NULL },
	{ "list the catalog", FAMINE_BRIDGE, 0, list_catalog, NULL, NULL },
	{ "search the catalog", FAMINE_BRIDGE, 0, search_catalog, NULL, NULL },
	{ "explain an event", FAMINE_BRIDGE, 0, explain_event, NULL, NULL },
	{ "subscriber", FAMINE_BRIDGE, 0, make_subscriber, NULL, NULL },
};
FAMINE_SCENARIOS(famine_bridge, bridge);
