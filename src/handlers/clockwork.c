/* SPDX-License-Identifier: MIT */
#include "handlers/clockwork.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "bridge/loop.h"
#include "handlers/dispatch.h"
#include "handlers/heartbeat.h"
#include "handlers/overtime.h"
#include "handlers/submit.h"
#include "handlers/sweep.h"
#include "handlers/worker.h"

enum { PATH_LEN_MAX = 4096, EVENTS_LEN = 4096 };

enum { US_PER_MS = 1000 };

static const int64_t retain_every_us = 1000000;
static const int64_t idle_max_us = 1000000;

/* Times are of the elapsed clock, in microseconds, but where a step's own time is meant. */
struct sb_clockwork {
	stepbus *engine;
	sb_loop *loop;
	sb_heartbeat heartbeat;
	sb_sweep sweep;
	int wake_file;  /* written by whoever has news for the other processes; -1: none */
	int wake_watch; /* inotify on it; -1: none */
	bool is_watched;
	bool has_news;                  /* of other processes, not looked at yet */
	_Atomic(uint32_t) is_asked;     /* somebody wants it to look at everything */
	_Atomic(int64_t) expected_us;   /* when an attempt's time is over; INT64_MAX: never */
	_Atomic(int64_t) metrics_at_us; /* when a pull worker is to be measured; likewise */
	_Atomic(int64_t) again_at_us;   /* when to try what the store refused again; likewise */
	int64_t heartbeat_at_us;
	int64_t heartbeat_again_at_us; /* where the last one failed */
	int64_t reap_at_us;
	int64_t poll_at_us;
	int64_t retain_at_us;
};

