/* SPDX-License-Identifier: MIT */
/* Writes results: one JSON object a line on stdout for machines, a table on stderr for people. */
#include "bench/durable/durable.h"

#include <stdio.h>
#include <string.h>

static double ratio_of(const durable_entry *entry)
{
	if (entry->baseline == NULL || entry->baseline->median <= 0)
		return 0;
	return entry->median / entry->baseline->median;
}

static void write_json(const durable_entry *entry)
{
	double ratio = ratio_of(entry);

	printf("{\"bench\":\"durable\",\"case\":\"%s\",\"who\":\"%s\",\"unit\":\"%s\",",
	       entry->case_name, entry->who, entry->unit);
	if (entry->sample_count == 0) {
		printf("\"median\":null,\"min\":null,\"max\":null,\"runs\":0,"
		       "\"baseline\":null,\"ratio\":null,\"missing\":\"%s\"}\n",
		       entry->needs);
		return;
	}
	printf("\"median\":%.3f,\"min\":%.3f,\"max\":%.3f,\"runs\":%zu,", entry->median,
	       entry->samples[0], entry->samples[entry->sample_count - 1], entry->sample_count);
	if (ratio > 0)
		printf("\"baseline\":%.3f,\"ratio\":%.4f}\n", entry->baseline->median, ratio);
	else
		printf("\"baseline\":null,\"ratio\":null}\n");
}

static void write_row(const durable_entry *entry)
{
	double ratio = ratio_of(entry);

	fprintf(stderr, "  %-22s", entry->who);
	if (entry->sample_count == 0) {
		fprintf(stderr, " missing; needs %s\n", entry->needs);
		return;
	}
	fprintf(stderr, " %11.1f %11.1f %11.1f %5zu", entry->median, entry->samples[0],
		entry->samples[entry->sample_count - 1], entry->sample_count);
	if (ratio > 0)
		fprintf(stderr, " %11.1f %9.3fx\n", entry->baseline->median, ratio);
	else
		fprintf(stderr, " %11s %10s\n", "-", "-");
}

void durable_report(const durable_bench *bench, size_t first)
{
	const char *shown = "";

	for (size_t i = first; i < bench->entry_count; i++) {
		const durable_entry *entry = &bench->entries[i];

		if (strcmp(shown, entry->case_name) != 0) {
			shown = entry->case_name;
			fprintf(stderr, "\ndurable %s, %s\n", shown, entry->unit);
			fprintf(stderr, "  %-22s %11s %11s %11s %5s %11s %10s\n", "who", "median",
				"min", "max", "runs", "baseline", "ratio");
		}
		write_json(entry);
		write_row(entry);
	}
	fflush(stdout);
}

/* stepbus's median of a case is held against factor * somebody's median + offset. */
typedef struct goal {
	const char *case_name;
	bool is_most; /* at most; else at least */
	double factor;
	const char *than_case;
	const char *than_who;
	double offset;
} goal;

static const goal GOALS[] = {
	{ "lifecycle_disk", false, 0.5, "lifecycle_disk", "sqlite_raw", 0 },
	{ "lifecycle_disk", false, 0, NULL, NULL, 75000 },
	{ "lifecycle_disk", false, 15, "lifecycle_disk", "beanstalkd_fsync", 0 },
	{ "lifecycle_disk", false, 3, "lifecycle_disk", "graphile_worker", 0 },
	{ "lifecycle_disk", false, 3, "lifecycle_disk", "pg_boss", 0 },
	{ "lifecycle_disk", false, 3, "lifecycle_disk", "bullmq_always", 0 },
	{ "lifecycle_disk", false, 3, "lifecycle_disk", "gearman_sqlite", 0 },
	{ "lifecycle_disk_one", false, 1.4, "lifecycle_disk_one", "beanstalkd_fsync", 0 },
	{ "lifecycle_memory", false, 0, NULL, NULL, 500000 },
	{ "enqueue_disk_8threads", false, 3.5, "enqueue_disk_1thread", "stepbus", 0 },
	{ "enqueue_disk_64threads", false, 10, "enqueue_disk_1thread", "stepbus", 0 },
	{ "start_latency_disk", true, 1, "start_latency_disk", "fdatasync", 100 },
	{ "start_latency_2processes", true, 0, NULL, NULL, 5000 },
	{ "claim_5m", true, 1.5, "claim_1k", "stepbus", 0 },
	{ "memory_pending", true, 0, NULL, NULL, 400 },
	{ "wal_peak", true, 0, NULL, NULL, 64 },
	{ "reopen_1m", true, 0, NULL, NULL, 1000 },
};

static void write_goal(const goal *wanted, const durable_entry *reached, const durable_entry *than)
{
	double limit = wanted->offset + (than != NULL ? wanted->factor * than->median : 0);
	bool is_met = wanted->is_most ? reached->median <= limit : reached->median >= limit;

	fprintf(stderr, "  %-26s %11.1f %s %11.1f %-9s", wanted->case_name, reached->median,
		wanted->is_most ? "<=" : ">=", limit, reached->unit);
	if (than != NULL)
		fprintf(stderr, " (%.2fx %s %s, goal %.2fx)", reached->median / than->median,
			than->who, than->case_name, wanted->factor);
	fprintf(stderr, ": %s\n", is_met ? "met" : "missed");
}

void durable_report_goals(const durable_bench *bench)
{
	bool is_first = true;

	for (size_t i = 0; i < sizeof(GOALS) / sizeof(GOALS[0]); i++) {
		const goal *wanted = &GOALS[i];
		const durable_entry *reached = durable_find(bench, wanted->case_name, "stepbus");
		const durable_entry *than = NULL;

		if (wanted->than_case != NULL)
			than = durable_find(bench, wanted->than_case, wanted->than_who);
		if (reached == NULL || (wanted->than_case != NULL && than == NULL))
			continue;
		if (is_first)
			fprintf(stderr, "\ngoals of stepbus\n");
		is_first = false;
		write_goal(wanted, reached, than);
	}
}
