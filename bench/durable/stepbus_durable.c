/* SPDX-License-Identifier: MIT */
/* stepbus in the cases of lifecycles and of enqueueing. */
#include "bench/durable/stepbus_durable.h"
#include "bench/durable/stepbus_engine.h"

#include "bench/harness.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

/*
 * The best block for each store, as any of the peers is tuned: on a disk, room for all that is
 * outstanding, so that most steps are claimed in the transaction that enqueues them; in memory, one
 * that fits the cache.
 */
enum { LOOK_MS = 20, CLAIM_BLOCK_DISK = 8192, CLAIM_BLOCK_MEMORY = 256 };

static double wal_peak_mib;

double stepbus_wal_peak(const durable_plan *plan, size_t count)
{
	(void)plan;
	(void)count;
	return wal_peak_mib > 0 ? wal_peak_mib : -1;
}

static void note_wal(const char *path)
{
	char log[4096];
	struct stat found;

	snprintf(log, sizeof(log), "%s-wal", path);
	if (stat(log, &found) == 0 && (double)found.st_size / 1048576 > wal_peak_mib)
		wal_peak_mib = (double)found.st_size / 1048576;
}

static const char *fresh_path(const durable_plan *plan)
{
	const char *path = durable_path("stepbus.db");

	if (plan->level == DURABLE_MEMORY)
		return NULL;
	engine_remove(path);
	return path;
}

/* Producers that share what is left to enqueue. */
typedef struct producers {
	engine_run *run;
	const durable_plan *plan;
	_Atomic int64_t left;
} producers;

static void hear_durable(void *user_data, stepbus_status status, const stepbus_enqueued *results,
			 size_t count, const stepbus_error *err)
{
	(void)user_data;
	(void)results;
	(void)count;
	engine_check(status, "enqueue", err);
}

static void enqueue_block(const producers *all, const stepbus_step_spec *specs, size_t count)
{
	stepbus *engine = all->run->engine;
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status = STEPBUS_OK;

	if (all->plan->is_pipelined)
		status = stepbus_step_enqueue_async(engine, specs, count, hear_durable, NULL, &err);
	else
		status = stepbus_step_enqueue(engine, specs, count, NULL, &err);
	engine_check(status, "enqueue", &err);
}

static void *produce(void *context)
{
	producers *all = context;
	int64_t block = (int64_t)all->plan->block;
	stepbus_step_spec *specs = bench_alloc(all->plan->block, sizeof(*specs));

	engine_specs(specs, all->plan->block);
	for (;;) {
		int64_t left = atomic_fetch_sub(&all->left, block);

		if (left <= 0)
			break;
		if (all->plan->window > 0)
			while (sem_wait(&all->run->room) != 0)
				continue;
		enqueue_block(all, specs, (size_t)(left < block ? left : block));
	}
	free(specs);
	return NULL;
}

static void run_producers(engine_run *run, const durable_plan *plan, size_t count)
{
	producers all = { .run = run, .plan = plan, .left = (int64_t)count };
	pthread_t threads[64];

	if (plan->thread_count == 0 || plan->thread_count > 64)
		bench_die("stepbus is to be called by 1 to 64 threads");
	for (size_t i = 0; i < plan->thread_count; i++)
		if (pthread_create(&threads[i], NULL, produce, &all) != 0)
			bench_die("cannot start thread %zu", i);
	for (size_t i = 0; i < plan->thread_count; i++)
		pthread_join(threads[i], NULL);
}

static void wait_finished(engine_run *run, const char *path)
{
	struct timespec until;

	do {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += LOOK_MS * 1000 * 1000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		if (path != NULL)
			note_wal(path);
	} while (sem_timedwait(&run->finished, &until) != 0);
}

static void check_count(engine_run *run, const char *state, size_t wanted)
{
	size_t count = engine_count(run, state);

	if (count != wanted)
		bench_die("stepbus has %zu of %zu steps %s", count, wanted, state);
}

double stepbus_lifecycle(const durable_plan *plan, size_t count)
{
	engine_run run = { .block = plan->block,
			   .claim_block = plan->level == DURABLE_MEMORY ? CLAIM_BLOCK_MEMORY :
									  CLAIM_BLOCK_DISK };
	const char *path = fresh_path(plan);
	uint64_t start_ns = 0;
	uint64_t elapsed_ns = 0;

	engine_open(&run, path, plan->level);
	engine_work(&run, count);
	for (size_t i = 0; i < plan->window / plan->block; i++)
		sem_post(&run.room);
	start_ns = bench_now_ns();
	run_producers(&run, plan, count);
	wait_finished(&run, path);
	engine_rest(&run);
	elapsed_ns = bench_now_ns() - start_ns;
	check_count(&run, "completed", count);
	engine_close(&run);
	return durable_rate(count, elapsed_ns);
}

double stepbus_one(const durable_plan *plan, size_t count)
{
	engine_run run = { 0 };
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_enqueued enqueued = { .size = sizeof(enqueued) };
	stepbus_step_spec spec;
	uint64_t start_ns = 0;
	uint64_t elapsed_ns = 0;

	engine_open(&run, fresh_path(plan), plan->level);
	engine_work(&run, count);
	engine_specs(&spec, 1);
	start_ns = bench_now_ns();
	for (size_t i = 0; i < count; i++) {
		stepbus_outcome *outcome = NULL;

		engine_check(stepbus_step_enqueue(run.engine, &spec, 1, &enqueued, &err), "enqueue",
			     &err);
		engine_check(stepbus_step_await(run.engine, enqueued.step_id, -1, &outcome, &err),
			     "await a step", &err);
		stepbus_outcome_free(outcome);
	}
	elapsed_ns = bench_now_ns() - start_ns;
	engine_rest(&run);
	check_count(&run, "completed", count);
	engine_close(&run);
	return durable_rate(count, elapsed_ns);
}

double stepbus_enqueue_threads(const durable_plan *plan, size_t count)
{
	engine_run run = { 0 };
	uint64_t start_ns = 0;
	uint64_t elapsed_ns = 0;

	engine_open(&run, fresh_path(plan), plan->level);
	start_ns = bench_now_ns();
	run_producers(&run, plan, count);
	elapsed_ns = bench_now_ns() - start_ns;
	check_count(&run, "ready", count);
	engine_close(&run);
	return durable_rate(count, elapsed_ns);
}
