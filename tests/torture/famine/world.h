/* SPDX-License-Identifier: MIT */
/*
 * What a scenario works on, made and ended anew for every point: a bridge, a registry, an engine in memory
 * or on a copy of a ready-made database, with a clock that stands still, a worker. It keeps the ledger
 * that is checked in the end: steps that were acknowledged, destroys that were handed in, runs of
 * handlers. Made with memory to spare; ended without, where the point says so.
 */
#ifndef TORTURE_FAMINE_WORLD_H
#define TORTURE_FAMINE_WORLD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "include/stepbus.h"

struct sqlite3;

enum {
	FAMINE_BRIDGE = 1,   /* started, lets undeclared events in */
	FAMINE_REGISTRY = 2, /* with the handlers "echo" and "shy", unsealed */
	FAMINE_ENGINE = 4,   /* on both stores, unless one of the next two is said */
	FAMINE_IN_MEMORY = 8,
	FAMINE_ON_DISK = 16,
	FAMINE_WORKER = 32,  /* runs "echo" and its like */
	FAMINE_PULLER = 64,  /* hands out "pulled" */
	FAMINE_COLD = 128,   /* each point in a process that never called the library */
	FAMINE_SETTLES = 256 /* with memory, every acknowledged step gets to its end */
};

enum { FAMINE_STEP_MAX = 512, FAMINE_RUN_MAX = 1024, FAMINE_TEXT_LEN = 512 };

typedef struct famine_world famine_world;

/*
 * act     runs without memory, and with memory once more where it answered an error: then it must
 *         succeed. It answers what the first call that fails does.
 * check   with memory, after an act that came through.
 * allowed what act may answer without memory, beside what any may: bits 1 << status.
 */
typedef struct famine_scenario {
	const char *name;
	uint32_t needs;
	uint32_t allowed;
	stepbus_status (*act)(famine_world *w);
	void (*prepare)(famine_world *w);
	void (*check)(famine_world *w);
} famine_scenario;

struct famine_world {
	const famine_scenario *scenario;
	bool is_on_disk;
	char database[FAMINE_TEXT_LEN];
	stepbus_error err;
	stepbus_host host;
	_Atomic(int64_t) passed_us;  /* since the world began, by its clock */
	_Atomic(int64_t) rushing_us; /* when its clock began to rush; 0: it stands still */
	stepbus_bridge *bridge;
	stepbus_registry *registry;
	stepbus *engine;
	stepbus_worker *worker;
	/* A second engine on the same file, whose clock stands still: it lets its leases run out. */
	stepbus *other;
	stepbus_worker *other_worker;
	stepbus_host other_host;
	stepbus_subscriber *subscriber;
	stepbus_execution_subscriber *executor;
	struct sqlite3 *connection;
	stepbus_step_event events[4]; /* polled and not answered */
	size_t event_count;
	stepbus_step_event taken; /* by the other engine */
	uint8_t step_id[16];      /* of the step that prepare enqueued */
	uint64_t subscription;
	int turn; /* how often act has begun */

	uint8_t steps[FAMINE_STEP_MAX][16]; /* acknowledged */
	_Atomic(size_t) step_count;
	size_t extra_max;              /* so many more may be there, which a cron entry enqueued */
	_Atomic(int) given, destroyed; /* destroys */
	_Atomic(int) delivered;        /* events */
	_Atomic(int) accepted, answered; /* calls that are answered later, and answers */
	struct famine_ran {
		uint8_t step_id[16];
		uint64_t token;
	} runs[FAMINE_RUN_MAX];
	_Atomic(size_t) run_count;
	char breach[FAMINE_TEXT_LEN]; /* the first one */
};

/* False, with a breach, where it cannot be made. */
bool famine_world_begin(famine_world *w, const famine_scenario *scenario, bool is_on_disk,
			const char *directory);
/* Ends all there is, by the calls for it; each must answer what it may. Meanwhile the clock rushes. */
void famine_world_end(famine_world *w);
/* With memory: every acknowledged step is there and no other, and settles where it has to. */
void famine_world_check(famine_world *w);
/* After the end: the database is whole, destroys ran once, no attempt ran twice. */
void famine_world_check_remains(famine_world *w);

__attribute__((format(printf, 2, 3))) void famine_breach(famine_world *w, const char *format, ...);

/* Waits until every call that was accepted is answered. */
void famine_await_answers(famine_world *w);
/* Lets its clock go on, and the engine see it. */
stepbus_status famine_pass(famine_world *w, int64_t ms);
/* Opens the engine of a world with these keys beside its store, or NULL. */
stepbus_status famine_open(famine_world *w, const char *keys, stepbus **out);
/* The second engine, with a pull worker for queue "left". */
stepbus_status famine_open_other(famine_world *w);
/* Until what works behind an act comes to rest, as far as it asks for memory; not for long. */
void famine_let_work(void);
stepbus_status famine_start_worker(famine_world *w, const char *config, stepbus_worker **out);
/* Notes what was acknowledged. */
void famine_acknowledge(famine_world *w, const uint8_t step_id[16]);
/* Enqueues one step, notes it, and gives its id to the world. */
stepbus_status famine_put(famine_world *w, const stepbus_step_spec *spec);
stepbus_step_spec famine_spec(const char *handler, const char *input);
/* Polls what there is, behind the world's events. */
stepbus_status famine_poll(famine_world *w, int64_t timeout_ms);
stepbus_completion famine_answer(const stepbus_step_event *event, int32_t outcome);
/* Frees a text; a breach where an error left one, or success none. */
stepbus_status famine_text(famine_world *w, stepbus_status status, stepbus_text *text);
/* The same for a call that writes a text; the call comes first. */
#define FAMINE_TEXT(w, text, call) famine_text_of(w, call, &(text))
stepbus_status famine_text_of(famine_world *w, stepbus_status status, stepbus_text **text);
/* With user_data the world. */
void famine_destroy(void *world);
int32_t famine_deliver(void *world, uint32_t event_id, const void *payload, size_t len);
/* Registers handlers that a world's engine or registry has from the start. */
stepbus_status famine_register(famine_world *w, stepbus_registry *registry, const char *name,
			       uint32_t flags);

/* Ends act at the first call that fails. */
#define FAMINE_TRY(call)                         \
	do {                                     \
		stepbus_status status_ = (call); \
		if (status_ != STEPBUS_OK)       \
			return status_;          \
	} while (0)

typedef struct famine_scenarios {
	const famine_scenario *scenarios;
	size_t count;
} famine_scenarios;

extern const famine_scenarios famine_library;
extern const famine_scenarios famine_bridge;
extern const famine_scenarios famine_registry;
extern const famine_scenarios famine_execution;
extern const famine_scenarios famine_engine;
extern const famine_scenarios famine_steps;
extern const famine_scenarios famine_queries;
extern const famine_scenarios famine_pull;
extern const famine_scenarios famine_worker;
extern const famine_scenarios famine_controls; /* each must be reported */

#define FAMINE_SCENARIOS(name, rows) \
	const famine_scenarios name = { rows, sizeof(rows) / sizeof *(rows) }

#endif
