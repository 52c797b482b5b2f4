/* SPDX-License-Identifier: MIT */
/*
 * What a database says, read by SQL through a connection of its own and reduced to numbers: which
 * steps there are and how far they have come. Texts and bytes are digests.
 */
#ifndef TESTS_TORTURE_POWER_FACTS_H
#define TESTS_TORTURE_POWER_FACTS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct step_fact {
	int64_t id;
	uint64_t input;
	int64_t state;
	int64_t token;
	int64_t attempt_count;
	uint64_t result; /* of none: the digest of no bytes */
	int64_t checkpoint_token;
	uint64_t cursor;
} step_fact;

typedef struct attempt_fact {
	int64_t step;
	int64_t token;
	int64_t outcome;
	uint64_t error;
} attempt_fact;

/* A queue (value: whether it is paused) or a cron entry (value: of its step), by its name. */
typedef struct name_fact {
	uint64_t name;
	uint64_t value;
} name_fact;

typedef struct facts {
	int64_t format; /* 0: no store yet */
	uint64_t tag;
	uint64_t content; /* of all rows of all tables */
	step_fact *steps; /* by id */
	size_t step_count, step_room;
	attempt_fact *attempts; /* by step and token */
	size_t attempt_count, attempt_room;
	name_fact *queues;
	size_t queue_count, queue_room;
	name_fact *crons;
	size_t cron_count, cron_room;
} facts;

/* False where a statement fails; the message is the connection's. */
bool facts_read(facts *f, sqlite3 *db);
void facts_free(facts *f);
bool facts_equal(const facts *a, const facts *b);
/* NULL: there is none. */
const step_fact *facts_step(const facts *f, int64_t id);
const attempt_fact *facts_attempt(const facts *f, int64_t step, int64_t token);
const name_fact *facts_queue(const facts *f, uint64_t name);
const name_fact *facts_cron(const facts *f, uint64_t name);

#endif
