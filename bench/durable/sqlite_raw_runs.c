/* SPDX-License-Identifier: MIT */
/* What sqlite_raw does in each case. */
#include "bench/durable/sqlite_raw.h"

#include "bench/harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COMPLETED = 6, FILL_BLOCK = 1000, REFILL_COUNT = 1000 };

static double wal_peak_mib;

static void note_wal(const char *path)
{
	char log[4096];
	struct stat found;

	snprintf(log, sizeof(log), "%s-wal", path);
	if (stat(log, &found) == 0 && (double)found.st_size / 1048576 > wal_peak_mib)
		wal_peak_mib = (double)found.st_size / 1048576;
}

double sqlite_raw_wal_peak(const durable_plan *plan, size_t count)
{
	(void)plan;
	(void)count;
	return wal_peak_mib;
}

static const char *path_of(const durable_plan *plan)
{
	const char *path = plan->level == DURABLE_MEMORY ? NULL : durable_path("raw.db");

	if (path != NULL)
		sqlite_raw_remove(path);
	return path;
}

double sqlite_raw_lifecycle(const durable_plan *plan, size_t count)
{
	const char *path = path_of(plan);
	sqlite_raw *raw = sqlite_raw_open(path, plan->level);
	uint64_t start_ns = bench_now_ns();
	uint64_t elapsed_ns = 0;
	size_t added = 0;
	size_t claimed = 0;

	for (;;) {
		size_t more = count - added < plan->block ? count - added : plan->block;

		sqlite_raw_begin(raw);
		sqlite_raw_complete(raw);
		claimed = sqlite_raw_claim(raw, plan->block);
		sqlite_raw_enqueue(raw, more);
		sqlite_raw_commit(raw);
		added += more;
		if (more == 0 && claimed == 0)
			break;
	}
	elapsed_ns = bench_now_ns() - start_ns;
	if (path != NULL)
		note_wal(path);
	if (sqlite_raw_count(raw, COMPLETED) != count)
		bench_die("sqlite_raw did not complete its steps");
	sqlite_raw_close(raw);
	return durable_rate(count, elapsed_ns);
}

/* A step is claimed in the transaction that adds it, as whoever has nothing else to do would. */
double sqlite_raw_one(const durable_plan *plan, size_t count)
{
	sqlite_raw *raw = sqlite_raw_open(path_of(plan), plan->level);
	uint64_t start_ns = bench_now_ns();
	uint64_t elapsed_ns = 0;

	for (size_t i = 0; i < count; i++) {
		sqlite_raw_begin(raw);
		sqlite_raw_enqueue(raw, 1);
		sqlite_raw_claim(raw, 1);
		sqlite_raw_commit(raw);
		sqlite_raw_begin(raw);
		sqlite_raw_complete(raw);
		sqlite_raw_commit(raw);
	}
	elapsed_ns = bench_now_ns() - start_ns;
	if (sqlite_raw_count(raw, COMPLETED) != count)
		bench_die("sqlite_raw did not complete its steps");
	sqlite_raw_close(raw);
	return durable_rate(count, elapsed_ns);
}

/*
 * Many threads, each of which waits until its one step is on the disk: who finds nobody writing
 * writes for all who wait.
 */
typedef struct crowd {
	sqlite_raw *raw;
	pthread_mutex_t lock;
	pthread_cond_t written;
	size_t left;
	size_t waiting;
	uint64_t ticket;
	uint64_t written_ticket;
	bool is_writing;
} crowd;

/* With the lock held. */
static void write_group(crowd *all)
{
	size_t count = all->waiting;
	uint64_t last = all->ticket;

	all->waiting = 0;
	all->is_writing = true;
	pthread_mutex_unlock(&all->lock);
	sqlite_raw_begin(all->raw);
	sqlite_raw_enqueue(all->raw, count);
	sqlite_raw_commit(all->raw);
	pthread_mutex_lock(&all->lock);
	all->is_writing = false;
	all->written_ticket = last;
	pthread_cond_broadcast(&all->written);
}

