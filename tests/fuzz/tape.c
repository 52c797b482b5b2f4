/* SPDX-License-Identifier: MIT */
#include "fuzz/tape.h"

#include <stdio.h>
#include <stdlib.h>

#include "fuzz/driver.h"

enum { LINE_MAX = 1024 };

void fuzz_tape_clear(fuzz_tape *tape)
{
	tape->len = 0;
	tape->text[0] = '\0';
}

void fuzz_tape_word(fuzz_tape *tape, const char *word)
{
	const size_t len = strlen(word);

	fuzz_check(tape->len + len < FUZZ_TAPE_LEN);
	memcpy(tape->text + tape->len, word, len + 1);
	tape->len += len;
}

void fuzz_tape_number(fuzz_tape *tape, int64_t number)
{
	char word[32];

	(void)snprintf(word, sizeof word, " %lld", (long long)number);
	fuzz_tape_word(tape, word);
}

void fuzz_tape_slice(fuzz_tape *tape, sb_slice slice)
{
	uint64_t hash = 0xcbf29ce484222325ULL;
	char word[48];

	for (size_t i = 0; i < slice.len; i++)
		hash = (hash ^ (uint8_t)slice.data[i]) * 0x100000001b3ULL;
	(void)snprintf(word, sizeof word, " [%zu:%llx]", slice.len, (unsigned long long)hash);
	fuzz_tape_word(tape, word);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void fuzz_tape_sort(fuzz_tape *tape)
{
	static fuzz_tape sorted;
	char *lines[LINE_MAX], *next = tape->text, *end;
	size_t count = 0;

	for (; next != NULL && count < LINE_MAX; next = end) {
		end = strchr(next, '\n');
		if (end != NULL)
			*end++ = '\0';
		lines[count++] = next;
	}
	qsort(lines, count, sizeof *lines, compare);
	fuzz_tape_clear(&sorted);
	for (size_t i = 0; i < count; i++) {
		fuzz_tape_word(&sorted, lines[i]);
		fuzz_tape_word(&sorted, "\n");
	}
	*tape = sorted;
}
