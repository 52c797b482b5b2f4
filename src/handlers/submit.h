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
	int32_t attempt_outcome; /* an SB_ATTEMPT_… */
} sb_submit_failure;
/* False: the attempt has been ended by something else. */
bool sb_submit_failure_of(sb_claimed *claimed, const sb_submit_failure *failure);

/* A completion from outside; returns when it is durable. completion was checked. */
stepbus_status sb_submit_completion(stepbus *engine, const stepbus_completion *completion,
				    stepbus_error *err);

/* Submits again what failed for reasons that pass. By the clockwork, and by who stops a worker. */
void sb_submit_again(stepbus *engine);

#endif
