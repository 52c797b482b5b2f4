/* SPDX-License-Identifier: MIT */
/* Owns where threads run: which CPUs the process may use, and who is pinned to which. */
#include "bench/harness.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

/* Written once by bench_cpu_init, before any other thread exists. */
static cpu_set_t cpus_allowed;

void bench_cpu_init(void)
{
	if (sched_getaffinity(0, sizeof(cpus_allowed), &cpus_allowed) != 0)
		bench_die("cannot ask which CPUs may be used");
	bench_cpu_pin(0);
}

unsigned bench_cpu_count(void)
{
	return (unsigned)CPU_COUNT(&cpus_allowed);
}

void bench_cpu_pin(unsigned index)
{
	cpu_set_t one;

	/* from the last CPU down: the first one usually serves the interrupts */
	for (size_t cpu = CPU_SETSIZE; cpu-- > 0;) {
		if (!CPU_ISSET(cpu, &cpus_allowed) || index-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one) != 0)
			bench_die("cannot pin to CPU %zu", cpu);
		return;
	}
	bench_die("there are only %u CPUs", bench_cpu_count());
}

void bench_cpu_unpin(void)
{
	if (sched_setaffinity(0, sizeof(cpus_allowed), &cpus_allowed) != 0)
		bench_die("cannot use all CPUs again");
}

typedef struct pair_half {
	const bench_peer *peer;
	void *state;
	uint64_t iterations;
	unsigned cpu;
	atomic_uint *ready_count;
	uint64_t elapsed;
} pair_half;

static void *run_half(void *argument)
{
	pair_half *half = argument;

	bench_cpu_pin(half->cpu);
	atomic_fetch_add(half->ready_count, 1);
	/* spins: a thread that had to be woken would run most of its slice alone */
	while (atomic_load(half->ready_count) < 2)
		continue;
	half->elapsed = half->peer->run(half->state, half->iterations);
	bench_work_flush();
	return NULL;
}

uint64_t bench_pair_run(const bench_peer *peer, void *state, uint64_t iterations)
{
	atomic_uint ready_count = 0;
	pair_half halves[2];
	pthread_t threads[2];

	for (unsigned i = 0; i < 2; i++) {
		halves[i] = (pair_half){ peer, state, iterations, i, &ready_count, 0 };
		if (pthread_create(&threads[i], NULL, run_half, &halves[i]) != 0)
			bench_die("cannot start a thread");
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return (halves[0].elapsed + halves[1].elapsed) / 2;
}
