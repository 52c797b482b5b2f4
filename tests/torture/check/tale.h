/* SPDX-License-Identifier: MIT */
/* What happens to one step in a story: the lines that are seen of it, and the rows that it has. */
#ifndef TESTS_TORTURE_TALE_H
#define TESTS_TORTURE_TALE_H

#include "torture/check/made.h"

/* One step on its way through a story. */
typedef struct tale {
	maker *m;
	step_row row;
	int64_t token;
	int64_t items;
	int32_t worker;
} tale;

#define EMIT(m, kind, process, ...) \
	(void)tale_emit(m, kind, process, (const int64_t[4]){ __VA_ARGS__ })

const event *tale_emit(maker *m, char kind, int32_t process, const int64_t values[4]);
int32_t tale_new_process(maker *m);
int32_t tale_a_worker(maker *m);
void tale_kill_worker(maker *m, int32_t worker);
int32_t tale_another_worker(const maker *m, int32_t than);
tale tale_begin(maker *m, int64_t key, int64_t run_at_us);
void tale_acknowledge(tale *t);
tale tale_enqueue(maker *m);
void tale_claim(tale *t);
void tale_note_start(const tale *t, int64_t token, int32_t worker);
void tale_start(tale *t);
void tale_end(const tale *t, int64_t outcome);
void tale_sent(const tale *t, int64_t outcome);
void tale_put_attempt(const tale *t, int64_t token, const char *outcome, int32_t is_retryable);
void tale_put(tale *t, char state);
void tale_keep_success(tale *t);
void tale_succeed(tale *t);
void tale_fail(tale *t, int32_t is_retryable);
void tale_lose(const tale *t);

#endif
