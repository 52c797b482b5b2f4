/* SPDX-License-Identifier: MIT */
/*
 * What hosts say of steps: the results that come in by stepbus_complete and its like, for steps that
 * were polled here and for all others. All that one call brings becomes one batch of the writer, so it
 * shares a transaction.
 *
 * A step that was polled is the host's until an answer of it is durable or refused. Where the store
 * fails, it stays the host's: nothing is tried again behind its back.
 */
#ifndef SB_HANDLERS_ANSWER_H
#define SB_HANDLERS_ANSWER_H

#include "handlers/worker.h"

/* One completion, and what became of it. */
typedef struct sb_answer {
	const stepbus_completion *completion; /* checked; read before sb_answer_all returns */
	sb_claimed *claimed;                  /* begins as NULL */
	sb_settlement *own;                   /* likewise */
	stepbus_status status; /* not STEPBUS_OK: it was refused before, and is left out */
	bool is_taken;
	bool is_submitted;
	bool is_late; /* to an attempt that has ended here; the step is the host's still */
} sb_answer;

/*
 * Returns when all are durable or refused, each with its status. err gets the message of the first one
 * that was not refused before. Any thread.
 */
void sb_answer_all(stepbus *engine, sb_answer *answers, size_t count, stepbus_error *err);

#endif
