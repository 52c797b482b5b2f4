/* SPDX-License-Identifier: MIT */
#include "torture/reenter/places.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONFIG_LEN = 512, CHILD_PATIENCE_S = 15, /* less than a cell has */ BUSY_STEPS = 20 };

/* The call on its way to its place; a process has one. */
static struct {
	place where;
	place_call call;
	bool needs_context;
	_Atomic(uint32_t) is_taken;
	pthread_t thread; /* that stops or closes */
} cell;

static void enter(world *w);

static void call_now(world *w)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	int64_t begun_us;
	stepbus_status status;

	world_stage(w, "in the call");
	begun_us = world_now_us();
	status = cell.call(w, &err);
	atomic_store(&w->board->call_us, world_now_us() - begun_us);
	atomic_store(&w->board->status, status);
	atomic_fetch_add(&w->board->call_count, 1);
	world_stage(w, "behind the call");
}

/* It ends without what the parent has still to do. */
static void call_in_child(world *w)
{
	world_deadline(CHILD_PATIENCE_S);
	call_now(w);
	_exit(0);
}

static void await_child(world *w, pid_t child)
{
	int status = 0;

	if (child < 0)
		world_fail(w, "fork", 0);
	while (waitpid(child, &status, 0) != child)
		;
	if (WIFSIGNALED(status))
		world_fail(w, strsignal(WTERMSIG(status)), 0);
	if (WEXITSTATUS(status) != 0)
		world_fail(w, "the child ended with a failure", WEXITSTATUS(status));
}

static void call_forked(world *w)
{
	pid_t child = fork();

	if (child == 0)
		call_in_child(w);
	await_child(w, child);
}

/* What all host code comes to, when it is armed. */
static void visit(world *w, uint32_t where)
{
	if (atomic_load(&cell.is_taken) != 0)
		return;
	/* Only on the way: the place itself is deeper inside. */
	if (where == PLACE_HANDLER && cell.where != PLACE_HANDLER) {
		enter(w);
		return;
	}
	if (atomic_exchange(&cell.is_taken, 1) != 0)
		return;
	atomic_store(&w->armed, PLACE_NONE);
	if (where == PLACE_FORKED_HANDLER)
		call_forked(w);
	else
		call_now(w);
	(void)sem_post(&w->was_there);
}

static int32_t deliver(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	if (atomic_load(&world_current->armed) == (uint32_t)cell.where)
		visit(world_current, cell.where);
	return 0;
}

static void destroy(void *user_data)
{
	(void)user_data;
	if (atomic_load(&world_current->armed) == (uint32_t)cell.where)
		visit(world_current, cell.where);
}

static void hear(void *user_data, stepbus_status status, const stepbus_enqueued *results,
		 size_t count, const stepbus_error *err)
{
	(void)status;
	(void)results;
	(void)count;
	(void)err;
	destroy(user_data);
}

static int32_t look(void *user_data, const stepbus_handler_spec *definition)
{
	(void)definition;
	destroy(user_data);
	return 0;
}

static void subscribe(world *w, stepbus_bridge *bridge, const char *name, uint32_t flags)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .flags = flags,
						    .deliver = deliver };

	WORLD_OK(w,
		 stepbus_bridge_subscribe(bridge, name, strlen(name), &subscription, NULL, NULL));
}

static void publish(world *w, stepbus_bridge *bridge, uint32_t event_id)
{
	stepbus_status status = stepbus_bridge_publish(bridge, event_id, "x", 1, NULL);

	/* The call may have ended the subscription that the publisher was to wait for. */
	if (status != STEPBUS_OK && status != STEPBUS_EDELIVERY)
		world_fail(w, "publish", status);
}

/* The ways in; each on the thread that it is called on, or with a wait behind it. */

static void enter_handler(world *w)
{
	world_enqueue(w, "probe", NULL);
}

static void enter_factory(world *w)
{
	world_enqueue(w, "made", NULL);
}

