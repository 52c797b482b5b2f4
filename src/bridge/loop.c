/* SPDX-License-Identifier: MIT */
#include "bridge/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/signals.h"

enum {
	PAUSE_NS = 10000000,
	PAUSE_LONG_NS = 100000000,
	FAILURE_COUNT_MAX = 9, /* for 2^9 long pauses: a minute */
	WRITE_COUNT_MAX = 1000,
	SPARE_COUNT = 8,
};

struct sb_loop {
	stepbus_host host;
	void (*run)(void *user_data);
	void (*last)(void *user_data);
	void *user_data;
	struct event_base *base;
	struct event *wake_event;
	struct event *timer_event;
	struct event *watch_event; /* NULL: nothing is watched */
	struct still {
		bool is_still;  /* without a thread: what follows is of such a one */
		int watch_fd;   /* -1: nothing is watched */
		int64_t due_ns; /* INT64_MAX: never */
	} still;
	pthread_t thread;
	int wake_fd;
	int failure_count; /* of libevent, in a row; its thread's */
	_Atomic(uint32_t) is_woken;
	_Atomic(uint32_t) is_ending;
	pthread_mutex_t lock;
	pthread_cond_t started;
	stepbus_status start_status;
	bool is_started;
};

static void run_now(sb_loop *loop)
{
	if (!atomic_load(&loop->is_ending))
		loop->run(loop->user_data);
	if (atomic_load(&loop->is_ending))
		event_base_loopbreak(loop->base);
}

static void on_time(evutil_socket_t fd, short what, void *context)
{
	sb_loop *loop = context;

	(void)fd;
	(void)what;
	loop->failure_count = 0;
	run_now(loop);
}

static void on_wake(evutil_socket_t fd, short what, void *context)
{
	sb_loop *loop = context;
	uint64_t count;

	(void)what;
	loop->failure_count = 0;
	/*
	 * Nothing to read means that another wake is on its way: run all the same, it is harmless.
	 */
	while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
		;
	/* Cleared before running, so that a wake from now on leads to another run. */
	atomic_store(&loop->is_woken, 0);
	run_now(loop);
}

static void report_start(sb_loop *loop, stepbus_status status)
{
	pthread_mutex_lock(&loop->lock);
	loop->start_status = status;
	loop->is_started = true;
	pthread_cond_signal(&loop->started);
	pthread_mutex_unlock(&loop->lock);
}

static void dispose(sb_loop *loop)
{
	stepbus_host host = loop->host;

	if (loop->watch_event != NULL)
		event_free(loop->watch_event);
	if (loop->timer_event != NULL)
		event_free(loop->timer_event);
	if (loop->wake_event != NULL)
		event_free(loop->wake_event);
	if (loop->base != NULL)
		event_base_free(loop->base);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	pthread_cond_destroy(&loop->started);
	pthread_mutex_destroy(&loop->lock);
	sb_release(&host, loop);
}

static void tell_failure(const sb_loop *loop)
{
	sb_log(&loop->host,
	       &(sb_log_record){
		       .level = STEPBUS_LOG_WARN,
		       .component = "loop",
		       .message =
			       "the system does not let the loop wait for events (a host may have "
			       "closed descriptors that are not its own): it looks now and "
			       "then what there is to do",
		       .event_type = "loop_failed" });
}

/*
 * Libevent leaves its loop when the system fails it once, and says so on the process's standard error,
 * which is not ours to write to: it is tried again more and more rarely. What is due is done meanwhile.
 */
static void go_on_without(sb_loop *loop)
{
	const struct timespec pause = { .tv_nsec = loop->failure_count < FAILURE_COUNT_MAX / 2 ?
							   PAUSE_NS :
							   PAUSE_LONG_NS };
	int count = 1 << loop->failure_count;

	if (loop->failure_count == 0)
		tell_failure(loop);
	loop->failure_count += loop->failure_count < FAILURE_COUNT_MAX;
	for (int i = 0; i < count && !atomic_load(&loop->is_ending); i++) {
		(void)nanosleep(&pause, NULL);
		run_now(loop);
	}
}

