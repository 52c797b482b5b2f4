/* SPDX-License-Identifier: MIT */
/*
 * Steps and their attempts as JSON. Tokens are texts, since they pass what a double holds; bytes that
 * are no UTF-8 stand as base64 under another key. Pure but for the memory.
 */
#ifndef SB_HANDLERS_STEP_DOCUMENT_H
#define SB_HANDLERS_STEP_DOCUMENT_H

#include "base/json.h"
#include "store/store.h"

typedef enum sb_step_depth {
	SB_STEP_IN_LIST, /* what one looks for steps by, and how long their payloads are */
	SB_STEP_IN_FULL,
} sb_step_depth;

/* is_complete becomes false where memory ran out. */
sb_json *sb_step_document(const sb_store *store, const sb_step_view *view, sb_step_depth depth,
			  bool *is_complete);
sb_json *sb_attempt_document(const sb_store *store, const sb_attempt_row *row, sb_slice worker,
			     bool *is_complete);

#endif
