/* SPDX-License-Identifier: MIT */
/*
 * What every store must do, whichever it is: the sentences of src/store/store.h as tests. A store
 * joins with one test_store_kind and one call of test_conformance_run.
 *
 * Each test gets a world of its own: a fresh store with two queues and two handlers, and a
 * test_host under it.
 */
#ifndef TESTS_SUPPORT_CONFORMANCE_H
#define TESTS_SUPPORT_CONFORMANCE_H

#include "store/store.h"
#include "support/cmocka.h"
#include "support/host.h"

enum { TEST_PLACE_LEN = 256 };

/* One sort of store. */
typedef struct test_store_kind {
	const char *name;
	bool is_durable; /* what is committed outlives a close */
	/* place: room for a path, written by make_place; both may be NULL. */
	void (*make_place)(char place[TEST_PLACE_LEN]);
	void (*end_place)(const char *place);
	stepbus_status (*open)(const stepbus_host *host, const char *place, sb_store **out,
			       stepbus_error *err);
} test_store_kind;

typedef struct test_store {
	const test_store_kind *kind;
	test_host t;
	char place[TEST_PLACE_LEN];
	sb_store *store;
	const sb_store_type *type;
	stepbus_error err;
	int64_t queue_ids[2];   /* "mail", "print" */
	int64_t handler_ids[2]; /* shop/send version 1, shop/bill without a version */
	int64_t worker_id;
	int64_t last_token;
	sb_slice keys[2]; /* that rows are given: the idempotency key and the unique key */
	int64_t steps[SB_STEP_STATE_MAX + 1]; /* made by test_store_fill: one in each state */
	int64_t other_worker_id;
	int64_t checkpointed_id; /* of a ready step */
} test_store;

/* Runs the suite; what main returns. */
int test_conformance_run(const test_store_kind *kind);

/* The suite, in parts. */
typedef struct test_part {
	const struct CMUnitTest *tests;
	size_t count;
} test_part;

test_part test_conformance_steps(void);
test_part test_conformance_moves(void);
test_part test_conformance_scans(void);
test_part test_conformance_names(void);
test_part test_conformance_workers(void);
test_part test_conformance_rows(void);
test_part test_conformance_checkpoints(void);
test_part test_conformance_rollback(void);
test_part test_conformance_reader(void);
test_part test_conformance_filter(void);
test_part test_conformance_random(void);

int test_store_setup(void **state);
int test_store_teardown(void **state);
#define STORE_TEST(name)                                                 \
	{                                                                \
#name, name, test_store_setup, test_store_teardown, NULL \
	}

/* A call that must succeed, and one that must give an answer. */
#define STORE_OK(w, call, ...) \
	test_store_answers((w), #call, (w)->type->call((w)->store, __VA_ARGS__, &(w)->err), 0)
#define STORE_ANSWERS(w, answer, call, ...)                                                 \
	test_store_answers((w), #call, (w)->type->call((w)->store, __VA_ARGS__, &(w)->err), \
			   (answer))
void test_store_answers(test_store *w, const char *call, stepbus_status status,
			stepbus_status wanted);
void test_begin(test_store *w);
void test_commit(test_store *w);
void test_rollback(test_store *w);
/* Closes the store and opens it again, where it is durable. */
void test_reopen(test_store *w);

/* A step of the first queue and handler with nothing special, and its first status. */
sb_step_row test_step_row(const test_store *w);
int64_t test_step_add(test_store *w, sb_step_row row, sb_step_status status);
/* A step that was brought to a state, as an engine brings it there. */
int64_t test_step_in(test_store *w, sb_step_state state);
sb_step_status test_status_of(test_store *w, int64_t id);
/* Moves a step from the status it has; fails where it was not done. Tokens are drawn for claims. */
void test_step_to(test_store *w, int64_t id, sb_step_event event, sb_step_status to);
void test_assert_same_status(const sb_step_status *a, const sb_step_status *b);
void test_assert_same_row(const sb_step_row *a, const sb_step_row *b);
void test_assert_slice(sb_slice slice, const void *data, size_t len);
void test_assert_text(sb_slice slice, const char *text);

/* Fills a store with some of everything. */
void test_store_fill(test_store *w);
/* All that can be asked of a store, as one text, which the caller frees. Between transactions. */
char *test_store_dump(test_store *w);

/* Something done inside a transaction to a store that is filled, which changes its dump. */
typedef struct test_store_act {
	const char *name;
	stepbus_status (*run)(test_store *w);
} test_store_act;

const test_store_act *test_store_acts(size_t *count);

#endif