static void dispatch(sb_loop *loop)
{
	while (event_base_dispatch(loop->base) < 0 && !atomic_load(&loop->is_ending))
		go_on_without(loop);
}

static void *thread_main(void *context)
{
	sb_loop *loop = context;
	void (*last)(void *user_data);
	void *user_data;

	/* Deliveries need this block: have it now, when failing is still an answer. */
	if (sb_guard_thread_get() == NULL) {
		report_start(loop, STEPBUS_ENOMEM);
		return NULL;
	}
	report_start(loop, STEPBUS_OK);
	dispatch(loop);
	last = loop->last;
	user_data = loop->user_data;
	if (last != NULL) {
		dispose(loop);
		last(user_data);
	}
	return NULL;
}

/*
 * Libevent's environment variables are the host's business, and its locks have nothing to protect.
 */
static struct event_base *new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static stepbus_status start_thread(sb_loop *loop, stepbus_error *err)
{
	sigset_t before;
	int failure;

	sb_signals_block(&before);
	failure = pthread_create(&loop->thread, NULL, thread_main, loop);
	sb_signals_give_back(&before);
	if (failure != 0)
		return sb_fail(err, STEPBUS_ESYSTEM, "cannot start the loop thread (errno %d)",
			       failure);
	pthread_setname_np(loop->thread, "stepbus-loop");
	pthread_mutex_lock(&loop->lock);
	while (!loop->is_started)
		pthread_cond_wait(&loop->started, &loop->lock);
	pthread_mutex_unlock(&loop->lock);
	if (loop->start_status == STEPBUS_OK)
		return STEPBUS_OK;
	pthread_join(loop->thread, NULL);
	return sb_fail_memory(err, "start the loop thread");
}

/* The base keeps the room that its first timer takes, so that from here on arming it cannot fail. */
static bool reserve_timer(sb_loop *loop)
{
	const struct timeval far = { .tv_sec = 3600 };

	return event_add(loop->timer_event, &far) == 0 && event_del(loop->timer_event) == 0;
}

/*
 * Libevent ends the process where it gets no descriptors for the pipe that every base of it has: so there
 * must be some to spare, for it and for what other threads open meanwhile.
 */
static bool has_descriptors(void)
{
	int spare[SPARE_COUNT];
	int count = 0;

	while (count < SPARE_COUNT && (spare[count] = eventfd(0, EFD_CLOEXEC)) >= 0)
		count++;
	for (int i = 0; i < count; i++)
		close(spare[i]);
	return count == SPARE_COUNT;
}

static stepbus_status set_up(sb_loop *loop, stepbus_error *err)
{
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0)
		return sb_fail(err, STEPBUS_ESYSTEM,
			       "cannot make an eventfd for the loop (errno %d)", errno);
	loop->base = has_descriptors() ? new_base() : NULL;
	if (loop->base == NULL)
		return sb_fail(err, STEPBUS_ESYSTEM,
			       "cannot make an event loop: out of memory or descriptors");
	loop->wake_event =
		event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
	loop->timer_event = event_new(loop->base, -1, 0, on_time, loop);
	if (loop->wake_event == NULL || loop->timer_event == NULL ||
	    event_add(loop->wake_event, NULL) != 0 || !reserve_timer(loop))
		return sb_fail_memory(err, "watch the loop's descriptor");
	return start_thread(loop, err);
}

static sb_loop *make(const stepbus_host *host, void (*run)(void *user_data), void *user_data)
{
	sb_loop *loop = sb_alloc(host, sizeof *loop);

	if (loop == NULL)
		return NULL;
	loop->host = *host;
	loop->run = run;
	loop->user_data = user_data;
	loop->wake_fd = -1;
	loop->still.watch_fd = -1;
	loop->still.due_ns = INT64_MAX;
	sb_assert(pthread_mutex_init(&loop->lock, NULL) == 0);
	sb_assert(pthread_cond_init(&loop->started, NULL) == 0);
	return loop;
}

