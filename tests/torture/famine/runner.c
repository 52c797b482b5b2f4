/* SPDX-License-Identifier: MIT */
#include "torture/famine/runner.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "torture/famine/allocator.h"

/* So many runs in which nothing failed end a mode: threads may ask for a little more or less. */
enum {
	QUIET_MAX = 3,
	PROCESS_MAX = 16,
	N_MAX = 100000,
	RARE = 7,
	LONG_COUNT = 12000,
	TRY_MAX = 3, /* threads do not ask in the same order, or for as much, each time */
};

static const char *const finding_names[] = { "nothing", "crash",        "hang",
					     "leak",    "wrong answer", "broken promise" };

static void tell(famine_job *job, famine_finding finding, const char *words)
{
	char line[4 * FAMINE_TEXT_LEN];
	int len;

	job->findings[finding]++;
	if (job->finding_count++ >= (job->is_control ? 1 : FAMINE_FINDING_MAX))
		return;
	len = snprintf(line, sizeof line, "%s%s (%s), %s %llu: %s: %s\n",
		       job->is_control ? "control: " : "FOUND: ", job->scenario->name,
		       job->is_on_disk ? "sqlite" : "memory", famine_modes[job->mode].name,
		       (unsigned long long)job->n, finding_names[finding], words);
	/* One write, so that lines of two processes do not mix. */
	(void)!write(STDOUT_FILENO, line, (size_t)len);
}

static int64_t real_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static famine_report run_here(const famine_run *run, famine_job *job, uint64_t n)
{
	const famine_point point = {
		job->scenario,      job->is_on_disk, &famine_modes[job->mode], n,
		job->left_over_max, run->directory
	};
	static famine_report report;

	famine_point_run(&point, &report);
	return report;
}

