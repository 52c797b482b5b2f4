/* SPDX-License-Identifier: MIT */
#include "bench/durable/stepbus_engine.h"

#include "bench/harness.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONFIG_LEN = 5000 };

enum { WORKER_LEN = 100, BLOCK_SIZE = 256 };

void engine_check(stepbus_status status, const char *what, const stepbus_error *err)
{
	if (status != STEPBUS_OK)
		bench_die("stepbus cannot %s: %s", what, err->message);
}

static int32_t succeed(void *instance, const stepbus_context *context, stepbus_result *result)
{
	engine_run *run = instance;
	uint64_t now = bench_now_ns();
	size_t handled = atomic_fetch_add(&run->handled, 1) + 1;

	(void)context;
	atomic_store_explicit(&run->started_ns, now, memory_order_release);
	if (run->on_start != NULL)
		run->on_start(run);
	if (handled == run->mark)
		atomic_store(&run->mark_ns, now);
	if (run->block > 0 && handled % run->block == 0)
		sem_post(&run->room);
	if (handled == run->wanted) {
		atomic_store(&run->final_ns, now);
		sem_post(&run->finished);
	}
	return stepbus_result_success(result, NULL, 0, NULL);
}

static void add_handler(engine_run *run)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_handler_spec spec = { .size = sizeof(spec), .call = succeed, .user_data = run };

	spec.name = "bench.nothing";
	spec.name_len = strlen(spec.name);
	engine_check(stepbus_registry_register(stepbus_engine_registry(run->engine), &spec, &err),
		     "register a handler", &err);
}

void engine_open(engine_run *run, const char *path, durable_level level)
{
	static const char *const levels[] = { "disk", "process", "memory" };
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_options options = { .size = sizeof(options) };
	char config[CONFIG_LEN];

	if (path == NULL || level == DURABLE_MEMORY)
		snprintf(config, sizeof(config), "{\"store\":\"memory:\"}");
	else
		snprintf(config, sizeof(config), "{\"store\":\"sqlite:%s\",\"durability\":\"%s\"}",
			 path, levels[level]);
	options.config = config;
	options.config_len = strlen(config);
	sem_init(&run->finished, 0, 0);
	sem_init(&run->room, 0, 0);
	engine_check(stepbus_open(&options, &run->engine, &err), "open a store", &err);
	add_handler(run);
}

void engine_close(engine_run *run)
{
	stepbus_close(run->engine);
	sem_destroy(&run->finished);
	sem_destroy(&run->room);
}

void engine_work(engine_run *run, size_t wanted)
{
	size_t block_size = run->claim_block > 0 ? run->claim_block : BLOCK_SIZE;
	stepbus_error err = STEPBUS_ERROR_INIT;
	char worker[WORKER_LEN];

	snprintf(worker, sizeof(worker), "{\"id\":\"bench\",\"pool_size\":2,\"block_size\":%zu}",
		 block_size);
	run->wanted = wanted;
	atomic_store(&run->handled, 0);
	engine_check(stepbus_worker_start(run->engine, worker, strlen(worker), &run->worker, &err),
		     "start a worker", &err);
}

void engine_rest(engine_run *run)
{
	stepbus_error err = STEPBUS_ERROR_INIT;

	engine_check(stepbus_worker_stop(run->worker, -1, NULL, &err), "stop a worker", &err);
	stepbus_worker_free(run->worker);
	run->worker = NULL;
}

void engine_specs(stepbus_step_spec *specs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		specs[i] = (stepbus_step_spec){ .size = sizeof(specs[i]),
						.handler_name = "bench.nothing",
						.input = durable_input(),
						.input_len = DURABLE_INPUT_LEN };
		specs[i].handler_name_len = strlen(specs[i].handler_name);
	}
}

void engine_enqueue(engine_run *run, size_t count)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	size_t block = count < ENGINE_BLOCK_MAX ? count : ENGINE_BLOCK_MAX;
	stepbus_step_spec *specs = bench_alloc(block + 1, sizeof(*specs));

	engine_specs(specs, block);
	while (count > 0) {
		size_t more = count < block ? count : block;

		engine_check(stepbus_step_enqueue(run->engine, specs, more, NULL, &err), "enqueue",
			     &err);
		count -= more;
	}
	free(specs);
}

size_t engine_count(engine_run *run, const char *state)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	uint64_t count = 0;
	char filter[64];
	int len = snprintf(filter, sizeof(filter), "{\"state\":\"%s\"}", state);

	engine_check(stepbus_step_count(run->engine, filter, (size_t)len, &count, &err),
		     "count steps", &err);
	return (size_t)count;
}

void engine_remove(const char *path)
{
	char pattern[CONFIG_LEN];
	glob_t found = { 0 };

	unlink(path);
	snprintf(pattern, sizeof(pattern), "%s-*", path);
	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			unlink(found.gl_pathv[i]);
	globfree(&found);
}
