/* SPDX-License-Identifier: MIT */
#include "torture/reenter/world.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "torture/reenter/places.h"

enum { CONFIG_LEN = 512, HOUR_MS = 3600000, PATIENCE_S = 20 };

void (*world_visit)(world *w, uint32_t place);
world *world_current;

void world_stage(world *w, const char *stage)
{
	(void)snprintf(w->board->stage, sizeof w->board->stage, "%s", stage);
}

void world_fail(world *w, const char *what, int status)
{
	(void)snprintf(w->board->failure, sizeof w->board->failure, "%s: %s", what,
		       stepbus_status_name(status));
	(void)fprintf(stderr, "%s, %s\n", w->board->stage, w->board->failure);
	_exit(3);
}

int64_t world_now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int world_slowness(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return 10;
#else
	return 1;
#endif
}

void world_deadline(int seconds)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGVTALRM };
	const struct itimerspec once = { .it_value = { seconds * world_slowness(), 0 } };
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
	    timer_settime(timer, 0, &once, NULL) != 0)
		_exit(5);
}

static int64_t patience_ms(void)
{
	return (int64_t)PATIENCE_S * 1000 * world_slowness();
}

void world_wait(sem_t *semaphore)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S * world_slowness();
	while (sem_timedwait(semaphore, &until) != 0 && sem_trywait(semaphore) != 0) {
		struct timespec now;

		(void)clock_gettime(CLOCK_REALTIME, &now);
		if (now.tv_sec > until.tv_sec)
			world_fail(world_current, "nobody came", 0);
	}
}

static void visit(place where)
{
	world *w = world_current;

	if (w != NULL && atomic_load(&w->armed) == (uint32_t)where)
		world_visit(w, (uint32_t)where);
}

/* The hooks. */

static void *allocate(void *user_data, void *block, size_t len)
{
	(void)user_data;
	visit(PLACE_ALLOCATE);
	if (len > 0)
		return realloc(block, len);
	free(block);
	return NULL;
}

static void note_record(void *user_data, int32_t level, const char *record, size_t len)
{
	(void)user_data;
	(void)level;
	/* As a log does that writes to a file: a thread may be cancelled here. */
	(void)!write(world_current->log_fd, record, len);
	if (memmem(record, len, "\"refused\"", 9) != NULL)
		visit(PLACE_LOG_BRIDGE);
	else if (memmem(record, len, "\"registered\"", 12) != NULL)
		visit(PLACE_LOG_REGISTRY);
	else if (memmem(record, len, "\"store\"", 7) != NULL)
		visit(PLACE_LOG_OPEN);
}

static int64_t now_us(void *user_data)
{
	struct timespec now;

	(void)user_data;
	visit(PLACE_CLOCK);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t elapsed_ns(void *user_data)
{
	struct timespec now;

	(void)user_data;
	visit(PLACE_CLOCK);
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int32_t fill_random(void *user_data, void *bytes, size_t len)
{
	(void)user_data;
	visit(PLACE_RANDOM);
	return getentropy(bytes, len) != 0;
}

/* Handlers. */

static int32_t run_probe(void *instance, const stepbus_context *context, stepbus_result *result)
{
	world *w = world_current;

	(void)instance;
	w->context = context;
	w->result = result;
	visit(PLACE_HANDLER);
	visit(PLACE_FORKED_HANDLER);
	w->context = NULL;
	w->result = NULL;
	return 0;
}

/* Until it is told to stop, and then until it is let through. */
static int32_t run_wait(void *instance, const stepbus_context *context, stepbus_result *result)
{
	world *w = world_current;

	(void)instance;
	(void)sem_post(&w->is_running);
	while (stepbus_context_check(context) == STEPBUS_OK)
		(void)sched_yield();
	w->context = context;
	w->result = result;
	visit(PLACE_IN_CLOSE);
	w->context = NULL;
	w->result = NULL;
	(void)sem_post(&w->is_stopping);
	world_wait(&w->gate);
	return stepbus_result_success(result, NULL, 0, NULL) != STEPBUS_OK;
}

static int32_t run_quick(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	return stepbus_result_success(result, "ok", 2, NULL) != STEPBUS_OK;
}

static int32_t create(void *user_data, void **instance, stepbus_error *err)
{
	(void)err;
	visit(PLACE_FACTORY);
	*instance = user_data;
	return 0;
}

static int32_t tell_health(void *user_data, stepbus_error *err)
{
	(void)user_data;
	(void)err;
	visit(PLACE_HEALTH);
	return 0;
}

static void register_handler(world *w, const char *name, stepbus_handler_fn call)
{
	stepbus_handler_spec spec = {
		.size = sizeof spec, .name = name, .name_len = strlen(name), .call = call
	};

	if (call == NULL)
		spec.flags = STEPBUS_HANDLER_PULLED;
	if (strcmp(name, "made") == 0)
		spec.create = create;
	if (strcmp(name, "quick") == 0)
		spec.health = tell_health;
	WORLD_OK(w, stepbus_registry_register(w->registry, &spec, NULL));
}

/* Subscribers. */

static int32_t ignore(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	return 0;
}

static int32_t take_completion(void *user_data, const stepbus_completion *completion,
			       stepbus_error *err)
{
	(void)user_data;
	(void)completion;
	(void)err;
	visit(PLACE_COMPLETE);
	return STEPBUS_OK;
}

static uint64_t subscribe(world *w, stepbus_bridge *bridge)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = ignore };
	uint64_t id = 0;

	WORLD_OK(w,
		 stepbus_bridge_subscribe(bridge, "reenter.probe", 13, &subscription, &id, NULL));
	return id;
}

