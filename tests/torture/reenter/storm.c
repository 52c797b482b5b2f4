/* SPDX-License-Identifier: MIT */
#include "torture/reenter/storm.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { PERIOD_NS = 1000000 };

static storm_counts *counts;
static _Atomic(uint32_t) is_inside;

/* Whether what goes on behind the handler is a system call's return with EINTR. */
static bool is_interrupting(const void *context)
{
#if defined(__x86_64__)
	const greg_t *registers = ((const ucontext_t *)context)->uc_mcontext.gregs;
	const unsigned char *next = (const unsigned char *)registers[REG_RIP];

	return registers[REG_RAX] == -EINTR && next[-2] == 0x0f && next[-1] == 0x05;
#elif defined(__aarch64__)
	const mcontext_t *machine = &((const ucontext_t *)context)->uc_mcontext;
	const uint32_t *next = (const uint32_t *)machine->pc;

	return (int64_t)machine->regs[0] == -EINTR && next[-1] == UINT32_C(0xd4000001);
#else
	(void)context;
	return false;
#endif
}

static void note(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	atomic_fetch_add(&counts->all, 1);
	if (atomic_load(&is_inside) == 0)
		return;
	atomic_fetch_add(&counts->inside, 1);
	if (is_interrupting(context))
		atomic_fetch_add(&counts->interrupting, 1);
}

static void send(struct sigevent *event, long period_ns)
{
	const struct itimerspec often = { { 0, period_ns }, { 0, period_ns } };
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, event, &timer) != 0 ||
	    timer_settime(timer, 0, &often, NULL) != 0)
		_exit(6);
}

static void install(storm_counts *where)
{
	/* Without SA_RESTART. */
	const struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };

	counts = where;
	(void)sigaction(SIGALRM, &action, NULL);
	(void)sigaction(SIGCHLD, &action, NULL);
}

void storm_begin_fierce(storm_counts *where, long period_ns)
{
	struct sigevent event;

	install(where);
	memset(&event, 0, sizeof event);
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGALRM;
	event._sigev_un._tid = gettid();
	send(&event, period_ns);
}

void storm_begin(storm_counts *where)
{
	struct sigevent event;

	storm_begin_fierce(where, PERIOD_NS);
	memset(&event, 0, sizeof event);
	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = SIGCHLD;
	send(&event, PERIOD_NS);
}

void storm_enter(void)
{
	atomic_store(&is_inside, 1);
}

void storm_leave(void)
{
	atomic_store(&is_inside, 0);
}
