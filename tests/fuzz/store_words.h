/* SPDX-License-Identifier: MIT */
/*
 * Operations on a store, as fuzz_store.c decodes and compares them: what an operation says, and what a
 * store answers to it, on a tape.
 */
#ifndef TESTS_FUZZ_STORE_WORDS_H
#define TESTS_FUZZ_STORE_WORDS_H

#include "fuzz/tape.h"
#include "store/store.h"

/* One store of the two, and what it told. */
typedef struct fuzz_side {
	sb_store *store;
	const sb_store_type *type;
	fuzz_tape tape;
} fuzz_side;

void fuzz_tell_status(fuzz_tape *tape, const sb_step_status *status);
/* Visitors; their context is a fuzz_tape. */
bool fuzz_tell_view(void *context, const sb_step_view *view);
bool fuzz_tell_attempt(void *context, const sb_attempt_row *row, sb_slice worker);
bool fuzz_tell_queue(void *context, const sb_queue_row *row);
bool fuzz_tell_worker(void *context, const sb_worker_row *row);
bool fuzz_tell_served(void *context, const sb_served_row *row);
bool fuzz_tell_cron(void *context, const sb_cron_row *row);
bool fuzz_tell_tally(void *context, sb_slice queue, sb_step_state state, int64_t count);

/* All that can be asked of a store outside of a transaction. */
void fuzz_tell_outside(fuzz_side *side);
/* All scans, lanes, counts; inside of one. */
void fuzz_tell_inside(fuzz_side *side);

#endif
