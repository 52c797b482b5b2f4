/* SPDX-License-Identifier: MIT */
#include "fuzz/driver.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BASE_NS = 250000000, SECOND_NS = 1000000000, MIB = 1024 * 1024 };

void fuzz_fail(const char *file, int line, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	(void)fprintf(stderr, "%s:%d: broken: ", file, line);
	(void)vfprintf(stderr, format, list);
	(void)fputc('\n', stderr);
	va_end(list);
	abort();
}

static int64_t spent_ns(void)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
	return (int64_t)at.tv_sec * SECOND_NS + at.tv_nsec;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const int64_t begun_ns = spent_ns();
	const int64_t allowed_ns = BASE_NS + (int64_t)len * SECOND_NS / MIB;

	fuzz_one(bytes, len);
	if (spent_ns() - begun_ns > allowed_ns)
		fuzz_fail(__FILE__, __LINE__, "%zu bytes took %lld ms", len,
			  (long long)(spent_ns() - begun_ns) / 1000000);
	return 0;
}
