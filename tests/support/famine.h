/* SPDX-License-Identifier: MIT */
/*
 * Acts that run out of memory, somewhere in the middle. Each is tried in a world of its own with
 * every allocation failing in turn; where it failed it is done again with memory, and must then
 * succeed: whatever was begun has been undone.
 */
#ifndef TESTS_SUPPORT_FAMINE_H
#define TESTS_SUPPORT_FAMINE_H

#include <stdatomic.h>

#include "support/host.h"

typedef struct test_famine {
	test_host *t;
	stepbus_bridge *bridge;     /* started */
	stepbus_registry *registry; /* empty */
	_Atomic(int) given;         /* destroys that were handed in by test_famine_give */
	_Atomic(int) destroyed;     /* and those that ran */
	void *extra;                /* of the act's own, ended by end_extra before the world ends */
	void (*end_extra)(struct test_famine *f);
} test_famine;

typedef stepbus_status (*test_famine_act)(test_famine *f, stepbus_error *err);

/* Hands in a destroy: give it test_famine_destroy and f as user_data. */
void test_famine_give(test_famine *f);
void test_famine_destroy(void *user_data);

/* A breach of the rules: a status that no act may end with, and words for it. */
stepbus_status test_famine_breach(stepbus_error *err, const char *what);

/* has_log: as the test_host, else no record is built, so that every failure must be told. */
stepbus_status test_famine_try(test_host *t, stepbus_error *err, test_famine_act act, bool has_log);

/* A test that an act tells every failure to allocate with STEPBUS_ENOMEM. */
#define FAMINE_TEST(name, act)                                               \
	static stepbus_status run_##name(test_host *t, stepbus_error *err)   \
	{                                                                    \
		return test_famine_try(t, err, act, false);                  \
	}                                                                    \
	static void name(void **state)                                       \
	{                                                                    \
		const test_scenario scenario = { #name, run_##name, false }; \
		(void)state;                                                 \
		test_fail_each_allocation(&scenario);                        \
	}                                                                    \
	struct test_famine

/* A test that an act survives some failures: it says itself what is a breach. */
#define FAMINE_SURVIVAL(name, act)                                          \
	static stepbus_status run_##name(test_host *t, stepbus_error *err)  \
	{                                                                   \
		return test_famine_try(t, err, act, true);                  \
	}                                                                   \
	static void name(void **state)                                      \
	{                                                                   \
		const test_scenario scenario = { #name, run_##name, true }; \
		(void)state;                                                \
		test_fail_each_allocation(&scenario);                       \
	}                                                                   \
	struct test_famine

#endif
