/* SPDX-License-Identifier: MIT */
/*
 * Out of memory, everywhere: the library, SQLite, libevent, cJSON, libc and the stacks of threads. Each
 * scenario is a call or a few of the interface; it is done over and over, with the 1st, the 2nd, … the
 * last allocation failing, in six ways:
 *
 *   once-own, once-any      one allocation fails, of those of the calling thread, of those of all
 *   sticky-own, sticky-any  and all behind it, until the call returns
 *   once-end, sticky-end    the same, but memory also lacks while all is stopped and closed
 *
 * What may come of it: the call succeeds all the same, or it answers STEPBUS_ENOMEM (STEPBUS_ESYSTEM for
 * a thread, STEPBUS_ESTORE where SQLite says no more) if include/stepbus.h documents that, with a
 * message; the same call with memory succeeds; every acknowledged step is in the store, which is whole,
 * and no other; no attempt runs twice; every block, thread and descriptor is given back. Every function
 * of the header must be called without memory by some scenario. Run it in the root of the tree:
 *
 *   famine quick               some 40 points of each scenario, and the negative controls
 *   famine all [NAME]          all points, of the scenarios whose name has this in it, as
 *                              "enqueue" or "(sqlite)": in the way once-any each of them; in the other
 *                              ways on disk only each 7th where a way mostly repeats another one
 *                              (see famine/runner.c)
 *   famine every K [NAME]      each Kth of these
 *   famine control             only the controls: planted faults, each of which must be found
 *   famine point NAME memory|sqlite MODE N
 *                              one point, with the stacks of the failure and of what leaks
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "torture/famine/allocator.h"
#include "torture/famine/runner.h"
#include "torture/famine/template.h"

enum { QUICK_POINTS = 40, PROCESS_COUNT = 2 };

static const famine_scenarios *const tables[] = {
	&famine_library, &famine_bridge,  &famine_registry, &famine_execution, &famine_engine,
	&famine_steps,   &famine_queries, &famine_pull,     &famine_worker,
};

static famine_run *run;

static void add_job(const famine_scenario *scenario, bool is_on_disk, bool is_control)
{
	if (run->job_count < FAMINE_JOB_MAX)
		run->jobs[run->job_count++] = (famine_job){ .scenario = scenario,
							    .is_on_disk = is_on_disk,
							    .is_control = is_control };
}

static bool is_wanted(const famine_scenario *scenario, bool is_on_disk, const char *part)
{
	char name[FAMINE_TEXT_LEN];

	(void)snprintf(name, sizeof name, "%s (%s)", scenario->name,
		       is_on_disk ? "sqlite" : "memory");
	return part == NULL || strstr(name, part) != NULL;
}

static void add_scenarios(const famine_scenarios *list, const char *part, bool is_control)
{
	for (size_t i = 0; i < list->count; i++) {
		const famine_scenario *scenario = &list->scenarios[i];
		bool has_disk = (scenario->needs & (FAMINE_ENGINE | FAMINE_ON_DISK)) != 0 &&
				(scenario->needs & FAMINE_IN_MEMORY) == 0;
		bool has_memory = (scenario->needs & FAMINE_ON_DISK) == 0;

		if (has_memory && is_wanted(scenario, false, part))
			add_job(scenario, false, is_control);
		if (has_disk && is_wanted(scenario, true, part))
			add_job(scenario, true, is_control);
	}
}

static void add_all(const char *name)
{
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		add_scenarios(tables[i], name, false);
}

static bool prepare(void)
{
	const char *parent = getenv("TMPDIR");

	run = mmap(NULL, sizeof *run, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run == MAP_FAILED)
		return false;
	(void)snprintf(run->directory, sizeof run->directory, "%s/stepbus-famine-XXXXXX",
		       parent != NULL ? parent : "/tmp");
	if (!famine_calls_read(&run->calls)) {
		(void)puts("include/stepbus.h cannot be read: run this in the root of the tree");
		return false;
	}
	return mkdtemp(run->directory) != NULL && famine_template_make(run->directory);
}

typedef struct sum {
	uint64_t points, scenarios, passed, failed;
	uint64_t there, taken; /* in the ways that there are: allocations, and those that failed */
	uint64_t whole_there, whole_taken; /* in the one way that is to take each */
	uint64_t findings[FAMINE_PROMISE + 1];
	uint64_t answers[FAMINE_STATUS_MAX];
	uint64_t controls, controls_found;
} sum;

static sum add_up(void)
{
	sum s = { 0 };

	for (size_t i = 0; i < run->job_count; i++) {
		const famine_job *job = &run->jobs[i];

		if (job->is_control) {
			s.controls++;
			s.controls_found += job->finding_count > 0;
			continue;
		}
		s.scenarios++;
		s.points += job->point_count;
		s.passed += job->finding_count == 0;
		for (size_t j = 0; j < FAMINE_MODE_COUNT; j++) {
			s.there += job->there_counts[j];
			s.taken += job->taken_counts[j];
			s.whole_there +=
				famine_is_whole(&famine_modes[j]) ? job->there_counts[j] : 0;
			s.whole_taken +=
				famine_is_whole(&famine_modes[j]) ? job->taken_counts[j] : 0;
		}
		for (size_t j = 0; j <= FAMINE_PROMISE; j++)
			s.findings[j] += job->findings[j];
		for (size_t j = 0; j < FAMINE_STATUS_MAX; j++)
			s.answers[j] += job->answers[j];
	}
	s.failed = s.scenarios - s.passed + s.controls - s.controls_found;
	s.passed += s.controls_found;
	return s;
}

