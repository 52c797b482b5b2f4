/* SPDX-License-Identifier: MIT */
/*
 * Records: how the structs of stepbus.h cross the line between JavaScript and C. A record is a run of
 * 32-bit words, in the order of a table here; a text in it is an offset and a length into a block of
 * bytes beside it, a 64-bit number its low and its high word, an id four words. JavaScript learns the
 * tables when it loads the addon, so that the order stands in one place. Pure: no JavaScript values
 * but in sbn_record_layouts; what comes from JavaScript is checked against the length of its block.
 */
#ifndef SBN_RECORD_H
#define SBN_RECORD_H

#include "bindings/node/src/api.h"

enum { SBN_TEXT = 0, SBN_INT64 = 1, SBN_INT32 = 2, SBN_ID = 3 };

/* One member of a struct: where it is and, of a text, where its length is. */
typedef struct sbn_field {
	const char *name;
	uint16_t kind;
	uint16_t at;
	uint16_t len_at;
	uint16_t is_shared; /* often the same in a whole batch, and then written once */
} sbn_field;

/* One struct. */
typedef struct sbn_layout {
	const char *name;
	const sbn_field *fields;
	uint32_t field_count;
	uint32_t size;
} sbn_layout;

extern const sbn_layout sbn_step_layout;
extern const sbn_layout sbn_handler_layout;
extern const sbn_layout sbn_completion_layout;
extern const sbn_layout sbn_event_layout;

/* Words and the bytes that they point into. */
typedef struct sbn_block {
	uint32_t *words;
	char *bytes;
	size_t bytes_len;
} sbn_block;

/* How many words a record of this layout has. */
size_t sbn_record_word_count(const sbn_layout *layout);

/* Fills a struct, whose texts then point into the block. False where one lies outside of it. */
bool sbn_record_read(const sbn_layout *layout, const sbn_block *block, size_t word_at, void *out);

/* How many bytes the texts of a struct need. */
size_t sbn_record_bytes(const sbn_layout *layout, const void *from);

/*
 * Writes a struct as the record at word_at, its texts behind *used. Shared texts that equal those of
 * the record at like_at (SIZE_MAX: none) are not written again.
 */
void sbn_record_write(const sbn_layout *layout, const void *from, const sbn_block *block,
		      size_t word_at, size_t like_at, size_t *used);

/* An object with an array of [name, kind] for each layout. */
napi_status sbn_record_layouts(napi_env env, napi_value *out);

#endif
