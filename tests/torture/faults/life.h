/* SPDX-License-Identifier: MIT */
/*
 * A life of an engine, drawn from a seed: it opens a store, starts a pull worker and sometimes one
 * with a pool, and then enqueues, polls, completes, fails, checkpoints, releases, cancels, queries
 * and stops, while something below it fails. What it was told goes into a record. The host's
 * elapsed time runs ten times as fast as real time, so that leases end within a life.
 *
 * It gives up on nothing and asserts nothing: what it finds wrong it notes on the record.
 */
#ifndef TESTS_TORTURE_LIFE_H
#define TESTS_TORTURE_LIFE_H

#include "include/stepbus.h"
#include "torture/faults/draw.h"
#include "torture/faults/record.h"

enum {
	LIFE_TIME_FACTOR = 10,
	LIFE_POLL_MS = 10, /* slept by real time */
	LIFE_LEASE_MS = 1000,
	LIFE_HEARTBEAT_MS = 100,
	LIFE_STOP_MS = 20,
	LIFE_BIG_LEN = 60000,
	LIFE_HELD_MAX = 64,
};

/* A step that was polled and is not answered yet, since the store would not take the answer. */
typedef struct life_held {
	uint8_t step_id[16];
	uint64_t token;
	int place;
	uint32_t kind;
} life_held;

typedef struct life {
	const char *path;
	record *record;
	draw draw;
	bool has_pool;
	bool is_big; /* its inputs fill the log, so that it is put back into the file */
	int64_t (*extra_ns)(void); /* may be NULL: what is added to the elapsed time */

	stepbus *engine; /* NULL: it could not be opened */
	stepbus_worker *puller;
	stepbus_worker *pool;
	stepbus_status status; /* of the opening */
	life_held held[LIFE_HELD_MAX];
	uint32_t held_count;
	stepbus_error err;
} life;

/* Makes a store and closes it again, on a sound disk. False: it could not. */
bool life_make_store(const char *path);

/* False where it could not be opened; the life is over then. */
bool life_open(life *l);
/* Does one thing, drawn. */
void life_act(life *l);
/* Enqueues a step for the pull worker; what was answered. */
stepbus_status life_enqueue(life *l, const char *queue, uint32_t count);
/* Polls for at most that long, and answers everything with a success. How many were accepted. */
uint32_t life_drain(life *l, int64_t timeout_ms);
/* Stops and closes it; complains where that takes longer than it may. */
void life_close(life *l);
/* Whether the store's connections are in no transaction and no statement of theirs is open. */
void life_check_idle(life *l);

int64_t life_now_us(void); /* CLOCK_REALTIME */
int64_t life_elapsed_us(void);

#endif
