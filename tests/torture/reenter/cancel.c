/* SPDX-License-Identifier: MIT */
/*
 * pthread_cancel of threads that are inside a call. A cancellation that is acted on in there would leave
 * locks locked and statements open, so it must wait until the call has returned: each thread says whether
 * it is inside, and what runs when it is cancelled looks at that.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "torture/reenter/parts.h"
#include "torture/reenter/rows.h"

enum { PAUSE_MAX_US = 3000, BYSTANDER_COUNT = 2, CLOSE_COUNT = 3 };

/* What can be called over and over on one world. */
static const char *const names[] = {
	"stepbus_step_enqueue",
	"stepbus_step_enqueue_in",
	"stepbus_step_await",
	"stepbus_complete",
	"stepbus_poll",
	"stepbus_heartbeat",
	"stepbus_step_info",
	"stepbus_step_list",
	"stepbus_step_count",
	"stepbus_step_attempts",
	"stepbus_step_redrive_all",
	"stepbus_step_cancel",
	"stepbus_engine_stats",
	"stepbus_engine_wake",
	"stepbus_worker_list",
	"stepbus_worker_metrics",
	"stepbus_wake_fd",
	"stepbus_queue_set",
	"stepbus_queue_list",
	"stepbus_cron_set",
	"stepbus_cron_list",
	"stepbus_open",
	"stepbus_bridge_new",
	"stepbus_bridge_publish",
	"stepbus_bridge_flush",
	"stepbus_bridge_listeners",
	"stepbus_bridge_stop",
	"stepbus_subscriber_new",
	"stepbus_subscriber_start",
	"stepbus_subscriber_stop",
	"stepbus_registry_new",
	"stepbus_registry_register",
	"stepbus_registry_resolve",
	"stepbus_registry_list",
	"stepbus_registry_health",
	"stepbus_registry_each",
	"stepbus_execution_subscriber_start",
	"stepbus_execution_subscriber_stop",
	"a worker's start and end",
	"a handler's coming and going",
	"a queued subscription's life",
};

enum { NAME_COUNT = sizeof names / sizeof *names };

typedef struct victim {
	world *w;
	place_call call;
	bool is_pending; /* it is cancelled before the first call */
	_Atomic(uint32_t) is_inside;
	_Atomic(uint32_t) was_inside; /* when it was cancelled */
	_Atomic(uint32_t) call_count;
} victim;

CALL(start_and_end)
{
	stepbus_worker *worker = NULL;
	stepbus_status status =
		stepbus_worker_start(w->engine, STEPBUS_TEXT("{\"pool_size\":1}"), &worker, err);

	stepbus_worker_free(worker);
	return status;
}

static int32_t do_nothing(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	(void)result;
	return 0;
}

CALL(come_and_go)
{
	const stepbus_handler_spec spec = {
		.size = sizeof spec, .name = "brief", .name_len = 5, .call = do_nothing
	};
	const stepbus_handler_key key = { .size = sizeof key, .name = "brief", .name_len = 5 };

	(void)stepbus_registry_register(w->registry, &spec, err);
	return stepbus_registry_unregister(w->registry, &key, err);
}

static int32_t ignore(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	return 0;
}

/* Its queue is short, so that the publisher waits for the loop. */
CALL(live_queued)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .flags = STEPBUS_SUBSCRIPTION_QUEUED,
						    .overflow = STEPBUS_OVERFLOW_BLOCK,
						    .queue_count_max = 1,
						    .deliver = ignore };
	uint64_t id = 0;
	stepbus_status status;

	(void)stepbus_bridge_start(w->own, NULL);
	status = stepbus_bridge_subscribe(w->own, "reenter.probe", 13, &subscription, &id, err);
	for (int i = 0; i < 8 && status == STEPBUS_OK; i++)
		status = stepbus_bridge_publish(w->own, w->own_event_id, "x", 1, err);
	(void)stepbus_bridge_unsubscribe(w->own, id, NULL);
	return status;
}

static place_call find_call(const char *name)
{
	const row *r;

	for (size_t i = 0; (r = row_at(i)) != NULL; i++)
		if (strcmp(r->function, name) == 0)
			return r->call;
	return strcmp(name, "a worker's start and end") == 0     ? start_and_end :
	       strcmp(name, "a handler's coming and going") == 0 ? come_and_go :
								   live_queued;
}

static void note_end(void *user_data)
{
	victim *v = user_data;

	if (atomic_load(&v->is_inside) != 0)
		atomic_store(&v->was_inside, 1);
}

static void *call_for_ever(void *user_data)
{
	victim *v = user_data;
	stepbus_error err = STEPBUS_ERROR_INIT;

	pthread_cleanup_push(note_end, v);
	if (v->is_pending)
		(void)pthread_cancel(pthread_self());
	for (;;) {
		atomic_store(&v->is_inside, 1);
		(void)v->call(v->w, &err);
		atomic_store(&v->is_inside, 0);
		atomic_fetch_add(&v->call_count, 1);
		pthread_testcancel();
	}
	pthread_cleanup_pop(0);
	return NULL;
}

