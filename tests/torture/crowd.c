/* SPDX-License-Identifier: MIT */
/*
 * More work than can be done, and nothing that fails: a worker that never catches up with steps of
 * three priorities, and publishers that are faster than those who listen. The checker judges what
 * was seen: nobody starves (Q16), the bridge adds up (Q17), and so do the library's counts (Q18).
 *
 *   crowd STEPS      that many steps, and about ten times as many events
 *   crowd control    the same where the oldest get no share of the claims: it must be found
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "torture/crowd/events.h"
#include "torture/crowd/steps.h"
#include "torture/history/observer.h"
#include "torture/history/rules.h"

/* What its run, in which nothing dies, is cancelled or comes late, has something to say about. */
static const rule_set wanted =
	RULE_BIT(RULE_Q1_NOTHING_IS_LOST) | RULE_BIT(RULE_Q2_NOTHING_IS_INVENTED) |
	RULE_BIT(RULE_Q4_ONE_COMPLETION) | RULE_BIT(RULE_Q6_TOKENS_GROW) |
	RULE_BIT(RULE_Q8_ATTEMPTS_ARE_BOUNDED) | RULE_BIT(RULE_Q13_FINAL_IS_FINAL) |
	RULE_BIT(RULE_Q14_ALL_ENDS) | RULE_BIT(RULE_Q15_ALL_IS_ON_RECORD) |
	RULE_BIT(RULE_Q16_NOBODY_STARVES) | RULE_BIT(RULE_Q17_BRIDGE_ADDS_UP) |
	RULE_BIT(RULE_Q18_COUNTS_ADD_UP) | RULE_BIT(RULE_Q20_NO_BYTES_CHANGE) |
	RULE_BIT(RULE_NO_ERRORS) | RULE_BIT(RULE_FILE_IS_SOUND);

enum { STEPS_OF_CONTROL = 100000, EVENTS_A_STEP = 10, PATH_LEN = 256, STARVATION_FACTOR = 10 };

typedef struct place {
	char directory[PATH_LEN];
	char database[PATH_LEN + 16];
	char log[PATH_LEN + 16];
} place;

static bool find_place(place *p)
{
	const char *parent = getenv("TMPDIR");

	(void)snprintf(p->directory, sizeof p->directory, "%.200s/stepbus-crowd-XXXXXX",
		       parent != NULL ? parent : "/tmp");
	if (mkdtemp(p->directory) == NULL)
		return false;
	(void)snprintf(p->database, sizeof p->database, "%s/jobs.db", p->directory);
	(void)snprintf(p->log, sizeof p->log, "%s/log", p->directory);
	return true;
}

static void clear(const place *p)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-wake" };
	char path[PATH_LEN + 32];

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		(void)snprintf(path, sizeof path, "%s%s", p->database, ends[i]);
		(void)unlink(path);
	}
	(void)unlink(p->log);
	(void)rmdir(p->directory);
}

/* What was counted in the log. */
typedef struct sums {
	size_t enqueued, published;
} sums;

static sums count_lines(const history *h)
{
	sums s = { 0 };

	for (size_t i = 0; i < h->event_count; i++) {
		s.enqueued += h->events[i].kind == LOG_ENQUEUED;
		s.published += h->events[i].kind == LOG_PUBLISHED;
	}
	return s;
}

static bool run(const place *p, long count, bool is_control, verdict *v, sums *s)
{
	crowd_steps steps = { .path = p->database, .count = count, .is_unfair = is_control };
	history h;
	bool is_run;

	observer_open(p->log, 1);
	is_run = crowd_run_steps(&steps) && (is_control || crowd_run_events(count * EVENTS_A_STEP));
	is_run = history_read(&h, p->log, p->database) && is_run;
	h.limits.attempt_count_max = 1;
	h.limits.starvation_factor = STARVATION_FACTOR;
	if (is_run)
		rules_judge(&h, v);
	*s = count_lines(&h);
	history_free(&h);
	return is_run;
}

static void tell(const verdict *v, const sums *s, bool is_control)
{
	size_t starved = v->violations[RULE_Q16_NOBODY_STARVES];
	size_t waits = v->looked[RULE_Q16_NOBODY_STARVES];
	char rules[RULES_TEXT_LEN];

	(void)printf(
		"proof: crowd: %s%zu steps of three priorities, more than can be done at once: "
		"%zu starved of %zu that waited\n",
		is_control ? "control, without a share for the oldest: " : "", s->enqueued, starved,
		waits);
	if (is_control)
		return;
	rules_tell(v, rules, sizeof rules);
	(void)printf("proof: crowd: %zu events, %zu deliveries: %zu lost, doubled or out of order; "
		     "%s\n",
		     s->published, v->looked[RULE_Q17_BRIDGE_ADDS_UP],
		     v->violations[RULE_Q17_BRIDGE_ADDS_UP], rules);
}

int main(int argc, char **argv)
{
	bool is_control = argc == 2 && strcmp(argv[1], "control") == 0;
	long count = is_control ? STEPS_OF_CONTROL : argc == 2 ? strtol(argv[1], NULL, 10) : 0;
	int passed = 0, failed = 0;
	verdict v = { .is_quiet = is_control };
	sums s = { 0 };
	place p;

	if (count <= 0) {
		(void)fprintf(stderr, "usage: crowd STEPS | crowd control\n");
		return 2;
	}
	if (!find_place(&p) || !run(&p, count, is_control, &v, &s))
		failed = 1;
	else if (is_control)
		*(v.violations[RULE_Q16_NOBODY_STARVES] > 0 ? &passed : &failed) += 1;
	else
		rules_print(&v, wanted, &passed, &failed);
	tell(&v, &s, is_control);
	if (failed == 0)
		clear(&p);
	else
		(void)printf("kept: %s\n", p.directory);
	(void)printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}
