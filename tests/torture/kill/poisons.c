/* SPDX-License-Identifier: MIT */
/* The table of poisons, and what the handlers among them do. */
#include "torture/kill/poison.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "torture/history/observer.h"
#include "torture/kill/poison_hosts.h"
#include "torture/kill/roles.h"

enum { LOOP_US = 1200000 };

static int32_t segfault(void *host, const stepbus_context *context, stepbus_result *result)
{
	(void)host;
	(void)context;
	(void)result;
	poison_fault();
	return 0;
}

/* While the innocent ones beside it are in the middle of their work. */
static int32_t segfault_late(void *host, const stepbus_context *context, stepbus_result *result)
{
	(void)host;
	(void)context;
	(void)result;
	role_pause_us(50000);
	poison_fault();
	return 0;
}

static int32_t abort_all(void *host, const stepbus_context *context, stepbus_result *result)
{
	(void)host;
	(void)context;
	(void)result;
	abort();
}

/* Runs what was registered with atexit, while the engine works. */
static int32_t exit_well(void *host, const stepbus_context *context, stepbus_result *result)
{
	(void)host;
	(void)context;
	(void)stepbus_result_success(result, "lie", 3, NULL);
	exit(3);
}

static int32_t exit_at_once(void *host, const stepbus_context *context, stepbus_result *result)
{
	(void)host;
	(void)context;
	(void)stepbus_result_success(result, "lie", 3, NULL);
	_exit(3);
}

static __attribute__((noinline)) int descend(volatile char *above, int depth)
{
	volatile char here[65536];

	here[0] = above == NULL ? 1 : above[0];
	return depth == 0 ? here[0] : descend(here, depth - 1) + here[0];
}

static int32_t overflow(void *host, const stepbus_context *context, stepbus_result *result)
{
	(void)host;
	(void)context;
	(void)result;
	return descend(NULL, 1 << 20) & 0;
}

/* Far longer than its timeout, without asking; says in the end that all went well. */
static int32_t loop(void *host, const stepbus_context *context, stepbus_result *result)
{
	int64_t until_us = observer_now_us() + LOOP_US;

	(void)host;
	(void)context;
	while (observer_now_us() < until_us)
		continue;
	(void)stepbus_result_success(result, "late", 4, NULL);
	return 0;
}

static int32_t wait_until_told(void *host, const stepbus_context *context, stepbus_result *result)
{
	stepbus_status status = STEPBUS_OK;

	while ((status = stepbus_context_check(context)) == STEPBUS_OK)
		role_pause_us(1000);
	poison_tell(host, "told", status);
	(void)stepbus_result_success(result, "late", 4, NULL);
	return 0;
}

static int32_t ignore_cancel(void *host, const stepbus_context *context, stepbus_result *result)
{
	(void)host;
	(void)context;
	role_pause_us(1500000);
	(void)stepbus_result_success(result, "late", 4, NULL);
	return 0;
}

/* All the memory that there is, for half a second, in which others work. */
static int32_t hoard(void *host, const stepbus_context *context, stepbus_result *result)
{
	static const stepbus_failure failure = { .size = sizeof failure,
						 .retry_after_ms = -1,
						 .message = "memory ran out",
						 .message_len = 14,
						 .error_type = "hoarder",
						 .error_type_len = 7 };
	void **first = NULL;

	(void)host;
	(void)context;
	for (size_t len = 1 << 24; len >= 64; len /= 2)
		for (void **block = malloc(len); block != NULL; block = malloc(len)) {
			memset(block, 1, len);
			*block = (void *)first;
			first = block;
		}
	role_pause_us(500000);
	while (first != NULL) {
		void **next = *first;

		free((void *)first);
		first = next;
	}
	(void)stepbus_result_failure(result, &failure, NULL);
	return 0;
}

static int32_t say_too_much(void *host, const stepbus_context *context, stepbus_result *result)
{
	char *bytes = calloc(1, POISON_PAYLOAD_LEN_MAX + 1);

	(void)host;
	(void)context;
	if (bytes != NULL)
		(void)stepbus_result_success(result, bytes, POISON_PAYLOAD_LEN_MAX + 1, NULL);
	free(bytes);
	return 0;
}

/* Results are opaque: this one is as good as any. */
static int32_t say_garbage(void *host, const stepbus_context *context, stepbus_result *result)
{
	(void)host;
	(void)context;
	(void)stepbus_result_success(result, "\0\xff\xc3\x28\xed\xa0\x80\r\n", 9, NULL);
	(void)stepbus_result_set_metadata(result, "{\"a\":", 5, NULL);
	(void)stepbus_result_set_content_type(result, "\xff\xfe", 2, NULL);
	return 0;
}

