/* SPDX-License-Identifier: MIT */
/*
 * What a store, or a model of one, said, written down so that two of them can be compared word by word.
 * Bytes are kept as their length and a hash.
 */
#ifndef TESTS_FUZZ_TAPE_H
#define TESTS_FUZZ_TAPE_H

#include "base/text.h"

enum { FUZZ_TAPE_LEN = 65536 };

typedef struct fuzz_tape {
	size_t len;
	char text[FUZZ_TAPE_LEN];
} fuzz_tape;

void fuzz_tape_clear(fuzz_tape *tape);
void fuzz_tape_word(fuzz_tape *tape, const char *word);
void fuzz_tape_number(fuzz_tape *tape, int64_t number);
void fuzz_tape_slice(fuzz_tape *tape, sb_slice slice);
/* Sorts the lines, for answers that come in no order. */
void fuzz_tape_sort(fuzz_tape *tape);

#endif
