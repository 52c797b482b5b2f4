/* SPDX-License-Identifier: MIT */
/*
 * The host that targets lend: memory that is counted, clocks that stand still, random bytes that are
 * the same in each run, so that an input which breaks something breaks it again. Any thread.
 */
#ifndef TESTS_FUZZ_HOST_H
#define TESTS_FUZZ_HOST_H

#include "include/stepbus.h"

/* 2026-11-21T10:30:45Z: what the clock shows until it is set. */
#define FUZZ_NOW_US INT64_C(1795257045000000)

/* One for the process; log is NULL. */
stepbus_host *fuzz_host(void);
/* The last call of log, where a target sets it, goes through its own function; this one counts blocks. */
int64_t fuzz_host_live_count(void);
/* Fails where the target has not given back all it took. */
void fuzz_host_check_empty(void);
/* Both clocks, by so much. */
void fuzz_host_advance(int64_t us);
/* From here on they go on, by themselves: what ends when a time is over does end. */
void fuzz_host_let_run(void);
/* Stops them, and sets them, and the random bytes, back to where they began. */
void fuzz_host_reset(void);

#endif
