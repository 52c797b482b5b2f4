/* SPDX-License-Identifier: MIT */
/* The exported functions of the bridge and of its catalog: check, translate, delegate. */
#include "bridge/bridge.h"

#include "bridge/describe.h"
#include "bridge/publish.h"
#include "bridge/roster.h"
#include "bridge/topic.h"
#include "ffi/arguments.h"

enum {
	EVENT_COUNT_DEFAULT = 16384,
	EVENT_COUNT_MAX = 1048576,
	SUBSCRIPTION_COUNT_DEFAULT = 65536,
	SUBSCRIPTION_COUNT_MAX = 1048576,
	QUEUE_COUNT_DEFAULT = 1024,
	QUEUE_COUNT_MAX = 1048576
};

static stepbus_status read_options(const stepbus_bridge_options *given,
				   stepbus_bridge_options *options, stepbus_error *err)
{
	stepbus_status status = STEPBUS_OK;

	*options = (stepbus_bridge_options){ .size = sizeof *options };
	if (given != NULL)
		status = sb_struct_take(options, sizeof *options, given, "stepbus_bridge_options",
					err);
	if (status == STEPBUS_OK)
		status = sb_argument_check_flags(options->flags, STEPBUS_BRIDGE_ALLOW_UNDECLARED,
						 "stepbus_bridge_options", err);
	if (status != STEPBUS_OK)
		return status;
	if (options->event_count_max == 0)
		options->event_count_max = EVENT_COUNT_DEFAULT;
	if (options->subscription_count_max == 0)
		options->subscription_count_max = SUBSCRIPTION_COUNT_DEFAULT;
	if (options->event_count_max < sb_catalog_standard_count ||
	    options->event_count_max > EVENT_COUNT_MAX)
		return sb_fail(err, STEPBUS_EINVAL,
			       "event_count_max is %u: %zu (the standard events) to %d is allowed",
			       options->event_count_max, sb_catalog_standard_count,
			       EVENT_COUNT_MAX);
	if (options->subscription_count_max > SUBSCRIPTION_COUNT_MAX)
		return sb_fail(err, STEPBUS_EINVAL,
			       "subscription_count_max is %u: 1 to %d is allowed",
			       options->subscription_count_max, SUBSCRIPTION_COUNT_MAX);
	return STEPBUS_OK;
}

stepbus_status stepbus_bridge_new(const stepbus_bridge_options *options, stepbus_bridge **out,
				  stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_bridge_options known;
	stepbus_status status = sb_argument_check(out, "out", err);

	if (status == STEPBUS_OK)
		status = read_options(options, &known, err);
	return status == STEPBUS_OK ? sb_bridge_new(&known, out, err) : status;
}

void stepbus_bridge_free(stepbus_bridge *bridge)
{
	SB_UNCANCELLED;
	sb_bridge_free(bridge);
}

stepbus_status stepbus_bridge_start(stepbus_bridge *bridge, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(bridge, "bridge", err);

	return status == STEPBUS_OK ? sb_bridge_start(bridge, err) : status;
}

stepbus_status stepbus_bridge_stop(stepbus_bridge *bridge, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(bridge, "bridge", err);

	return status == STEPBUS_OK ? sb_bridge_stop(bridge, err) : status;
}

int32_t stepbus_bridge_is_active(const stepbus_bridge *bridge)
{
	return bridge != NULL && sb_bridge_mode(bridge) == SB_BRIDGE_ACTIVE;
}

stepbus_status stepbus_bridge_event(stepbus_bridge *bridge, const char *name, size_t len,
				    uint32_t *event_id, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(bridge, "bridge", err);
	sb_event *event = NULL;

	if (status == STEPBUS_OK)
		status = sb_argument_check(event_id, "event_id", err);
	if (status == STEPBUS_OK)
		status = sb_bridge_event(bridge, sb_slice_of(name, len), &event, err);
	if (status == STEPBUS_OK)
		*event_id = event->id;
	return status;
}

