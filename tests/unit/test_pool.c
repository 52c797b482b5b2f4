/* SPDX-License-Identifier: MIT */
#include "base/pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/host.h"
#include "support/thread.h"

enum { OBJECT_LEN = 128, COUNT = 200 };

static void objects_are_zeroed_and_apart(void **state)
{
	static const char zeros[OBJECT_LEN];
	char *objects[COUNT];
	sb_pool *pool;
	test_host t;

	(void)state;
	test_host_init(&t);
	pool = sb_pool_new(&t.host, OBJECT_LEN);
	assert_non_null(pool);
	for (size_t i = 0; i < COUNT; i++) {
		objects[i] = sb_pool_take(pool);
		assert_non_null(objects[i]);
		assert_int_equal((uintptr_t)objects[i] % 64, 0);
		assert_memory_equal(objects[i], zeros, OBJECT_LEN);
		memset(objects[i], (int)(i + 1), OBJECT_LEN);
	}
	for (size_t i = 0; i < COUNT; i++) {
		for (size_t j = 0; j < OBJECT_LEN; j++)
			assert_int_equal((uint8_t)objects[i][j], (uint8_t)(i + 1));
		sb_pool_give(pool, objects[i]);
	}
	sb_pool_close(pool);
	test_host_end(&t);
}

static void what_was_given_back_is_taken_again_zeroed(void **state)
{
	static const char zeros[OBJECT_LEN];
	size_t allocation_count;
	void *object;
	sb_pool *pool;
	test_host t;

	(void)state;
	test_host_init(&t);
	pool = sb_pool_new(&t.host, OBJECT_LEN);
	object = sb_pool_take(pool);
	allocation_count = t.allocation_count;
	for (int i = 0; i < 1000; i++) {
		memset(object, 0x5A, OBJECT_LEN);
		sb_pool_give(pool, object);
		object = sb_pool_take(pool);
		assert_memory_equal(object, zeros, OBJECT_LEN);
	}
	assert_int_equal(t.allocation_count, allocation_count);
	sb_pool_give(pool, object);
	sb_pool_close(pool);
	test_host_end(&t);
}

static void objects_may_outlive_the_owner(void **state)
{
	void *objects[40];
	sb_pool *pool;
	test_host t;

	(void)state;
	test_host_init(&t);
	pool = sb_pool_new(&t.host, 16);
	for (size_t i = 0; i < 40; i++)
		objects[i] = sb_pool_take(pool);
	sb_pool_give(pool, objects[0]);
	sb_pool_close(pool);
	assert_true(t.live_count > 0);
	for (size_t i = 1; i < 40; i++) {
		memset(objects[i], 0x5A, 16);
		sb_pool_give(pool, objects[i]);
	}
	assert_int_equal(t.live_count, 0);
	test_host_end(&t);
}

static void no_pool_can_be_closed(void **state)
{
	(void)state;
	sb_pool_close(NULL);
}

static stepbus_status use(test_host *t, stepbus_error *err)
{
	sb_pool *pool = sb_pool_new(&t->host, OBJECT_LEN);
	void *objects[70] = { NULL };
	size_t count = 0;

	if (pool != NULL)
		while (count < 70 && (objects[count] = sb_pool_take(pool)) != NULL)
			count++;
	for (size_t i = 0; i < count; i++)
		sb_pool_give(pool, objects[i]);
	sb_pool_close(pool);
	if (count == 70)
		return STEPBUS_OK;
	(void)memcpy(err->message, "none", 5);
	return STEPBUS_ENOMEM;
}

static void no_memory_gives_nothing_and_keeps_the_rest(void **state)
{
	const test_scenario scenario = { .name = "use a pool", .run = use };

	(void)state;
	assert_true(test_fail_each_allocation(&scenario) >= 4);
}

typedef struct user {
	sb_pool *pool;
	char mark;
	uint32_t bad_count;
	test_thread thread;
} user;

static void take_and_give(void *context)
{
	user *u = context;

	for (int i = 0; i < 2000; i++) {
		char *objects[8];

		for (size_t j = 0; j < 8; j++) {
			objects[j] = sb_pool_take(u->pool);
			u->bad_count += objects[j][0] != 0;
			memset(objects[j], u->mark, OBJECT_LEN);
		}
		for (size_t j = 0; j < 8; j++) {
			u->bad_count += objects[j][OBJECT_LEN - 1] != u->mark;
			sb_pool_give(u->pool, objects[j]);
		}
	}
}

static void threads_share_a_pool(void **state)
{
	user users[3];
	sb_pool *pool;
	test_host t;

	(void)state;
	test_host_init(&t);
	pool = sb_pool_new(&t.host, OBJECT_LEN);
	for (size_t i = 0; i < 3; i++) {
		users[i] = (user){ .pool = pool, .mark = (char)('a' + i) };
		test_thread_start(&users[i].thread, take_and_give, &users[i]);
	}
	for (size_t i = 0; i < 3; i++) {
		test_thread_join(&users[i].thread);
		assert_int_equal(users[i].bad_count, 0);
	}
	sb_pool_close(pool);
	test_host_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_zeroed_and_apart),
		cmocka_unit_test(what_was_given_back_is_taken_again_zeroed),
		cmocka_unit_test(objects_may_outlive_the_owner),
		cmocka_unit_test(no_pool_can_be_closed),
		cmocka_unit_test(no_memory_gives_nothing_and_keeps_the_rest),
		cmocka_unit_test(threads_share_a_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
