/* SPDX-License-Identifier: MIT */
/*
 * Runs for a long time and watches what must not grow: memory, counted by whose it is (soak/counted.h),
 * resident pages, descriptors, threads, and the store's log.
 *
 *   soak SECONDS [SEED]     ends with 0 where nothing grew
 *   soak control SECONDS    the same, with handlers that lose a few bytes now and then: must be found
 *
 * The load is everything at once (soak/load.c), on a file whose finished steps are soon swept away.
 * It is looked at while the load rests, when nothing waits and nothing runs, forty times. Growth is
 * judged as a slope per million steps (soak/slope.c); the first fifth of the time is warming up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "torture/soak/gauge.h"
#include "torture/soak/load.h"
#include "torture/soak/slope.h"

enum {
	SAMPLE_COUNT = 40,
	WARM_COUNT = SAMPLE_COUNT / 5,
	KIB = 1024,
	SLACK_MIB = 4,
	SQLITE_MAX_MIB = 64,
	RESIDENT_MAX_MIB = 128,
	LOG_MAX_MIB = 64
};

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

static slope judge_slope(judgement *j, const gauge *samples, const char *what,
			 double (*value)(const gauge *g))
{
	slope_point points[SAMPLE_COUNT];
	size_t count = plot(samples, value, points);
	slope s = slope_of(points, count);

	(void)printf("%-20s %10.0f KiB at first, %10.0f at last, %+8.2f KiB per million steps "
		     "(+- %.2f)\n",
		     what, points[0].y, points[count - 1].y, s.slope, 2 * s.error);
	/* Of a run that is too short to tell, it is not said that nothing grows. */
	judge(j, s.slope + 2 * s.error < slope_max_kib, what);
	return s;
}

static void judge_count(judgement *j, const gauge *samples, const char *what,
			double (*value)(const gauge *g))
{
	slope_point points[SAMPLE_COUNT];
	size_t count = plot(samples, value, points);

	(void)printf("%-20s %10.0f at first, %10.0f at last\n", what, points[0].y,
		     points[count - 1].y);
	judge(j, points[count - 1].y <= points[0].y, what);
}

static double most(const slope_point *points, size_t begin, size_t end)
{
	double value = points[begin].y;

	for (size_t i = begin; i < end; i++)
		if (points[i].y > value)
			value = points[i].y;
	return value;
}

/*
 * What is used anew all the time, and bounded, goes up and down too much for a slope: in its second half
 * it is never more than it was in the first, but for slack_mib, and never more than it may be. Of the log
 * only the latter is promised: how long it gets depends on who keeps the checkpoints waiting.
 */
static double judge_bound(judgement *j, const gauge *samples, const char *what,
			  double (*value)(const gauge *g), double most_mib, double slack_mib)
{
	slope_point points[SAMPLE_COUNT];
	size_t count = plot(samples, value, points);
	double first = most(points, 0, count / 2), last = most(points, count / 2, count);
	slope s = slope_of(points, count);

	(void)printf("%-20s %10.0f KiB at most, then %10.0f, %+8.2f KiB per million steps (+- "
		     "%.2f)\n",
		     what, first, last, s.slope, 2 * s.error);
	judge(j,
	      first <= most_mib * KIB && last <= most_mib * KIB && last <= first + slack_mib * KIB,
	      what);
	return (first > last ? first : last) / KIB;
}

static double engines(const gauge *g)
{
	return (double)g->engine_bytes / KIB;
}

static double sqlites(const gauge *g)
{
	return (double)g->sqlite_bytes / KIB;
}

static double others(const gauge *g)
{
	return (double)g->other_bytes / KIB;
}

static double resident(const gauge *g)
{
	return (double)g->resident_bytes / KIB;
}

static double descriptors(const gauge *g)
{
	return (double)g->descriptor_count;
}

static double threads(const gauge *g)
{
	return (double)g->thread_count;
}

static double log_kib(const gauge *g)
{
	return (double)g->log_bytes / KIB;
}

static void judge_all(judgement *j, const gauge *samples, double seconds)
{
	const gauge *last = &samples[SAMPLE_COUNT - 1];
	double million = (double)last->step_count / 1e6, sqlite, all, log;
	slope engine = judge_slope(j, samples, "the engine's memory", engines);
	slope other = judge_slope(j, samples, "memory of all else", others);

	j->is_leak_seen = other.slope - 2 * other.error >= slope_max_kib;
	sqlite = judge_bound(j, samples, "SQLite's memory", sqlites, SQLITE_MAX_MIB, SLACK_MIB);
	all = judge_bound(j, samples, "resident memory", resident, RESIDENT_MAX_MIB, SLACK_MIB);
	log = judge_bound(j, samples, "log of the store", log_kib, LOG_MAX_MIB, LOG_MAX_MIB);
	judge_count(j, samples, "descriptors", descriptors);
	judge_count(j, samples, "threads", threads);
	judge(j, last->step_count > 0, "no step was completed");
	(void)printf("proof: soak: %.0f s, %.1f million steps: the engine's memory %+.3f KiB per "
		     "million steps (+- %.3f), that of all else but SQLite %+.3f (+- %.3f); at "
		     "most %.1f MiB of SQLite's, %.1f MiB resident, %.1f MiB of log; %.0f "
		     "descriptors and %.0f threads from begin to end; %d of %d measures hold\n",
		     seconds, million, engine.slope, 2 * engine.error, other.slope, 2 * other.error,
		     sqlite, all, log, descriptors(last), threads(last), j->passed,
		     j->passed + j->failed);
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
		(void)printf(
			"proof: soak: control: handlers that lose %d bytes each %d steps: %s\n",
			LOAD_LEAK_LEN, LOAD_LEAK_EACH, j.is_leak_seen ? "found" : "MISSED");
		(void)printf("%d passed, %d failed\n", j.is_leak_seen, !j.is_leak_seen);
		return !j.is_leak_seen;
	}
	(void)printf("%d passed, %d failed\n", j.passed, j.failed);
	return j.failed > 0;
}

/* What glibc keeps at hand for each thread counts as in use, and fills for hours. */
static void without_caches(char **argv)
{
	if (getenv("GLIBC_TUNABLES") == NULL &&
	    setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1) == 0)
		(void)execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
	bool is_control = argc == 3 && strcmp(argv[1], "control") == 0;
	const char *seconds = argc < 2 ? "" : argv[is_control ? 2 : 1];

	if (argc < 2 || argc > 3 || strtod(seconds, NULL) < 1) {
		(void)fprintf(stderr, "usage: soak SECONDS [SEED] | soak control SECONDS\n");
		return 2;
	}
	without_caches(argv);
	return soak(strtod(seconds, NULL),
		    argc == 3 && !is_control ? (uint32_t)strtoul(argv[2], NULL, 10) : 1,
		    is_control);
}
