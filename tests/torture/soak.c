/* SPDX-License-Identifier: MIT */
/*
 * Runs for a long time and watches what must not grow: memory in use, resident pages, descriptors,
 * threads, and the store's log.
 *
 *   soak SECONDS [SEED]     ends with 0 where nothing grew
 *   soak control SECONDS    the same, with handlers that lose 64 bytes a step: must be found
 *
 * The load is everything at once (soak/load.c), on a file whose finished steps are soon swept away.
 * It is looked at while the load rests, when nothing waits and nothing runs, forty times. Growth is
 * judged as a slope per million steps (soak/slope.c); the first fifth of the time is warming up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "torture/soak/gauge.h"
#include "torture/soak/load.h"
#include "torture/soak/slope.h"

enum { SAMPLE_COUNT = 40, WARM_COUNT = SAMPLE_COUNT / 5, LOG_MAX_MIB = 64 };

static const double slope_max_kib = 1;

typedef struct judgement {
	int passed, failed;
	bool is_leak_seen;
} judgement;

static void judge(judgement *j, bool is_met, const char *what)
{
	j->passed += is_met;
	j->failed += !is_met;
	if (!is_met)
		(void)printf("GROWS: %s\n", what);
}

/* What is behind the warming up, as points. */
static size_t plot(const gauge *samples, double (*value)(const gauge *g), slope_point *points)
{
	size_t count = 0;

	for (size_t i = WARM_COUNT; i < SAMPLE_COUNT; i++)
		points[count++] = (slope_point){ .x = (double)samples[i].step_count / 1e6,
						 .y = value(&samples[i]) };
	return count;
}

static void judge_slope(judgement *j, const gauge *samples, const char *what,
			double (*value)(const gauge *g))
{
	slope_point points[SAMPLE_COUNT];
	size_t count = plot(samples, value, points);
	slope s = slope_of(points, count);

	(void)printf("%-16s %10.0f KiB at first, %10.0f at last, %+8.2f KiB per million steps "
		     "(+- %.2f)\n",
		     what, points[0].y, points[count - 1].y, s.slope, 2 * s.error);
	/* Only what is more than noise is growth. */
	judge(j, s.slope - 2 * s.error < slope_max_kib, what);
}

static void judge_count(judgement *j, const gauge *samples, const char *what,
			double (*value)(const gauge *g))
{
	slope_point points[SAMPLE_COUNT];
	size_t count = plot(samples, value, points);

	(void)printf("%-16s %10.0f at first, %10.0f at last\n", what, points[0].y,
		     points[count - 1].y);
	judge(j, points[count - 1].y <= points[0].y, what);
}

static double in_use(const gauge *g)
{
	return (double)g->in_use_bytes / 1024;
}

static double resident(const gauge *g)
{
	return (double)g->resident_bytes / 1024;
}

static double descriptors(const gauge *g)
{
	return (double)g->descriptor_count;
}

static double threads(const gauge *g)
{
	return (double)g->thread_count;
}

static double log_mib(const gauge *g)
{
	return (double)g->log_bytes / (1 << 20);
}

static void judge_log(judgement *j, const gauge *samples)
{
	double most = 0;

	for (size_t i = 0; i < SAMPLE_COUNT; i++)
		if (log_mib(&samples[i]) > most)
			most = log_mib(&samples[i]);
	(void)printf("%-16s %10.1f MiB at most\n", "log of the store", most);
	judge(j, most <= LOG_MAX_MIB, "log of the store");
}

static void judge_all(judgement *j, const gauge *samples, double seconds)
{
	const gauge *last = &samples[SAMPLE_COUNT - 1];
	slope_point points[SAMPLE_COUNT];
	size_t count = plot(samples, in_use, points);
	slope memory = slope_of(points, count);

	j->is_leak_seen = memory.slope - 2 * memory.error >= slope_max_kib;
	judge_slope(j, samples, "memory in use", in_use);
	judge_slope(j, samples, "resident memory", resident);
	judge_count(j, samples, "descriptors", descriptors);
	judge_count(j, samples, "threads", threads);
	judge_log(j, samples);
	judge(j, last->step_count > 0, "no step was completed");
	(void)printf("proof: soak: %.0f s, %.1f million steps: memory in use %+.2f KiB per million "
		     "steps (+- %.2f), %d of %d measures hold\n",
		     seconds, (double)last->step_count / 1e6, memory.slope, 2 * memory.error,
		     j->passed, j->passed + j->failed);
}

static int soak(double seconds, uint32_t seed, bool is_leaking)
{
	static gauge samples[SAMPLE_COUNT];
	judgement j = { 0 };
	bool is_restful = true;
	load *l = load_begin(seed, is_leaking);

	if (l == NULL)
		return 2;
	(void)printf("%.0f s, seed %u, in %s\n", seconds, seed, load_directory(l));
	(void)fflush(stdout);
	for (size_t i = 0; i < SAMPLE_COUNT; i++) {
		load_run(l, seconds / SAMPLE_COUNT);
		is_restful = load_rest(l) && is_restful;
		gauge_read(&samples[i], load_database(l));
		samples[i].step_count = load_step_count(l);
		load_go_on(l);
	}
	judge(&j, is_restful, "steps that do not end");
	judge(&j, load_end(l) == 0, "calls failed that must not");
	judge_all(&j, samples, seconds);
	if (is_leaking) {
		/* In the measure that counts bytes: others may grow for a while after the start. */
		(void)printf("proof: soak: control: handlers that lose 64 bytes a step: %s\n",
			     j.is_leak_seen ? "found" : "MISSED");
		(void)printf("%d passed, %d failed\n", j.is_leak_seen, !j.is_leak_seen);
		return !j.is_leak_seen;
	}
	(void)printf("%d passed, %d failed\n", j.passed, j.failed);
	return j.failed > 0;
}

int main(int argc, char **argv)
{
	bool is_control = argc == 3 && strcmp(argv[1], "control") == 0;
	const char *seconds = argc < 2 ? "" : argv[is_control ? 2 : 1];

	if (argc < 2 || argc > 3 || strtod(seconds, NULL) < 1) {
		(void)fprintf(stderr, "usage: soak SECONDS [SEED] | soak control SECONDS\n");
		return 2;
	}
	return soak(strtod(seconds, NULL),
		    argc == 3 && !is_control ? (uint32_t)strtoul(argv[2], NULL, 10) : 1,
		    is_control);
}
