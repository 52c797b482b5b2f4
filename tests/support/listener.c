/* SPDX-License-Identifier: MIT */
#include "support/listener.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <sched.h>
#include <string.h>

#include "base/guard.h"

void test_trace_mark(test_trace *trace, char mark)
{
	pthread_mutex_lock(&trace->lock);
	if (trace->len + 1 < sizeof trace->text)
		trace->text[trace->len++] = mark;
	pthread_mutex_unlock(&trace->lock);
}

const char *test_trace_take(test_trace *trace)
{
	pthread_mutex_lock(&trace->lock);
	trace->text[trace->len] = '\0';
	trace->len = 0;
	pthread_mutex_unlock(&trace->lock);
	return trace->text;
}

static test_bridge fixture;

int test_bridge_open_none(void **state)
{
	memset(&fixture, 0, sizeof fixture);
	fixture.err.size = sizeof fixture.err;
	test_host_init(&fixture.t);
	pthread_mutex_init(&fixture.trace.lock, NULL);
	*state = &fixture;
	return 0;
}

int test_bridge_open(void **state)
{
	stepbus_bridge_options options = { .size = sizeof options };

	test_bridge_open_none(state);
	options.host = &fixture.t.host;
	assert_int_equal(stepbus_bridge_new(&options, &fixture.bridge, &fixture.err), STEPBUS_OK);
	assert_int_equal(stepbus_bridge_start(fixture.bridge, &fixture.err), STEPBUS_OK);
	return 0;
}

void test_bridge_free(test_bridge *b)
{
	stepbus_bridge_free(b->bridge);
	b->bridge = NULL;
}

int test_bridge_close(void **state)
{
	test_bridge *b = *state;

	if (b->bridge != NULL && test_stat(b, "subscriptions") > 0) {
		/* The test failed on its way, and its listeners are gone with its stack. */
		cJSON_InitHooks(NULL);
		return -1;
	}
	test_bridge_free(b);
	sb_guard_force_fences(false);
	test_host_end(&b->t);
	pthread_mutex_destroy(&b->trace.lock);
	return 0;
}

int32_t test_listener_deliver(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	test_listener *listener = user_data;
	int32_t answer = listener->answer;

	(void)payload;
	(void)len;
	atomic_fetch_add(&listener->delivered_count, 1);
	if (listener->mark != 0)
		test_trace_mark(&listener->b->trace, listener->mark);
	if (listener->act != NULL)
		listener->act(listener, event_id);
	atomic_fetch_add(&listener->returned_count, 1);
	return answer;
}

void test_listener_destroy(void *user_data)
{
	test_listener *listener = user_data;

	if (listener->mark != 0)
		test_trace_mark(&listener->b->trace, (char)toupper(listener->mark));
	atomic_fetch_add(&listener->destroyed_count, 1);
}

stepbus_subscription test_listener_spec(test_listener *listener)
{
	return (stepbus_subscription){ .size = sizeof(stepbus_subscription),
				       .deliver = test_listener_deliver,
				       .user_data = listener,
				       .destroy = test_listener_destroy };
}

stepbus_status test_listen_as(test_bridge *b, test_listener *listener, const char *pattern,
			      const stepbus_subscription *spec)
{
	listener->b = b;
	listener->bridge = b->bridge;
	return stepbus_bridge_subscribe(b->bridge, pattern, strlen(pattern), spec, &listener->id,
					&b->err);
}

void test_listen(test_bridge *b, test_listener *listener, const char *pattern, uint32_t flags,
		 int32_t priority)
{
	stepbus_subscription spec = test_listener_spec(listener);

	spec.flags = flags;
	spec.priority = priority;
	if (test_listen_as(b, listener, pattern, &spec) != STEPBUS_OK)
		fail_msg("cannot subscribe to '%s': %s", pattern, b->err.message);
}

void test_unlisten(test_listener *listener)
{
	assert_int_equal(stepbus_bridge_unsubscribe(listener->bridge, listener->id, NULL),
			 STEPBUS_OK);
}

uint32_t test_declare(test_bridge *b, const char *name)
{
	const stepbus_event_info info = { .size = sizeof info,
					  .name = name,
					  .name_len = strlen(name) };
	uint32_t event_id = UINT32_MAX;

	if (stepbus_bridge_declare(b->bridge, &info, &event_id, &b->err) != STEPBUS_OK)
		fail_msg("cannot declare '%s': %s", name, b->err.message);
	return event_id;
}

uint32_t test_event(test_bridge *b, const char *name)
{
	uint32_t event_id = UINT32_MAX;

	if (stepbus_bridge_event(b->bridge, name, strlen(name), &event_id, &b->err) != STEPBUS_OK)
		fail_msg("cannot find '%s': %s", name, b->err.message);
	return event_id;
}

void test_publish(test_bridge *b, uint32_t event_id)
{
	if (stepbus_bridge_publish(b->bridge, event_id, NULL, 0, &b->err) != STEPBUS_OK)
		fail_msg("cannot publish: %s", b->err.message);
}

int64_t test_stat(test_bridge *b, const char *name)
{
	static const char queued[] = "queued.";
	bool is_queued = strncmp(name, queued, sizeof queued - 1) == 0;
	stepbus_text *text = NULL;
	cJSON *stats, *place;
	int64_t value = -1;

	assert_int_equal(stepbus_bridge_stats(b->bridge, &text, &b->err), STEPBUS_OK);
	stats = cJSON_Parse(stepbus_text_data(text));
	stepbus_text_free(text);
	place = is_queued ? cJSON_GetObjectItem(stats, "queued") : stats;
	place = cJSON_GetObjectItem(place, is_queued ? name + sizeof queued - 1 : name);
	if (cJSON_IsNumber(place))
		value = (int64_t)place->valuedouble;
	if (cJSON_IsBool(place))
		value = cJSON_IsTrue(place);
	cJSON_Delete(stats);
	return value;
}

void test_await_release(test_host *t)
{
	size_t live_count;

	do {
		sched_yield();
		pthread_mutex_lock(&t->lock);
		live_count = t->live_count;
		pthread_mutex_unlock(&t->lock);
	} while (live_count > 0);
}
