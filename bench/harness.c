/* SPDX-License-Identifier: MIT */
/*
 * Owns the rounds: opens the contestants of a group, finds the size of their slices, and
 * interleaves them.
 */
#include "bench/harness.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	ROUND_COUNT_DEFAULT = 51,
	SLICE_NS = 8 * 1000 * 1000,
	CALIBRATION_NS = 2 * 1000 * 1000,
	/*
	 * a process starts slowly, so it takes several samples each time and sits out the rounds
	 * between
	 */
	SAMPLES_A_PROCESS = 8
};

uint64_t bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void *bench_alloc(size_t count, size_t len)
{
	void *block = calloc(count, len);

	if (block == NULL)
		bench_die("cannot get %zu times %zu bytes of memory", count, len);
	return block;
}

void bench_die(const char *format, ...)
{
	va_list args;

	fputs("bench: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void bench_group_init(bench_group *group, const char *bench, const char *unit, unsigned round_count)
{
	*group = (bench_group){ .bench = bench, .unit = unit, .round_count = round_count };
	if (group->round_count == 0)
		group->round_count = ROUND_COUNT_DEFAULT;
}

bench_entry *bench_group_add(bench_group *group, const char *case_name, const bench_peer *peer,
			     const void *plan)
{
	bench_entry *entry = &group->entries[group->entry_count];

	if (group->entry_count == BENCH_ENTRY_COUNT_MAX)
		bench_die("a group has more than %d entries", BENCH_ENTRY_COUNT_MAX);
	*entry =
		(bench_entry){ .case_name = case_name, .peer = peer, .plan = plan, .work_each = 1 };
	entry->samples = bench_alloc(group->round_count + SAMPLES_A_PROCESS, sizeof(double));
	group->entry_count++;
	return entry;
}

static uint64_t slice(const bench_entry *entry, uint64_t iterations)
{
	uint64_t work = bench_work_done();
	uint64_t threads = entry->thread_count == 2 ? 2 : 1;
	uint64_t elapsed = 0;
	uint64_t expected = 0;

	if (threads == 2)
		elapsed = bench_pair_run(entry->peer, entry->state, iterations);
	else
		elapsed = entry->peer->run(entry->state, iterations);
	bench_work_flush();
	work = bench_work_done() - work;
	expected = iterations * threads * entry->work_each;
	if (work != expected)
		bench_die("%s did %" PRIu64 " of %" PRIu64 " pieces of work", entry->peer->who,
			  work, expected);
	return elapsed;
}

/* Also warms the contestant up: caches, branch predictors and lazily bound symbols. */
static void calibrate(bench_entry *entry)
{
	uint64_t iterations = 64;
	uint64_t elapsed = 0;

	if (entry->peer->sample != NULL || entry->iterations != 0)
		return;
	for (;;) {
		elapsed = slice(entry, iterations);
		if (elapsed >= CALIBRATION_NS)
			break;
		iterations *= 2;
	}
	entry->iterations = (uint64_t)((double)iterations * SLICE_NS / (double)elapsed) + 1;
}

static void measure(bench_entry *entry, unsigned round)
{
	double *next = entry->samples + entry->sample_count;
	double elapsed = 0;

	if (entry->peer->sample == NULL) {
		elapsed = (double)slice(entry, entry->iterations);
		*next = elapsed / (double)entry->iterations;
		entry->sample_count++;
	} else if (round % SAMPLES_A_PROCESS == 0) {
		entry->sample_count += entry->peer->sample(entry->plan, next, SAMPLES_A_PROCESS);
	}
}

static int by_value(const void *left, const void *right)
{
	double a = *(const double *)left;
	double b = *(const double *)right;

	return (a > b) - (a < b);
}

static void settle(bench_entry *entry)
{
	size_t middle = entry->sample_count / 2;

	if (entry->sample_count == 0)
		return;
	qsort(entry->samples, entry->sample_count, sizeof(double), by_value);
	entry->median = entry->samples[middle];
	if (entry->sample_count % 2 == 0)
		entry->median = (entry->samples[middle - 1] + entry->median) / 2;
}

static void open_all(bench_group *group)
{
	for (size_t i = 0; i < group->entry_count; i++) {
		bench_entry *entry = &group->entries[i];

		if (entry->peer->sample != NULL)
			continue;
		entry->state = entry->peer->open(entry->plan);
		if (entry->state == NULL)
			bench_die("%s cannot be set up", entry->peer->who);
	}
}

static void close_all(bench_group *group)
{
	for (size_t i = 0; i < group->entry_count; i++) {
		bench_entry *entry = &group->entries[i];

		if (entry->state != NULL)
			entry->peer->close(entry->state);
		free(entry->samples);
	}
}

void bench_group_run(bench_group *group)
{
	open_all(group);
	for (size_t i = 0; i < group->entry_count; i++)
		calibrate(&group->entries[i]);
	for (unsigned round = 0; round < group->round_count; round++) {
		/*
		 * each round begins with another entry, so that nobody always runs after the same
		 * one
		 */
		for (size_t i = 0; i < group->entry_count; i++)
			measure(&group->entries[(round + i) % group->entry_count], round);
	}
	for (size_t i = 0; i < group->entry_count; i++)
		settle(&group->entries[i]);
	bench_report(group);
	close_all(group);
}
