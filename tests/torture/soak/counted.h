/* SPDX-License-Identifier: MIT */
/*
 * Memory, counted by whose it is: the engine's (through the host that it is lent) and SQLite's, in bytes
 * as the allocator counts them. What is left of all that is in use is everybody else's: libevent's,
 * cJSON's, and what handlers lose. Any thread.
 */
#ifndef TESTS_TORTURE_SOAK_COUNTED_H
#define TESTS_TORTURE_SOAK_COUNTED_H

#include <stdint.h>

#include "include/stepbus.h"

/* Before anybody uses SQLite. */
void counted_begin(void);
/* A host whose blocks are counted as the engine's. */
stepbus_host counted_host(void);
int64_t counted_engine_bytes(void);
int64_t counted_sqlite_bytes(void);

#endif