stepbus_status sb_loop_new_still(const stepbus_host *host, void (*run)(void *user_data),
				 void *user_data, sb_loop **out, stepbus_error *err)
{
	sb_loop *loop = make(host, run, user_data);

	if (loop == NULL)
		return sb_fail_memory(err, "make the loop");
	loop->still.is_still = true;
	*out = loop;
	return STEPBUS_OK;
}

bool sb_loop_is_still(const sb_loop *loop)
{
	return loop->still.is_still;
}

bool sb_loop_turn(sb_loop *loop)
{
	struct pollfd watched = { .fd = loop->still.watch_fd, .events = POLLIN };
	bool is_due = sb_clock_elapsed_ns(&loop->host) >= loop->still.due_ns;
	bool has_news = watched.fd >= 0 && poll(&watched, 1, 0) > 0;

	/* Cleared before running, as in on_wake. */
	if (atomic_exchange(&loop->is_woken, 0) == 0 && !is_due && !has_news)
		return false;
	if (is_due)
		loop->still.due_ns = INT64_MAX;
	loop->run(loop->user_data);
	return true;
}

stepbus_status sb_loop_new(const stepbus_host *host, void (*run)(void *user_data), void *user_data,
			   sb_loop **out, stepbus_error *err)
{
	sb_loop *loop = make(host, run, user_data);
	stepbus_status status;

	if (loop == NULL)
		return sb_fail_memory(err, "make the loop");
	status = set_up(loop, err);
	if (status != STEPBUS_OK) {
		dispose(loop);
		return status;
	}
	*out = loop;
	return STEPBUS_OK;
}

/* By itself, so that only those who write pay for keeping a cancellation out. */
static void write_wake(sb_loop *loop)
{
	SB_UNCANCELLED;
	const uint64_t one = 1;

	/* Others rely on this one by now: it is not given up for an error that passes. */
	for (int i = 0; i < WRITE_COUNT_MAX; i++) {
		/* EAGAIN means that 2^64 - 1 wakes are pending: then it is awake. */
		if (write(loop->wake_fd, &one, sizeof one) >= 0 || errno == EAGAIN)
			return;
		if (errno != EINTR)
			sched_yield();
	}
	atomic_store(&loop->is_woken, 0);
}

void sb_loop_wake(sb_loop *loop)
{
	if (atomic_exchange(&loop->is_woken, 1) == 0 && !loop->still.is_still)
		write_wake(loop);
}

void sb_loop_run_after(sb_loop *loop, int64_t delay_us)
{
	const struct timeval delay = { .tv_sec = (time_t)(delay_us / 1000000),
				       .tv_usec = (suseconds_t)(delay_us % 1000000) };

	if (loop->still.is_still) {
		loop->still.due_ns = sb_clock_elapsed_ns(&loop->host) + delay_us * 1000;
		return;
	}
	/* It could fail for want of memory alone, of which there is enough, see reserve_timer. */
	(void)event_add(loop->timer_event, &delay);
}

stepbus_status sb_loop_watch(sb_loop *loop, int fd, stepbus_error *err)
{
	if (loop->still.is_still) {
		loop->still.watch_fd = fd;
		return STEPBUS_OK;
	}
	loop->watch_event = event_new(loop->base, fd, EV_READ | EV_PERSIST, on_time, loop);
	if (loop->watch_event == NULL || event_add(loop->watch_event, NULL) != 0)
		return sb_fail_memory(err, "watch a descriptor");
	return STEPBUS_OK;
}

bool sb_loop_is_here(const sb_loop *loop)
{
	return loop != NULL && !loop->still.is_still &&
	       pthread_equal(pthread_self(), loop->thread) != 0;
}

void sb_loop_free(sb_loop *loop)
{
	if (loop == NULL)
		return;
	atomic_store(&loop->is_ending, 1);
	sb_loop_wake(loop);
	if (!loop->still.is_still)
		pthread_join(loop->thread, NULL);
	dispose(loop);
}

void sb_loop_free_here(sb_loop *loop, void (*last)(void *user_data))
{
	loop->last = last;
	pthread_detach(loop->thread);
	atomic_store(&loop->is_ending, 1);
}

const char *sb_loop_library_version(void)
{
	return event_get_version();
}
