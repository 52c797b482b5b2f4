/* SPDX-License-Identifier: MIT */
/*
 * What a step costs in C, from its claim to its kept result: c_drain pool|pull [steps]. The
 * steps stand in a memory store before the clock runs; the handler does nothing. "pool" runs it on one
 * thread of a worker's pool, which is what the engine costs by itself; "pull" polls and completes on
 * this thread, in batches of 256. One JSON line.
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <stepbus.h>

enum { BATCH = 256, INPUT_LEN = 200, ENQUEUE_MAX = 10000 };

static stepbus_error err = STEPBUS_ERROR_INIT;

static void must(stepbus_status status, const char *what)
{
	if (status == STEPBUS_OK)
		return;
	fprintf(stderr, "c_drain: %s: %s\n", what, err.message);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static int32_t run_nothing(void *count, const stepbus_context *context, stepbus_result *result)
{
	(void)context;
	atomic_fetch_add((_Atomic(size_t) *)count, 1);
	return stepbus_result_success(result, NULL, 0, NULL);
}

static stepbus *open_engine(void)
{
	static const char config[] = "{\"store\":\"memory:\"}";
	const stepbus_options options = { .size = sizeof options,
					  .config = config,
					  .config_len = sizeof config - 1 };
	stepbus *engine = NULL;

	must(stepbus_open(&options, &engine, &err), "open");
	return engine;
}

static void add_handler(stepbus *engine, _Atomic(size_t) *count, int is_pulled)
{
	const stepbus_handler_spec spec = { .size = sizeof spec,
					    .name = "nothing",
					    .name_len = 7,
					    .flags = is_pulled ? STEPBUS_HANDLER_PULLED : 0,
					    .call = is_pulled ? NULL : run_nothing,
					    .user_data = count };

	must(stepbus_registry_register(stepbus_engine_registry(engine), &spec, &err), "register");
}

static void enqueue(stepbus *engine, size_t count)
{
	static char input[INPUT_LEN];
	stepbus_step_spec *specs = calloc(ENQUEUE_MAX, sizeof *specs);

	if (specs == NULL)
		exit(1);
	memset(input, 'x', sizeof input);
	for (size_t i = 0; i < ENQUEUE_MAX; i++)
		specs[i] = (stepbus_step_spec){ .size = sizeof *specs,
						.handler_name = "nothing",
						.handler_name_len = 7,
						.input = input,
						.input_len = sizeof input };
	for (size_t done = 0; done < count; done += ENQUEUE_MAX)
		must(stepbus_step_enqueue(engine, specs,
					  count - done < ENQUEUE_MAX ? count - done : ENQUEUE_MAX,
					  NULL, &err),
		     "enqueue");
	free(specs);
}

static stepbus_worker *start(stepbus *engine, int is_pulled)
{
	static const char pool[] = "{\"pool_size\":1,\"block_size\":256}";
	static const char pull[] = "{\"pull\":true,\"block_size\":256}";
	stepbus_worker *worker = NULL;

	must(stepbus_worker_start(engine, is_pulled ? pull : pool,
				  is_pulled ? sizeof pull - 1 : sizeof pool - 1, &worker, &err),
	     "start a worker");
	return worker;
}

static void drain_by_pool(_Atomic(size_t) *run_count, size_t count)
{
	const struct timespec pause = { .tv_nsec = 20000 };

	while (atomic_load(run_count) < count)
		nanosleep(&pause, NULL);
}

static void drain_by_pull(stepbus *engine, stepbus_worker *worker, size_t count)
{
	static stepbus_step_event events[BATCH];
	static stepbus_completion completions[BATCH];
	size_t got = 0;

	for (size_t done = 0; done < count; done += got) {
		events[0].size = sizeof *events;
		must(stepbus_poll(worker, events, BATCH, 10000, &got, &err), "poll");
		for (size_t i = 0; i < got; i++) {
			completions[i] = (stepbus_completion){ .size = sizeof *completions,
							       .outcome = STEPBUS_OUTCOME_SUCCESS,
							       .token = events[i].token };
			memcpy(completions[i].step_id, events[i].step_id, 16);
		}
		must(stepbus_complete(engine, completions, got, NULL, &err), "complete");
	}
}

static int64_t drain(size_t count, int is_pulled)
{
	_Atomic(size_t) run_count = 0;
	stepbus *engine = open_engine();
	stepbus_worker *worker;
	uint64_t left = 0;
	int64_t started_ns;

	add_handler(engine, &run_count, is_pulled);
	enqueue(engine, count);
	started_ns = now_ns();
	worker = start(engine, is_pulled);
	if (is_pulled)
		drain_by_pull(engine, worker, count);
	else
		drain_by_pool(&run_count, count);
	must(stepbus_worker_stop(worker, -1, NULL, &err), "stop");
	started_ns = now_ns() - started_ns;
	must(stepbus_step_count(engine, STEPBUS_TEXT("{\"state\":\"completed\"}"), &left, &err),
	     "count");
	if (left != count) {
		fprintf(stderr, "c_drain: %llu of %zu completed\n", (unsigned long long)left,
			count);
		exit(1);
	}
	stepbus_close(engine);
	return started_ns;
}

int main(int argc, char **argv)
{
	size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000;

	if (argc < 2 || (strcmp(argv[1], "pool") != 0 && strcmp(argv[1], "pull") != 0) ||
	    count == 0) {
		fprintf(stderr, "usage: c_drain pool|pull [steps]\n");
		return 2;
	}
	printf("{\"case\":\"c_%s\",\"ns_per_event\":%.1f}\n", argv[1],
	       (double)drain(count, strcmp(argv[1], "pull") == 0) / (double)count);
	return 0;
}
