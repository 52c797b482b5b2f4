/* SPDX-License-Identifier: MIT */
#include "handlers/overtime.h"

#include "handlers/submit.h"

enum { LATE_MAX = 16, NS_PER_MS = 1000000 };

/* Those that are found in one walk. */
typedef struct overtime {
	int64_t now_ns;
	int64_t next_ns;
	size_t count;
	sb_claimed *late[LATE_MAX];
} overtime;

static int64_t silence_ends_ns(const sb_claimed *claimed)
{
	int64_t silence_ms = claimed->worker->options.silence_timeout_ms;

	if (silence_ms == 0 || atomic_load(&claimed->is_polled) == 0)
		return INT64_MAX;
	return atomic_load(&claimed->noticed_ns) + silence_ms * NS_PER_MS;
}

int64_t sb_overtime_due_ns(const sb_claimed *claimed)
{
	int64_t deadline_ns = atomic_load(&claimed->deadline_ns);
	int64_t silence_ns = silence_ends_ns(claimed);

	return deadline_ns != 0 && deadline_ns < silence_ns ? deadline_ns : silence_ns;
}

static bool note_late(void *context, sb_claimed *claimed)
{
	overtime *over = context;
	int64_t due_ns;

	if (atomic_load(&claimed->phase) != SB_CLAIMED_RUNNING)
		return true;
	due_ns = sb_overtime_due_ns(claimed);
	if (due_ns > over->now_ns) {
		if (due_ns < over->next_ns)
			over->next_ns = due_ns;
		return true;
	}
	sb_claimed_ref(claimed);
	over->late[over->count++] = claimed;
	return over->count < LATE_MAX;
}

static void end(const overtime *over, sb_claimed *claimed)
{
	static const sb_submit_failure timed_out = {
		.error_type = "timed_out",
		.message = "the attempt took longer than its timeout allows",
		.is_retryable = true,
		.attempt_outcome = SB_ATTEMPT_TIMED_OUT,
		.interruption = STEPBUS_ETIMEDOUT,
	};
	static const sb_submit_failure silent = {
		.error_type = "host_silent",
		.message = "the host polled the step and was silent about it for longer than "
			   "silence_timeout_ms",
		.is_retryable = true,
		.attempt_outcome = SB_ATTEMPT_TIMED_OUT,
		.interruption = STEPBUS_ETIMEDOUT,
	};
	int64_t deadline_ns = atomic_load(&claimed->deadline_ns);
	bool is_overdue = deadline_ns != 0 && deadline_ns <= over->now_ns;

	(void)sb_submit_failure_of(claimed, is_overdue ? &timed_out : &silent);
}

int64_t sb_overtime_end(stepbus *engine)
{
	overtime over = { .now_ns = sb_clock_elapsed_ns(&engine->host), .next_ns = INT64_MAX };

	sb_claimed_table_each(&engine->claimed, note_late, &over);
	for (size_t i = 0; i < over.count; i++) {
		end(&over, over.late[i]);
		sb_claimed_unref(&engine->host, over.late[i]);
	}
	return over.count == LATE_MAX ? over.now_ns : over.next_ns;
}
