/* SPDX-License-Identifier: MIT */
/*
 * Records that came from JavaScript, copied, so that nothing which happens there meanwhile matters to
 * a task that reads them, and made into an array of structs.
 */
#ifndef SBN_BLOCK_H
#define SBN_BLOCK_H

#include "bindings/node/src/arguments.h"
#include "bindings/node/src/record.h"

/*
 * Reads the arguments words_at (a Uint32Array of records) and words_at + 1 (a Uint8Array). structs is
 * an array of *count, at least one, whose texts point into the block. Both are freed with
 * sbn_block_free and free. False with an exception thrown.
 */
bool sbn_block_read(const sbn_arguments *args, size_t words_at, const sbn_layout *layout,
		    sbn_block *block, void **structs, size_t *count);

void sbn_block_free(sbn_block *block);

#endif
