/* SPDX-License-Identifier: MIT */
/* A table from any number to a small one; 0 where there is none. Grows, and is never asked to forget. */
#ifndef TESTS_TORTURE_NUMBERS_H
#define TESTS_TORTURE_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

typedef struct numbers {
	struct number_slot {
		int64_t key;
		uint32_t value; /* 0: the slot is empty */
	} * slots;
	size_t count;
	size_t room; /* a power of two */
} numbers;

uint32_t numbers_find(const numbers *n, int64_t key);
/* Gives what is there, after putting value there where it was none. value is not 0. */
uint32_t numbers_claim(numbers *n, int64_t key, uint32_t value);
void numbers_free(numbers *n);

#endif
