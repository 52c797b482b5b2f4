/* SPDX-License-Identifier: MIT */
#include "torture/crowd/events.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "include/stepbus.h"
#include "torture/history/observer.h"

enum { PUBLISHER_COUNT = 3, SUBSCRIBER_COUNT = 4, SMALL = 16 };

static const char event_name[] = "crowd.news";

typedef struct news {
	int64_t publisher;
	int64_t number;
} news;

typedef struct publisher {
	stepbus_bridge *bridge;
	uint32_t event_id;
	long count;
	int64_t number;
	pthread_t thread;
} publisher;

static int32_t hear(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	const int64_t *subscriber = user_data;
	news n;

	(void)event_id;
	if (len != sizeof n)
		return 0;
	memcpy(&n, payload, sizeof n);
	observer_note(LOG_DELIVERED, *subscriber, n.publisher, n.number, 0);
	return 0;
}

static void *publish(void *user_data)
{
	const publisher *p = user_data;
	stepbus_error err = STEPBUS_ERROR_INIT;

	stepbus_status status = STEPBUS_OK;

	for (int64_t i = 1; i <= p->count && status == STEPBUS_OK; i++) {
		const news n = { p->number, i };

		observer_note(LOG_PUBLISHED, p->number, i, 0, 0);
		status = stepbus_bridge_publish(p->bridge, p->event_id, &n, sizeof n, &err);
	}
	if (status != STEPBUS_OK)
		observer_fail("publish", status, err.message);
	return NULL;
}

/* One on the publishers' threads, one that they wait for, and two that drop what they cannot take. */
static const stepbus_subscription kinds[SUBSCRIBER_COUNT] = {
	{ .size = sizeof(stepbus_subscription), .deliver = hear },
	{ .size = sizeof(stepbus_subscription),
	  .flags = STEPBUS_SUBSCRIPTION_QUEUED,
	  .overflow = STEPBUS_OVERFLOW_BLOCK,
	  .queue_count_max = SMALL,
	  .deliver = hear },
	{ .size = sizeof(stepbus_subscription),
	  .flags = STEPBUS_SUBSCRIPTION_QUEUED,
	  .overflow = STEPBUS_OVERFLOW_DROP_OLDEST,
	  .queue_count_max = SMALL,
	  .deliver = hear },
	{ .size = sizeof(stepbus_subscription),
	  .flags = STEPBUS_SUBSCRIPTION_QUEUED,
	  .overflow = STEPBUS_OVERFLOW_DROP_OLDEST,
	  .queue_count_max = 1,
	  .deliver = hear },
};

/* What the bridge says of itself; the first one has no queue, and so nothing that it may drop. */
static bool note_drops(stepbus_bridge *bridge)
{
	static const char mark[] = "\"dropped\":";
	stepbus_text *text = NULL;
	const char *at;
	int64_t subscriber = 0;

	if (stepbus_bridge_listeners(bridge, event_name, sizeof event_name - 1, &text, NULL) !=
	    STEPBUS_OK)
		return false;
	observer_note(LOG_DROPPED, subscriber++, 0, 0, 0);
	for (at = strstr(stepbus_text_data(text), mark); at != NULL; at = strstr(at + 1, mark))
		observer_note(LOG_DROPPED, subscriber++, strtoll(at + sizeof mark - 1, NULL, 10), 0,
			      0);
	stepbus_text_free(text);
	return subscriber == SUBSCRIBER_COUNT;
}

static stepbus_status begin(stepbus_bridge *bridge, int64_t *numbers, uint32_t *event_id,
			    stepbus_error *err)
{
	stepbus_status status =
		stepbus_bridge_event(bridge, event_name, sizeof event_name - 1, event_id, err);

	for (int64_t i = 0; status == STEPBUS_OK && i < SUBSCRIBER_COUNT; i++) {
		stepbus_subscription subscription = kinds[i];

		numbers[i] = i;
		subscription.user_data = &numbers[i];
		status = stepbus_bridge_subscribe(bridge, event_name, sizeof event_name - 1,
						  &subscription, NULL, err);
	}
	return status;
}

static bool publish_all(stepbus_bridge *bridge, uint32_t event_id, long count)
{
	publisher publishers[PUBLISHER_COUNT];
	int begun = 0;

	for (; begun < PUBLISHER_COUNT; begun++) {
		publisher *p = &publishers[begun];

		*p = (publisher){ .bridge = bridge,
				  .event_id = event_id,
				  .count = count / PUBLISHER_COUNT,
				  .number = begun };
		if (pthread_create(&p->thread, NULL, publish, p) != 0)
			break;
	}
	for (int i = 0; i < begun; i++)
		pthread_join(publishers[i].thread, NULL);
	return begun == PUBLISHER_COUNT;
}

bool crowd_run_events(long count)
{
	const stepbus_bridge_options options = { .size = sizeof options,
						 .flags = STEPBUS_BRIDGE_ALLOW_UNDECLARED };
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_bridge *bridge = NULL;
	int64_t numbers[SUBSCRIBER_COUNT];
	uint32_t event_id = 0;
	stepbus_status status = stepbus_bridge_new(&options, &bridge, &err);
	bool is_fine = false;

	if (status == STEPBUS_OK)
		status = stepbus_bridge_start(bridge, &err);
	if (status == STEPBUS_OK)
		status = begin(bridge, numbers, &event_id, &err);
	if (status == STEPBUS_OK)
		is_fine = publish_all(bridge, event_id, count);
	if (is_fine)
		status = stepbus_bridge_flush(bridge, 60000, &err);
	if (status != STEPBUS_OK)
		observer_fail("publish to a crowd", status, err.message);
	is_fine = is_fine && status == STEPBUS_OK && note_drops(bridge);
	stepbus_bridge_free(bridge);
	return is_fine;
}
