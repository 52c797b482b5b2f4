/* SPDX-License-Identifier: MIT */
/*
 * The benchmark harness: measures contestants side by side and reports what it saw.
 *
 * A group is a set of entries that are measured in the same rounds: in each round every entry gets
 * one slice of a few milliseconds, so that a busy moment of the machine hits all of them and their
 * ratios stay honest. The harness knows nothing about buses or tables: a peer gets its plan as an
 * opaque pointer. It runs on one pinned thread; only an entry of two threads starts others, for the
 * length of a slice.
 */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BENCH_ENTRY_COUNT_MAX = 24 };

/**
 * Somebody who can do the measured work.
 *
 * open    makes what run needs, from the entry's plan; NULL means that it cannot take part.
 * run     does the operation so many times and returns the nanoseconds it took. May be called on
 *         two threads at once if an entry asks for two.
 * close   gives back what open made.
 * sample  for a peer in a process of its own, instead of the three above: writes the nanoseconds
 *         of one operation, measured `count` times, and returns how many it wrote.
 */
typedef struct bench_peer {
	const char *who;
	void *(*open)(const void *plan);
	uint64_t (*run)(void *state, uint64_t iterations);
	void (*close)(void *state);
	size_t (*sample)(const void *plan, double *samples, size_t count);
} bench_peer;

/**
 * One line of a result.
 *
 * case_name       NULL: measured only because another entry is compared with it.
 * work_each       what one operation adds to bench_work_done(); checked after each slice.
 * iterations      of one slice; 0: as many as fill it.
 * thread_count    0 or 1: the pinned thread; 2: two threads, each pinned.
 * baseline        an entry of the same group; NULL: none.
 * goal_ratio, goal_ns  shown beside the line when not 0. Nothing is asserted.
 */
typedef struct bench_entry {
	const char *case_name;
	const bench_peer *peer;
	const void *plan;
	uint64_t work_each;
	uint64_t iterations;
	unsigned thread_count;
	const struct bench_entry *baseline;
	double goal_ratio;
	double goal_ns;
	void *state;
	double *samples;
	size_t sample_count;
	double median;
} bench_entry;

typedef struct bench_group {
	const char *bench;
	const char *unit;
	unsigned round_count;
	size_t entry_count;
	bench_entry entries[BENCH_ENTRY_COUNT_MAX];
} bench_group;

/** Starts a group. round_count 0 means the default. */
void bench_group_init(bench_group *group, const char *bench, const char *unit,
		      unsigned round_count);

/** Adds an entry and returns it, so that its optional fields can be set. */
bench_entry *bench_group_add(bench_group *group, const char *case_name, const bench_peer *peer,
			     const void *plan);

/** Measures all entries and reports them. */
void bench_group_run(bench_group *group);

/** Writes the lines of a measured group: JSON on stdout, a table on stderr. */
void bench_report(const bench_group *group);

/** Nanoseconds that never go back. */
uint64_t bench_now_ns(void);

/** Runs a peer on two pinned threads at once; the mean of what each of them took. */
uint64_t bench_pair_run(const bench_peer *peer, void *state, uint64_t iterations);

/** Remembers which CPUs there are and pins the calling thread to the first chosen one. */
void bench_cpu_init(void);

/** How many CPUs this process may use. */
unsigned bench_cpu_count(void);

/** Pins the calling thread to the chosen CPU of that index. */
void bench_cpu_pin(unsigned index);

/** Lets the calling thread, and the processes it starts, use all CPUs again. */
void bench_cpu_unpin(void);

/** Runs a command and reads numbers, one a line, from its stdout; returns how many. */
size_t bench_process_read(char *const argv[], double *numbers, size_t count);

/**
 * The work that was done since the start: deliveries or hits. A contestant that skips some is
 * caught.
 */
uint64_t bench_work_done(void);
void bench_work_add(uint64_t count);

/** Moves what the calling thread's own counter holds into the work done. */
void bench_work_flush(void);

/** Memory that the benchmark cannot go on without. */
void *bench_alloc(size_t count, size_t len);

/** Ends the benchmark with a message: it would measure something else than it says. */
#if defined(__GNUC__)
__attribute__((noreturn, format(printf, 1, 2)))
#endif
void bench_die(const char *format, ...);

#ifdef __cplusplus
}
#endif

#endif