static int32_t fail_with_garbage(void *host, const stepbus_context *context, stepbus_result *result)
{
	char *bytes = poison_make_garbage();
	const stepbus_failure failure = { .size = sizeof failure,
					  .retry_after_ms = -1,
					  .message = bytes,
					  .message_len = POISON_MESSAGE_LEN,
					  .error_type = bytes,
					  .error_type_len = 4,
					  .error_code = bytes,
					  .error_code_len = 100,
					  .backtrace = bytes,
					  .backtrace_len = POISON_MESSAGE_LEN };

	(void)host;
	(void)context;
	(void)stepbus_result_failure(result, &failure, NULL);
	free(bytes);
	return 0;
}

static int32_t say_nothing(void *host, const stepbus_context *context, stepbus_result *result)
{
	(void)host;
	(void)context;
	(void)result;
	return 0;
}

static int32_t break_off(void *host, const stepbus_context *context, stepbus_result *result)
{
	(void)host;
	(void)context;
	(void)stepbus_result_success(result, "lie", 3, NULL);
	return -7;
}

/* Stops its own process; when that goes on, it must hear that its lease is lost. */
static int32_t stop_itself(void *host, const stepbus_context *context, stepbus_result *result)
{
	stepbus_status status = STEPBUS_OK;

	if (stepbus_context_step(context)->retry_count == 0) {
		(void)kill(getpid(), SIGSTOP);
		for (int i = 0; i < 3000 && status == STEPBUS_OK; i++) {
			role_pause_us(1000);
			status = stepbus_context_check(context);
		}
		poison_tell(host, "told", status);
	}
	(void)stepbus_result_success(result, status == STEPBUS_OK ? "second" : "late",
				     status == STEPBUS_OK ? 6 : 4, NULL);
	return 0;
}

/* The library renews the lease, whatever the handler does. */
static int32_t take_long(void *host, const stepbus_context *context, stepbus_result *result)
{
	(void)host;
	(void)context;
	role_pause_us(POISON_LONG_US);
	(void)stepbus_result_success(result, "first", 5, NULL);
	return 0;
}

