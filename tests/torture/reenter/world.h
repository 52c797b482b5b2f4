/* SPDX-License-Identifier: MIT */
/*
 * What a cell of the matrix works on: a process's own engine on a file, with a pool and a pull worker
 * that are both busy; a bridge and a registry of the host's own; and one of everything else that a
 * function can be called on. A cell has a process to itself, so there is one world, and its functions
 * end the process where something is wrong that the cell is not about.
 *
 * Host code of all kinds is installed, and does nothing until it is armed: see places.h.
 */
#ifndef TESTS_TORTURE_REENTER_WORLD_H
#define TESTS_TORTURE_REENTER_WORLD_H

#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "include/stepbus.h"
#include "support/tempdir.h"
#include "torture/reenter/storm.h"

struct sqlite3;

/* Where the parent, which outlives what happens to a cell, reads how it went. Shared memory. */
typedef struct world_board {
	_Atomic(int32_t) status; /* of the call; WORLD_UNANSWERED until it has returned */
	_Atomic(int64_t) call_us;
	_Atomic(uint32_t) call_count;
	storm_counts signals;
	char stage[64]; /* what was being done, for whom it dies in */
	char failure[256];
} world_board;

enum { WORLD_UNANSWERED = -1, WORLD_WRONG = -2 };

typedef struct world {
	world_board *board;
	bool is_in_memory;
	test_tempdir dir;
	char path[TEST_PATH_LEN];
	stepbus_host host;
	int log_fd;
	stepbus *engine;
	stepbus_worker *pool;
	stepbus_worker *pull;
	stepbus_bridge *own; /* the host's */
	stepbus_bridge
		*bridge; /* the one that functions are called on: the host's, or the engine's */
	uint32_t own_event_id;
	uint32_t engine_event_id;
	uint64_t own_id; /* of a subscription that does nothing, on the host's bridge */
	uint64_t engine_id;
	stepbus_registry *registry;
	stepbus_registry *spare_registry;
	stepbus_handler *handler;
	stepbus_subscriber *subscriber;
	stepbus_execution_subscriber *executor;
	stepbus_outcome *outcome;
	stepbus_text *text;
	stepbus_clock *clock;
	struct sqlite3 *connection; /* of the host's; NULL in memory */
	stepbus_step_event polled;
	uint8_t open_id[16];          /* of a step that waits for an hour */
	uint8_t done_id[16];          /* of one that is completed */
	stepbus_step_event announced; /* what the host itself announces on its own bridge */

	/* In a handler. */
	const stepbus_context *context;
	stepbus_result *result;
	int64_t patience_ms; /* for calls that wait: -1 where waiting would be for itself */
	bool is_inside;      /* in a callback of the engine, where it cannot be closed */

	_Atomic(uint32_t) armed; /* a place; 0: none */
	sem_t was_there;         /* posted when the armed place was visited */
	sem_t gate;              /* what handlers of "wait" wait for */
	sem_t is_running;        /* posted by handlers of "wait" when they begin */
	sem_t is_stopping;       /* and when they hear of the stop */
} world;

/* Everything is there, or the process ends. */
void world_make(world *w, world_board *board, bool is_in_memory);
/* Frees what is left, and checks that nothing stands in the way. */
void world_end(world *w);
/* An engine that was not told to end still runs steps. */
void world_check_alive(world *w);

/* Notes what is being done now. */
void world_stage(world *w, const char *stage);
/* Ends the process, with a word on the board. */
void world_fail(world *w, const char *what, int status) __attribute__((noreturn));
#define WORLD_OK(w, call)                                     \
	do {                                                  \
		stepbus_status world_status = (call);         \
		if (world_status != STEPBUS_OK)               \
			world_fail((w), #call, world_status); \
	} while (0)

/* Enqueues a step of a handler ("probe", "wait", "quick"), and gives its id where wanted. */
void world_enqueue(world *w, const char *handler, uint8_t id[16]);
/* One that waits for an hour. */
void world_enqueue_late(world *w, uint8_t id[16]);
/* Enqueues a step of "pulled", and polls one. */
void world_poll(world *w);

/* Makes again what a function has freed: the host's bridge with what is on it, and each of these alone. */
void world_make_own(world *w);
void world_subscribe_own(world *w);
void world_make_subscriber(world *w);
void world_make_executor(world *w);
void world_register_quick(world *w);
/* The engine and its workers, on the same store; its steps are there, or made anew. */
void world_open(world *w);

/* Waits for a semaphore, for as long as a cell may last. */
void world_wait(sem_t *semaphore);
int64_t world_now_us(void);
/* Ends the process with SIGVTALRM after so many seconds, more where it is slow: SIGALRM is for storms. */
void world_deadline(int seconds);
/* How many times slower this build is than one for release. */
int world_slowness(void);

/* Called by the handler "probe", by the hooks and by all other host code: what the place does. */
extern void (*world_visit)(world *w, uint32_t place);
extern world *world_current;

#endif
