/* SPDX-License-Identifier: MIT */
/*
 * An engine under test: a directory, a clock that moves only when told, and engines on a store in
 * memory or on disk. What handlers ran and what the bridges told is recorded; a test waits for it
 * on a condition, with a generous limit, and never sleeps.
 *
 * Handlers and subscribers run on the engines' threads and never assert. One box at a time.
 */
#ifndef TESTS_SUPPORT_ENGINE_BOX_H
#define TESTS_SUPPORT_ENGINE_BOX_H

#include <stdatomic.h>

#include "handlers/engine.h"
#include "support/cmocka.h"
#include "support/host.h"
#include "support/tempdir.h"

enum {
	TEST_BOX_ENGINE_MAX = 4,
	TEST_BOX_HANDLER_MAX = 32,
	TEST_BOX_TEXT_LEN = 128,
	TEST_BOX_LIMIT_S = 60, /* for anything that is waited for */
};

/* One run of a handler: what it got. Texts are copies. */
typedef struct test_run {
	char handler[TEST_BOX_TEXT_LEN];
	uint8_t step_id[16];
	uint64_t token;
	uint32_t retry_count;
	uint32_t max_retries;
	int64_t at_us; /* by the lent clock */
	char *input;
	size_t input_len;
} test_run;

/* One event of a bridge. */
typedef struct test_note {
	stepbus *engine;
	char name[TEST_BOX_TEXT_LEN];
	uint8_t step_id[16]; /* zero: it tells of no step */
	char *text;          /* JSON; of a completion its result; ends in NUL */
	size_t len;
	int32_t outcome; /* of a completion */
	uint64_t token;
	char error_type[TEST_BOX_TEXT_LEN];
	char error_message[512];
} test_note;

typedef struct test_box test_box;
typedef struct test_handler test_handler;

/* What a handler does; runs behind the record. */
typedef int32_t (*test_act)(test_handler *handler, const stepbus_context *context,
			    stepbus_result *result);

struct test_handler {
	test_box *box;
	stepbus *engine;
	test_act act;
	char name[TEST_BOX_TEXT_LEN];
	_Atomic(int) run_count;
	void *object; /* for act */
};

struct test_box {
	test_host memory; /* counts blocks, fails allocations */
	stepbus_host host;
	test_tempdir dir;
	char path[TEST_PATH_LEN];
	bool is_on_disk;
	bool is_deaf; /* engines that are opened from now on are not listened to */
	stepbus_error err;
	_Atomic(int64_t) now_us;
	_Atomic(int64_t) elapsed_ns;
	_Atomic(uint64_t) random;
	_Atomic(uint32_t) famine_percent; /* of allocations that fail */
	_Atomic(uint32_t) starved_count;  /* those that did */
	stepbus *engine;                  /* the first one */
	stepbus *engines[TEST_BOX_ENGINE_MAX];
	size_t engine_count;
	test_handler handlers[TEST_BOX_HANDLER_MAX];
	size_t handler_count;
	uint32_t probe_count;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	test_run *runs;
	size_t run_count;
	test_note *notes;
	size_t note_count;
	bool is_open;         /* the gate of test_act_wait */
	size_t waiting_count; /* handlers before it */
	int answered_count;   /* calls of test_box_enqueued */
	stepbus_status answers[256];
	void (*on_note)(test_box *box, const test_note *note, const void *payload, size_t len);
};

/* For cmocka; the state is the box, without an engine. */
int test_box_setup_memory(void **state);
int test_box_setup_sqlite(void **state);
int test_box_teardown(void **state);

#define BOX_TEST_IN_MEMORY(test)                                                        \
	{                                                                               \
#test " (memory)", test, test_box_setup_memory, test_box_teardown, NULL \
	}
#define BOX_TEST_ON_DISK(test)                                                          \
	{                                                                               \
#test " (sqlite)", test, test_box_setup_sqlite, test_box_teardown, NULL \
	}
#define BOX_TEST(test) BOX_TEST_IN_MEMORY(test), BOX_TEST_ON_DISK(test)