static int64_t elapsed_us(const sb_clockwork *clockwork)
{
	return sb_clock_elapsed_ns(&clockwork->engine->host) / 1000;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void empty_watch(const sb_clockwork *clockwork, bool *has_news)
{
	char events[EVENTS_LEN] __attribute__((aligned(8)));

	if (clockwork->wake_watch < 0)
		return;
	while (read(clockwork->wake_watch, events, sizeof events) > 0)
		*has_news = true;
}

static void end_overtime(sb_clockwork *clockwork)
{
	int64_t next_ns;

	if (atomic_load(&clockwork->expected_us) > elapsed_us(clockwork))
		return;
	atomic_store(&clockwork->expected_us, INT64_MAX);
	next_ns = sb_overtime_end(clockwork->engine);
	if (next_ns != INT64_MAX)
		sb_clockwork_expect(clockwork, next_ns);
}

static void measure(sb_clockwork *clockwork)
{
	int64_t next_ns;

	if (atomic_load(&clockwork->metrics_at_us) > elapsed_us(clockwork))
		return;
	atomic_store(&clockwork->metrics_at_us, INT64_MAX);
	next_ns = sb_dispatch_tick(clockwork->engine);
	if (next_ns != INT64_MAX)
		sb_clockwork_measure(clockwork, next_ns);
}

static void try_again(sb_clockwork *clockwork)
{
	if (atomic_load(&clockwork->again_at_us) > elapsed_us(clockwork))
		return;
	atomic_store(&clockwork->again_at_us, INT64_MAX);
	sb_submit_again(clockwork->engine);
}

/* What is due by the wall clock, in time to sleep. */
static int64_t wall_wait_us(const sb_clockwork *clockwork, int64_t at_us)
{
	int64_t now_us = sb_clock_now_us(&clockwork->engine->host);

	if (at_us == 0)
		return idle_max_us;
	return at_us > now_us ? at_us - now_us : 0;
}

static bool is_time(int64_t *at_us, int64_t now_us, int64_t every_us)
{
	if (now_us < *at_us)
		return false;
	*at_us = now_us + every_us;
	return true;
}

static bool is_writing(const sb_clockwork *clockwork)
{
	return atomic_load(&clockwork->heartbeat.is_waiting) != 0 ||
	       atomic_load(&clockwork->sweep.is_waiting) != 0;
}

static bool is_heartbeat_time(sb_clockwork *clockwork)
{
	const sb_engine_options *options = &clockwork->engine->options;
	int64_t now_us = elapsed_us(clockwork);
	bool is_again = atomic_load(&clockwork->heartbeat.has_failed) != 0 &&
			now_us >= clockwork->heartbeat_again_at_us;
	bool is_due =
		is_time(&clockwork->heartbeat_at_us, now_us, options->heartbeat_ms * US_PER_MS);

	if (is_due || is_again)
		clockwork->heartbeat_again_at_us = now_us + options->poll_ms * US_PER_MS;
	return is_due || is_again;
}

static uint32_t find_work(sb_clockwork *clockwork)
{
	bool has_news = clockwork->has_news;
	const sb_engine_options *options = &clockwork->engine->options;
	int64_t now_us = elapsed_us(clockwork);
	bool is_poll = is_time(&clockwork->poll_at_us, now_us, options->poll_ms * US_PER_MS);
	bool is_resting = atomic_load(&clockwork->sweep.has_failed) != 0;
	uint32_t work = 0;

	if (is_time(&clockwork->reap_at_us, now_us, options->heartbeat_ms * US_PER_MS))
		work |= SB_SWEEP_REAP | SB_SWEEP_PARKED;
	if (is_time(&clockwork->retain_at_us, now_us, retain_every_us) &&
	    (options->keep_completed_us >= 0 || options->keep_failed_us >= 0 ||
	     options->keep_cancelled_us >= 0))
		work |= SB_SWEEP_RETAIN;
	if (is_poll || has_news)
		work |= SB_SWEEP_DUE | SB_SWEEP_OVERDUE | SB_SWEEP_VERIFY | SB_SWEEP_CRON;
	if (!is_resting && atomic_load(&clockwork->engine->due_at_us) != 0 &&
	    wall_wait_us(clockwork, atomic_load(&clockwork->engine->due_at_us)) == 0)
		work |= SB_SWEEP_DUE;
	if (!is_resting && atomic_load(&clockwork->engine->cron_at_us) != 0 &&
	    wall_wait_us(clockwork, atomic_load(&clockwork->engine->cron_at_us)) == 0)
		work |= SB_SWEEP_CRON;
	if (is_poll || has_news)
		sb_submit_again(clockwork->engine);
	clockwork->has_news = false;
	return work;
}

static int64_t find_wait(const sb_clockwork *clockwork)
{
	int64_t now_us = elapsed_us(clockwork);
	int64_t at_us = sooner(clockwork->heartbeat_at_us, clockwork->poll_at_us);
	int64_t wait_us;

	if (atomic_load(&clockwork->heartbeat.has_failed) != 0)
		at_us = sooner(at_us, clockwork->heartbeat_again_at_us);
	at_us = sooner(at_us, atomic_load(&clockwork->expected_us));
	at_us = sooner(at_us, atomic_load(&clockwork->metrics_at_us));
	at_us = sooner(at_us, atomic_load(&clockwork->again_at_us));
	wait_us = at_us > now_us ? at_us - now_us : 0;
	/* What has just failed is not tried again before the next poll, though it is due. */
	if (atomic_load(&clockwork->sweep.has_failed) == 0) {
		const stepbus *engine = clockwork->engine;

		wait_us = sooner(wait_us, wall_wait_us(clockwork, atomic_load(&engine->due_at_us)));
		wait_us =
			sooner(wait_us, wall_wait_us(clockwork, atomic_load(&engine->cron_at_us)));
	}
	/* While something waits for the writer, looking again at once would lead nowhere. */
	if (clockwork->has_news || (is_writing(clockwork) && wait_us < US_PER_MS))
		wait_us = US_PER_MS;
	return sooner(wait_us, idle_max_us);
}

/*
 * One at a time: heartbeats share no transaction with sweeps. What falls due while something waits
 * for the writer is found when that is done.
 */
static void submit(sb_clockwork *clockwork)
{
	if (is_writing(clockwork))
		return;
	if (is_heartbeat_time(clockwork))
		sb_heartbeat_submit(&clockwork->heartbeat);
	else
		(void)sb_sweep_submit(&clockwork->sweep, find_work(clockwork));
}

static void run(void *user_data)
{
	sb_clockwork *clockwork = user_data;
	stepbus *engine = clockwork->engine;
	bool has_news = false;

	if (!clockwork->is_watched && clockwork->wake_watch >= 0) {
		clockwork->is_watched = true;
		(void)sb_loop_watch(clockwork->loop, clockwork->wake_watch, NULL);
	}
	has_news = atomic_exchange(&clockwork->is_asked, 0) != 0;
	empty_watch(clockwork, &has_news);
	if (has_news) {
		atomic_fetch_add(&engine->change_count, 1);
		sb_writer_nudge(&engine->writer);
	}
	clockwork->has_news = clockwork->has_news || has_news;
	end_overtime(clockwork);
	measure(clockwork);
	try_again(clockwork);
	submit(clockwork);
	sb_loop_run_after(clockwork->loop, find_wait(clockwork));
}

/*
 * A file beside the database that is written to (never the database itself, which SQLite alone may
 * open). Without it, or without inotify, polling does.
 */
static void open_wake_file(sb_clockwork *clockwork)
{
	const sb_engine_options *options = &clockwork->engine->options;
	char path[PATH_LEN_MAX];
	int len;

	clockwork->wake_file = -1;
	clockwork->wake_watch = -1;
	if (options->is_in_memory)
		return;
	len = snprintf(path, sizeof path, "%s-wake", options->path);
	if (len < 0 || (size_t)len >= sizeof path)
		return;
	clockwork->wake_file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (clockwork->wake_file < 0)
		return;
	clockwork->wake_watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (clockwork->wake_watch >= 0 &&
	    inotify_add_watch(clockwork->wake_watch, path, IN_MODIFY) < 0) {
		close(clockwork->wake_watch);
		clockwork->wake_watch = -1;
	}
}

static void close_wake_file(sb_clockwork *clockwork)
{
	if (clockwork->wake_watch >= 0)
		close(clockwork->wake_watch);
	if (clockwork->wake_file >= 0)
		close(clockwork->wake_file);
}

stepbus_status sb_clockwork_start(stepbus *engine, sb_clockwork **out, stepbus_error *err)
{
	sb_clockwork *clockwork = sb_alloc(&engine->host, sizeof *clockwork);
	stepbus_status status;
	int64_t now_us;

	if (clockwork == NULL)
		return sb_fail_memory(err, "start the clockwork");
	clockwork->engine = engine;
	sb_heartbeat_init(&clockwork->heartbeat, engine);
	sb_sweep_init(&clockwork->sweep, engine);
	atomic_store(&clockwork->expected_us, INT64_MAX);
	atomic_store(&clockwork->metrics_at_us, INT64_MAX);
	atomic_store(&clockwork->again_at_us, INT64_MAX);
	now_us = elapsed_us(clockwork);
	clockwork->heartbeat_at_us = now_us + engine->options.heartbeat_ms * US_PER_MS;
	/* At once: what a process left that was killed, and what fell due meanwhile. */
	clockwork->reap_at_us = now_us;
	clockwork->poll_at_us = now_us;
	clockwork->retain_at_us = now_us + retain_every_us;
	open_wake_file(clockwork);
	status = engine->options.is_still ?
			 sb_loop_new_still(&engine->host, run, clockwork, &clockwork->loop, err) :
			 sb_loop_new(&engine->host, run, clockwork, &clockwork->loop, err);
	if (status != STEPBUS_OK) {
		close_wake_file(clockwork);
		sb_release(&engine->host, clockwork);
		return status;
	}
	*out = clockwork;
	sb_loop_wake(clockwork->loop);
	return STEPBUS_OK;
}

void sb_clockwork_wake(sb_clockwork *clockwork)
{
	if (clockwork != NULL)
		sb_loop_wake(clockwork->loop);
}

void sb_clockwork_ask(sb_clockwork *clockwork)
{
	atomic_store(&clockwork->is_asked, 1);
	sb_loop_wake(clockwork->loop);
}

static void bring_forward(sb_clockwork *clockwork, _Atomic(int64_t) *time_us, int64_t elapsed_ns)
{
	int64_t at_us = (elapsed_ns - 1) / 1000 + 1;
	int64_t before_us = atomic_load(time_us);

	while (at_us < before_us)
		if (atomic_compare_exchange_weak(time_us, &before_us, at_us)) {
			sb_loop_wake(clockwork->loop);
			return;
		}
}

void sb_clockwork_expect(sb_clockwork *clockwork, int64_t elapsed_ns)
{
	bring_forward(clockwork, &clockwork->expected_us, elapsed_ns);
}

void sb_clockwork_try_again(sb_clockwork *clockwork, int64_t elapsed_ns)
{
	if (clockwork != NULL)
		bring_forward(clockwork, &clockwork->again_at_us, elapsed_ns);
}

void sb_clockwork_measure(sb_clockwork *clockwork, int64_t elapsed_ns)
{
	bring_forward(clockwork, &clockwork->metrics_at_us, elapsed_ns);
}

void sb_clockwork_tell_others(sb_clockwork *clockwork)
{
	/* What is written does not matter, and that it fails is what polling is for. */
	if (clockwork != NULL && clockwork->wake_file >= 0)
		(void)!pwrite(clockwork->wake_file, "!", 1, 0);
}

bool sb_clockwork_turn(sb_clockwork *clockwork)
{
	return sb_loop_turn(clockwork->loop);
}

void sb_clockwork_stop(sb_clockwork *clockwork)
{
	sb_loop_free(clockwork->loop);
	/* The writer may still have one of them: whoever leads next has done it. */
	while (is_writing(clockwork))
		sb_writer_work_off(&clockwork->engine->writer);
	close_wake_file(clockwork);
	sb_release(&clockwork->engine->host, clockwork);
}
