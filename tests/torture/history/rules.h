/* SPDX-License-Identifier: MIT */
/*
 * What an outside observer can demand of a run, whatever was killed. Pure: it only looks at a
 * history. A step is an object of its own, so each is judged alone, in the order of the log; keys
 * are judged by a join.
 *
 * The log and the store are not written in one: a process may be killed between the two. A rule
 * therefore takes what is in the log as what happened at the latest (a claim before its start was
 * logged) or at the earliest (an acceptance before its completion was), as it cannot be refuted.
 */
#ifndef TESTS_TORTURE_RULES_H
#define TESTS_TORTURE_RULES_H

#include "torture/history/history.h"

typedef enum rule {
	RULE_Q1_NOTHING_IS_LOST,
	RULE_Q2_NOTHING_IS_INVENTED,
	RULE_Q3_ONE_STEP_OF_A_KEY,
	RULE_Q4_ONE_COMPLETION,
	RULE_Q5_ACCEPTED_IS_DURABLE,
	RULE_Q6_TOKENS_GROW,
	RULE_Q7_STALE_IS_REFUSED,
	RULE_Q8_ATTEMPTS_ARE_BOUNDED,
	RULE_Q9_NO_THEFT,
	RULE_Q13_FINAL_IS_FINAL,
	RULE_Q14_ALL_ENDS,
	RULE_Q20_NO_BYTES_CHANGE,
	RULE_UNRUN_IS_NOT_BLAMED,
	RULE_CRASHES_QUARANTINE,
	RULE_NO_ERRORS,
	RULE_FILE_IS_SOUND,
	RULE_COUNT
} rule;

typedef struct verdict {
	size_t violations[RULE_COUNT];
	bool is_quiet;           /* says nothing on stderr */
	size_t unstarted_losses; /* attempts that ended their process before they were logged */
} verdict;

const char *rule_name(rule r);
void rules_judge(const history *h, verdict *v);

#endif
