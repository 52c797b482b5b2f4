/* SPDX-License-Identifier: MIT */
/*
 * Time zones for tests, written as TZif (RFC 8536) from a few changes and a rule, so that no test
 * needs the system's. test_zones holds some that really were.
 */
#ifndef TESTS_SUPPORT_TZIF_H
#define TESTS_SUPPORT_TZIF_H

#include <stddef.h>
#include <stdint.h>

#include "handlers/zone.h"

enum { TEST_TZIF_LEN = 4096, TEST_CHANGE_COUNT_MAX = 16 };

typedef struct test_change {
	int64_t at_s; /* 0 ends the list */
	int32_t offset_s;
} test_change;

typedef struct test_zone {
	const char *name;
	int32_t offset_s; /* before the first change */
	test_change changes[TEST_CHANGE_COUNT_MAX];
	const char *rule; /* NULL: version 1, which has none */
} test_zone;

/* Berlin, New_York, Kathmandu, Lord_Howe, Sao_Paulo, Casablanca, Apia, Fickle, Dublin. */
const test_zone *test_zone_named(const char *name);
/* Returns the length. */
size_t test_tzif_write(const test_zone *zone, uint8_t bytes[TEST_TZIF_LEN]);
/* The zone of that name, as stepbus reads it; NULL for "UTC". */
sb_zone *test_zone_new(const stepbus_host *host, const char *name);

#endif
