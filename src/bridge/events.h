/* SPDX-License-Identifier: MIT */
/*
 * The events of one bridge: names, ids and descriptions. Names are found without waiting (through a
 * gate); declaring is for one caller at a time, under the bridge's lock. Nothing is ever removed,
 * so an event and its texts live as long as the bridge.
 */
#ifndef SB_BRIDGE_EVENTS_H
#define SB_BRIDGE_EVENTS_H

#include "base/gate.h"
#include "base/map.h"
#include "base/text.h"
#include "bridge/catalog_standard.h"

/* All texts end in NUL, which their lengths do not count. */
typedef struct sb_event {
	sb_map_node node;
	uint32_t id;
	_Atomic(uint32_t) is_open; /* it can be published, not only found */
	sb_payload_kind kind;
	sb_slice name;
	sb_slice category;
	sb_slice description;
	sb_slice schema;
	sb_slice example;
	sb_slice fired_by;
	char texts[];
} sb_event;

typedef struct sb_events {
	const stepbus_host *host;
	sb_gate gate;
	sb_map names;
	uint32_t count;
	uint32_t count_max;
} sb_events;

stepbus_status sb_events_init(sb_events *events, const stepbus_host *host, uint32_t count_max,
			      stepbus_error *err);
void sb_events_free(sb_events *events);

/* Checks what a host says of an event of its own. Pure. */
stepbus_status sb_events_check(const stepbus_event_info *info, stepbus_error *err);
bool sb_events_is_category(sb_slice category);

/*
 * Adds an event under the next id, which is the count before. Under the bridge's lock; info was
 * checked. The caller must make room for the id elsewhere first: a name that can be found can be
 * published.
 */
stepbus_status sb_events_add(sb_events *events, const stepbus_event_info *info,
			     sb_payload_kind kind, sb_event **out, stepbus_error *err);

/* Any thread, one that has a block. NULL: not there, or only about to be. */
static inline __attribute__((always_inline)) sb_event *
sb_events_find_open(sb_events *events, sb_guard_thread *thread, sb_slice name)
{
	sb_event *event;

	sb_gate_enter(&events->gate, thread);
	event = (sb_event *)(void *)sb_map_find(&events->names, name.data, name.len);
	sb_gate_leave(thread);
	if (event == NULL || atomic_load_explicit(&event->is_open, memory_order_acquire) == 0)
		return NULL;
	return event;
}
/* "no event 'x' … did you mean 'y'?" Under the bridge's lock. */
stepbus_status sb_events_fail_missing(sb_events *events, sb_slice name, stepbus_error *err);

/* In the order of their ids. Under the bridge's lock. */
static inline sb_event *sb_events_first(const sb_events *events)
{
	return (sb_event *)(void *)sb_map_first(&events->names);
}

static inline sb_event *sb_events_next(const sb_event *event)
{
	return (sb_event *)sb_map_next(&event->node);
}

#endif
