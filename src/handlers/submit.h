/* SPDX-License-Identifier: MIT */
/*
 * The completion door of an engine: where the results of handlers, of time that is over, and of
 * hosts that complete steps themselves become settlements. Of everything that may end an attempt in
 * this process, one gets to: the others are told that they are late.
 */
#ifndef SB_HANDLERS_SUBMIT_H
#define SB_HANDLERS_SUBMIT_H

#include "handlers/engine.h"

/* The door that the engine's execution subscriber submits to. */
sb_completion_door sb_submit_door(stepbus *engine);

/* A failure of a claimed step that no handler reports; texts are literals or live as long as it. */
typedef struct sb_submit_failure {
	const char *error_type;
	const char *message;
	bool is_retryable;
	int32_t attempt_outcome;     /* an SB_ATTEMPT_… */
	stepbus_status interruption; /* what whoever runs it hears; STEPBUS_OK: nobody does */
} sb_submit_failure;
/* False: the attempt has been ended by something else. */
bool sb_submit_failure_of(sb_claimed *claimed, const sb_submit_failure *failure);

/* The same for one that is not begun after all; the message is copied. */
void sb_submit_refuse(sb_claimed *claimed, const sb_submit_failure *failure);

/*
 * Parts of the way that others go too. An attempt that runs may be ended by who moves it to another
 * phase; that one prepares and fills its settlement.
 */
bool sb_submit_win(sb_claimed *claimed, sb_claimed_phase phase);
void sb_submit_prepare(sb_claimed *claimed);
/* The handler of a step that is about to run: its timeouts and policy. STEPBUS_EINVAL: it may not. */
stepbus_status sb_submit_begin(sb_claimed *claimed, const stepbus_handler_spec *spec,
			       stepbus_error *err);
/* Counts an end that is durable. */
void sb_submit_count(const sb_settlement *s);

/* Submits again what failed for reasons that pass. By the clockwork. */
void sb_submit_again(stepbus *engine);

#endif
