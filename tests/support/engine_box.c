/* SPDX-License-Identifier: MIT */
#include "support/engine_box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ids.h"

static uint64_t draw(test_box *box)
{
	uint64_t z = atomic_fetch_add(&box->random, 0x9E3779B97F4A7C15ULL);

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
	return z ^ (z >> 31);
}

static void *allocate(void *user_data, void *block, size_t len)
{
	test_box *box = user_data;
	uint32_t percent = atomic_load(&box->famine_percent);

	if (len > 0 && percent > 0 && draw(box) % 100 < percent) {
		atomic_fetch_add(&box->starved_count, 1);
		return NULL;
	}
	return box->memory.host.allocate(&box->memory, block, len);
}

static int64_t now_us(void *user_data)
{
	return atomic_load(&((test_box *)user_data)->now_us);
}

static int64_t elapsed_ns(void *user_data)
{
	return atomic_load(&((test_box *)user_data)->elapsed_ns);
}

/* Never the same twice, as two engines must not get the same tag; but the same in each run. */
static int32_t fill_random(void *user_data, void *bytes, size_t len)
{
	test_box *box = user_data;
	uint8_t *next = bytes;

	for (size_t i = 0; i < len; i++)
		next[i] = (uint8_t)(draw(box) >> 56);
	return STEPBUS_OK;
}

static int begin(void **state, bool is_on_disk)
{
	test_box *box = calloc(1, sizeof *box);

	assert_non_null(box);
	test_host_init(&box->memory);
	test_tempdir_make(&box->dir);
	test_tempdir_path(&box->dir, "steps.db", box->path);
	box->is_on_disk = is_on_disk;
	box->err.size = sizeof box->err;
	atomic_store(&box->now_us, box->memory.now_us);
	atomic_store(&box->elapsed_ns, INT64_C(1000000000));
	box->host = (stepbus_host){ .size = sizeof box->host,
				    .log_level = STEPBUS_LOG_WARN,
				    .user_data = box,
				    .allocate = allocate,
				    .now_us = now_us,
				    .elapsed_ns = elapsed_ns,
				    .random = fill_random };
	pthread_mutex_init(&box->lock, NULL);
	pthread_cond_init(&box->changed, NULL);
	*state = box;
	return 0;
}

int test_box_setup_memory(void **state)
{
	return begin(state, false);
}

int test_box_setup_sqlite(void **state)
{
	return begin(state, true);
}

int test_box_teardown(void **state)
{
	test_box *box = *state;

	pthread_mutex_lock(&box->memory.lock);
	box->memory.fail_at = 0;
	pthread_mutex_unlock(&box->memory.lock);
	atomic_store(&box->famine_percent, 0);
	test_box_open_gate(box);
	while (box->engine_count > 0)
		test_box_close(box, box->engines[box->engine_count - 1]);
	for (size_t i = 0; i < box->run_count; i++)
		free(box->runs[i].input);
	for (size_t i = 0; i < box->note_count; i++)
		free(box->notes[i].text);
	free(box->runs);
	free(box->notes);
	test_tempdir_remove(&box->dir);
	pthread_mutex_destroy(&box->lock);
	pthread_cond_destroy(&box->changed);
	test_host_end(&box->memory);
	free(box);
	return 0;
}

stepbus_status test_box_try_open(test_box *box, const char *keys, stepbus **out)
{
	char config[1024];
	const bool has_lease = keys != NULL && strstr(keys, "lease_ms") != NULL;
	const bool has_durability = keys != NULL && strstr(keys, "durability") != NULL;
	stepbus_options options = { .size = sizeof options, .host = &box->host };

	/* A lease that outlives what tests do to the clock, and no waiting for the disk. */
	(void)snprintf(config, sizeof config, "{\"store\":\"%s%s\"%s%s%s%s}",
		       box->is_on_disk ? "sqlite:" : "memory:", box->is_on_disk ? box->path : "",
		       has_lease ? "" : ",\"lease_ms\":3600000",
		       box->is_on_disk && !has_durability ? ",\"durability\":\"process\"" : "",
		       keys != NULL ? "," : "", keys != NULL ? keys : "");
	options.config = config;
	options.config_len = strlen(config);
	return stepbus_open(&options, out, &box->err);
}

