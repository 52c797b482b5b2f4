/* SPDX-License-Identifier: MIT */
/*
 * What a handler says of its step: the texts are copies, so that the handler may free its own.
 * Lives on the stack of the subscriber that runs the handler; only an outcome that says something
 * allocates.
 */
#ifndef SB_HANDLERS_RESULT_H
#define SB_HANDLERS_RESULT_H

#include "base/text.h"

/* What is kept of the texts of a failure, whoever says it: more is cut off. */
enum {
	SB_ERROR_TYPE_LEN_MAX = 128,
	SB_ERROR_MESSAGE_LEN_MAX = 8192,
	SB_BACKTRACE_LEN_MAX = 65536,
};

/* The texts a result can have. */
typedef enum sb_result_part {
	SB_RESULT_BYTES,
	SB_RESULT_CONTENT_TYPE,
	SB_RESULT_ERROR_TYPE,
	SB_RESULT_ERROR_MESSAGE,
	SB_RESULT_ERROR_CODE,
	SB_RESULT_BACKTRACE,
	SB_RESULT_METADATA,
	SB_RESULT_PART_COUNT
} sb_result_part;

struct stepbus_result {
	const stepbus_host *host;
	int32_t outcome; /* 0: nothing was said */
	bool is_retryable;
	int64_t retry_after_ms; /* -1: not said */
	sb_slice parts[SB_RESULT_PART_COUNT];
	/* The copy behind a part; NULL where the part is a literal. */
	char *kept[SB_RESULT_PART_COUNT];
};

void sb_result_init(stepbus_result *result, const stepbus_host *host);
void sb_result_free(stepbus_result *result);

/*
 * What the host says. Running out of memory turns the outcome into a failure that may be retried.
 */
stepbus_status sb_result_succeed(stepbus_result *result, sb_slice bytes, stepbus_error *err);
/* failure was checked. */
stepbus_status sb_result_fail(stepbus_result *result, const stepbus_failure *failure,
			      stepbus_error *err);
/* Again after a while, and no attempt is charged. */
void sb_result_snooze(stepbus_result *result, int64_t delay_ms);
stepbus_status sb_result_set(stepbus_result *result, sb_result_part part, sb_slice text,
			     stepbus_error *err);

/*
 * What we say ourselves: needs no memory. error_type is a literal; the message is copied where it
 * can be.
 */
void sb_result_fail_plainly(stepbus_result *result, const char *error_type, const char *message,
			    bool is_retryable);

#endif
