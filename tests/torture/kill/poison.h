/* SPDX-License-Identifier: MIT */
/*
 * Poison: handlers that do the worst they can to the process that runs them, and hosts that answer as
 * they must not. Each has a store of its own with one such step and some innocent ones beside it. A
 * row says what must be on record in the end; the innocent ones must all be completed.
 *
 * A row is played by processes: one or two that run handlers and are started anew when they die, and
 * a client that enqueues, waits, and says when all is over. They tell what they heard in a file of
 * facts. The judge only looks at the store and at the facts.
 */
#ifndef TESTS_TORTURE_KILL_POISON_H
#define TESTS_TORTURE_KILL_POISON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/stepbus.h"

enum { POISON_PATH_LEN = 256, POISON_LEASE_MS = 1000, POISON_PAYLOAD_LEN_MAX = 65536 };

/* A process of a row. */
typedef struct poison_host {
	const struct poison *row;
	const char *directory;
	stepbus *engine;
	stepbus_worker *worker; /* where it pulls */
} poison_host;

typedef struct poison {
	const char *name;
	/* One of the two: a handler of a pool, or what a host does that polled the step. */
	int32_t (*run)(void *host, const stepbus_context *context, stepbus_result *result);
	void (*answer)(poison_host *host, const stepbus_step_event *step);
	int64_t attempt_timeout_ms;
	int64_t silence_timeout_ms;
	int64_t memory_mib;      /* RLIMIT_AS, beyond what it has; 0: none */
	int64_t cancel_after_ms; /* the client cancels it then; 0: no */
	int64_t go_on_after_ms;  /* where it stops itself: when it is let go on; 0: it does not */
	int64_t innocent_ms;     /* how long the innocent ones take, in a pool */
	int host_count;          /* 0: one */

	const char *state;    /* what must be on record */
	const char *attempts; /* the outcomes, with blanks between them */
	const char *error;    /* the type of the last error; NULL: none */
	int deaths;           /* of processes, by the row's doing */
	const char *facts;    /* what was told; NULL: nothing */
	const char *result;   /* NULL: none */
	/*
	 * Where a process was stopped inside a transaction, nobody else could take its step; where the
	 * machine was too busy to renew a lease in time, somebody did.
	 */
	const char *attempts_else;
	const char *facts_else;
	const char *result_else;
	bool is_message_mended; /* the message is UTF-8, without NUL, of at most 8192 bytes */
} poison;

extern const poison poisons[];
extern const size_t poison_count;

/* The processes of a row, by which the program starts itself. */
int poison_play(const char *part, const char *directory, size_t row);
/* All rows at once, so many times over. Gives how many of them failed. */
int poison_run(const char *program, long rounds, int *passed);

/* One line of the file of facts. */
void poison_tell(const poison_host *host, const char *fact, int64_t value);

#endif
