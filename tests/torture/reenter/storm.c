/* SPDX-License-Identifier: MIT */
#include "torture/reenter/storm.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_NS = 1000000 };

static _Atomic(uint32_t) *signal_count;

static void note(int number)
{
	(void)number;
	atomic_fetch_add(signal_count, 1);
}

static void send(struct sigevent *event, long period_ns)
{
	const struct itimerspec often = { { 0, period_ns }, { 0, period_ns } };
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, event, &timer) != 0 ||
	    timer_settime(timer, 0, &often, NULL) != 0)
		_exit(6);
}

static void install(_Atomic(uint32_t) *count)
{
	const struct sigaction action = { .sa_handler = note }; /* without SA_RESTART */

	signal_count = count;
	(void)sigaction(SIGALRM, &action, NULL);
	(void)sigaction(SIGCHLD, &action, NULL);
}

void storm_begin_fierce(_Atomic(uint32_t) *count, long period_ns)
{
	struct sigevent event;

	install(count);
	memset(&event, 0, sizeof event);
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGALRM;
	event._sigev_un._tid = gettid();
	send(&event, period_ns);
}

void storm_begin(_Atomic(uint32_t) *count)
{
	struct sigevent event;

	storm_begin_fierce(count, PERIOD_NS);
	memset(&event, 0, sizeof event);
	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = SIGCHLD;
	send(&event, PERIOD_NS);
}