static void enter_engine_subscriber(world *w)
{
	subscribe(w, stepbus_engine_bridge(w->engine), "reenter.probe", 0);
	publish(w, stepbus_engine_bridge(w->engine), w->engine_event_id);
}

static void enter_notice(world *w)
{
	subscribe(w, stepbus_engine_bridge(w->engine), STEPBUS_EVENT_STEP_COMPLETION_SENT, 0);
	world_enqueue(w, "quick", NULL);
}

static void enter_queued(world *w)
{
	subscribe(w, stepbus_engine_bridge(w->engine), "reenter.probe",
		  STEPBUS_SUBSCRIPTION_QUEUED);
	publish(w, stepbus_engine_bridge(w->engine), w->engine_event_id);
}

static void enter_done(world *w)
{
	const stepbus_step_spec spec = { .size = sizeof spec,
					 .handler_name = "quick",
					 .handler_name_len = 5 };

	WORLD_OK(w, stepbus_step_enqueue_async(w->engine, &spec, 1, hear, NULL, NULL));
}

static void enter_own_subscriber(world *w)
{
	subscribe(w, w->own, "reenter.probe", 0);
	publish(w, w->own, w->own_event_id);
}

static void enter_own_queued(world *w)
{
	subscribe(w, w->own, "reenter.probe", STEPBUS_SUBSCRIPTION_QUEUED);
	publish(w, w->own, w->own_event_id);
}

static void enter_complete(world *w)
{
	(void)stepbus_bridge_publish_name(w->own,
					  STEPBUS_TEXT(STEPBUS_EVENT_STEP_EXECUTION_RECEIVED),
					  &w->announced, sizeof w->announced, NULL);
}

static void enter_visitor(world *w)
{
	WORLD_OK(w, stepbus_registry_each(w->registry, look, NULL, NULL));
}

static void enter_health(world *w)
{
	stepbus_text *text = NULL;

	WORLD_OK(w, stepbus_registry_health(w->registry, &text, NULL));
	stepbus_text_free(text);
}

static void enter_destroy_subscription(world *w)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = deliver,
						    .destroy = destroy };
	uint64_t id = 0;

	WORLD_OK(w, stepbus_bridge_subscribe(stepbus_engine_bridge(w->engine), "reenter.probe", 13,
					     &subscription, &id, NULL));
	WORLD_OK(w, stepbus_bridge_unsubscribe(stepbus_engine_bridge(w->engine), id, NULL));
}

static int32_t do_nothing(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	(void)result;
	return 0;
}

static void enter_destroy_handler(world *w)
{
	const stepbus_handler_spec spec = { .size = sizeof spec,
					    .name = "gone",
					    .name_len = 4,
					    .call = do_nothing,
					    .destroy = destroy };
	const stepbus_handler_key key = { .size = sizeof key, .name = "gone", .name_len = 4 };

	WORLD_OK(w, stepbus_registry_register(w->registry, &spec, NULL));
	WORLD_OK(w, stepbus_registry_unregister(w->registry, &key, NULL));
}

static void enter_log_bridge(world *w)
{
	const stepbus_bridge_options options = { .size = sizeof options, .host = &w->host };
	stepbus_bridge *stopped = NULL;

	WORLD_OK(w, stepbus_bridge_new(&options, &stopped, NULL));
	(void)stepbus_bridge_publish(stopped, 0, NULL, 0, NULL);
	stepbus_bridge_free(stopped);
}

static void enter_log_registry(world *w)
{
	const stepbus_handler_spec spec = {
		.size = sizeof spec, .name = "new", .name_len = 3, .call = do_nothing
	};

	WORLD_OK(w, stepbus_registry_register(w->registry, &spec, NULL));
}

/* Of another store than the world's. */
static void open_another(world *w, const char *store)
{
	char config[CONFIG_LEN];
	int len = snprintf(config, sizeof config, "{\"store\":\"%s%s\"}", store,
			   strcmp(store, "sqlite:") == 0 ? w->path : "");
	const stepbus_options options = { .size = sizeof options,
					  .config = config,
					  .config_len = (size_t)len,
					  .host = &w->host };
	stepbus *engine = NULL;

	WORLD_OK(w, stepbus_open(&options, &engine, NULL));
	stepbus_close(engine);
}

