/* SPDX-License-Identifier: MIT */
/*
 * The world of one seed: processes that are engines without threads on one store, their workers, the
 * clocks, the faults, and the random numbers that everything is drawn from. What an observer knows of
 * steps and attempts is in model.h.
 *
 * Time stands still but for what the scheduler adds and for a microsecond with each look at a clock, so
 * that a seed gives the same run wherever and whenever it runs.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "handlers/still.h"
#include "handlers/worker.h"

enum {
	PROCESS_MAX = 4,
	WORKER_MAX = 3,
	QUEUE_COUNT = 4,
	HANDLER_COUNT = 4,
	LEASE_MS = 3000,
	PATH_LEN = 256,
};

typedef struct sim sim;

typedef struct sim_process {
	sim *sim;
	int number; /* from 1, as disk.h has it */
	int life;   /* rises with each start */
	bool is_up;
	bool is_listened_to;
	stepbus *engine;
	stepbus_host host;
	stepbus_worker *workers[WORKER_MAX];
	int64_t wall_skew_us;
	int64_t elapsed_skip_ns; /* of a process that is gone: its leases are over at once */
	int64_t stalled_until_ns;
	int famine_in;     /* this allocation fails; 0: none */
	int famine_left;   /* and so many behind it */
	bool was_starved;  /* since it was last looked at */
	bool was_broken;   /* a write failed: the store may be dead */
	int excused_until; /* up to this action it may complain of what was put upon it */
	int64_t excused_until_ns;
} sim_process;

/* The control: what the simulator tells its own model, or the checker, wrongly, once, to be found. */
typedef enum sim_lie {
	SIM_LIE_NONE,
	SIM_LIE_SWALLOWED, /* an answer that was accepted was never sent */
	SIM_LIE_LOST,      /* a step that was never enqueued was acknowledged */
	SIM_LIE_OLD_TOKEN, /* an attempt is handed out under the token before */
	SIM_LIE_TWICE,     /* and twice */
	SIM_LIE_BYTES,     /* with another input */
	SIM_LIE_STALE,     /* a refused answer was accepted */
	SIM_LIE_BEAT,      /* and a refused heartbeat */
	SIM_LIE_CHECKER,   /* from here on the checker alone is told */
	SIM_LIE_NOTED_ANSWER = SIM_LIE_CHECKER, /* that a refused answer was accepted */
	SIM_LIE_NOTED_START,                    /* that an attempt began twice */
	SIM_LIE_NOTED_STEP,  /* of a step that was acknowledged and is not there */
	SIM_LIE_NOTED_BYTES, /* that a step was handed out with other bytes */
	SIM_LIE_COUNT
} sim_lie;

typedef struct sim_options {
	bool is_on_disk;
	sim_lie lie;
	bool is_quiet; /* violations are counted only */
	uint64_t seed;
	int action_count;
	const char *directory;
} sim_options;

/* In a queue's number: its limits. */
typedef struct sim_queue {
	const char *name;
	const char *settings;
	int concurrency_max;
	int key_concurrency_max;
	bool is_paused;
} sim_queue;

typedef struct sim_world {
	uint64_t random;
	int64_t elapsed_ns;
	int64_t wall_base_us;
	int64_t wall_highest_us; /* that a process ever showed before its clock was put back */
	char path[PATH_LEN];
	sim_process processes[PROCESS_MAX];
	int process_count;
	int worker_count; /* of each process */
	sim_queue queues[QUEUE_COUNT];
	int64_t keep_completed_us; /* -1: for ever */
} sim_world;

/* A number below count; of the seed. */
uint64_t sim_draw(sim *s, uint64_t count);
bool sim_chance(sim *s, int per_mille);
int64_t sim_wall_us(const sim_process *p);

void sim_world_begin(sim *s);
/* False: a fault kept it from opening. */
bool sim_process_start(sim_process *p);
/* As kill -9 does: nothing more of it reaches the store. */
void sim_process_crash(sim_process *p);
/* As a host that closes it; what it has polled is given up. */
void sim_process_close(sim_process *p);
bool sim_worker_start(sim_process *p, int slot);
void sim_worker_free(sim_process *p, int slot);
/* Ends all faults, so that calls must succeed again. */
void sim_process_heal(sim_process *p);
void sim_world_end(sim *s);

extern const char *const sim_handler_names[HANDLER_COUNT];

#endif
