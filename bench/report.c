/* SPDX-License-Identifier: MIT */
/* Writes results: one JSON object a line on stdout for machines, a table on stderr for people. */
#include "bench/harness.h"

#include <stdio.h>
#include <string.h>

static double ratio_of(const bench_entry *entry)
{
	if (entry->baseline == NULL || entry->baseline->sample_count == 0)
		return 0;
	return entry->median / entry->baseline->median;
}

static void write_json(const bench_group *group, const bench_entry *entry)
{
	double ratio = ratio_of(entry);

	printf("{\"bench\":\"%s\",\"case\":\"%s\",\"who\":\"%s\",\"unit\":\"%s\",", group->bench,
	       entry->case_name, entry->peer->who, group->unit);
	printf("\"median\":%.3f,\"min\":%.3f,\"max\":%.3f,\"runs\":%zu,", entry->median,
	       entry->samples[0], entry->samples[entry->sample_count - 1], entry->sample_count);
	if (ratio > 0)
		printf("\"baseline\":%.3f,\"ratio\":%.3f}\n", entry->baseline->median, ratio);
	else
		printf("\"baseline\":null,\"ratio\":null}\n");
}

static void write_goal(const bench_entry *entry)
{
	double ratio = ratio_of(entry);

	if (entry->goal_ratio > 0 && ratio > 0)
		fprintf(stderr, "  goal <= %.2fx: %s", entry->goal_ratio,
			ratio <= entry->goal_ratio ? "met" : "missed");
	if (entry->goal_ns > 0)
		fprintf(stderr, "  goal <= %.0f: %s", entry->goal_ns,
			entry->median <= entry->goal_ns ? "met" : "missed");
}

static void write_row(const bench_entry *entry)
{
	double ratio = ratio_of(entry);

	fprintf(stderr, "  %-22s %10.2f %10.2f %10.2f %5zu", entry->peer->who, entry->median,
		entry->samples[0], entry->samples[entry->sample_count - 1], entry->sample_count);
	if (ratio > 0)
		fprintf(stderr, " %10.2f %8.2fx", entry->baseline->median, ratio);
	else
		fprintf(stderr, " %10s %9s", "-", "-");
	write_goal(entry);
	fputc('\n', stderr);
}

void bench_report(const bench_group *group)
{
	const char *shown = "";

	for (size_t i = 0; i < group->entry_count; i++) {
		const bench_entry *entry = &group->entries[i];

		if (entry->case_name == NULL || entry->sample_count == 0)
			continue;
		if (strcmp(shown, entry->case_name) != 0) {
			shown = entry->case_name;
			fprintf(stderr, "\n%s %s, %s\n", group->bench, shown, group->unit);
			fprintf(stderr, "  %-22s %10s %10s %10s %5s %10s %9s\n", "who", "median",
				"min", "max", "runs", "baseline", "ratio");
		}
		write_json(group, entry);
		write_row(entry);
	}
	fflush(stdout);
}