const poison poisons[] = {
	{ .name = "a handler segfaults",
	  .run = segfault,
	  .state = "quarantined",
	  .attempts = "lost lost lost",
	  .error = "worker_lost",
	  .deaths = 3 },
	{ .name = "a handler aborts",
	  .run = abort_all,
	  .state = "quarantined",
	  .attempts = "lost lost lost",
	  .error = "worker_lost",
	  .deaths = 3 },
	{ .name = "a handler calls exit()",
	  .run = exit_well,
	  .state = "quarantined",
	  .attempts = "lost lost lost",
	  .error = "worker_lost",
	  .deaths = 3 },
	{ .name = "a handler calls _exit()",
	  .run = exit_at_once,
	  .state = "quarantined",
	  .attempts = "lost lost lost",
	  .error = "worker_lost",
	  .deaths = 3 },
	{ .name = "a handler overflows its stack",
	  .run = overflow,
	  .state = "quarantined",
	  .attempts = "lost lost lost",
	  .error = "worker_lost",
	  .deaths = 3 },
	{ .name = "a handler segfaults among slow ones",
	  .run = segfault_late,
	  .innocent_ms = 200,
	  .state = "quarantined",
	  .attempts = "lost lost lost",
	  .error = "worker_lost",
	  .deaths = 3 },
	{ .name = "a handler loops past its time",
	  .run = loop,
	  .attempt_timeout_ms = 300,
	  .state = "failed",
	  .attempts = "timed_out timed_out timed_out",
	  .error = "timed_out" },
	{ .name = "a handler is told that its time is over",
	  .run = wait_until_told,
	  .attempt_timeout_ms = 300,
	  .state = "failed",
	  .attempts = "timed_out timed_out timed_out",
	  .error = "timed_out",
	  .facts = "told 13 told 13 told 13 " },
	{ .name = "a handler is told that it is cancelled",
	  .run = wait_until_told,
	  .cancel_after_ms = 300,
	  .state = "cancelled",
	  .attempts = "cancelled",
	  .error = "cancelled",
	  .facts = "told 25 " },
	{ .name = "a handler ignores that it is cancelled",
	  .run = ignore_cancel,
	  .cancel_after_ms = 300,
	  .state = "cancelled",
	  .attempts = "cancelled",
	  .error = "cancelled" },
	{ .name = "a handler takes all memory",
	  .run = hoard,
	  .memory_mib = 512,
	  .state = "failed",
	  .attempts = "failure",
	  .error = "hoarder" },
	{ .name = "a result is too large",
	  .run = say_too_much,
	  .state = "failed",
	  .attempts = "failure",
	  .error = "result_too_large" },
	{ .name = "a result is garbage",
	  .run = say_garbage,
	  .state = "completed",
	  .attempts = "success",
	  .result = "00FFC328EDA0800D0A" },
	{ .name = "a failure is garbage of 1 MiB",
	  .run = fail_with_garbage,
	  .state = "failed",
	  .attempts = "failure",
	  .error = "a???",
	  .is_message_mended = true },
	{ .name = "a handler says nothing",
	  .run = say_nothing,
	  .state = "failed",
	  .attempts = "failure",
	  .error = "handler_error" },
	{ .name = "a handler's host fails",
	  .run = break_off,
	  .state = "failed",
	  .attempts = "failure failure failure",
	  .error = "handler_error" },
	{ .name = "a handler stops its process",
	  .run = stop_itself,
	  .host_count = 2,
	  .go_on_after_ms = 3 * POISON_LEASE_MS,
	  .state = "completed",
	  .attempts = "lost success",
	  .result = "7365636F6E64",
	  .facts = "told 16 ",
	  .attempts_else = "success",
	  .facts_else = "told 0 " },
	{ .name = "a handler takes 10 leases",
	  .run = take_long,
	  .host_count = 2,
	  .state = "completed",
	  .attempts = "success",
	  .attempts_else = "lost success",
	  .result = "6669727374" },

	{ .name = "a host never answers, and is silent",
	  .answer = poison_never_answer,
	  .silence_timeout_ms = 300,
	  .state = "failed",
	  .attempts = "timed_out timed_out timed_out",
	  .error = "host_silent" },
	{ .name = "a host never answers in time",
	  .answer = poison_never_answer,
	  .attempt_timeout_ms = 300,
	  .state = "failed",
	  .attempts = "timed_out timed_out timed_out",
	  .error = "timed_out" },
	{ .name = "a host answers twice",
	  .answer = poison_answer_twice,
	  .state = "completed",
	  .attempts = "success",
	  .result = "6669727374",
	  .facts = "first 0 again 0 other 15 " },
	{ .name = "another thread answers",
	  .answer = poison_answer_elsewhere,
	  .state = "completed",
	  .attempts = "success",
	  .result = "6669727374",
	  .facts = "first 0 " },
	{ .name = "two threads answer the same at once",
	  .answer = poison_answer_at_once,
	  .state = "completed",
	  .attempts = "success",
	  .result = "6669727374",
	  .facts = "first 0 first 0 " },
	{ .name = "two threads answer differently at once",
	  .answer = poison_answer_differently,
	  .state = "completed",
	  .attempts = "success",
	  .result = "6669727374",
	  .result_else = "7365636F6E64",
	  .facts = "taken 0 other 15 again 0 late 15 " },
	{ .name = "a host answers after 10 leases",
	  .answer = poison_answer_late,
	  .host_count = 2,
	  .silence_timeout_ms = 2000,
	  .state = "completed",
	  .attempts = "success",
	  .result = "6669727374",
	  .attempts_else = "lost success",
	  .facts_else = "beats 16 first 16 beats 0 first 0 ",
	  .facts = "beats 0 first 0 " },
	{ .name = "a host answers with garbage of 1 MiB",
	  .answer = poison_answer_with_garbage,
	  .state = "failed",
	  .attempts = "failure",
	  .error = "a???",
	  .is_message_mended = true,
	  .facts = "first 0 " },
	{ .name = "a host answers what is not allowed",
	  .answer = poison_answer_too_much,
	  .state = "completed",
	  .attempts = "success",
	  .result = "6669727374",
	  .facts = "large 1 odd 1 first 0 " },
	{ .name = "a host answers for another attempt",
	  .answer = poison_answer_for_another,
	  .state = "completed",
	  .attempts = "success",
	  .result = "6669727374",
	  .facts = "older 16 newer 16 stranger 3 first 0 " },
	{ .name = "a host answers what is cancelled",
	  .answer = poison_answer_when_told,
	  .cancel_after_ms = 300,
	  .state = "cancelled",
	  .attempts = "cancelled",
	  .error = "cancelled",
	  .facts = "told 25 late 25 " },
	{ .name = "a host dies with all that it polled",
	  .answer = poison_crash_with_all,
	  .state = "quarantined",
	  .attempts = "lost lost lost",
	  .error = "worker_lost",
	  .deaths = 3 },
	{ .name = "a host stops with what it polled",
	  .answer = poison_stop_while_polled,
	  .host_count = 2,
	  .go_on_after_ms = 3 * POISON_LEASE_MS,
	  .state = "completed",
	  .attempts = "lost success",
	  .result = "7365636F6E64",
	  .facts = "late 16 ",
	  .attempts_else = "success",
	  .facts_else = "late 0 ",
	  .result_else = "6C617465" },
};

const size_t poison_count = sizeof poisons / sizeof *poisons;
