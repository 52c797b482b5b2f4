/* SPDX-License-Identifier: MIT */
/* Owns the counters that prove the work was done, and the functions that subscribers run. */
#include "bench/counters.h"

#include "bench/harness.h"

#include <stdatomic.h>

static uint64_t counters[BENCH_COUNTER_COUNT];
static _Thread_local uint64_t local_counter;
static atomic_uint_fast64_t flushed_work;

#define COUNT_FUNCTION(number)                                                                 \
	static int32_t count_##number(void *user_data, uint32_t event_id, const void *payload, \
				      size_t len)                                              \
	{                                                                                      \
		(void)event_id;                                                                \
		(void)len;                                                                     \
		*(uint64_t *)user_data += *(const uint64_t *)payload;                          \
		return 0;                                                                      \
	}

COUNT_FUNCTION(0)
COUNT_FUNCTION(1)
COUNT_FUNCTION(2)
COUNT_FUNCTION(3)
COUNT_FUNCTION(4)
COUNT_FUNCTION(5)
COUNT_FUNCTION(6)
COUNT_FUNCTION(7)
COUNT_FUNCTION(8)
COUNT_FUNCTION(9)
COUNT_FUNCTION(10)
COUNT_FUNCTION(11)
COUNT_FUNCTION(12)
COUNT_FUNCTION(13)
COUNT_FUNCTION(14)
COUNT_FUNCTION(15)

static const bench_count_fn count_functions[BENCH_COUNTER_COUNT] = {
	count_0, count_1, count_2,  count_3,  count_4,  count_5,  count_6,  count_7,
	count_8, count_9, count_10, count_11, count_12, count_13, count_14, count_15,
};

bench_count_fn bench_count_function(uint32_t index)
{
	return count_functions[index % BENCH_COUNTER_COUNT];
}

void *bench_counter(uint32_t index)
{
	return &counters[index % BENCH_COUNTER_COUNT];
}

int32_t bench_count_local(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)len;
	local_counter += *(const uint64_t *)payload;
	return 0;
}

void bench_count_signal(void *instance, void *payload, void *user_data)
{
	(void)instance;
	*(uint64_t *)user_data += *(const uint64_t *)payload;
}

void bench_count_signal_local(void *instance, void *payload, void *user_data)
{
	(void)instance;
	(void)user_data;
	local_counter += *(const uint64_t *)payload;
}

void bench_work_add(uint64_t count)
{
	atomic_fetch_add(&flushed_work, count);
}

void bench_work_flush(void)
{
	bench_work_add(local_counter);
	local_counter = 0;
}

uint64_t bench_work_done(void)
{
	uint64_t sum = atomic_load(&flushed_work);

	for (uint32_t i = 0; i < BENCH_COUNTER_COUNT; i++)
		sum += counters[i];
	return sum;
}
