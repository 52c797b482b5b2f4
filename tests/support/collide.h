/* SPDX-License-Identifier: MIT */
/*
 * Keys that an outsider would pick to make a table with uthash's own hash slow: all of them have
 * one and the same hash, and so one bucket whatever the size of the table.
 */
#ifndef TESTS_SUPPORT_COLLIDE_H
#define TESTS_SUPPORT_COLLIDE_H

#include <stddef.h>
#include <stdint.h>

enum { TEST_COLLIDE_KEY_LEN = 12 };

/* Writes the key of an index; different indices give different keys. */
void test_collide_key(uint32_t index, uint8_t key[TEST_COLLIDE_KEY_LEN]);
/* What uthash's default function makes of a key. */
uint32_t test_collide_hash(const uint8_t *key, size_t len);

#endif