static uint32_t declare(world *w, stepbus_bridge *bridge)
{
	const stepbus_event_info info = { .size = sizeof info,
					  .name = "reenter.probe",
					  .name_len = 13 };
	uint32_t id = 0;

	WORLD_OK(w, stepbus_bridge_declare(bridge, &info, &id, NULL));
	return id;
}

void world_subscribe_own(world *w)
{
	w->own_id = subscribe(w, w->own);
}

void world_make_subscriber(world *w)
{
	const stepbus_route route = {
		.size = sizeof route, .pattern = "reenter.*", .pattern_len = 9, .deliver = ignore
	};
	const stepbus_subscriber_options routes = { .size = sizeof routes,
						    .route_count = 1,
						    .routes = &route };

	WORLD_OK(w, stepbus_subscriber_new(w->own, &routes, &w->subscriber, NULL));
	WORLD_OK(w, stepbus_subscriber_start(w->subscriber, NULL));
}

void world_make_executor(world *w)
{
	const stepbus_execution_options execution = { .size = sizeof execution,
						      .worker_id = "host",
						      .worker_id_len = 4,
						      .complete = take_completion };

	WORLD_OK(w, stepbus_execution_subscriber_new(w->own, w->registry, &execution, &w->executor,
						     NULL));
	WORLD_OK(w, stepbus_execution_subscriber_start(w->executor, NULL));
}

void world_make_own(world *w)
{
	const stepbus_bridge_options options = { .size = sizeof options, .host = &w->host };

	WORLD_OK(w, stepbus_bridge_new(&options, &w->own, NULL));
	WORLD_OK(w, stepbus_bridge_start(w->own, NULL));
	w->own_event_id = declare(w, w->own);
	world_subscribe_own(w);
	world_make_subscriber(w);
	world_make_executor(w);
	w->bridge = w->own;
}

void world_register_quick(world *w)
{
	register_handler(w, "quick", run_quick);
}

static void make_registry(world *w)
{
	const stepbus_registry_options options = { .size = sizeof options, .host = &w->host };
	const stepbus_handler_key key = { .size = sizeof key, .name = "quick", .name_len = 5 };

	WORLD_OK(w, stepbus_registry_new(&options, &w->registry, NULL));
	WORLD_OK(w, stepbus_registry_new(&options, &w->spare_registry, NULL));
	register_handler(w, "probe", run_probe);
	register_handler(w, "wait", run_wait);
	world_register_quick(w);
	register_handler(w, "made", run_quick);
	register_handler(w, "pulled", NULL);
	WORLD_OK(w, stepbus_registry_resolve(w->registry, &key, &w->handler, NULL));
}

static void enqueue(world *w, const char *handler, int64_t delay_ms, uint8_t id[16])
{
	const stepbus_step_spec spec = { .size = sizeof spec,
					 .handler_name = handler,
					 .handler_name_len = strlen(handler),
					 .delay_ms = delay_ms };
	stepbus_enqueued out = { .size = sizeof out };

	WORLD_OK(w, stepbus_step_enqueue(w->engine, &spec, 1, &out, NULL));
	if (id != NULL)
		memcpy(id, out.step_id, 16);
}

void world_enqueue(world *w, const char *handler, uint8_t id[16])
{
	enqueue(w, handler, 0, id);
}

void world_enqueue_late(world *w, uint8_t id[16])
{
	enqueue(w, "quick", HOUR_MS, id);
}

void world_poll(world *w)
{
	size_t count = 0;

	enqueue(w, "pulled", 0, NULL);
	w->polled.size = sizeof w->polled;
	WORLD_OK(w, stepbus_poll(w->pull, &w->polled, 1, patience_ms(), &count, NULL));
}

