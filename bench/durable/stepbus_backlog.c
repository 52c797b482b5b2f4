/* SPDX-License-Identifier: MIT */
/* stepbus with many steps waiting: what claiming, opening anew and memory cost. */
#include "bench/durable/stepbus_durable.h"
#include "bench/durable/stepbus_engine.h"

#include "bench/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The first steps of a measurement of memory fill SQLite's cache. */
enum { PART_COUNT = 1000, PART_MARK = 100, WARM_COUNT = 200 * 1000 };

static const char *backlog_path(const durable_plan *plan)
{
	char name[64];

	snprintf(name, sizeof(name), "stepbus-%zu.db", plan->pending);
	return durable_path(name);
}

static void fill(engine_run *run, size_t pending)
{
	size_t there = engine_count(run, "ready");

	if (there < pending)
		engine_enqueue(run, pending - there);
}

/*
 * A part is 1,000 steps, so that as few may wait. What a worker needs to get going is not counted:
 * the clock runs from the 100th step on.
 */
double stepbus_claim_cost(const durable_plan *plan, size_t count)
{
	engine_run run = { .mark = PART_MARK };
	uint64_t elapsed_ns = 0;
	size_t parts = (count + PART_COUNT - 1) / PART_COUNT;

	engine_open(&run, backlog_path(plan), plan->level);
	fill(&run, plan->pending);
	for (size_t i = 0; i < parts; i++) {
		engine_work(&run, PART_COUNT);
		while (sem_wait(&run.finished) != 0)
			continue;
		engine_rest(&run);
		elapsed_ns += atomic_load(&run.final_ns) - atomic_load(&run.mark_ns);
		engine_enqueue(&run, atomic_load(&run.handled));
	}
	engine_close(&run);
	return (double)elapsed_ns / 1000 / (double)(parts * (PART_COUNT - PART_MARK));
}

static void die_working(engine_run *run)
{
	(void)run;
	kill(getpid(), SIGKILL);
}

/* The child had claimed a block when it was killed. */
static void work_and_die(const durable_plan *plan)
{
	engine_run run = { .on_start = die_working };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	engine_open(&run, backlog_path(plan), plan->level);
	engine_work(&run, SIZE_MAX);
	for (;;)
		pause();
}

double stepbus_reopen(const durable_plan *plan, size_t count)
{
	engine_run run = { 0 };
	uint64_t start_ns = 0;
	uint64_t elapsed_ns = 0;
	pid_t pid = -1;

	(void)count;
	engine_open(&run, backlog_path(plan), plan->level);
	fill(&run, plan->pending);
	engine_close(&run);
	pid = fork();
	if (pid == 0)
		work_and_die(plan);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		bench_die("cannot start a process to kill");
	run = (engine_run){ 0 };
	start_ns = bench_now_ns();
	engine_open(&run, backlog_path(plan), plan->level);
	engine_work(&run, 1);
	while (sem_wait(&run.finished) != 0)
		continue;
	elapsed_ns = atomic_load(&run.final_ns) - start_ns;
	engine_rest(&run);
	engine_close(&run);
	return (double)elapsed_ns / 1e6;
}

/* Pages of files that are mapped do not count. */
static double anonymous_bytes(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	double kib = 0;

	if (file == NULL)
		bench_die("cannot read how much memory is used");
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "RssAnon:", 8) == 0)
			kib = strtod(line + 8, NULL);
	fclose(file);
	return kib * 1024;
}

static void measure_memory(const durable_plan *plan, int output)
{
	engine_run run = { 0 };
	double before = 0;
	double each = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	engine_open(&run, durable_path("stepbus-memory.db"), plan->level);
	engine_enqueue(&run, WARM_COUNT);
	before = anonymous_bytes();
	engine_enqueue(&run, plan->pending);
	each = (anonymous_bytes() - before) / (double)plan->pending;
	engine_close(&run);
	_exit(write(output, &each, sizeof(each)) == sizeof(each) ? 0 : 1);
}

/* In a process of its own, whose memory nothing else has used. */
double stepbus_memory_pending(const durable_plan *plan, size_t count)
{
	double each = -1;
	int ends[2];
	pid_t pid = -1;

	(void)count;
	engine_remove(durable_path("stepbus-memory.db"));
	if (pipe(ends) != 0)
		bench_die("cannot make a pipe");
	pid = fork();
	if (pid == 0)
		measure_memory(plan, ends[1]);
	close(ends[1]);
	if (pid < 0 || read(ends[0], &each, sizeof(each)) != sizeof(each))
		bench_die("stepbus did not measure its memory");
	close(ends[0]);
	waitpid(pid, NULL, 0);
	return each > 0 ? each : 0;
}
