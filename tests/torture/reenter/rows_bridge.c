/* SPDX-License-Identifier: MIT */
/* Of bridges, their catalog and subscriber objects. */
#include <string.h>

#include "torture/reenter/rows.h"

static int32_t ignore(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	return 0;
}

static uint32_t event_of(const world *w)
{
	return w->bridge == w->own ? w->own_event_id : w->engine_event_id;
}

CALL(bridge_new)
{
	stepbus_bridge *bridge = NULL;
	stepbus_status status = stepbus_bridge_new(NULL, &bridge, err);

	(void)w;
	stepbus_bridge_free(bridge);
	return status;
}

/* With what must not outlive it. */
CALL(bridge_free)
{
	(void)err;
	stepbus_subscriber_free(w->subscriber);
	stepbus_execution_subscriber_free(w->executor);
	w->subscriber = NULL;
	w->executor = NULL;
	stepbus_bridge_free(w->own);
	if (w->bridge == w->own)
		w->bridge = NULL;
	w->own = NULL;
	return STEPBUS_OK;
}

CALL(bridge_default)
{
	stepbus_bridge *bridge = NULL;

	(void)w;
	return stepbus_bridge_default(&bridge, err);
}

CALL(bridge_default_reset)
{
	stepbus_bridge *bridge = NULL;
	stepbus_status status = stepbus_bridge_default(&bridge, err);

	(void)w;
	stepbus_bridge_default_reset();
	return status;
}

CALL(bridge_start)
{
	return stepbus_bridge_start(w->bridge, err);
}

CALL(bridge_stop)
{
	return stepbus_bridge_stop(w->bridge, err);
}

/* In a forked child nothing of the parent's is active. */
CALL(bridge_is_active)
{
	int32_t is_active = stepbus_bridge_is_active(w->bridge);

	(void)err;
	return row_verdict(is_active == 0 || is_active == 1);
}

CALL(bridge_event)
{
	uint32_t id = 0;

	return stepbus_bridge_event(w->bridge, "reenter.probe", 13, &id, err);
}

CALL(bridge_event_name)
{
	const char *name = NULL;
	size_t len = 0;

	return stepbus_bridge_event_name(w->bridge, event_of(w), &name, &len, err);
}

CALL(bridge_subscribe)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = ignore };

	return stepbus_bridge_subscribe(w->bridge, "step.*", 6, &subscription, NULL, err);
}

CALL(bridge_unsubscribe)
{
	return stepbus_bridge_unsubscribe(w->bridge, w->bridge == w->own ? w->own_id : w->engine_id,
					  err);
}

CALL(bridge_publish)
{
	return stepbus_bridge_publish(w->bridge, event_of(w), "x", 1, err);
}

CALL(bridge_publish_name)
{
	return stepbus_bridge_publish_name(w->bridge, "reenter.probe", 13, "x", 1, err);
}

CALL(bridge_flush)
{
	return stepbus_bridge_flush(w->bridge, w->patience_ms, err);
}

CALL(bridge_listener_count)
{
	uint32_t count = 0;

	return stepbus_bridge_listener_count(w->bridge, "reenter.probe", 13, &count, err);
}

CALL(bridge_listeners)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_bridge_listeners(w->bridge, NULL, 0, &text, err);

	return row_take_text(text, status);
}

CALL(bridge_stats)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_bridge_stats(w->bridge, &text, err);

	return row_take_text(text, status);
}

CALL(bridge_declare)
{
	const stepbus_event_info info = { .size = sizeof info,
					  .name = "reenter.declared",
					  .name_len = 16 };

	return stepbus_bridge_declare(w->bridge, &info, NULL, err);
}

CALL(catalog_list)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_catalog_list(w->bridge, NULL, 0, &text, err);

	return row_take_text(text, status);
}

CALL(catalog_search)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_catalog_search(w->bridge, "step", 4, &text, err);

	return row_take_text(text, status);
}

CALL(catalog_explain)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_catalog_explain(w->bridge, "reenter.probe", 13, &text, err);

	return row_take_text(text, status);
}

CALL(subscriber_new)
{
	const stepbus_route route = {
		.size = sizeof route, .pattern = "step.*", .pattern_len = 6, .deliver = ignore
	};
	const stepbus_subscriber_options options = { .size = sizeof options,
						     .route_count = 1,
						     .routes = &route };
	stepbus_subscriber *subscriber = NULL;
	stepbus_status status = stepbus_subscriber_new(w->bridge, &options, &subscriber, err);

	stepbus_subscriber_free(subscriber);
	return status;
}

CALL(subscriber_start)
{
	return stepbus_subscriber_start(w->subscriber, err);
}

CALL(subscriber_stop)
{
	return stepbus_subscriber_stop(w->subscriber, err);
}

CALL(subscriber_free)
{
	(void)err;
	stepbus_subscriber_free(w->subscriber);
	w->subscriber = NULL;
	return STEPBUS_OK;
}

/* On a loop thread of its own bridge a flush would wait for itself. */
#define ON_LOOP                                                      \
	{                                                            \
		{ PLACE_QUEUED, ROW_IS(STEPBUS_EREENTRANT) },        \
		{                                                    \
			PLACE_OWN_QUEUED, ROW_IS(STEPBUS_EREENTRANT) \
		}                                                    \
	}

static const row rows[] = {
	{ "stepbus_bridge_new", bridge_new, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_bridge_free", bridge_free, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_bridge_default", bridge_default, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_bridge_default_reset", bridge_default_reset, 0, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_bridge_start", bridge_start, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_bridge_stop",
	  bridge_stop,
	  ROW_SPOILS,
	  ROW_OWN,
	  { { PLACE_BESIDE_STOP, 0 } },
	  "it waits for the handler that stepbus_stop waits for, as it says" },
	{ "stepbus_bridge_is_active", bridge_is_active, ROW_PURE, ROW_ANYWHERE, { { 0 } }, NULL },
	{ "stepbus_bridge_event", bridge_event, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_bridge_event_name", bridge_event_name, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_bridge_subscribe", bridge_subscribe, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_bridge_unsubscribe", bridge_unsubscribe, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_bridge_publish", bridge_publish, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_bridge_publish_name", bridge_publish_name, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_bridge_flush", bridge_flush, 0, ROW_OWN, ON_LOOP, NULL },
	{ "stepbus_bridge_listener_count", bridge_listener_count, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_bridge_listeners", bridge_listeners, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_bridge_stats", bridge_stats, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_bridge_declare", bridge_declare, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_catalog_list", catalog_list, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_catalog_search", catalog_search, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_catalog_explain", catalog_explain, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_subscriber_new", subscriber_new, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_subscriber_start", subscriber_start, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_subscriber_stop", subscriber_stop, 0, ROW_OWN, { { 0 } }, NULL },
	{ "stepbus_subscriber_free", subscriber_free, 0, ROW_ANYWHERE, { { 0 } }, NULL },
};

const row_table rows_bridge = { rows, sizeof rows / sizeof *rows };
