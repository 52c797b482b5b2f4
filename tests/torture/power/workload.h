/* SPDX-License-Identifier: MIT */
/*
 * A workload: one host that does what hosts do with an engine, drawn from a seed, while the
 * recorder watches: it enqueues (in batches, asynchronously, inside a transaction of its own),
 * polls and answers steps, has others run by a pool, cancels and redrives, pauses queues, sets cron
 * entries, lets time go by (retries, cron, retention, leases), has the log checkpointed, and closes
 * and opens the engine again. Each acknowledgement that it hears is noted with its place in the
 * record.
 */
#ifndef TESTS_TORTURE_POWER_WORKLOAD_H
#define TESTS_TORTURE_POWER_WORKLOAD_H

#include "torture/power/record.h"

enum {
	/* The store lies on a network file system, as far as it can tell: there is no log. */
	WORKLOAD_NETWORK = 1,
	/* It begins with a file of format 1, which is brought up to date. */
	WORKLOAD_OLD = 2,
	/* A second engine, at level process, works on the same file. */
	WORKLOAD_MIXED = 4,
	/* For controls: the engine says "disk", but its connection does not wait for the disk; */
	WORKLOAD_HASTY = 8,
	/* enqueueing is noted as acknowledged when it is called; */
	WORKLOAD_LYING = 16,
	/* syncs never reach the disk. */
	WORKLOAD_DEAF = 32,
	/* Some actions after a sync failed, the file is opened anew in the same boot, and used on. */
	WORKLOAD_ANEW = 64,
};

typedef struct workload_options {
	const char *path; /* of a database; made where there is none, and removed at the end */
	uint64_t seed;
	int level; /* of the engine: 2 or 3 */
	unsigned flags;
	int action_count;
	int fail_sync; /* the nth sync fails; 0: none */
} workload_options;

typedef struct workload_result {
	bool is_done; /* else message says what went wrong that must not */
	char message[600];
	size_t actions;
	/* After a sync failed: */
	bool has_failed;
	size_t refused;   /* calls that answered with an error, */
	size_t succeeded; /* and that said that something is durable */
	/* After the file was opened anew behind it: */
	bool is_anew;
	size_t anew_acks; /* acknowledgements of the engine that did */
} workload_result;

void workload_run(record *r, const workload_options *o, workload_result *out);
/* Removes a database with all that lies beside it. */
void workload_clear(const char *path);

#endif
