/* SPDX-License-Identifier: MIT */
#include "bridge/events.h"

#include "base/json.h"
#include "base/nearest.h"
#include "base/utf8.h"
#include "bridge/topic.h"

enum { DESCRIPTION_LEN_MAX = 4096 };

static const char *const categories[] = {
	"task", "step", "workflow", "handler", "poller", "worker", "observability", "custom",
};

bool sb_events_is_category(sb_slice category)
{
	for (size_t i = 0; i < sizeof categories / sizeof *categories; i++)
		if (sb_slice_is_equal(category, sb_slice_z(categories[i])))
			return true;
	return false;
}

static stepbus_status check_pair(const char *text, size_t len, const char *what, stepbus_error *err)
{
	if (text == NULL && len > 0)
		return sb_fail(err, STEPBUS_EINVAL, "%s is NULL but has a length of %zu", what,
			       len);
	if (len > DESCRIPTION_LEN_MAX)
		return sb_fail(err, STEPBUS_EINVAL, "%s has %zu bytes: at most %d are allowed",
			       what, len, DESCRIPTION_LEN_MAX);
	if (!sb_utf8_is_valid(text, len))
		return sb_fail(err, STEPBUS_EINVAL, "%s is not UTF-8, or holds a NUL", what);
	return STEPBUS_OK;
}

static stepbus_status check_json(const char *text, size_t len, const char *what, stepbus_error *err)
{
	if (text == NULL && len > 0)
		return sb_fail(err, STEPBUS_EINVAL, "%s is NULL but has a length of %zu", what,
			       len);
	return len > 0 ? sb_json_check(sb_slice_of(text, len), false, what, err) : STEPBUS_OK;
}

stepbus_status sb_events_check(const stepbus_event_info *info, stepbus_error *err)
{
	stepbus_status status = sb_topic_check_name(sb_slice_of(info->name, info->name_len), err);
	sb_slice category = sb_slice_of(info->category, info->category_len);

	if (status == STEPBUS_OK)
		status = check_pair(info->category, info->category_len, "the category", err);
	if (status == STEPBUS_OK && category.len > 0 && !sb_events_is_category(category))
		return sb_fail(err, STEPBUS_EINVAL,
			       "there is no such category: use task, step, workflow, handler, "
			       "poller, worker, "
			       "observability or custom");
	if (status == STEPBUS_OK)
		status = check_pair(info->description, info->description_len, "the description",
				    err);
	if (status == STEPBUS_OK)
		status = check_pair(info->fired_by, info->fired_by_len, "fired_by", err);
	if (status == STEPBUS_OK)
		status = check_json(info->schema, info->schema_len, "the payload schema", err);
	if (status == STEPBUS_OK)
		status = check_json(info->example, info->example_len, "the example payload", err);
	return status;
}

stepbus_status sb_events_init(sb_events *events, const stepbus_host *host, uint32_t count_max,
			      stepbus_error *err)
{
	stepbus_status status = sb_map_init(&events->names, host, err);

	if (status != STEPBUS_OK)
		return status;
	sb_gate_init(&events->gate);
	events->host = host;
	events->count_max = count_max;
	return STEPBUS_OK;
}

void sb_events_free(sb_events *events)
{
	sb_event *event;

	/* Not initialised: then there is nothing to free either. */
	if (events->host == NULL)
		return;
	while ((event = sb_events_first(events)) != NULL) {
		sb_map_remove(&events->names, &event->node);
		sb_release(events->host, event);
	}
	sb_gate_free(&events->gate);
}

/* Copies a text behind the ones before; an empty one stays without data. */
static sb_slice keep(char **tail, const char *text, size_t len)
{
	sb_slice kept = sb_slice_of(len > 0 ? *tail : NULL, len);

	if (len == 0)
		return kept;
	memcpy(*tail, text, len);
	*tail += len + 1;
	return kept;
}

static sb_event *new_event(const stepbus_host *host, const stepbus_event_info *info)
{
	const sb_slice custom = sb_slice_z("custom");
	sb_slice category =
		info->category_len > 0 ? sb_slice_of(info->category, info->category_len) : custom;
	sb_event *event = sb_alloc(host, sizeof *event + info->name_len + category.len +
						 info->description_len + info->schema_len +
						 info->example_len + info->fired_by_len + 6);
	char *tail;

	if (event == NULL)
		return NULL;
	tail = event->texts;
	event->name = keep(&tail, info->name, info->name_len);
	event->category = keep(&tail, category.data, category.len);
	event->description = keep(&tail, info->description, info->description_len);
	event->schema = keep(&tail, info->schema, info->schema_len);
	event->example = keep(&tail, info->example, info->example_len);
	event->fired_by = keep(&tail, info->fired_by, info->fired_by_len);
	return event;
}

stepbus_status sb_events_add(sb_events *events, const stepbus_event_info *info,
			     sb_payload_kind kind, sb_event **out, stepbus_error *err)
{
	sb_event *event;
	bool is_added;

	if (events->count >= events->count_max)
		return sb_fail(err, STEPBUS_ELIMIT,
			       "the bridge has %u events: raise event_count_max", events->count);
	event = new_event(events->host, info);
	if (event == NULL)
		return sb_fail_memory(err, "declare an event");
	event->id = events->count;
	event->kind = kind;
	sb_gate_close(&events->gate);
	is_added = sb_map_add(&events->names, &event->node, event->name.data, event->name.len);
	sb_gate_open(&events->gate);
	if (!is_added) {
		sb_release(events->host, event);
		return sb_fail_memory(err, "declare an event");
	}
	events->count++;
	*out = event;
	return STEPBUS_OK;
}

stepbus_status sb_events_fail_missing(sb_events *events, sb_slice name, stepbus_error *err)
{
	sb_nearest nearest = sb_nearest_to(name);
	sb_shown shown;

	for (const sb_event *event = sb_events_first(events); event != NULL;
	     event = sb_events_next(event))
		sb_nearest_offer(&nearest, event->name);
	if (nearest.best.len > 0)
		return sb_fail(err, STEPBUS_ENOTFOUND, "there is no event '%s': did you mean '%s'?",
			       sb_show(&shown, name.data, name.len), nearest.best.data);
	return sb_fail(err, STEPBUS_ENOTFOUND,
		       "there is no event '%s': declare it first, or let the bridge allow "
		       "undeclared events",
		       sb_show(&shown, name.data, name.len));
}
