/* SPDX-License-Identifier: MIT */
#include "torture/famine/point.h"

#include <dirent.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/slowness.h"
#include "torture/famine/allocator.h"
#include "torture/famine/calls.h"

const famine_mode famine_modes[FAMINE_MODE_COUNT] = {
	{ "once-own", false, true, false },  { "once-any", false, false, false },
	{ "sticky-own", true, true, false }, { "sticky-any", true, false, false },
	{ "once-end", false, false, true },  { "sticky-end", true, false, true },
};

bool famine_is_whole(const famine_mode *mode)
{
	return !mode->is_sticky && !mode->is_own && !mode->is_end_hungry;
}

__attribute__((format(printf, 3, 4))) static void
find(famine_report *report, famine_finding finding, const char *format, ...)
{
	va_list arguments;

	if (report->finding != FAMINE_NOTHING)
		return;
	report->finding = finding;
	va_start(arguments, format);
	(void)vsnprintf(report->words, sizeof report->words, format, arguments);
	va_end(arguments);
}

static size_t count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	if (directory == NULL)
		return 0;
	while (readdir(directory) != NULL)
		count++;
	(void)closedir(directory);
	return count;
}

static size_t count_threads(void)
{
	struct stat tasks;

	return stat("/proc/self/task", &tasks) == 0 ? (size_t)tasks.st_nlink : 0;
}

/* A thread that was joined is listed for a moment more. */
static bool has_threads(size_t count)
{
	const time_t until = time(NULL) + 2 * test_slowness();

	while (count_threads() != count)
		if (time(NULL) > until)
			return false;
		else
			(void)sched_yield();
	return true;
}

/* What any call may answer without memory, where its comment has it. */
static bool is_answer(const famine_scenario *scenario, const char *function, stepbus_status status)
{
	if (status >= 0 && status < 32 && (scenario->allowed >> status & 1) != 0)
		return true;
	return (status == STEPBUS_ENOMEM || status == STEPBUS_ESYSTEM ||
		status == STEPBUS_ESTORE) &&
	       famine_calls_may_answer(function, status);
}

static void judge(const famine_world *w, famine_report *report)
{
	const char *function = famine_calls_last();

	if (report->status == STEPBUS_OK)
		return;
	if (report->failed_count == 0)
		find(report, FAMINE_ANSWER, "%s answers %s though there was memory: %s", function,
		     stepbus_status_name(report->status), w->err.message);
	if (!is_answer(w->scenario, function, report->status))
		find(report, FAMINE_ANSWER,
		     "%s answers %d, %s, which is none of its answers to a want of memory: %s",
		     function, report->status, stepbus_status_name(report->status), w->err.message);
	if (w->err.message[0] == '\0')
		find(report, FAMINE_ANSWER, "%s answers %s and no message says so", function,
		     stepbus_status_name(report->status));
}

static stepbus_status act(famine_world *w)
{
	w->err.message[0] = '\0';
	w->err.code = 0;
	w->turn++;
	return w->scenario->act(w);
}

/* With memory what failed succeeds. */
static void act_again(famine_world *w, famine_report *report)
{
	stepbus_status status;

	if (report->status == STEPBUS_OK)
		return;
	status = act(w);
	if (status != STEPBUS_OK)
		find(report, FAMINE_PROMISE, "%s failed with %s and then, with memory, with %s: %s",
		     famine_calls_last(), stepbus_status_name(report->status),
		     stepbus_status_name(status), w->err.message);
}

static void starve(const famine_point *point, famine_world *w, famine_report *report)
{
	const famine_order order = { point->n, point->mode->is_sticky, point->mode->is_own };

	famine_arm(&order);
	report->status = act(w);
	if (!point->mode->is_end_hungry)
		famine_disarm();
	report->failed_count = famine_failed_count();
	judge(w, report);
	if (!point->mode->is_end_hungry) {
		act_again(w, report);
		if (report->finding == FAMINE_NOTHING)
			famine_world_check(w);
	}
}

static void check_balance(const famine_point *point, famine_report *report)
{
	size_t len = 0;
	size_t count = famine_untrack(&len);

	report->left_over_count = count;
	if (count > point->left_over_max)
		find(report, FAMINE_LEAK, "%zu blocks, %zu bytes, were not given back",
		     count - point->left_over_max, len);
}

void famine_point_run(const famine_point *point, famine_report *report)
{
	static famine_world w;
	size_t descriptors = count_descriptors();
	size_t threads = count_threads();

	memset(report, 0, sizeof *report);
	(void)alarm((unsigned)(FAMINE_POINT_LIMIT_S * test_slowness()));
	famine_track();
	if (famine_world_begin(&w, point->scenario, point->is_on_disk, point->directory))
		starve(point, &w, report);
	famine_world_end(&w);
	/* What the end asked for counts where it was hungry. */
	famine_disarm();
	report->asked_count = famine_asked_count();
	report->failed_count = famine_failed_count();
	famine_calls_end(report->asked_count, report->failed_count);
	famine_world_check_remains(&w);
	if (w.breach[0] != '\0')
		find(report, FAMINE_PROMISE, "%s", w.breach);
	if (!has_threads(threads))
		find(report, FAMINE_LEAK, "%zu threads, %zu before", count_threads(), threads);
	check_balance(point, report);
	if (count_descriptors() != descriptors && point->left_over_max == 0)
		find(report, FAMINE_LEAK, "%zu descriptors, %zu before", count_descriptors(),
		     descriptors);
	(void)alarm(0);
}
