/* SPDX-License-Identifier: MIT */
/*
 * Draws the cases that are measured in steps a second as one SVG file: a bar for each contestant, on
 * a logarithmic scale, with a line from its slowest to its fastest run.
 */
#include "bench/durable/durable.h"

#include "bench/harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
	WIDTH = 900,
	LEFT = 210,
	RIGHT = 90,
	ROW = 20,
	HEAD = 34,
	TOP = 60,
	FOOT = 50,
	DECADE_MIN = 2,
	DECADE_MAX = 6,
};

static double x_of(double value)
{
	double place = (log10(value) - DECADE_MIN) / (DECADE_MAX - DECADE_MIN);

	if (place < 0)
		place = 0;
	if (place > 1)
		place = 1;
	return LEFT + place * (WIDTH - LEFT - RIGHT);
}

static const char *colour_of(const durable_entry *entry)
{
	if (strcmp(entry->who, "stepbus") == 0)
		return "#c2410c";
	return strncmp(entry->who, "sqlite_raw", 10) == 0 ? "#525252" : "#7ba3c9";
}

static bool is_shown(const durable_entry *entry)
{
	return entry->sample_count > 0 && strcmp(entry->unit, "steps/s") == 0;
}

static bool is_head(const durable_bench *bench, size_t index)
{
	const char *name = bench->entries[index].case_name;

	for (size_t i = 0; i < index; i++)
		if (is_shown(&bench->entries[i]) && strcmp(bench->entries[i].case_name, name) == 0)
			return false;
	return true;
}

static int height_of(const durable_bench *bench)
{
	int height = TOP + FOOT;

	for (size_t i = 0; i < bench->entry_count; i++)
		if (is_shown(&bench->entries[i]))
			height += ROW + (is_head(bench, i) ? HEAD : 0);
	return height;
}

static void draw_scale(FILE *file, int height)
{
	static const char *const names[] = { "100", "1 000", "10 000", "100 000", "1 000 000" };

	for (int decade = DECADE_MIN; decade <= DECADE_MAX; decade++) {
		double x = x_of(pow(10, decade));

		fprintf(file,
			"<line x1='%.1f' y1='%d' x2='%.1f' y2='%d' stroke='#ddd'/>\n"
			"<text x='%.1f' y='%d' text-anchor='middle' fill='#666'>%s</text>\n",
			x, TOP - 8, x, height - FOOT, x, TOP - 14, names[decade - DECADE_MIN]);
	}
}

static void draw_bar(FILE *file, const durable_entry *entry, int y)
{
	double end = x_of(entry->median);
	double low = x_of(entry->samples[0]);
	double high = x_of(entry->samples[entry->sample_count - 1]);
	double middle = y + ROW / 2.0;

	fprintf(file, "<text x='%d' y='%.1f' text-anchor='end'>%s</text>\n", LEFT - 8, middle + 4,
		entry->who);
	fprintf(file, "<rect x='%d' y='%d' width='%.1f' height='%d' fill='%s'/>\n", LEFT, y + 3,
		end - LEFT, ROW - 6, colour_of(entry));
	fprintf(file, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#111'/>\n", low,
		middle, high, middle);
	fprintf(file, "<text x='%.1f' y='%.1f' fill='#333'>%.0f</text>\n",
		(high > end ? high : end) + 6, middle + 4, entry->median);
}

/* The cases in the order in which they were measured, however their entries are mixed. */
static int draw_case(FILE *file, const durable_bench *bench, const char *name, int y)
{
	fprintf(file, "<text x='12' y='%d' font-weight='bold'>%s</text>\n", y + HEAD - 10, name);
	y += HEAD;
	for (size_t i = 0; i < bench->entry_count; i++) {
		const durable_entry *entry = &bench->entries[i];

		if (!is_shown(entry) || strcmp(entry->case_name, name) != 0)
			continue;
		draw_bar(file, entry, y);
		y += ROW;
	}
	return y;
}

void durable_chart_write(const durable_bench *bench, const char *path)
{
	FILE *file = fopen(path, "w");
	int height = height_of(bench);
	int y = TOP;

	if (file == NULL)
		bench_die("cannot write the chart %s", path);
	fprintf(file,
		"<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' "
		"viewBox='0 0 %d %d' font-family='sans-serif' font-size='12'>\n"
		"<rect width='100%%' height='100%%' fill='white'/>\n"
		"<text x='12' y='22' font-size='15'>Durable steps: steps a second, more is "
		"better, logarithmic scale</text>\n",
		WIDTH, height, WIDTH, height);
	draw_scale(file, height);
	for (size_t i = 0; i < bench->entry_count; i++)
		if (is_shown(&bench->entries[i]) && is_head(bench, i))
			y = draw_case(file, bench, bench->entries[i].case_name, y);
	fprintf(file,
		"<text x='12' y='%d' fill='#666'>Median of interleaved runs; the line spans the "
		"slowest and the fastest. Producer and worker of stepbus and sqlite_raw share a "
		"process;</text>\n"
		"<text x='12' y='%d' fill='#666'>those of the others are two processes. Input 200 "
		"bytes, a handler that does nothing.</text>\n</svg>\n",
		height - 28, height - 12);
	if (fclose(file) != 0)
		bench_die("cannot write the chart %s", path);
}
