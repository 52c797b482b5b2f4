/* SPDX-License-Identifier: MIT */
/*
 * What stands between libFuzzer and a target. A target is one function, fuzz_one, which is given bytes
 * and says by ending the process (fuzz_fail) that a promise was broken. The driver measures: an input
 * that takes more than a second of CPU for each MiB, beyond a quarter of a second, is a finding too;
 * memory is limited by libFuzzer, and leaks are found by the host that a target lends (host.h).
 *
 * Without libFuzzer, replay.c gives a target the files of its corpus.
 */
#ifndef TESTS_FUZZ_DRIVER_H
#define TESTS_FUZZ_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The target's own. Called again and again by one thread; bytes are gone when it returns. */
void fuzz_one(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Says what was broken and where, and ends the process so that the input is kept. */
__attribute__((noreturn, format(printf, 3, 4))) void fuzz_fail(const char *file, int line,
							       const char *format, ...);

#define fuzz_check(condition)                                            \
	do {                                                             \
		if (!(condition))                                        \
			fuzz_fail(__FILE__, __LINE__, "%s", #condition); \
	} while (0)

#endif