typedef struct listener {
	test_box *box;
	stepbus *engine;
	stepbus_bridge *bridge;
} listener;

static int32_t hear(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	listener *l = user_data;

	test_box_record(l->box, l->engine, l->bridge, event_id, payload, len);
	return STEPBUS_OK;
}

static void listen_to(test_box *box, stepbus *engine)
{
	listener *l = malloc(sizeof *l);
	const stepbus_subscription all = {
		.size = sizeof all, .deliver = hear, .user_data = l, .destroy = free
	};

	assert_non_null(l);
	*l = (listener){ box, engine, stepbus_engine_bridge(engine) };
	box_ok(box, stepbus_bridge_subscribe(l->bridge, "*", 1, &all, NULL, &box->err));
}

stepbus *test_box_open(test_box *box, const char *keys)
{
	stepbus *engine = NULL;

	assert_true(box->engine_count < TEST_BOX_ENGINE_MAX);
	box_ok(box, test_box_try_open(box, keys, &engine));
	box->engines[box->engine_count++] = engine;
	if (box->engine == NULL)
		box->engine = engine;
	if (!box->is_deaf)
		listen_to(box, engine);
	return engine;
}

void test_box_close(test_box *box, stepbus *engine)
{
	for (size_t i = 0; i < box->engine_count; i++) {
		if (box->engines[i] != engine)
			continue;
		box->engines[i] = box->engines[--box->engine_count];
		break;
	}
	if (box->engine == engine)
		box->engine = NULL;
	stepbus_close(engine);
}

stepbus_worker *test_box_work(test_box *box, stepbus *engine, const char *keys)
{
	stepbus_worker *worker = NULL;
	char config[512];

	(void)snprintf(config, sizeof config, "{%s}", keys != NULL ? keys : "");
	box_ok(box, stepbus_worker_start(engine, config, strlen(config), &worker, &box->err));
	return worker;
}

static int32_t call(void *instance, const stepbus_context *context, stepbus_result *result)
{
	test_handler *h = instance;

	atomic_fetch_add(&h->run_count, 1);
	test_box_record_run(h, stepbus_context_step(context));
	return h->act(h, context, result);
}

test_handler *test_box_handle(test_box *box, stepbus *engine, const char *name, test_act act,
			      const stepbus_handler_spec *spec)
{
	stepbus_handler_spec full = { .size = sizeof full };
	test_handler *h = &box->handlers[box->handler_count++];

	assert_true(box->handler_count <= TEST_BOX_HANDLER_MAX);
	if (spec != NULL)
		full = *spec;
	h->box = box;
	h->engine = engine;
	h->act = act;
	(void)snprintf(h->name, sizeof h->name, "%s", name);
	full.size = sizeof full;
	full.name = name;
	full.name_len = strlen(name);
	full.call = call;
	full.user_data = h;
	box_ok(box, stepbus_registry_register(stepbus_engine_registry(engine), &full, &box->err));
	return h;
}

int32_t test_act_echo(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);

	(void)h;
	return stepbus_result_success(result, step->input, step->input_len, NULL);
}

static int32_t say_broken(stepbus_result *result, bool is_retryable)
{
	const stepbus_failure failure = { .size = sizeof failure,
					  .is_retryable = is_retryable,
					  .retry_after_ms = -1,
					  .message = "it broke",
					  .message_len = 8,
					  .error_type = "broken",
					  .error_type_len = 6 };

	return stepbus_result_failure(result, &failure, NULL);
}

int32_t test_act_fail(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	(void)h;
	(void)context;
	return say_broken(result, true);
}

int32_t test_act_fail_for_good(test_handler *h, const stepbus_context *context,
			       stepbus_result *result)
{
	(void)h;
	(void)context;
	return say_broken(result, false);
}

