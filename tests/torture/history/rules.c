/* SPDX-License-Identifier: MIT */
#include "torture/history/rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "include/stepbus.h"
#include "torture/history/judge.h"

enum { SHOWN_MAX = 5, NAME_LEN = 48 };

static const struct {
	const char *name;
	const char *what; /* is counted as looked at */
} rules[RULE_COUNT] = {
	[RULE_Q1_NOTHING_IS_LOST] = { "Q1 nothing acknowledged is lost", "acknowledgements" },
	[RULE_Q2_NOTHING_IS_INVENTED] = { "Q2 nothing is invented", "steps" },
	[RULE_Q3_ONE_STEP_OF_A_KEY] = { "Q3 a key has one step", "uses of keys" },
	[RULE_Q4_ONE_COMPLETION] = { "Q4 one completion is accepted", "completions and results" },
	[RULE_Q5_ACCEPTED_IS_DURABLE] = { "Q5 what is accepted is durable",
					  "accepted completions" },
	[RULE_Q6_TOKENS_GROW] = { "Q6 tokens grow", "tokens" },
	[RULE_Q7_STALE_IS_REFUSED] = { "Q7 what is stale is refused", "superseded attempts" },
	[RULE_Q8_ATTEMPTS_ARE_BOUNDED] = { "Q8 attempts are bounded", "attempts" },
	[RULE_Q9_NO_THEFT] = { "Q9 no step is taken from a live worker", "steps taken over" },
	[RULE_Q10_DEPENDENCIES_FIRST] = { "Q10 dependencies come first", "dependencies" },
	[RULE_Q11_NOT_BEFORE_ITS_TIME] = { "Q11 nothing runs before its time",
					   "steps with a time" },
	[RULE_Q12_CANCELLED_IS_OVER] = { "Q12 after a cancel nothing runs", "cancels" },
	[RULE_Q13_FINAL_IS_FINAL] = { "Q13 final is final", "final attempts" },
	[RULE_Q14_ALL_ENDS] = { "Q14 everything ends", "steps" },
	[RULE_Q15_ALL_IS_ON_RECORD] = { "Q15 what began is on record", "started attempts" },
	[RULE_Q16_NOBODY_STARVES] = { "Q16 nobody starves", "undisturbed waits" },
	[RULE_Q17_BRIDGE_ADDS_UP] = { "Q17 the bridge adds up, in order", "deliveries" },
	[RULE_Q18_COUNTS_ADD_UP] = { "Q18 counts add up", "counters" },
	[RULE_Q19_OWN_WRITES_ARE_READ] = { "Q19 clients read what they wrote", "looks" },
	[RULE_Q20_NO_BYTES_CHANGE] = { "Q20 no bytes are changed", "inputs" },
	[RULE_PROGRESS_IS_KEPT] = { "a checkpoint is kept", "attempts that went on" },
	[RULE_UNRUN_IS_NOT_BLAMED] = { "a step that never ran is not blamed", "blamed steps" },
	[RULE_CRASHES_QUARANTINE] = { "a step that ends its process is quarantined",
				      "steps that did" },
	[RULE_NO_ERRORS] = { "no call fails that must not", "lines" },
	[RULE_FILE_IS_SOUND] = { "the database is sound", "database" },
};

const char *rule_name(rule r)
{
	return rules[r].name;
}

void violate(verdict *v, rule r, const char *format, ...)
{
	char text[FIRST_LEN];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (v->first[0] == '\0')
		(void)snprintf(v->first, sizeof v->first, "%.40s: %.150s", rules[r].name, text);
	if (v->violations[r]++ < SHOWN_MAX && !v->is_quiet)
		(void)fprintf(stderr, "%s: %s\n", rules[r].name, text);
}

void rules_print(const verdict *v, rule_set wanted, int *passed, int *failed)
{
	for (int i = 0; i < RULE_COUNT; i++) {
		size_t violations = v->violations[i], looked = v->looked[i];

		bool is_missed = looked == 0 && (wanted & RULE_BIT(i)) != 0;

		*passed += violations == 0 && looked > 0;
		*failed += violations > 0 || is_missed;
		if (violations > 0)
			(void)printf("%-*s VIOLATED, %zu times in %zu %s\n", NAME_LEN,
				     rules[i].name, violations, looked, rules[i].what);
		else if (looked == 0)
			(void)printf("%-*s %s\n", NAME_LEN, rules[i].name,
				     is_missed ? "NOT SEEN, and it must be" : "not seen");
		else
			(void)printf("%-*s holds, %zu %s\n", NAME_LEN, rules[i].name, looked,
				     rules[i].what);
	}
}

int rules_seen(const verdict *v)
{
	int seen = 0;

	for (int i = 0; i < RULE_COUNT; i++)
		seen += v->looked[i] > 0;
	return seen;
}

void rules_tell(const verdict *v, char *text, size_t len)
{
	int violated = 0;

	for (int i = 0; i < RULE_COUNT; i++)
		violated += v->violations[i] > 0;
	(void)snprintf(text, len, "%d of %d rules seen, %d violated", rules_seen(v), RULE_COUNT,
		       violated);
}

size_t rules_violations(const verdict *v)
{
	size_t sum = 0;

	for (int i = 0; i < RULE_COUNT; i++)
		sum += v->violations[i];
	return sum;
}

/* When its success may have been accepted at the earliest, for those that depend on it. */
static void note_success(const life *l)
{
	const checker *j = l->judge;

	for (size_t i = 0; i < l->turn_count; i++) {
		const turn *t = &l->turns[i];
		bool is_accepted = turn_is_accepted(t, STEPBUS_OUTCOME_SUCCESS);
		const event *e = turn_acceptance(t);

		if (l->row != NULL)
			is_accepted = l->row->state == STATE_COMPLETED && l->row->token == t->token;
		else if (!j->history->has_rows && t->end != NULL)
			is_accepted = is_accepted || t->end->c == STEPBUS_OUTCOME_SUCCESS;
		if (!is_accepted || e == NULL)
			continue;
		l->entry->is_succeeded = true;
		l->entry->succeeded = (uint32_t)(e - j->history->events) + 1;
		return;
	}
}

static void look_at(checker *j, verdict *v)
{
	life l;

	for (size_t i = 0; i < j->touched_count; i++) {
		life_read(&l, j, v, &j->step_entries[j->touched[i]]);
		rules_of_rows(&l);
		rules_of_attempts(&l);
		rules_of_order(&l);
		note_success(&l);
	}
	for (size_t i = 0; i < j->touched_count; i++) {
		step_entry *entry = &j->step_entries[j->touched[i]];

		entry->is_touched = false;
		if (!entry->has_depends)
			continue;
		life_read(&l, j, v, entry);
		rules_of_depends(&l);
	}
	j->touched_count = 0;
}

void judge_look(checker *j, verdict *v)
{
	judge_absorb(j);
	look_at(j, v);
}

void rules_judge(const history *h, verdict *v)
{
	history seen = *h;
	checker *j;

	/* Each row is somebody's, of whom there may be no line. */
	seen.touched = NULL;
	seen.touched_count = 0;
	j = judge_new(&seen);
	j->followed = NULL;
	j->is_over = true;
	for (size_t i = 0; i < h->step_count; i++)
		judge_touch(j, h->steps[i].id);
	for (size_t i = 0; i < h->attempt_count; i++)
		judge_touch(j, h->attempts[i].step_id);
	judge_look(j, v);
	rules_of_run(j, v);
	judge_free(j);
}