static void enter_log_open(world *w)
{
	open_another(w, "sqlite:");
}

static void enter_allocate(world *w)
{
	stepbus_text *text = NULL;

	WORLD_OK(w, stepbus_bridge_stats(w->own, &text, NULL));
	stepbus_text_free(text);
}

static void enter_clock(world *w)
{
	WORLD_OK(w, stepbus_engine_wake(w->engine, NULL));
}

static void enter_random(world *w)
{
	open_another(w, "memory:");
}

static void *stop(void *user_data)
{
	world *w = user_data;

	(void)stepbus_stop(w->engine, -1, NULL, NULL);
	return NULL;
}

static void *close_it(void *user_data)
{
	world *w = user_data;

	stepbus_close(w->engine);
	return NULL;
}

static void begin_end(world *w, void *(*end)(void *user_data))
{
	world_enqueue(w, "wait", NULL);
	world_wait(&w->is_running);
	if (pthread_create(&cell.thread, NULL, end, w) != 0)
		world_fail(w, "a thread", 0);
	world_wait(&w->is_stopping);
}

static void finish_end(world *w)
{
	(void)sem_post(&w->gate);
	(void)pthread_join(cell.thread, NULL);
}

static void enter_beside_stop(world *w)
{
	begin_end(w, stop);
	call_now(w);
	/* What was polled and never answered would be waited for. */
	(void)stepbus_release(w->engine, w->polled.step_id, w->polled.token, NULL);
	finish_end(w);
}

static void forget_engine(world *w)
{
	w->engine = NULL;
	w->pool = NULL;
	w->pull = NULL;
	w->bridge = w->own;
}

static void enter_in_close(world *w)
{
	begin_end(w, close_it);
	finish_end(w);
	forget_engine(w);
}

static void enter_beside_close(world *w)
{
	begin_end(w, close_it);
	call_now(w);
	finish_end(w);
	forget_engine(w);
}

static void enter_stopped(world *w)
{
	WORLD_OK(w, stepbus_release(w->engine, w->polled.step_id, w->polled.token, NULL));
	WORLD_OK(w, stepbus_stop(w->engine, -1, NULL, NULL));
	call_now(w);
}

static void enter_closed(world *w)
{
	stepbus_close(w->engine);
	forget_engine(w);
	call_now(w);
}

static void be_busy(world *w)
{
	const stepbus_step_spec spec = { .size = sizeof spec,
					 .handler_name = "quick",
					 .handler_name_len = 5 };

	for (int i = 0; i < BUSY_STEPS; i++)
		WORLD_OK(w, stepbus_step_enqueue_async(w->engine, &spec, 1, NULL, NULL, NULL));
}

static void enter_forked(world *w)
{
	be_busy(w);
	call_forked(w);
}

static void call_at_fork(void)
{
	call_in_child(world_current);
}

static void enter_atfork(world *w)
{
	pid_t child;

	(void)pthread_atfork(NULL, NULL, call_at_fork);
	be_busy(w);
	child = fork();
	if (child == 0)
		_exit(4);
	await_child(w, child);
}

enum {
	IN_ENGINE = 1, /* in a callback of the engine */
	HERE = 2,      /* the way in ends on the thread that it began on */
	HOOK = 4,
	FORKED = 8,
	HANDLER = 16, /* in a handler anyway */
	DIRECT = 32,  /* the way in makes the call itself: nothing is armed */
};

