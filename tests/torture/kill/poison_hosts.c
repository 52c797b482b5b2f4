/* SPDX-License-Identifier: MIT */
#include "torture/kill/poison_hosts.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "torture/history/observer.h"
#include "torture/kill/roles.h"

/* Not raised: the signal would wait, since threads of a pool block it. */
void poison_fault(void)
{
	volatile int *volatile nowhere = NULL;

	*nowhere = 1;
}

char *poison_make_garbage(void)
{
	static const char pattern[] = "a\0\xff\xc3\x28\xe2\x82\xac\xed\xa0\x80\n";
	char *bytes = malloc(POISON_MESSAGE_LEN);

	for (size_t i = 0; bytes != NULL && i < POISON_MESSAGE_LEN; i++)
		bytes[i] = pattern[i % (sizeof pattern - 1)];
	return bytes;
}

static stepbus_completion success_of(const stepbus_step_event *step, const char *text)
{
	stepbus_completion c = { .size = sizeof c,
				 .outcome = STEPBUS_OUTCOME_SUCCESS,
				 .token = step->token,
				 .retry_after_ms = -1,
				 .result = text,
				 .result_len = strlen(text) };

	memcpy(c.step_id, step->step_id, sizeof c.step_id);
	return c;
}

static void complete(const poison_host *host, const char *fact, const stepbus_completion *c)
{
	poison_tell(host, fact, stepbus_complete(host->engine, c, 1, NULL, NULL));
}

void poison_never_answer(poison_host *host, const stepbus_step_event *step)
{
	(void)host;
	(void)step;
}

void poison_answer_twice(poison_host *host, const stepbus_step_event *step)
{
	const stepbus_completion first = success_of(step, "first");
	const stepbus_completion second = success_of(step, "second");

	complete(host, "first", &first);
	complete(host, "again", &first);
	complete(host, "other", &second);
}

typedef struct errand {
	poison_host *host;
	stepbus_completion completion;
	pthread_barrier_t *start; /* NULL: at once */
	stepbus_status status;
} errand;

static void *run_errand(void *argument)
{
	errand *e = argument;

	if (e->start != NULL)
		(void)pthread_barrier_wait(e->start);
	e->status = stepbus_complete(e->host->engine, &e->completion, 1, NULL, NULL);
	return NULL;
}

void poison_answer_elsewhere(poison_host *host, const stepbus_step_event *step)
{
	errand e = { .host = host, .completion = success_of(step, "first") };
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_errand, &e) != 0)
		abort();
	(void)pthread_join(thread, NULL);
	poison_tell(host, "first", e.status);
}

static void race(errand e[2])
{
	pthread_barrier_t start;
	pthread_t threads[2];

	(void)pthread_barrier_init(&start, NULL, 2);
	for (int i = 0; i < 2; i++) {
		e[i].start = &start;
		if (pthread_create(&threads[i], NULL, run_errand, &e[i]) != 0)
			abort();
	}
	for (int i = 0; i < 2; i++)
		(void)pthread_join(threads[i], NULL);
	(void)pthread_barrier_destroy(&start);
}

/* Two threads with one result: both are told that it is taken. */
void poison_answer_at_once(poison_host *host, const stepbus_step_event *step)
{
	errand e[2] = { { .host = host, .completion = success_of(step, "first") },
			{ .host = host, .completion = success_of(step, "first") } };

	race(e);
	for (int i = 0; i < 2; i++)
		poison_tell(host, "first", e[i].status);
}

/* Two threads with two results: one is taken, and it is that one which is kept. */
void poison_answer_differently(poison_host *host, const stepbus_step_event *step)
{
	errand e[2] = { { .host = host, .completion = success_of(step, "first") },
			{ .host = host, .completion = success_of(step, "second") } };
	int winner;

	race(e);
	winner = e[0].status == STEPBUS_OK ? 0 : 1;
	poison_tell(host, "taken", e[winner].status);
	poison_tell(host, "other", e[1 - winner].status);
	complete(host, "again", &e[winner].completion);
	complete(host, "late", &e[1 - winner].completion);
}

void poison_answer_late(poison_host *host, const stepbus_step_event *step)
{
	stepbus_completion c = success_of(step, "first");
	stepbus_status status = STEPBUS_OK;
	int64_t until_us = observer_now_us() + POISON_LONG_US;

	while (observer_now_us() < until_us && status == STEPBUS_OK) {
		role_pause_us(100000);
		status = stepbus_heartbeat(host->engine, step->step_id, step->token, NULL);
	}
	poison_tell(host, "beats", status);
	complete(host, "first", &c);
}

void poison_answer_with_garbage(poison_host *host, const stepbus_step_event *step)
{
	char *bytes = poison_make_garbage();
	stepbus_completion c = success_of(step, "");

	c.outcome = STEPBUS_OUTCOME_FAILURE;
	c.error_type = bytes;
	c.error_type_len = 4;
	c.error_message = bytes;
	c.error_message_len = POISON_MESSAGE_LEN;
	c.backtrace = bytes;
	c.backtrace_len = POISON_MESSAGE_LEN;
	complete(host, "first", &c);
	free(bytes);
}

/* What is refused as such is still the host's. */
void poison_answer_too_much(poison_host *host, const stepbus_step_event *step)
{
	char *bytes = calloc(1, POISON_PAYLOAD_LEN_MAX + 1);
	stepbus_completion c = success_of(step, "first"), large = c;

	large.result = bytes;
	large.result_len = POISON_PAYLOAD_LEN_MAX + 1;
	complete(host, "large", &large);
	c.outcome = 99;
	complete(host, "odd", &c);
	c.outcome = STEPBUS_OUTCOME_SUCCESS;
	complete(host, "first", &c);
	free(bytes);
}

void poison_answer_for_another(poison_host *host, const stepbus_step_event *step)
{
	stepbus_completion c = success_of(step, "first"), wrong = success_of(step, "wrong");

	wrong.token = step->token - 1;
	complete(host, "older", &wrong);
	wrong.token = step->token + 1;
	complete(host, "newer", &wrong);
	wrong.step_id[0] ^= 0x40;
	complete(host, "stranger", &wrong);
	complete(host, "first", &c);
}

void poison_answer_when_told(poison_host *host, const stepbus_step_event *step)
{
	stepbus_completion c = success_of(step, "late");

	while (stepbus_step_is_cancelled(host->engine, step->step_id, step->token) == 0)
		role_pause_us(1000);
	poison_tell(host, "told",
		    stepbus_heartbeat(host->engine, step->step_id, step->token, NULL));
	complete(host, "late", &c);
}

void poison_crash_with_all(poison_host *host, const stepbus_step_event *step)
{
	(void)host;
	(void)step;
	poison_fault();
}

void poison_stop_while_polled(poison_host *host, const stepbus_step_event *step)
{
	stepbus_completion c = success_of(step, "second");

	if (step->retry_count > 0) {
		(void)stepbus_complete(host->engine, &c, 1, NULL, NULL);
		return;
	}
	(void)kill(getpid(), SIGSTOP);
	c = success_of(step, "late");
	complete(host, "late", &c);
}
