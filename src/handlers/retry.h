/* SPDX-License-Identifier: MIT */
/*
 * Whether a failed attempt is followed by another one, and when. Pure.
 *
 * The n-th failure (n begins at 1) waits, before jitter:
 *   fixed         base
 *   linear        base * n
 *   exponential   base * 2^(n - 1): base after the first failure, then twice as long each time
 *   fibonacci     base * 1, 1, 2, 3, 5, ...
 * and never longer than the cap. Jitter of j percent draws the delay from [delay - j %, delay + j %],
 * all values alike; what of that lies past the cap is left out, so that many steps that are at their
 * cap do not come back at the same moment. 100 percent is anything from nothing to twice the delay.
 *
 * What the handler said (Retry-After) wins over the policy, up to the cap, and gets no jitter: it
 * is not ours to come earlier. It cannot bring back a step that may not be retried.
 */
#ifndef SB_HANDLERS_RETRY_H
#define SB_HANDLERS_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* In the parts of a policy, as steps and handlers give them, zero means "not said". */
typedef struct sb_retry_policy {
	uint32_t kind;              /* STEPBUS_RETRY_... */
	uint32_t attempt_count_max; /* the first one included */
	int64_t base_us;
	int64_t cap_us;
	uint32_t jitter_percent; /* 1 to 100 */
} sb_retry_policy;

typedef struct sb_retry_failure {
	uint64_t random;        /* where in the jitter this one falls */
	int64_t retry_after_us; /* less than 0: the handler did not say */
	uint32_t attempt_count; /* charged so far, this one included */
	bool is_retryable;
} sb_retry_failure;

typedef struct sb_retry_decision {
	bool is_retried;
	int64_t delay_us;   /* from 0 to the cap */
	const char *reason; /* a literal: a word for logs and events */
} sb_retry_decision;

/* Exponential from 1 s to 300 s, 10 % jitter, 5 attempts. */
extern const sb_retry_policy sb_retry_policy_default;

/*
 * Field by field what the step says, else the handler, else the default. What no policy may hold (a
 * kind that is none, a time below 0, more than 100 percent) counts as not said.
 */
sb_retry_policy sb_retry_policy_resolve(const sb_retry_policy *step, const sb_retry_policy *handler,
					const sb_retry_policy *otherwise);

/* Of a policy that was resolved; of any other, no retry is the answer to what is not said. */
void sb_retry_decide(const sb_retry_policy *policy, const sb_retry_failure *failure,
		     sb_retry_decision *decision);

#endif