static void print_points(const sum *s)
{
	uint64_t other = 0;

	for (size_t i = 0; i < FAMINE_STATUS_MAX; i++)
		if (i != STEPBUS_OK && i != STEPBUS_ENOMEM && i != STEPBUS_ESYSTEM &&
		    i != STEPBUS_ESTORE)
			other += s->answers[i];
	(void)printf(
		"proof: famine: %llu scenarios, each on its store, with %llu allocations, of the "
		"library and of all below it: %llu of them failed by themselves, each in a run of "
		"its own; in six ways %llu of %llu points were taken, and %llu more that come only "
		"behind a failure: %llu crashes, %llu hangs, %llu leaks, %llu wrong answers, %llu "
		"broken "
		"promises (a step lost or run twice, a damaged store, a call that memory does not "
		"mend)\n",
		(unsigned long long)s->scenarios, (unsigned long long)s->whole_there,
		(unsigned long long)s->whole_taken, (unsigned long long)s->taken,
		(unsigned long long)s->there, (unsigned long long)(s->points - s->taken),
		(unsigned long long)s->findings[FAMINE_CRASH],
		(unsigned long long)s->findings[FAMINE_HANG],
		(unsigned long long)s->findings[FAMINE_LEAK],
		(unsigned long long)s->findings[FAMINE_ANSWER],
		(unsigned long long)s->findings[FAMINE_PROMISE]);
	(void)printf("proof: famine: answers without memory: %llu ENOMEM, %llu ESTORE, %llu "
		     "ESYSTEM, %llu "
		     "other documented ones, %llu succeeded all the same\n",
		     (unsigned long long)s->answers[STEPBUS_ENOMEM],
		     (unsigned long long)s->answers[STEPBUS_ESTORE],
		     (unsigned long long)s->answers[STEPBUS_ESYSTEM], (unsigned long long)other,
		     (unsigned long long)s->answers[STEPBUS_OK]);
}

static int report(bool is_whole)
{
	sum s = add_up();

	if (s.scenarios > 0)
		print_points(&s);
	if (is_whole) {
		size_t frugal;
		size_t missing = famine_calls_print_missing(&run->calls, &frugal);

		(void)printf("proof: famine: %zu functions of the header: %zu called while memory "
			     "runs out, %zu that ask for none, %zu missing\n",
			     run->calls.count, run->calls.count - missing - frugal, frugal,
			     missing);
		s.passed += missing == 0;
		s.failed += missing != 0;
	}
	if (s.controls > 0)
		(void)printf("proof: famine: %llu faults planted: %llu found\n",
			     (unsigned long long)s.controls, (unsigned long long)s.controls_found);
	(void)printf("%llu passed, %llu failed\n", (unsigned long long)s.passed,
		     (unsigned long long)s.failed);
	return s.failed > 0 || s.passed == 0;
}

static const famine_mode *mode_called(const char *name)
{
	for (size_t i = 0; i < FAMINE_MODE_COUNT; i++)
		if (strcmp(famine_modes[i].name, name) == 0)
			return &famine_modes[i];
	return &famine_modes[0];
}

static int run_one(char **arguments)
{
	famine_point point = { .mode = mode_called(arguments[2]),
			       .directory = run->directory,
			       .is_on_disk = strcmp(arguments[1], "sqlite") == 0 };
	famine_report r;

	add_all(NULL);
	add_scenarios(&famine_controls, NULL, true);
	for (size_t i = 0; i < run->job_count; i++)
		if (strcmp(run->jobs[i].scenario->name, arguments[0]) == 0)
			point.scenario = run->jobs[i].scenario;
	if (point.scenario == NULL)
		return 2;
	if (!(point.scenario->needs & FAMINE_COLD))
		famine_point_run(&point, &r);
	point.n = strtoull(arguments[3], NULL, 10);
	famine_trace(true);
	famine_point_run(&point, &r);
	famine_trace(false);
	(void)printf("asked for %llu, %llu failed, status %s, %zu left over: %s\n",
		     (unsigned long long)r.asked_count, (unsigned long long)r.failed_count,
		     stepbus_status_name(r.status), r.left_over_count,
		     r.finding != FAMINE_NOTHING ? r.words : "well");
	famine_template_sweep(run->directory);
	return r.finding != FAMINE_NOTHING;
}

int main(int count, char **arguments)
{
	const char *verb = count > 1 ? arguments[1] : "";
	const char *name;
	bool is_quick = strcmp(verb, "quick") == 0 && count == 2;
	bool is_all = strcmp(verb, "all") == 0 && count <= 3;
	bool is_every = strcmp(verb, "every") == 0 && (count == 3 || count == 4);
	bool is_control = strcmp(verb, "control") == 0 && count == 2;
	bool is_point = strcmp(verb, "point") == 0 && count == 6;
	int result;

	if (!is_quick && !is_all && !is_every && !is_control && !is_point) {
		(void)fputs("usage: famine quick | all [NAME] | every K [NAME] | control | "
			    "point NAME memory|sqlite MODE N\n",
			    stderr);
		return 2;
	}
	if (!prepare())
		return 2;
	if (is_point)
		return run_one(arguments + 2);
	if (is_quick)
		run->points_wanted = QUICK_POINTS;
	run->every = is_every && strtoull(arguments[2], NULL, 10) > 0 ?
			     strtoull(arguments[2], NULL, 10) :
			     1;
	name = count > 2 + is_every ? arguments[2 + is_every] : NULL;
	if (!is_control)
		add_all(name);
	if (name == NULL)
		add_scenarios(&famine_controls, NULL, true);
	famine_run_jobs(run, PROCESS_COUNT);
	result = report(!is_control && name == NULL);
	if (result == 0)
		famine_template_sweep(run->directory);
	else
		(void)printf("what is left is in %s\n", run->directory);
	return result;
}