static void describe_end(int status, famine_report *report)
{
	bool is_alarm = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;

	report->finding = is_alarm ? FAMINE_HANG : FAMINE_CRASH;
	report->failed_count = 1;
	(void)snprintf(report->words, sizeof report->words, "the process ended with %s %d",
		       WIFSIGNALED(status) ? "signal" : "status",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* In a process that never called the library before. */
static famine_report run_cold(const famine_run *run, famine_job *job, uint64_t n)
{
	famine_report report = { .finding = FAMINE_NOTHING };
	int ends[2], status = 0;
	pid_t child;

	if (pipe(ends) != 0)
		return report;
	child = fork();
	if (child == 0) {
		report = run_here(run, job, n);
		_exit(write(ends[1], &report, sizeof report) == (ssize_t)sizeof report ? 0 : 1);
	}
	(void)close(ends[1]);
	if (read(ends[0], &report, sizeof report) != (ssize_t)sizeof report) {
		(void)waitpid(child, &status, 0);
		describe_end(status, &report);
	} else {
		(void)waitpid(child, &status, 0);
	}
	(void)close(ends[0]);
	return report;
}

static famine_report run_point(const famine_run *run, famine_job *job, uint64_t n)
{
	famine_report report;
	int64_t begun_us = real_us();

	job->n = n;
	if (job->scenario->needs & FAMINE_COLD)
		report = run_cold(run, job, n);
	else
		report = run_here(run, job, n);
	job->time_us += (uint64_t)(real_us() - begun_us);
	job->run_count++;
	if (report.asked_count > job->longest)
		job->longest = report.asked_count;
	if (n == 0)
		return report;
	job->point_count += report.failed_count > 0;
	if (report.status >= 0 && report.status < FAMINE_STATUS_MAX && report.failed_count > 0)
		job->answers[report.status]++;
	if (report.finding != FAMINE_NOTHING)
		tell(job, report.finding, report.words);
	return report;
}

/* What a process keeps from its first use of the library is taken before anything is measured. */
static void warm_up(const famine_run *run, famine_job *job)
{
	famine_report report;

	job->left_over_max = SIZE_MAX;
	report = run_point(run, job, 0);
	if (job->scenario->needs & FAMINE_COLD) {
		job->left_over_max = report.left_over_count;
	} else {
		job->left_over_max = 0;
		report = run_point(run, job, 0);
	}
	/* Without a failure all must be well; a leak of the first use is none. */
	if (report.finding != FAMINE_NOTHING)
		tell(job, report.finding, report.words);
}

/*
 * How far the next point is. In one mode, once-any, each allocation fails. On disk, where a point takes long,
 * modes that mostly do the same as others get a part of them, and so do those of the making of a file, which
 * asks for nearly 20,000 blocks.
 */
static uint64_t find_stride(const famine_run *run, const famine_job *job, uint64_t asked)
{
	const famine_mode *mode = &famine_modes[job->mode];
	uint64_t stride = run->every;

	if (run->points_wanted > 0)
		return asked / (run->points_wanted / FAMINE_MODE_COUNT + 1) + 1;
	if (famine_is_whole(mode))
		return stride;
	if (job->is_on_disk && (mode->is_own || (mode->is_end_hungry && !mode->is_sticky)))
		stride *= RARE;
	if (asked > LONG_COUNT)
		stride *= RARE;
	return stride;
}

/* Whether something failed at that point, in one of so many runs of it. */
static bool take_point(const famine_run *run, famine_job *job, uint64_t n, int try_max)
{
	for (int i = 0; i < try_max; i++)
		if (run_point(run, job, n).failed_count > 0)
			return true;
	return false;
}

static void run_mode(const famine_run *run, famine_job *job, uint64_t from)
{
	uint64_t asked = run_point(run, job, 0).asked_count;
	uint64_t stride = find_stride(run, job, asked);
	uint64_t quiet = 0;

	if (asked > job->there_counts[job->mode])
		job->there_counts[job->mode] = asked;
	/* Not the same points for each scenario and mode. */
	if (from == 1)
		from += (asked + job->mode) % stride;
	for (uint64_t n = from; (quiet < QUIET_MAX || n <= asked) && n < N_MAX; n += stride) {
		bool is_taken = take_point(run, job, n, stride == 1 && n <= asked ? TRY_MAX : 1);

		quiet = is_taken ? 0 : quiet + 1;
		job->taken_counts[job->mode] += is_taken && n <= job->there_counts[job->mode];
		if ((stride > 1 && n > asked && quiet > 0) ||
		    job->finding_count >= FAMINE_FINDING_MAX)
			break;
	}
}

static void run_job(const famine_run *run, famine_job *job)
{
	size_t mode = job->mode;
	uint64_t from = job->n + 1;

	warm_up(run, job);
	for (; mode < FAMINE_MODE_COUNT; mode++) {
		/* Such a scenario has one thread when it begins, and ends all that it makes itself. */
		if (job->scenario->needs & FAMINE_COLD &&
		    (famine_modes[mode].is_own || famine_modes[mode].is_end_hungry))
			continue;
		job->mode = mode;
		run_mode(run, job, from);
		from = 1;
	}
}

static pid_t start(const famine_run *run, famine_job *job)
{
	pid_t child = fork();

	if (child == 0) {
		run_job(run, job);
		_exit(0);
	}
	return child;
}

/* Behind the point at which a process ended; false where it has been enough. */
static bool is_to_go_on(famine_job *job, int status)
{
	famine_report report = { .finding = FAMINE_NOTHING };

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return false;
	describe_end(status, &report);
	job->point_count++;
	job->taken_counts[job->mode] += job->n > 0;
	tell(job, report.finding, report.words);
	if (job->is_control && report.finding == FAMINE_HANG)
		return false;
	return job->finding_count < FAMINE_FINDING_MAX && job->n > 0;
}

static void print_job(const famine_job *job)
{
	uint64_t each_us = job->run_count > 0 ? job->time_us / job->run_count : 0;

	(void)printf("%s%s (%s): %llu points, up to %llu allocations, %llu us each, %llu found\n",
		     job->is_control ? "control: " : "", job->scenario->name,
		     job->is_on_disk ? "sqlite" : "memory", (unsigned long long)job->point_count,
		     (unsigned long long)job->longest, (unsigned long long)each_us,
		     (unsigned long long)job->finding_count);
	(void)fflush(stdout);
}

void famine_run_jobs(famine_run *run, size_t process_count)
{
	struct {
		pid_t pid;
		famine_job *job;
	} running[PROCESS_MAX] = { { 0, NULL } };
	size_t next = 0, ended = 0;

	while (ended < run->job_count) {
		int status;
		pid_t pid;

		for (size_t i = 0; i < process_count && i < PROCESS_MAX; i++) {
			if (running[i].job != NULL || next == run->job_count)
				continue;
			running[i].job = &run->jobs[next++];
			running[i].pid = start(run, running[i].job);
		}
		pid = waitpid(-1, &status, 0);
		for (size_t i = 0; i < PROCESS_MAX; i++) {
			if (running[i].job == NULL || running[i].pid != pid)
				continue;
			if (is_to_go_on(running[i].job, status)) {
				running[i].pid = start(run, running[i].job);
				continue;
			}
			print_job(running[i].job);
			running[i].job = NULL;
			ended++;
		}
	}
}
