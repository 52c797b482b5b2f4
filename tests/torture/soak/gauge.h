/* SPDX-License-Identifier: MIT */
/* What a process uses at a moment, as the system and its allocator say. */
#ifndef TESTS_TORTURE_SOAK_GAUGE_H
#define TESTS_TORTURE_SOAK_GAUGE_H

#include <stddef.h>
#include <stdint.h>

typedef struct gauge {
	uint64_t step_count;  /* until then; filled in by who knows */
	int64_t engine_bytes; /* of blocks that are allocated */
	int64_t sqlite_bytes;
	int64_t other_bytes; /* of all else in the process */
	size_t resident_bytes;
	size_t descriptor_count;
	size_t thread_count;
	size_t log_bytes; /* of the file beside the database */
} gauge;

void gauge_read(gauge *g, const char *database_path);

#endif
