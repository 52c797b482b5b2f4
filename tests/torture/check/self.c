/* SPDX-License-Identifier: MIT */
#include "torture/check/self.h"

#include <stdio.h>

#include "torture/check/made.h"
#include "torture/history/damage.h"

/* So many that a step can starve. */
enum { ROUND_COUNT = 160 };

void self_expect(score *s, int holds, const char *group, const char *name)
{
	s->passed += holds != 0;
	s->failed += holds == 0;
	if (!holds)
		(void)printf("%s: %s: FAILED\n", group, name);
}

/* No story is blamed: alone, in the end, and at any moment while it is told. */
static void test_story(score *s, size_t story)
{
	verdict ended = { 0 }, followed = { 0 };
	history h;
	checker *j;
	maker m;

	maker_begin(&m, &h);
	j = judge_new(&h);
	judge_look(j, &followed);
	maker_tell(&m, story);
	judge_look(j, &followed);
	maker_end(&m);
	rules_judge(&h, &ended);
	self_expect(s, rules_violations(&ended) == 0, "blamed", made_story_name(story));
	self_expect(s, rules_violations(&followed) == 0, "blamed while it was told",
		    made_story_name(story));
	judge_free(j);
	history_free(&h);
}

static void tell_all(history *h, size_t rounds, checker **j, verdict *v)
{
	maker m;

	maker_begin(&m, h);
	if (j != NULL)
		*j = judge_new(h);
	for (size_t i = 0; i < rounds * made_story_count(); i++) {
		maker_tell(&m, i);
		if (j != NULL)
			judge_look(*j, v);
	}
	maker_end(&m);
}

/* Without rows less can be said, and nothing wrong. */
static void test_log_alone(score *s)
{
	verdict v = { 0 };
	history h;

	tell_all(&h, 3, NULL, NULL);
	h.has_rows = false;
	h.step_count = h.attempt_count = 0;
	rules_judge(&h, &v);
	self_expect(s, rules_violations(&v) == 0, "blamed", "a log without a database");
	self_expect(s, v.looked[RULE_Q5_ACCEPTED_IS_DURABLE] == 0, "not seen", "durability");
	self_expect(s, v.looked[RULE_Q7_STALE_IS_REFUSED] > 0, "seen", "fencing");
	history_free(&h);
}

static void test_silence(score *s)
{
	verdict v = { 0 };
	int passed = 0, failed = 0;
	history h;

	history_init(&h);
	rules_judge(&h, &v);
	for (int i = 0; i < RULE_COUNT; i++) {
		passed += v.looked[i] > 0;
		failed += v.violations[i] > 0;
	}
	self_expect(s, passed == 0 && failed == 0, "silence", "an empty history shows nothing");
	history_free(&h);
}

static void test_damages(score *s)
{
	verdict v = { 0 };
	history h;
	int absent, found = 0, missed = 0;

	tell_all(&h, ROUND_COUNT, NULL, NULL);
	rules_judge(&h, &v);
	for (int i = 0; i < RULE_COUNT; i++)
		self_expect(s, v.looked[i] > 0, "not seen", rule_name((rule)i));
	rules_print(&v, RULES_ALL, &s->passed, &s->failed);
	absent = damage_all(&h, &found, &missed);
	s->passed += found;
	s->failed += missed;
	(void)printf("proof: checker: %d damages to a good history: %d found\n", found + missed,
		     found);
	self_expect(s, absent == 0, "damages", "each has something to damage");
	history_free(&h);
}

/* What is done to a step long after it was judged is judged again. */
static void test_following(score *s)
{
	verdict v = { 0 };
	event twice = { 0 };
	checker *j;
	history h;

	tell_all(&h, 3, &j, &v);
	judge_look(j, &v);
	self_expect(s, rules_violations(&v) == 0, "blamed", "stories that are followed");
	for (size_t i = 0; i < h.event_count && twice.kind == 0; i++)
		if (h.events[i].kind == LOG_COMPLETED)
			twice = h.events[i];
	history_add_event(&h, &twice);
	v.is_quiet = true;
	judge_look(j, &v);
	self_expect(s, v.violations[RULE_Q4_ONE_COMPLETION] > 0, "following",
		    "a completion that comes twice");
	judge_free(j);
	history_free(&h);
}

int self_test(size_t line_count)
{
	score s = { 0 };

	for (size_t i = 0; i < made_story_count(); i++)
		test_story(&s, i);
	(void)printf(
		"proof: checker: %zu stories at the edge of what is allowed, judged in the end "
		"and while they are told: %d blamed\n",
		made_story_count(), s.failed);
	test_log_alone(&s);
	test_silence(&s);
	test_following(&s);
	test_damages(&s);
	hostile_test(&s);
	measure_test(&s, line_count);
	(void)printf("%d passed, %d failed\n", s.passed, s.failed);
	return s.failed > 0;
}