static void *enqueue_in_crowd(void *context)
{
	crowd *all = context;

	pthread_mutex_lock(&all->lock);
	while (all->left > 0) {
		uint64_t ticket = ++all->ticket;

		all->left--;
		all->waiting++;
		while (all->written_ticket < ticket) {
			if (all->is_writing)
				pthread_cond_wait(&all->written, &all->lock);
			else
				write_group(all);
		}
	}
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

double sqlite_raw_enqueue_threads(const durable_plan *plan, size_t count)
{
	crowd all = { .lock = PTHREAD_MUTEX_INITIALIZER, .written = PTHREAD_COND_INITIALIZER };
	pthread_t *threads = bench_alloc(plan->thread_count, sizeof(*threads));
	uint64_t start_ns = 0;
	uint64_t elapsed_ns = 0;

	all.raw = sqlite_raw_open(path_of(plan), plan->level);
	all.left = count;
	start_ns = bench_now_ns();
	for (size_t i = 0; i < plan->thread_count; i++)
		if (pthread_create(&threads[i], NULL, enqueue_in_crowd, &all) != 0)
			bench_die("cannot start thread %zu", i);
	for (size_t i = 0; i < plan->thread_count; i++)
		pthread_join(threads[i], NULL);
	elapsed_ns = bench_now_ns() - start_ns;
	if (sqlite_raw_count(all.raw, 3) != count)
		bench_die("sqlite_raw did not enqueue its steps");
	sqlite_raw_close(all.raw);
	free(threads);
	return durable_rate(count, elapsed_ns);
}

static void fill(sqlite_raw *raw, size_t pending)
{
	size_t there = sqlite_raw_count(raw, 3);

	while (there < pending) {
		size_t more = pending - there < FILL_BLOCK ? pending - there : FILL_BLOCK;

		sqlite_raw_begin(raw);
		sqlite_raw_enqueue(raw, more);
		sqlite_raw_commit(raw);
		there += more;
	}
}

/* A backlog is kept from round to round, since 5 million steps take a while. */
static const char *backlog_path(const durable_plan *plan)
{
	char name[64];

	snprintf(name, sizeof(name), "raw-%zu.db", plan->pending);
	return durable_path(name);
}

static sqlite_raw *backlog(const durable_plan *plan)
{
	sqlite_raw *raw = sqlite_raw_open(backlog_path(plan), plan->level);

	fill(raw, plan->pending);
	return raw;
}

/* Claiming and completing count steps, a block at a time, with about as many waiting all the while. */
double sqlite_raw_claim_cost(const durable_plan *plan, size_t count)
{
	sqlite_raw *raw = backlog(plan);
	uint64_t elapsed_ns = 0;
	size_t claimed = 0;

	while (claimed < count) {
		uint64_t start_ns = bench_now_ns();

		for (size_t part = 0; part < REFILL_COUNT && claimed < count;) {
			size_t more = 0;

			sqlite_raw_begin(raw);
			sqlite_raw_complete(raw);
			more = sqlite_raw_claim(raw, plan->block);
			sqlite_raw_commit(raw);
			part += more;
			claimed += more;
		}
		elapsed_ns += bench_now_ns() - start_ns;
		sqlite_raw_begin(raw);
		sqlite_raw_complete(raw);
		sqlite_raw_commit(raw);
		fill(raw, plan->pending);
	}
	sqlite_raw_close(raw);
	return (double)elapsed_ns / 1000 / (double)claimed;
}

/* A process that had claimed a block is killed; the time from opening to the next claim, in ms. */
double sqlite_raw_reopen(const durable_plan *plan, size_t count)
{
	const char *path = backlog_path(plan);
	uint64_t start_ns = 0;
	size_t claimed = 0;
	sqlite_raw *raw = NULL;
	pid_t pid = -1;

	(void)count;
	sqlite_raw_close(backlog(plan));
	pid = fork();
	if (pid == 0) {
		raw = sqlite_raw_open(path, plan->level);
		sqlite_raw_begin(raw);
		sqlite_raw_claim(raw, plan->block);
		sqlite_raw_commit(raw);
		kill(getpid(), SIGKILL);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		bench_die("cannot start a process to kill");
	start_ns = bench_now_ns();
	raw = sqlite_raw_open(path, plan->level);
	sqlite_raw_begin(raw);
	sqlite_raw_reclaim(raw);
	claimed = sqlite_raw_claim(raw, plan->block);
	sqlite_raw_commit(raw);
	start_ns = bench_now_ns() - start_ns;
	if (claimed != plan->block)
		bench_die("sqlite_raw found nothing to claim after it was killed");
	sqlite_raw_close(raw);
	return (double)start_ns / 1e6;
}
