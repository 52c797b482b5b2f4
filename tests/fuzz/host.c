/* SPDX-License-Identifier: MIT */
#include "fuzz/host.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "fuzz/driver.h"

enum { BLOCK_LEN_MAX = 1 << 27 };

static _Atomic(int64_t) live_count;
static _Atomic(int64_t) passed_us;
static _Atomic(int64_t) look_us; /* what each look at the elapsed clock takes */
static _Atomic(uint64_t) drawn;

static void *allocate(void *user_data, void *block, size_t len)
{
	void *moved;

	(void)user_data;
	if (len == 0) {
		if (block != NULL)
			atomic_fetch_sub(&live_count, 1);
		free(block);
		return NULL;
	}
	/* A length that came out of hostile bytes would be beyond this. */
	if (len > BLOCK_LEN_MAX)
		fuzz_fail(__FILE__, __LINE__, "a block of %zu bytes was asked for", len);
	moved = realloc(block, len);
	if (block == NULL && moved != NULL)
		atomic_fetch_add(&live_count, 1);
	return moved;
}

static int64_t now_us(void *user_data)
{
	(void)user_data;
	return FUZZ_NOW_US + atomic_load(&passed_us);
}

static int64_t elapsed_ns(void *user_data)
{
	(void)user_data;
	return (INT64_C(1000000) + atomic_fetch_add(&passed_us, atomic_load(&look_us))) * 1000;
}

static int32_t fill(void *user_data, void *bytes, size_t len)
{
	uint8_t *next = bytes;

	(void)user_data;
	for (size_t i = 0; i < len; i++) {
		uint64_t z = atomic_fetch_add(&drawn, 0x9E3779B97F4A7C15ULL);

		z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
		next[i] = (uint8_t)((z ^ (z >> 27)) >> 40);
	}
	return 0;
}

stepbus_host *fuzz_host(void)
{
	static stepbus_host host = { .size = sizeof host,
				     .log_level = STEPBUS_LOG_WARN,
				     .allocate = allocate,
				     .now_us = now_us,
				     .elapsed_ns = elapsed_ns,
				     .random = fill };

	return &host;
}

int64_t fuzz_host_live_count(void)
{
	return atomic_load(&live_count);
}

void fuzz_host_check_empty(void)
{
	if (atomic_load(&live_count) != 0)
		fuzz_fail(__FILE__, __LINE__, "%lld blocks were not given back",
			  (long long)atomic_load(&live_count));
}

void fuzz_host_advance(int64_t us)
{
	atomic_fetch_add(&passed_us, us);
}

void fuzz_host_let_run(void)
{
	atomic_store(&look_us, 100000);
}

void fuzz_host_reset(void)
{
	atomic_store(&look_us, 0);
	atomic_store(&passed_us, 0);
	atomic_store(&drawn, 1);
}