static const struct {
	const char *name;
	void (*enter)(world *w);
	uint32_t flags;
} ways[PLACE_COUNT] = {
	[PLACE_PLAIN] = { "plain call", call_now, DIRECT },
	[PLACE_HANDLER] = { "handler", enter_handler, IN_ENGINE | HANDLER },
	[PLACE_FACTORY] = { "factory", enter_factory, IN_ENGINE },
	[PLACE_ENGINE_SUBSCRIBER] = { "engine's subscriber", enter_engine_subscriber,
				      IN_ENGINE | HERE },
	[PLACE_NOTICE] = { "engine's notice", enter_notice, IN_ENGINE },
	[PLACE_QUEUED] = { "engine's queued subscriber", enter_queued, IN_ENGINE },
	[PLACE_DONE] = { "enqueue_async's done", enter_done, IN_ENGINE },
	[PLACE_OWN_SUBSCRIBER] = { "own subscriber", enter_own_subscriber, HERE },
	[PLACE_OWN_QUEUED] = { "own queued subscriber", enter_own_queued, 0 },
	[PLACE_COMPLETE] = { "completion function", enter_complete, HERE },
	[PLACE_VISITOR] = { "visitor", enter_visitor, HERE },
	[PLACE_HEALTH] = { "health function", enter_health, HERE },
	[PLACE_DESTROY_SUBSCRIPTION] = { "destroy of a subscription", enter_destroy_subscription,
					 IN_ENGINE | HERE },
	[PLACE_DESTROY_HANDLER] = { "destroy of a handler", enter_destroy_handler, HERE },
	[PLACE_LOG_BRIDGE] = { "log of a bridge", enter_log_bridge, HERE },
	[PLACE_LOG_REGISTRY] = { "log of a registry", enter_log_registry, HERE },
	[PLACE_LOG_OPEN] = { "log of stepbus_open", enter_log_open, HERE },
	[PLACE_ALLOCATE] = { "allocator", enter_allocate, HOOK },
	[PLACE_CLOCK] = { "clock", enter_clock, HOOK },
	[PLACE_RANDOM] = { "random", enter_random, HOOK },
	[PLACE_BESIDE_STOP] = { "beside stepbus_stop", enter_beside_stop, DIRECT },
	[PLACE_IN_CLOSE] = { "handler in stepbus_close", enter_in_close, IN_ENGINE | HANDLER },
	[PLACE_BESIDE_CLOSE] = { "beside stepbus_close", enter_beside_close, DIRECT },
	[PLACE_STOPPED] = { "after stepbus_stop", enter_stopped, DIRECT },
	[PLACE_CLOSED] = { "after stepbus_close", enter_closed, DIRECT },
	[PLACE_FORKED] = { "forked child", enter_forked, DIRECT | FORKED },
	[PLACE_FORKED_HANDLER] = { "child forked in a handler", enter_handler, HANDLER | FORKED },
	[PLACE_ATFORK] = { "pthread_atfork", enter_atfork, DIRECT | FORKED },
};

const char *place_name(place where)
{
	return ways[where].name;
}

bool place_is_in_engine(place where)
{
	return (ways[where].flags & IN_ENGINE) != 0;
}

bool place_is_forked(place where)
{
	return (ways[where].flags & FORKED) != 0;
}

bool place_is_hook(place where)
{
	return (ways[where].flags & HOOK) != 0;
}

bool place_has_context(place where)
{
	return (ways[where].flags & (HANDLER | HERE)) != 0;
}

static void enter(world *w)
{
	atomic_store(&w->armed, (uint32_t)cell.where);
	ways[cell.where].enter(w);
}

void place_enter(world *w, place where, bool needs_context, place_call call)
{
	uint32_t flags = ways[where].flags;

	cell.where = where;
	cell.call = call;
	cell.needs_context = needs_context;
	world_visit = visit;
	world_stage(w, "on the way");
	w->is_inside = (flags & IN_ENGINE) != 0;
	if (w->is_inside) {
		w->patience_ms = -1;
		w->bridge = stepbus_engine_bridge(w->engine);
	}
	if (where == PLACE_BESIDE_STOP || where == PLACE_STOPPED)
		w->bridge = stepbus_engine_bridge(w->engine);
	if (needs_context && (flags & HERE) != 0) {
		atomic_store(&w->armed, PLACE_HANDLER);
		enter_handler(w);
	} else {
		enter(w);
	}
	if ((flags & DIRECT) == 0)
		world_wait(&w->was_there);
}
