/* SPDX-License-Identifier: MIT */
#include "bindings/node/src/block.h"

#include <stdlib.h>
#include <string.h>

#include "bindings/node/src/trouble.h"

enum { WORD = 4, RECORD_COUNT_MAX = 100000 };

static void *copy(const void *from, size_t len)
{
	void *to = malloc(len > 0 ? len : 1);

	if (to != NULL && len > 0)
		memcpy(to, from, len);
	return to;
}

static bool read_records(const sbn_layout *layout, const sbn_block *block, char *structs,
			 size_t count)
{
	const size_t stride = sbn_record_word_count(layout);

	for (size_t i = 0; i < count; i++) {
		if (!sbn_record_read(layout, block, i * stride, structs + i * layout->size))
			return false;
	}
	return true;
}

bool sbn_block_read(const sbn_arguments *args, size_t words_at, const sbn_layout *layout,
		    sbn_block *block, void **structs, size_t *count)
{
	const size_t stride = sbn_record_word_count(layout);
	const uint32_t *words;
	const char *bytes;
	size_t word_count;

	if (!sbn_argument_words(args, words_at, "records", &words, &word_count) ||
	    !sbn_argument_bytes(args, words_at + 1, "bytes", &bytes, &block->bytes_len))
		return false;
	*count = word_count / stride;
	if (word_count % stride != 0 || *count < 1 || *count > RECORD_COUNT_MAX) {
		sbn_throw(args->env, STEPBUS_EINVAL, "records must be 1 to 100,000 whole records");
		return false;
	}
	block->words = copy(words, word_count * WORD);
	block->bytes = copy(bytes, block->bytes_len);
	*structs = malloc(*count * layout->size);
	if (block->words == NULL || block->bytes == NULL || *structs == NULL)
		sbn_throw_memory(args->env);
	else if (read_records(layout, block, *structs, *count))
		return true;
	else
		sbn_throw(args->env, STEPBUS_EINVAL, "a text of a record lies outside of bytes");
	sbn_block_free(block);
	free(*structs);
	*structs = NULL;
	return false;
}

void sbn_block_free(sbn_block *block)
{
	free(block->words);
	free(block->bytes);
	block->words = NULL;
	block->bytes = NULL;
}