stepbus_status test_box_pass_gate(test_box *box, const stepbus_context *context)
{
	stepbus_status status = STEPBUS_OK;

	pthread_mutex_lock(&box->lock);
	box->waiting_count++;
	pthread_cond_broadcast(&box->changed);
	while (!box->is_open && status == STEPBUS_OK) {
		pthread_cond_wait(&box->changed, &box->lock);
		status = stepbus_context_check(context);
	}
	box->waiting_count--;
	pthread_mutex_unlock(&box->lock);
	return status;
}

int32_t test_act_wait(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	(void)test_box_pass_gate(h->box, context);
	return test_act_echo(h, context, result);
}

static void set_gate(test_box *box, bool is_open)
{
	pthread_mutex_lock(&box->lock);
	box->is_open = is_open;
	pthread_cond_broadcast(&box->changed);
	pthread_mutex_unlock(&box->lock);
}

void test_box_open_gate(test_box *box)
{
	set_gate(box, true);
}

void test_box_close_gate(test_box *box)
{
	set_gate(box, false);
}

void test_box_stir(test_box *box)
{
	pthread_mutex_lock(&box->lock);
	pthread_cond_broadcast(&box->changed);
	pthread_mutex_unlock(&box->lock);
}

stepbus_step_spec test_box_spec(const char *handler, const char *input)
{
	return (stepbus_step_spec){ .size = sizeof(stepbus_step_spec),
				    .handler_name = handler,
				    .handler_name_len = strlen(handler),
				    .input = input,
				    .input_len = strlen(input) };
}

void test_box_put(test_box *box, stepbus *engine, const stepbus_step_spec *spec,
		  uint8_t step_id[16])
{
	stepbus_enqueued out = { .size = sizeof out };

	box_ok(box, stepbus_step_enqueue(engine, spec, 1, &out, &box->err));
	memcpy(step_id, out.step_id, 16);
}

void test_box_add(test_box *box, stepbus *engine, const char *handler, const char *input)
{
	const stepbus_step_spec spec = test_box_spec(handler, input);
	uint8_t step_id[16];

	test_box_put(box, engine, &spec, step_id);
}

void test_box_advance(test_box *box, int64_t us)
{
	atomic_fetch_add(&box->now_us, us);
	atomic_fetch_add(&box->elapsed_ns, us * 1000);
	for (size_t i = 0; i < box->engine_count; i++)
		box_ok(box, stepbus_engine_wake(box->engines[i], &box->err));
}

static const char probe_name[] = "probe";

static int32_t act_probe(test_handler *h, const stepbus_context *context, stepbus_result *result)
{
	(void)h;
	(void)context;
	return stepbus_result_success(result, NULL, 0, NULL);
}

void test_box_pass(test_box *box, stepbus *engine, int64_t us)
{
	stepbus_step_spec spec = test_box_spec(probe_name, "");
	const stepbus_handler_key key = { .size = sizeof key,
					  .name = probe_name,
					  .name_len = sizeof probe_name - 1 };
	stepbus_registry *registry = stepbus_engine_registry(engine);

	if (!stepbus_registry_is_registered(registry, &key))
		(void)test_box_handle(box, engine, probe_name, act_probe, NULL);
	spec.run_at_us = atomic_load(&box->now_us) + us;
	spec.queue = probe_name;
	spec.queue_len = sizeof probe_name - 1;
	spec.priority = SB_PRIORITY_MAX;
	box_ok(box, stepbus_step_enqueue(engine, &spec, 1, NULL, &box->err));
	test_box_advance(box, us);
	test_box_await_probes(box, ++box->probe_count);
}

void test_box_set_queue(test_box *box, stepbus *engine, const char *name, sb_queue_row row)
{
	const sb_store_type *type = engine->store->type;

	sb_writer_lead(&engine->writer);
	box_ok(box, type->begin(engine->store, &box->err));
	row.name = sb_slice_z(name);
	box_ok(box, type->queue_intern(engine->store, row.name, &row.id, &box->err));
	box_ok(box, type->queue_write(engine->store, &row, &box->err));
	box_ok(box, type->commit(engine->store, &box->err));
	sb_writer_yield(&engine->writer);
}
