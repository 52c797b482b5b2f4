/* SPDX-License-Identifier: MIT */
#include "handlers/retry.h"

#include "base/hash.h"
#include "include/stepbus.h"

const sb_retry_policy sb_retry_policy_default = {
	.kind = STEPBUS_RETRY_EXPONENTIAL,
	.attempt_count_max = 5,
	.base_us = 1000000,
	.cap_us = 300000000,
	.jitter_percent = 10,
};

static void fill(sb_retry_policy *policy, const sb_retry_policy *from)
{
	if (policy->kind == STEPBUS_RETRY_DEFAULT && from->kind <= STEPBUS_RETRY_FIBONACCI)
		policy->kind = from->kind;
	if (policy->attempt_count_max == 0)
		policy->attempt_count_max = from->attempt_count_max;
	if (policy->base_us == 0 && from->base_us > 0)
		policy->base_us = from->base_us;
	if (policy->cap_us == 0 && from->cap_us > 0)
		policy->cap_us = from->cap_us;
	if (policy->jitter_percent == 0 && from->jitter_percent <= 100)
		policy->jitter_percent = from->jitter_percent;
}

sb_retry_policy sb_retry_policy_resolve(const sb_retry_policy *step, const sb_retry_policy *handler,
					const sb_retry_policy *otherwise)
{
	sb_retry_policy policy = { 0 };

	fill(&policy, step);
	fill(&policy, handler);
	fill(&policy, otherwise);
	return policy;
}

/* a and factor are not negative; what no longer fits is as long as can be. */
static int64_t multiply(int64_t a, int64_t factor)
{
	int64_t product;

	return __builtin_mul_overflow(a, factor, &product) ? INT64_MAX : product;
}

/* The n-th of 1, 1, 2, 3, 5, ... The 92nd is the last one that fits. */
static int64_t fibonacci(uint32_t n)
{
	int64_t last = 0, next = 1;

	if (n > 92)
		return INT64_MAX;
	while (--n > 0) {
		int64_t sum = last + next;

		last = next;
		next = sum;
	}
	return next;
}

static int64_t backoff(const sb_retry_policy *policy, uint32_t n)
{
	int64_t base_us = policy->base_us > 0 ? policy->base_us : 0;

	switch (policy->kind) {
	case STEPBUS_RETRY_LINEAR:
		return multiply(base_us, n);
	case STEPBUS_RETRY_EXPONENTIAL:
		return multiply(base_us, n < 64 ? INT64_C(1) << (n - 1) : INT64_MAX);
	case STEPBUS_RETRY_FIBONACCI:
		return multiply(base_us, fibonacci(n));
	default:
		return base_us;
	}
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Draws from what of [delay - percent, delay + percent] the cap leaves. */
static int64_t draw(int64_t delay_us, uint32_t percent, int64_t cap_us, uint64_t random)
{
	int64_t part = percent < 100 ? percent : 100;
	int64_t spread = delay_us / 100 * part + delay_us % 100 * part / 100;
	int64_t low = delay_us - spread;
	int64_t high = spread < cap_us - delay_us ? delay_us + spread : cap_us;
	uint64_t width = (uint64_t)(high - low) + 1;

	return low + (int64_t)(uint64_t)((sb_uint128)random * width >> 64);
}

/* Why there is no retry; NULL where there is one. */
static const char *reason_against(const sb_retry_policy *policy, const sb_retry_failure *failure)
{
	if (!failure->is_retryable)
		return "not_retryable";
	if (policy->kind <= STEPBUS_RETRY_NONE || policy->kind > STEPBUS_RETRY_FIBONACCI)
		return "no_retries";
	if (failure->attempt_count >= policy->attempt_count_max)
		return "attempts_used_up";
	return NULL;
}

void sb_retry_decide(const sb_retry_policy *policy, const sb_retry_failure *failure,
		     sb_retry_decision *decision)
{
	int64_t cap_us = policy->cap_us > 0 ? policy->cap_us : 0;
	uint32_t n = failure->attempt_count > 0 ? failure->attempt_count : 1;
	const char *reason = reason_against(policy, failure);

	*decision = (sb_retry_decision){ .is_retried = reason == NULL, .reason = reason };
	if (reason != NULL)
		return;
	if (failure->retry_after_us >= 0) {
		decision->delay_us = smaller(failure->retry_after_us, cap_us);
		decision->reason = "retry_after";
		return;
	}
	decision->delay_us = draw(smaller(backoff(policy, n), cap_us), policy->jitter_percent,
				  cap_us, failure->random);
	decision->reason = "backoff";
}