static void make_steps(world *w)
{
	world_enqueue_late(w, w->open_id);
	enqueue(w, "quick", 0, w->done_id);
	if (w->outcome == NULL)
		WORLD_OK(w, stepbus_step_await(w->engine, w->done_id, patience_ms(), &w->outcome,
					       NULL));
	world_poll(w);
}

void world_open(world *w)
{
	char config[CONFIG_LEN];
	int len = snprintf(config, sizeof config, "{\"store\":\"%s%s\",\"durability\":\"%s\"}",
			   w->is_in_memory ? "memory:" : "sqlite:", w->is_in_memory ? "" : w->path,
			   w->is_in_memory ? "memory" : "process");
	const stepbus_options options = { .size = sizeof options,
					  .config = config,
					  .config_len = (size_t)len,
					  .host = &w->host,
					  .registry = w->registry };

	WORLD_OK(w, stepbus_open(&options, &w->engine, NULL));
	WORLD_OK(w, stepbus_worker_start(w->engine, STEPBUS_TEXT("{\"pool_size\":2}"), &w->pool,
					 NULL));
	WORLD_OK(w,
		 stepbus_worker_start(w->engine, STEPBUS_TEXT("{\"pull\":true}"), &w->pull, NULL));
	w->engine_event_id = declare(w, stepbus_engine_bridge(w->engine));
	w->engine_id = subscribe(w, stepbus_engine_bridge(w->engine));
	make_steps(w);
}

static void connect(world *w)
{
	if (w->is_in_memory)
		return;
	if (sqlite3_open(w->path, &w->connection) != SQLITE_OK)
		world_fail(w, "a connection of the host's", STEPBUS_ESTORE);
	(void)sqlite3_busy_timeout(w->connection, 1000);
	(void)sqlite3_db_config(w->connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

void world_make(world *w, world_board *board, bool is_in_memory)
{
	memset(w, 0, sizeof *w);
	w->board = board;
	w->is_in_memory = is_in_memory;
	w->patience_ms = 100;
	world_stage(w, "making the world");
	world_current = w;
	w->log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	(void)sem_init(&w->was_there, 0, 0);
	(void)sem_init(&w->gate, 0, 0);
	(void)sem_init(&w->is_running, 0, 0);
	(void)sem_init(&w->is_stopping, 0, 0);
	w->host = (stepbus_host){ .size = sizeof w->host,
				  .allocate = allocate,
				  .log = note_record,
				  .now_us = now_us,
				  .elapsed_ns = elapsed_ns,
				  .random = fill_random };
	test_tempdir_make_fast(&w->dir);
	test_tempdir_path(&w->dir, "jobs.db", w->path);
	make_registry(w);
	world_make_own(w);
	world_open(w);
	connect(w);
	WORLD_OK(w, stepbus_build_info(&w->text, NULL));
	WORLD_OK(w, stepbus_clock_new(1, &w->clock, NULL));
	w->announced = (stepbus_step_event){ .size = sizeof w->announced,
					     .step_name = "announced",
					     .step_name_len = 9,
					     .handler_name = "quick",
					     .handler_name_len = 5,
					     .handler_namespace = "default",
					     .handler_namespace_len = 7 };
}

void world_check_alive(world *w)
{
	uint8_t id[16];
	stepbus_outcome *outcome = NULL;

	world_stage(w, "looking whether it still works");
	world_enqueue(w, "quick", id);
	WORLD_OK(w, stepbus_step_await(w->engine, id, patience_ms(), &outcome, NULL));
	if (stepbus_outcome_completion(outcome)->outcome != STEPBUS_OUTCOME_SUCCESS)
		world_fail(w, "a step failed afterwards", 0);
	stepbus_outcome_free(outcome);
}

void world_end(world *w)
{
	world_stage(w, "ending the world");
	atomic_store(&w->armed, PLACE_NONE);
	if (w->connection != NULL)
		(void)sqlite3_close(w->connection);
	stepbus_close(w->engine);
	stepbus_outcome_free(w->outcome);
	stepbus_text_free(w->text);
	stepbus_handler_unref(w->handler);
	stepbus_clock_free(w->clock);
	stepbus_subscriber_free(w->subscriber);
	stepbus_execution_subscriber_free(w->executor);
	if (w->own != NULL)
		(void)stepbus_registry_attach(w->registry, NULL, NULL);
	stepbus_bridge_free(w->own);
	stepbus_registry_free(w->registry);
	stepbus_registry_free(w->spare_registry);
	stepbus_bridge_default_reset();
	stepbus_registry_default_reset();
	test_tempdir_remove(&w->dir);
	(void)close(w->log_fd);
	world_stage(w, "done");
}
