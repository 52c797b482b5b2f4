/* SPDX-License-Identifier: MIT */
/* How long stepbus takes from enqueueing a step to its handler, with nothing else to do. */
#include "bench/durable/stepbus_durable.h"
#include "bench/durable/stepbus_engine.h"

#include "bench/harness.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAUSE_US = 500, REST_US = 2000 };

/* Seen by both processes; the clock is the same in both. */
typedef struct board {
	_Atomic size_t handled;
	_Atomic uint64_t started_ns;
	_Atomic bool is_ready;
} board;

static void note_start(engine_run *run)
{
	board *shared = run->context;

	atomic_store(&shared->started_ns, atomic_load(&run->started_ns));
	atomic_fetch_add(&shared->handled, 1);
}

/* Waits long enough after each step that both sides have gone to sleep again. */
static double median_latency(engine_run *run, board *shared, size_t count)
{
	double *elapsed_us = bench_alloc(count, sizeof(double));
	double median = 0;

	for (size_t i = 0; i < count; i++) {
		size_t before = atomic_load(&shared->handled);
		uint64_t start_ns = bench_now_ns();

		engine_enqueue(run, 1);
		while (atomic_load(&shared->handled) == before)
			usleep(PAUSE_US);
		elapsed_us[i] = (double)(atomic_load(&shared->started_ns) - start_ns) / 1000;
		usleep(REST_US);
	}
	median = durable_median(elapsed_us, count);
	free(elapsed_us);
	return median;
}

double stepbus_start_latency(const durable_plan *plan, size_t count)
{
	board shared = { 0 };
	engine_run run = { .on_start = note_start, .context = &shared };
	const char *path = durable_path("stepbus-latency.db");
	double median = 0;

	engine_remove(path);
	engine_open(&run, path, plan->level);
	engine_work(&run, count);
	median = median_latency(&run, &shared, count);
	engine_rest(&run);
	engine_close(&run);
	return median;
}

static void work(const char *path, durable_level level, board *shared)
{
	engine_run run = { .on_start = note_start, .context = shared };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	engine_open(&run, path, level);
	engine_work(&run, SIZE_MAX);
	atomic_store(&shared->is_ready, true);
	for (;;)
		pause();
}

double stepbus_start_latency_2processes(const durable_plan *plan, size_t count)
{
	engine_run run = { 0 };
	const char *path = durable_path("stepbus-latency.db");
	board *shared = mmap(NULL, sizeof(board), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double median = 0;
	pid_t pid = -1;

	if (shared == MAP_FAILED)
		bench_die("cannot share memory with a worker");
	engine_remove(path);
	pid = fork();
	if (pid == 0)
		work(path, plan->level, shared);
	if (pid < 0)
		bench_die("cannot start a worker");
	while (!atomic_load(&shared->is_ready))
		usleep(PAUSE_US);
	engine_open(&run, path, plan->level);
	median = median_latency(&run, shared, count);
	engine_close(&run);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	munmap(shared, sizeof(board));
	return median;
}
