/* SPDX-License-Identifier: MIT */
/*
 * Handing every exported function what it must refuse. Each function has one row; the rows stand in
 * the bad_*.c beside this, test_bad_input.c runs them and compares them with the header.
 */
#ifndef TESTS_SUPPORT_BAD_INPUT_H
#define TESTS_SUPPORT_BAD_INPUT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "include/stepbus.h"
#include "support/cmocka.h"

/* What a row works on: a started bridge, an empty registry, an engine in memory; no test_host. */
typedef struct test_bad {
	stepbus_bridge *bridge;
	stepbus_registry *registry;
	stepbus *engine;
	_Atomic(int) destroyed;
} test_bad;

typedef struct test_bad_row {
	const char *function;
	void (*run)(test_bad *b);
} test_bad_row;

typedef struct test_bad_rows {
	const test_bad_row *rows;
	size_t count;
} test_bad_rows;

extern const test_bad_rows test_bad_library;
extern const test_bad_rows test_bad_bridge;
extern const test_bad_rows test_bad_payload;
extern const test_bad_rows test_bad_registry;
extern const test_bad_rows test_bad_execution;
extern const test_bad_rows test_bad_engine;
extern const test_bad_rows test_bad_worker;
extern const test_bad_rows test_bad_pull;
extern const test_bad_rows test_bad_step;
extern const test_bad_rows test_bad_enqueue_in;
extern const test_bad_rows test_bad_control;
extern const test_bad_rows test_bad_query;
extern const test_bad_rows test_bad_queue;
extern const test_bad_rows test_bad_cron;

enum {
	BAD_LONG_LEN = 10 * 1024 * 1024,
	BAD_NAME_COUNT = 10,
	BAD_ID_COUNT = 4,
	BAD_JSON_COUNT = 12
};

typedef struct test_bad_text {
	const char *data;
	size_t len;
} test_bad_text;

/* BAD_LONG_LEN letters. */
const char *test_bad_long(void);
/* BAD_NAME_COUNT texts that are no name of anything: missing, empty, too long, not UTF-8, … */
const test_bad_text *test_bad_names(void);

/* BAD_JSON_COUNT texts that are no JSON object of anything. */
const test_bad_text *test_bad_json(void);
/* BAD_ID_COUNT ids of 16 bytes that no step of the engine has; one is of a step of another store. */
const uint8_t (*test_bad_ids(void))[16];
/* Enqueues one step of a handler that nobody has, and gives its id. */
void test_bad_enqueue(stepbus *engine, uint8_t id[16]);

/* Fails the test where status is not the expected one, or a refusal leaves err without a message. */
void test_bad_check(stepbus_status status, stepbus_status expected, const stepbus_error *err,
		    const char *call, int line);

/*
 * Evaluates a call twice, with an error to write to and without one; in it, err is that error.
 */
#define BAD(expected, call)                                                             \
	do {                                                                            \
		stepbus_error bad_error = STEPBUS_ERROR_INIT;                           \
		stepbus_error *err = &bad_error;                                        \
		test_bad_check(call, (expected), err, #call, __LINE__);                 \
		err = NULL;                                                             \
		test_bad_check(call, (expected), NULL, #call " without err", __LINE__); \
	} while (0)

/* The same for a call that is given a destroy: it has run once each time. */
#define BAD_DESTROYED(b, expected, call)                                       \
	do {                                                                   \
		int bad_count = (b)->destroyed;                                \
		BAD(expected, call);                                           \
		if ((b)->destroyed != bad_count + 2)                           \
			fail_msg("%s: destroy ran %d times in 2 calls", #call, \
				 (b)->destroyed - bad_count);                  \
	} while (0)

/* A destroy that counts in the test_bad at user_data. */
void test_bad_destroy(void *user_data);

/*
 * Tries a struct with sizes that it cannot have, with a field that the library does not know, and
 * with a longer tail of zeros, which is fine. call hands the struct to the function under test and
 * undoes what that did.
 */
typedef struct test_bad_struct {
	const char *name;
	const void *good;
	size_t size;
	stepbus_status (*call)(test_bad *b, const void *given, stepbus_error *err);
} test_bad_struct;

void test_bad_sizes(test_bad *b, const test_bad_struct *s);
/* Sets each bit but those of known in the uint32_t at offset: each is refused. */
void test_bad_flags(test_bad *b, const test_bad_struct *s, size_t offset, uint32_t known);

#define BAD_STRUCT(value, call)                       \
	&(const test_bad_struct)                      \
	{                                             \
#value, &(value), sizeof(value), call \
	}

#endif
