/* SPDX-License-Identifier: MIT */
#include "torture/reenter/stormed.h"

#include <stdio.h>
#include <string.h>

enum {
	FIERCE_NS = 50000,
	INSIDE_WANTED = 50, /* signals */
	ENOUGH_US = 100000, /* then one is enough */
	PATIENCE_US = 3000000,
};

static const stepbus_handler_key quick = { .size = sizeof quick, .name = "quick", .name_len = 5 };

static void unregister(world *w, const char *name)
{
	const stepbus_handler_key key = { .size = sizeof key,
					  .name = name,
					  .name_len = strlen(name) };

	WORLD_OK(w, stepbus_registry_unregister(w->registry, &key, NULL));
}

static void renew_text(world *w)
{
	WORLD_OK(w, stepbus_build_info(&w->text, NULL));
}

static void renew_outcome(world *w)
{
	WORLD_OK(w, stepbus_step_await(w->engine, w->done_id, 0, &w->outcome, NULL));
}

static void renew_clock(world *w)
{
	WORLD_OK(w, stepbus_clock_new(1, &w->clock, NULL));
}

/* An event is declared once. */
static void renew_bridge(world *w)
{
	stepbus_subscriber_free(w->subscriber);
	stepbus_execution_subscriber_free(w->executor);
	stepbus_bridge_free(w->own);
	world_make_own(w);
}

static void renew_spare_registry(world *w)
{
	WORLD_OK(w, stepbus_registry_new(NULL, &w->spare_registry, NULL));
}

static void forget_registered(world *w)
{
	unregister(w, "reentered");
}

static void forget_domain(world *w)
{
	unregister(w, "r1");
	unregister(w, "r2");
}

static void renew_handler(world *w)
{
	WORLD_OK(w, stepbus_registry_resolve(w->registry, &quick, &w->handler, NULL));
}

static void renew_open_step(world *w)
{
	world_enqueue_late(w, w->open_id);
}

static void renew_pull(world *w)
{
	WORLD_OK(w,
		 stepbus_worker_start(w->engine, STEPBUS_TEXT("{\"pull\":true}"), &w->pull, NULL));
}

/* By the functions that use something up. */
static const struct renewal {
	const char *function;
	void (*renew)(world *w);
} renewals[] = {
	{ "stepbus_text_free", renew_text },
	{ "stepbus_outcome_free", renew_outcome },
	{ "stepbus_clock_free", renew_clock },
	{ "stepbus_bridge_free", world_make_own },
	{ "stepbus_bridge_declare", renew_bridge },
	{ "stepbus_bridge_unsubscribe", world_subscribe_own },
	{ "stepbus_subscriber_free", world_make_subscriber },
	{ "stepbus_execution_subscriber_free", world_make_executor },
	{ "stepbus_registry_free", renew_spare_registry },
	{ "stepbus_registry_register", forget_registered },
	{ "stepbus_registry_register_domain", forget_domain },
	{ "stepbus_registry_unregister", world_register_quick },
	{ "stepbus_registry_clear", world_register_quick },
	{ "stepbus_handler_unref", renew_handler },
	{ "stepbus_step_cancel", renew_open_step },
	{ "stepbus_complete", world_poll },
	{ "stepbus_checkpoint", world_poll },
	{ "stepbus_release", world_poll },
	{ "stepbus_worker_free", renew_pull },
	{ "stepbus_close", world_open },
};

static const struct renewal *find_renewal(const char *function)
{
	for (size_t i = 0; i < sizeof renewals / sizeof *renewals; i++)
		if (strcmp(renewals[i].function, function) == 0)
			return &renewals[i];
	return NULL;
}

static bool is_enough(const world_board *b, int64_t gone_us)
{
	uint32_t inside = atomic_load(&b->signals.inside);

	return inside >= INSIDE_WANTED || (inside > 0 && gone_us >= ENOUGH_US) ||
	       gone_us >= (int64_t)PATIENCE_US * world_slowness();
}

/* False where that must not be answered. */
static bool call_once(world *w, const row *r)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	world_board *b = w->board;
	int64_t begun_us = world_now_us(), call_us;
	stepbus_status status;
	bool is_allowed;

	storm_enter();
	status = r->call(w, &err);
	storm_leave();
	call_us = world_now_us() - begun_us;
	is_allowed = status >= 0 && status < 32 && (row_allowed(r, PLACE_PLAIN) >> status & 1) != 0;
	if (call_us > atomic_load(&b->call_us))
		atomic_store(&b->call_us, call_us);
	if (atomic_fetch_add(&b->call_count, 1) == 0 || !is_allowed)
		atomic_store(&b->status, status);
	return is_allowed;
}

void stormed_run(world *w, const row *r)
{
	const struct renewal *renewal = find_renewal(r->function);
	int64_t begun_us = world_now_us();

	storm_begin_fierce(&w->board->signals, FIERCE_NS);
	world_stage(w, "in the call");
	while (call_once(w, r) && !is_enough(w->board, world_now_us() - begun_us))
		if (renewal != NULL)
			renewal->renew(w);
	world_stage(w, "behind the call");
}

void stormed_add(stormed_sum *sum, const row *r, const world_board *board)
{
	size_t len = strlen(sum->interrupted);

	if (atomic_load(&board->signals.interrupting) > 0)
		(void)snprintf(sum->interrupted + len, sizeof sum->interrupted - len, "%s%s",
			       sum->interrupted_count++ > 0 ? ", " : "",
			       r->function + strlen("stepbus_"));
	sum->function_count++;
	sum->call_count += atomic_load(&board->call_count);
	sum->inside_count += atomic_load(&board->signals.inside);
	sum->interrupting_count += atomic_load(&board->signals.interrupting);
}
