/* SPDX-License-Identifier: MIT */
/*
 * GObject signals. Tuned: one pointer argument, the ready-made VOID:POINTER marshallers (also the
 * va_list one, which is what g_signal_emit uses) instead of the libffi one, no class closure, no
 * hooks. Not G_SIGNAL_NO_RECURSE: with it, an emission on one thread swallows a simultaneous one on
 * another.
 */
#include "bench/bus.h"
#include "bench/counters.h"

#include <glib-object.h>

typedef struct signal_bus {
	bus_plan plan;
	GObject *object;
	guint ids[BUS_EVENT_COUNT];
	char names[BUS_EVENT_COUNT][BUS_NAME_LEN_MAX];
} signal_bus;

typedef struct bench_source {
	GObject parent;
} bench_source;

typedef struct bench_source_class {
	GObjectClass parent_class;
} bench_source_class;

static void source_class_init(gpointer class, gpointer data)
{
	(void)data;
	for (uint32_t event = 0; event < BUS_EVENT_COUNT; event++) {
		char name[BUS_NAME_LEN_MAX];
		guint id = 0;

		bus_event_name(name, event, '-');
		id = g_signal_new(name, G_TYPE_FROM_CLASS(class),
				  (GSignalFlags)(G_SIGNAL_RUN_LAST | G_SIGNAL_NO_HOOKS), 0, NULL,
				  NULL, g_cclosure_marshal_VOID__POINTER, G_TYPE_NONE, 1,
				  G_TYPE_POINTER);
		g_signal_set_va_marshaller(id, G_TYPE_FROM_CLASS(class),
					   g_cclosure_marshal_VOID__POINTERv);
	}
}

static GType source_type(void)
{
	static gsize type;

	if (g_once_init_enter(&type)) {
		GType made = g_type_register_static_simple(
			G_TYPE_OBJECT, "BenchSource", sizeof(bench_source_class), source_class_init,
			sizeof(bench_source), NULL, (GTypeFlags)0);

		g_once_init_leave(&type, made);
	}
	return type;
}

static void *signal_open(const void *plan)
{
	signal_bus *bus = bench_alloc(1, sizeof(*bus));
	GCallback deliver = NULL;

	bus->plan = *(const bus_plan *)plan;
	bus->object = g_object_new(source_type(), NULL);
	deliver = bus->plan.is_local ? G_CALLBACK(bench_count_signal_local) :
				       G_CALLBACK(bench_count_signal);
	for (uint32_t event = 0; event < BUS_EVENT_COUNT; event++) {
		bus_event_name(bus->names[event], event, '-');
		bus->ids[event] = g_signal_lookup(bus->names[event], source_type());
		for (uint32_t i = 0; i < bus->plan.subscriber_count; i++)
			g_signal_connect(bus->object, bus->names[event], deliver, bench_counter(i));
	}
	return bus;
}

static uint64_t signal_run(void *state, uint64_t iterations)
{
	signal_bus *bus = state;
	const uint32_t mask = bus->plan.rotation - 1;
	uint64_t payload = 1;
	uint64_t start = bench_now_ns();

	if (bus->plan.is_by_name) {
		for (uint64_t i = 0; i < iterations; i++)
			g_signal_emit_by_name(bus->object, bus->names[i & mask], &payload);
	} else {
		for (uint64_t i = 0; i < iterations; i++)
			g_signal_emit(bus->object, bus->ids[i & mask], 0, &payload);
	}
	return bench_now_ns() - start;
}

static void signal_close(void *state)
{
	signal_bus *bus = state;

	g_object_unref(bus->object);
	free(bus);
}

const bench_peer peer_gsignal = { "gsignal", signal_open, signal_run, signal_close, NULL };