stepbus_status stepbus_bridge_event_name(stepbus_bridge *bridge, uint32_t event_id,
					 const char **name, size_t *len, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(bridge, "bridge", err);
	const sb_event *event;

	if (status == STEPBUS_OK)
		status = sb_argument_check(name, "name", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check(len, "len", err);
	if (status == STEPBUS_OK)
		status = sb_bridge_check(bridge, err);
	if (status != STEPBUS_OK)
		return status;
	event = sb_bridge_event_of(bridge, event_id);
	if (event == NULL)
		return sb_fail(err, STEPBUS_ENOTFOUND, "no event of this bridge has the id %u",
			       event_id);
	*name = event->name.data;
	*len = event->name.len;
	return STEPBUS_OK;
}

static stepbus_status check_subscription(stepbus_subscription *spec, stepbus_error *err)
{
	const uint32_t flags = STEPBUS_SUBSCRIPTION_ONCE | STEPBUS_SUBSCRIPTION_QUEUED;
	stepbus_status status =
		sb_argument_check_flags(spec->flags, flags, "stepbus_subscription", err);

	if (status == STEPBUS_OK && spec->reserved != 0)
		return sb_fail(err, STEPBUS_EINVAL,
			       "stepbus_subscription.reserved is %u: it must be 0", spec->reserved);
	if (status == STEPBUS_OK && spec->deliver == NULL)
		return sb_fail(err, STEPBUS_EINVAL, "stepbus_subscription.deliver is NULL");
	if (status == STEPBUS_OK &&
	    (spec->overflow < 0 || spec->overflow > STEPBUS_OVERFLOW_DROP_OLDEST))
		return sb_fail(err, STEPBUS_EINVAL, "overflow is %d: use STEPBUS_OVERFLOW_…",
			       spec->overflow);
	if (status == STEPBUS_OK && spec->queue_count_max > QUEUE_COUNT_MAX)
		return sb_fail(err, STEPBUS_EINVAL, "queue_count_max is %u: 1 to %d is allowed",
			       spec->queue_count_max, QUEUE_COUNT_MAX);
	if (spec->queue_count_max == 0)
		spec->queue_count_max = QUEUE_COUNT_DEFAULT;
	return status;
}

stepbus_status stepbus_bridge_subscribe(stepbus_bridge *bridge, const char *pattern, size_t len,
					const stepbus_subscription *subscription, uint64_t *id,
					stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_subscription spec;
	stepbus_status status =
		sb_struct_take(&spec, sizeof spec, subscription, "stepbus_subscription", err);

	/* Of a struct that cannot be read nothing is known, not even its destroy. */
	if (status != STEPBUS_OK)
		return status;
	status = sb_argument_check(bridge, "bridge", err);
	if (status == STEPBUS_OK)
		status = sb_bridge_check(bridge, err);
	if (status == STEPBUS_OK)
		status = check_subscription(&spec, err);
	if (status == STEPBUS_OK)
		status = sb_topic_check_pattern(sb_slice_of(pattern, len), err);
	if (status == STEPBUS_OK)
		status = sb_roster_subscribe(bridge, sb_slice_of(pattern, len), &spec, id, err);
	if (status != STEPBUS_OK && spec.destroy != NULL)
		spec.destroy(spec.user_data);
	return status;
}

stepbus_status stepbus_bridge_unsubscribe(stepbus_bridge *bridge, uint64_t id, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(bridge, "bridge", err);

	if (status == STEPBUS_OK)
		status = sb_bridge_check(bridge, err);
	return status == STEPBUS_OK ? sb_roster_unsubscribe(bridge, id, err) : status;
}

/* Off the hot path, which then has one test less to make. */
static __attribute__((noinline)) stepbus_status
publish_nothing(stepbus_bridge *bridge, uint32_t event_id, size_t len, stepbus_error *err)
{
	stepbus_status status = sb_argument_check_text(NULL, len, "payload", err);

	return status == STEPBUS_OK ? sb_publish(bridge, event_id, NULL, 0, err) : status;
}

stepbus_status stepbus_bridge_publish(stepbus_bridge *bridge, uint32_t event_id,
				      const void *payload, size_t len, stepbus_error *err)
{
	if (sb_unlikely(bridge == NULL))
		return sb_argument_check(bridge, "bridge", err);
	if (sb_unlikely(payload == NULL))
		return publish_nothing(bridge, event_id, len, err);
	return sb_publish(bridge, event_id, payload, len, err);
}

stepbus_status stepbus_bridge_publish_name(stepbus_bridge *bridge, const char *name,
					   size_t name_len, const void *payload, size_t len,
					   stepbus_error *err)
{
	sb_event *event;
	stepbus_status status;

	if (sb_unlikely(bridge == NULL))
		return sb_argument_check(bridge, "bridge", err);
	if (sb_unlikely(payload == NULL) && len > 0)
		return sb_argument_check_text(payload, len, "payload", err);
	status = sb_bridge_event(bridge, sb_slice_of(name, name_len), &event, err);
	if (sb_unlikely(status != STEPBUS_OK))
		return status;
	return sb_publish(bridge, event->id, payload, len, err);
}

stepbus_status stepbus_bridge_flush(stepbus_bridge *bridge, int64_t timeout_ms, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(bridge, "bridge", err);

	if (status == STEPBUS_OK)
		status = sb_bridge_check(bridge, err);
	if (status == STEPBUS_OK && timeout_ms < -1)
		return sb_fail(err, STEPBUS_EINVAL,
			       "timeout_ms is %lld: -1 (no limit) or more is allowed",
			       (long long)timeout_ms);
	return status == STEPBUS_OK ? sb_delivery_flush(bridge, timeout_ms, err) : status;
}

stepbus_status stepbus_bridge_listener_count(stepbus_bridge *bridge, const char *name, size_t len,
					     uint32_t *count, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(bridge, "bridge", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(count, "count", err);
	if (status == STEPBUS_OK)
		status = sb_topic_check_name(sb_slice_of(name, len), err);
	return status == STEPBUS_OK ?
		       sb_describe_listener_count(bridge, sb_slice_of(name, len), count, err) :
		       status;
}

stepbus_status stepbus_bridge_listeners(stepbus_bridge *bridge, const char *name, size_t len,
					stepbus_text **out, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(bridge, "bridge", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(out, "out", err);
	if (status == STEPBUS_OK && (name != NULL || len > 0))
		status = sb_topic_check_name(sb_slice_of(name, len), err);
	return status == STEPBUS_OK ?
		       sb_describe_listeners(bridge, sb_slice_of(name, len), out, err) :
		       status;
}

stepbus_status stepbus_bridge_stats(stepbus_bridge *bridge, stepbus_text **out, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = sb_argument_check(bridge, "bridge", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(out, "out", err);
	return status == STEPBUS_OK ? sb_describe_stats(bridge, out, err) : status;
}

stepbus_status stepbus_bridge_declare(stepbus_bridge *bridge, const stepbus_event_info *info,
				      uint32_t *event_id, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_event_info known;
	stepbus_status status = sb_argument_check(bridge, "bridge", err);

	if (status == STEPBUS_OK)
		status = sb_struct_take(&known, sizeof known, info, "stepbus_event_info", err);
	if (status == STEPBUS_OK)
		status = sb_argument_check_flags(known.flags, 0, "stepbus_event_info", err);
	return status == STEPBUS_OK ? sb_bridge_declare(bridge, &known, event_id, err) : status;
}

/* What the catalog's calls have in common. */
static stepbus_status check_catalog(stepbus_bridge *bridge, const char *text, size_t len,
				    stepbus_text **out, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(bridge, "bridge", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(out, "out", err);
	return status == STEPBUS_OK ? sb_argument_check_text(text, len, "the text", err) : status;
}

stepbus_status stepbus_catalog_list(stepbus_bridge *bridge, const char *category, size_t len,
				    stepbus_text **out, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = check_catalog(bridge, category, len, out, err);

	return status == STEPBUS_OK ?
		       sb_describe_catalog(bridge, sb_slice_of(category, len), out, err) :
		       status;
}

stepbus_status stepbus_catalog_search(stepbus_bridge *bridge, const char *text, size_t len,
				      stepbus_text **out, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = check_catalog(bridge, text, len, out, err);

	return status == STEPBUS_OK ? sb_describe_search(bridge, sb_slice_of(text, len), out, err) :
				      status;
}

stepbus_status stepbus_catalog_explain(stepbus_bridge *bridge, const char *name, size_t len,
				       stepbus_text **out, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = check_catalog(bridge, name, len, out, err);

	if (status == STEPBUS_OK)
		status = sb_topic_check_name(sb_slice_of(name, len), err);
	return status == STEPBUS_OK ? sb_describe_event(bridge, sb_slice_of(name, len), out, err) :
				      status;
}