/* Fails the test, with the message of the box, where a call does not answer STEPBUS_OK. */
#define box_ok(box, call)                                                           \
	do {                                                                        \
		stepbus_status status_ = (call);                                    \
		if (status_ != STEPBUS_OK)                                          \
			fail_msg("%s: %d, %s", #call, status_, (box)->err.message); \
	} while (0)
/* Fails the test where a call answers another status, or has no word of this in its message. */
#define box_refused(box, status, word, call)                                                  \
	do {                                                                                  \
		stepbus_status status_ = (call);                                              \
		if (status_ != (status))                                                      \
			fail_msg("%s: %d, %s", #call, status_, (box)->err.message);           \
		if (strstr((box)->err.message, (word)) == NULL)                               \
			fail_msg("%s: '%s' is not in '%s'", #call, word, (box)->err.message); \
	} while (0)

/* An engine with these keys beside its store ("\"poll_ms\":10", or NULL). Its notes are kept. */
stepbus *test_box_open(test_box *box, const char *keys);
stepbus_status test_box_try_open(test_box *box, const char *keys, stepbus **out);
/* Closes one of them now; the rest is closed with the box. */
void test_box_close(test_box *box, stepbus *engine);
/* A worker of the engine with these keys, or NULL. */
stepbus_worker *test_box_work(test_box *box, stepbus *engine, const char *keys);

/* Registers a handler with this engine; spec may be NULL. */
test_handler *test_box_handle(test_box *box, stepbus *engine, const char *name, test_act act,
			      const stepbus_handler_spec *spec);
/* Acts: gives its input as its result; fails, retryable or not; waits at the gate. */
int32_t test_act_echo(test_handler *h, const stepbus_context *context, stepbus_result *result);
int32_t test_act_fail(test_handler *h, const stepbus_context *context, stepbus_result *result);
int32_t test_act_fail_for_good(test_handler *h, const stepbus_context *context,
			       stepbus_result *result);
int32_t test_act_wait(test_handler *h, const stepbus_context *context, stepbus_result *result);
/* Until the gate is open, or the handler is told to stop: what it was told, or STEPBUS_OK. */
stepbus_status test_box_pass_gate(test_box *box, const stepbus_context *context);
void test_box_open_gate(test_box *box);
void test_box_close_gate(test_box *box);
/* Wakes handlers at the gate, so that they look whether they should stop. */
void test_box_stir(test_box *box);

/* A spec that asks for this handler and has this text as its input. */
stepbus_step_spec test_box_spec(const char *handler, const char *input);
/* Enqueues one step, and gives its id. */
void test_box_put(test_box *box, stepbus *engine, const stepbus_step_spec *spec,
		  uint8_t step_id[16]);
/* The same for test_box_spec, without the id. */
void test_box_add(test_box *box, stepbus *engine, const char *handler, const char *input);
/* A stepbus_enqueued_fn whose user_data is the box. */
void test_box_enqueued(void *box, stepbus_status status, const stepbus_enqueued *results,
		       size_t count, const stepbus_error *err);

/* Moves both clocks and wakes the engines. */
void test_box_advance(test_box *box, int64_t us);
/* The same; returns when all that fell due meanwhile was released. Needs a worker of all queues. */
void test_box_pass(test_box *box, stepbus *engine, int64_t us);

/* Wait until so many of them were; or fail the test. Probes are those of test_box_pass. */
void test_box_await_runs(test_box *box, size_t count);
void test_box_await_probes(test_box *box, size_t count);
void test_box_await_notes(test_box *box, const char *name, size_t count);
void test_box_await_waiting(test_box *box, size_t count);
void test_box_await_answers(test_box *box, int count);
void test_box_await(test_box *box, bool (*is_met)(test_box *box, void *context), void *context);

/* Records what a handler gets, and what a bridge tells. */
void test_box_record_run(test_handler *handler, const stepbus_step_event *step);
void test_box_record(test_box *box, stepbus *engine, stepbus_bridge *bridge, uint32_t event_id,
		     const void *payload, size_t len);

/* Of what is recorded; probes are left out. */
size_t test_box_run_count(test_box *box);
size_t test_box_count_notes(test_box *box, const char *name);
/* The inputs of all runs, in their order, one behind the other. Valid until the next call. */
const char *test_box_journal(test_box *box);
/* The nth note (from 0) of a name; fails the test where there is none. Valid until the box ends. */
const test_note *test_box_note(test_box *box, const char *name, size_t n);
/* The names of all notes of a step, joined by blanks, execution.received left out. */
const char *test_box_story(test_box *box, const uint8_t step_id[16]);

/* What the store says of a step. */
typedef struct test_look {
	sb_step_status status;
	char result[256];
	size_t result_len;
	char error_type[TEST_BOX_TEXT_LEN];
	char error_message[512];
	int32_t error_outcome;
	size_t attempt_count; /* rows of attempts */
	int64_t retry_at_us[32];
	bool is_there;
} test_look;

test_look test_box_look(test_box *box, stepbus *engine, const uint8_t step_id[16]);
/* How many steps are in a state. */
size_t test_box_count_state(test_box *box, stepbus *engine, sb_step_state state);

/* Sets the limits of a queue in the store itself; name and id are filled in. */
void test_box_set_queue(test_box *box, stepbus *engine, const char *name, sb_queue_row row);

#endif