/* True where it was cancelled inside of a call. */
static bool strike(world *w, place_call call, int64_t pause_us, uint32_t *calls)
{
	/* At the first place that would act on it, in one case of four; else somewhere. */
	victim v = { .w = w, .call = call, .is_pending = pause_us < PAUSE_MAX_US / 4 };
	pthread_t thread;

	if (pthread_create(&thread, NULL, call_for_ever, &v) != 0)
		world_fail(w, "a thread", 0);
	part_pause_us(pause_us);
	if (!v.is_pending)
		(void)pthread_cancel(thread);
	(void)pthread_join(thread, NULL);
	*calls += atomic_load(&v.call_count);
	return atomic_load(&v.was_inside) != 0;
}

static _Atomic(uint32_t) is_over;

static void *stand_by(void *user_data)
{
	world *w = user_data;

	while (atomic_load(&is_over) == 0) {
		const stepbus_step_spec spec = { .size = sizeof spec,
						 .handler_name = "quick",
						 .handler_name_len = 5 };
		stepbus_text *text = NULL;

		WORLD_OK(w, stepbus_step_enqueue(w->engine, &spec, 1, NULL, NULL));
		WORLD_OK(w, stepbus_engine_stats(w->engine, &text, NULL));
		stepbus_text_free(text);
		part_pause_us(1000);
	}
	return NULL;
}

static size_t strike_all(tally *t, world *w, uint32_t count, uint32_t seed)
{
	size_t hit[NAME_COUNT] = { 0 }, hits = 0;
	uint32_t random = seed | 1, calls = 0;

	for (uint32_t i = 0; i < count; i++) {
		size_t k = i % NAME_COUNT;
		bool is_hit =
			strike(w, find_call(names[k]), part_draw(&random, PAUSE_MAX_US), &calls);

		hit[k] += is_hit;
		hits += is_hit;
		/* It would hang what comes next: what was left locked. */
		if (is_hit)
			break;
	}
	for (size_t k = 0; k < NAME_COUNT; k++)
		if (hit[k] > 0)
			tally_find(t, "a thread was cancelled inside of %s", names[k]);
	return hits;
}

static void *close_it(void *user_data)
{
	victim *v = user_data;

	pthread_cleanup_push(note_end, v);
	atomic_store(&v->is_inside, 1);
	stepbus_close(v->w->engine);
	atomic_store(&v->is_inside, 0);
	pthread_testcancel();
	pthread_cleanup_pop(0);
	return NULL;
}

/* A close that waits for a handler is cancelled, and closes all the same. */
static void cancel_close(tally *t, bool is_in_memory)
{
	static world_board board;
	world w;
	victim v = { .w = &w };
	pthread_t thread;

	world_make(&w, &board, is_in_memory);
	world_enqueue(&w, "wait", NULL);
	world_wait(&w.is_running);
	(void)pthread_create(&thread, NULL, close_it, &v);
	world_wait(&w.is_stopping);
	(void)pthread_cancel(thread);
	part_pause_us(2000);
	(void)sem_post(&w.gate);
	(void)pthread_join(thread, NULL);
	if (atomic_load(&v.was_inside) != 0)
		tally_find(t, "a thread was cancelled inside of stepbus_close");
	else
		w.engine = NULL;
	if (atomic_load(&v.was_inside) == 0)
		world_end(&w);
}

#if defined(__SANITIZE_ADDRESS__)
static const bool is_sanitized = true;
#else
static const bool is_sanitized = false;
#endif

CALL(wait_in_vain)
{
	(void)w;
	(void)err;
	part_pause_us(1000000);
	return STEPBUS_OK;
}

void cancel_run(tally *t, uint32_t count, uint32_t seed)
{
	static world_board board;
	static world w;
	pthread_t bystanders[BYSTANDER_COUNT];
	uint32_t calls = 0;
	size_t hits;

	world_make(&w, &board, false);
	/* AddressSanitizer loses track of a stack that is left like that. */
	if (!is_sanitized && !strike(&w, wait_in_vain, PAUSE_MAX_US, &calls))
		tally_find(t, "a cancellation that was acted on inside went unseen");
	for (int i = 0; i < BYSTANDER_COUNT; i++)
		(void)pthread_create(&bystanders[i], NULL, stand_by, &w);
	hits = strike_all(t, &w, count, seed);
	if (hits == 0) {
		atomic_store(&is_over, 1);
		for (int i = 0; i < BYSTANDER_COUNT; i++)
			(void)pthread_join(bystanders[i], NULL);
		(void)stepbus_bridge_start(w.own, NULL);
		world_check_alive(&w);
		world_end(&w);
		for (int i = 0; i < CLOSE_COUNT; i++)
			cancel_close(t, i % 2 == 1);
	}
	(void)printf("proof: reenter: %u threads cancelled in %d kinds of calls, and %d in "
		     "stepbus_close, beside %d others: %zu acted on inside of a call, %s\n",
		     count, (int)NAME_COUNT, CLOSE_COUNT, BYSTANDER_COUNT, hits,
		     hits == 0 ? "all went on" : "FAILED");
}
