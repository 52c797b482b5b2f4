/* SPDX-License-Identifier: MIT */
/*
 * What a host was told while something failed, kept in memory that the judge shares with it: what was
 * acknowledged is there whatever becomes of the process, and noting it takes no system call, since
 * those are what fails. A step is known by its place, which is in its input.
 */
#ifndef TESTS_TORTURE_RECORD_H
#define TESTS_TORTURE_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { RECORD_STEP_MAX = 4096, RECORD_TROUBLE_LEN = 512, RECORD_INPUT_LEN = 16 };

/* What a call answered. */
typedef enum said {
	SAID_NOTHING,
	SAID_UNSURE,  /* called, and not answered; or an error that leaves it open */
	SAID_REFUSED, /* an error that promises that nothing was changed */
	SAID_OK,
} said;

typedef struct record_step {
	_Atomic(said) enqueued;
	_Atomic(said) cancelled;
	uint8_t id[16];                /* where it was acknowledged */
	_Atomic(uint32_t) ok_count;    /* successes that complete took, each by another token */
	_Atomic(uint64_t) ok_token;    /* the last of them */
	_Atomic(uint32_t) event_count; /* successes that step.completion.sent told */
	_Atomic(uint64_t)
		run_token; /* of the last run of its handler; each is of a later attempt */
} record_step;

typedef struct record {
	_Atomic(uint32_t) step_count;
	_Atomic(uint32_t)
		acknowledged_count;     /* calls that answered STEPBUS_OK and changed something */
	_Atomic(uint32_t) failed_count; /* calls that answered with an error of the world */
	_Atomic(uint32_t) log_count;    /* records that the engine logged */
	_Atomic(uint32_t) run_count;    /* runs of a handler, each of an attempt of its own */
	_Atomic(int64_t) ok_begun_us;   /* when the last of those that were OK was called */
	_Atomic(uint32_t) stage;        /* how far the life came, for who looks at a dead one */
	_Atomic(uint32_t) is_released;
	_Atomic(uint32_t) has_trouble;
	char trouble[RECORD_TROUBLE_LEN]; /* the first violation that the process itself saw */
	record_step steps[RECORD_STEP_MAX];
} record;

/* In memory that children share; NULL: there is none. */
record *record_new(void);
void record_free(record *r);
void record_clear(record *r);
/* Only the first one is kept. */
void record_complain(record *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The place of a new step, and its input; -1: there is no room. */
int record_begin_step(record *r, char input[RECORD_INPUT_LEN]);
/* The place that an input names; -1: none. */
int record_place_of(const record *r, const void *input, uint64_t len);
said record_said_of(int32_t status);

/*
 * Reads the file with SQLite alone and holds it against the record: it is sound; what was
 * acknowledged is there; what was refused is not; nothing is there that nobody asked for. Adds what is
 * wrong to the trouble of the record. False where something is.
 */
bool record_judge(record *r, const char *path);

#endif
