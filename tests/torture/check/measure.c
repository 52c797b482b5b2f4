/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "torture/check/files.h"
#include "torture/check/made.h"
#include "torture/check/self.h"
#include "torture/history/observer.h"
#include "torture/history/read.h"
#include "torture/history/rules.h"

enum { PATIENCE_S = 20, LINES = 1000000 };

static void make(history *h, size_t line_count)
{
	maker m;
	size_t story = 0;

	maker_begin(&m, h);
	while (h->event_count < line_count)
		maker_tell(&m, story++);
	maker_end(&m);
}

static double seconds_since(int64_t begun_us)
{
	return (double)(observer_now_us() - begun_us) / 1e6;
}

/*
 * No test of the speed, which is meant to be 2 s for a million lines: machines differ. But what takes ten
 * times as long does more than it should. And what was read is what was written.
 */
void measure_test(score *s, size_t line_count)
{
	const double allowed_s = PATIENCE_S * (line_count > LINES ? (double)line_count / LINES : 1);
	double log_s, database_s, rules_s;
	verdict v = { 0 };
	history made, h;
	bool is_read;
	int64_t begun_us;
	files f = { 0 };

	make(&made, line_count);
	files_open(&f);
	files_write_log(&f, &made);
	files_write_database(&f, &made);
	history_init(&h);
	h.limits = made.limits;
	begun_us = observer_now_us();
	is_read = history_read_log(&h, f.log);
	log_s = seconds_since(begun_us);
	begun_us = observer_now_us();
	is_read = is_read && history_read_database(&h, f.database);
	database_s = seconds_since(begun_us);
	begun_us = observer_now_us();
	rules_judge(&h, &v);
	rules_s = seconds_since(begun_us);
	self_expect(s, log_s + database_s + rules_s < allowed_s, "files", "the end comes");
	self_expect(s, is_read && h.event_count == made.event_count, "files", "the log is read");
	self_expect(s, h.step_count == made.step_count && h.attempt_count == made.attempt_count,
		    "files", "the database is read");
	self_expect(s, rules_violations(&v) == 0, "blamed", "what was written and read");
	(void)printf(
		"proof: checker: %zu lines of log, %zu steps, %zu attempts: read in %.2f s "
		"(log) and %.2f s (database), judged in %.2f s; %.2f s in all, of %.0f s allowed\n",
		h.event_count, h.step_count, h.attempt_count, log_s, database_s, rules_s,
		log_s + database_s + rules_s, allowed_s);
	files_close(&f);
	history_free(&h);
	history_free(&made);
}
