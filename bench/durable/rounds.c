/* SPDX-License-Identifier: MIT */
/*
 * Owns the rounds: finds how many steps fill a slice, then lets everybody run in turn, so that a busy
 * moment of the machine or its disk hits all of them.
 */
#include "bench/durable/durable.h"

#include "bench/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT_MAX = 400 * 1000 };

durable_entry *durable_add(durable_bench *bench, const durable_entry *entry)
{
	durable_entry *added = &bench->entries[bench->entry_count];

	if (bench->entry_count == DURABLE_ENTRY_COUNT_MAX)
		bench_die("there are more than %d entries", DURABLE_ENTRY_COUNT_MAX);
	*added = *entry;
	added->samples = bench_alloc(bench->round_count, sizeof(double));
	bench->entry_count++;
	return added;
}

const durable_entry *durable_find(const durable_bench *bench, const char *case_name,
				  const char *who)
{
	for (size_t i = 0; i < bench->entry_count; i++) {
		const durable_entry *entry = &bench->entries[i];

		if (strcmp(entry->case_name, case_name) == 0 && strcmp(entry->who, who) == 0)
			return entry->sample_count > 0 ? entry : NULL;
	}
	return NULL;
}

double durable_rate(size_t count, uint64_t elapsed_ns)
{
	return (double)count * 1e9 / (double)(elapsed_ns > 0 ? elapsed_ns : 1);
}

static int by_value(const void *left, const void *right)
{
	double a = *(const double *)left;
	double b = *(const double *)right;

	return (a > b) - (a < b);
}

double durable_median(double *values, size_t count)
{
	if (count == 0)
		return 0;
	qsort(values, count, sizeof(double), by_value);
	return count % 2 != 0 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

const char *durable_lifecycle_name(durable_level level)
{
	static const char *const names[] = { "lifecycle_disk", "lifecycle_process",
					     "lifecycle_memory" };

	return names[level];
}

const char *durable_input(void)
{
	static char input[DURABLE_INPUT_LEN + 1];

	if (input[0] == 0)
		memset(input, 'x', DURABLE_INPUT_LEN);
	return input;
}

static bool is_rate(const durable_entry *entry)
{
	return strcmp(entry->unit, "steps/s") == 0;
}

/* Two runs: the first finds caches and files cold, and may be too short to go by. */
static void calibrate(const durable_bench *bench, durable_entry *entry)
{
	size_t count_max = entry->count_max > 0 ? entry->count_max : COUNT_MAX;

	entry->count = entry->first_count;
	for (int run = 0; run < 2 && !entry->is_missing; run++) {
		double figure = entry->measure(&entry->plan, entry->count);

		entry->is_missing = figure < 0;
		if (!is_rate(entry))
			return;
		entry->count = (size_t)(figure * bench->slice_s) + 1;
		if (entry->is_missing || entry->count < entry->first_count)
			entry->count = entry->first_count;
		if (entry->count > count_max)
			entry->count = count_max;
	}
}

static void measure(durable_entry *entry)
{
	double figure = -1;

	if (entry->is_missing)
		return;
	figure = entry->measure(&entry->plan, entry->count);
	if (figure < 0)
		bench_die("%s could not go on with %s", entry->who, entry->case_name);
	entry->samples[entry->sample_count] = figure;
	entry->sample_count++;
}

void durable_measure_from(durable_bench *bench, size_t first)
{
	size_t count = bench->entry_count - first;

	for (size_t i = first; i < bench->entry_count; i++)
		calibrate(bench, &bench->entries[i]);
	for (unsigned round = 0; round < bench->round_count; round++) {
		for (size_t i = 0; i < count; i++)
			measure(&bench->entries[first + (round + i) % count]);
	}
	for (size_t i = first; i < bench->entry_count; i++) {
		durable_entry *entry = &bench->entries[i];

		entry->median = durable_median(entry->samples, entry->sample_count);
	}
	durable_report(bench, first);
}
