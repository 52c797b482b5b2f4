/* SPDX-License-Identifier: MIT */
/*
 * What an outside observer can demand of a run, whatever was killed. It only looks at a history. A
 * step is an object of its own, so each is judged alone, in the order of the log; keys, dependencies
 * and counts are judged by joins.
 *
 * The log and the store are not written in one: a process may be killed, or stalled, between the
 * two. A rule therefore takes what is in the log as what happened at the latest (a claim before its
 * start was logged) or at the earliest (an acceptance before its completion was), as it cannot be
 * refuted. A rule about which a history says nothing neither holds nor is violated: not seen.
 */
#ifndef TESTS_TORTURE_RULES_H
#define TESTS_TORTURE_RULES_H

#include <stdint.h>

#include "torture/history/history.h"

/* In brackets what is counted as looked at. */
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
	RULE_Q10_DEPENDENCIES_FIRST,
	RULE_Q11_NOT_BEFORE_ITS_TIME,
	RULE_Q12_CANCELLED_IS_OVER,
	RULE_Q13_FINAL_IS_FINAL,
	RULE_Q14_ALL_ENDS,
	RULE_Q15_ALL_IS_ON_RECORD,
	RULE_Q16_NOBODY_STARVES,
	RULE_Q17_BRIDGE_ADDS_UP,
	RULE_Q18_COUNTS_ADD_UP,
	RULE_Q19_OWN_WRITES_ARE_READ,
	RULE_Q20_NO_BYTES_CHANGE,
	RULE_PROGRESS_IS_KEPT,
	RULE_UNRUN_IS_NOT_BLAMED,
	RULE_CRASHES_QUARANTINE,
	RULE_NO_ERRORS,
	RULE_FILE_IS_SOUND,
	RULE_COUNT
} rule;

enum { FIRST_LEN = 200, RULES_TEXT_LEN = 64 };

/* One bit for each rule. */
typedef uint32_t rule_set;

#define RULE_BIT(r) ((rule_set)1 << (r))
#define RULES_ALL (RULE_BIT(RULE_COUNT) - 1)

/* Zeroed by who begins; what is judged in several calls adds up. */
typedef struct verdict {
	size_t violations[RULE_COUNT];
	size_t looked[RULE_COUNT];
	bool is_quiet;           /* says nothing on stderr */
	size_t unstarted_losses; /* attempts that ended their process before they were logged */
	char first[FIRST_LEN];   /* the first violation, in words */
} verdict;

const char *rule_name(rule r);
/*
 * "Q12 after a cancel nothing runs   holds, 812 cancels": a line for each rule; adds up. One of those
 * that the run must have something to say about (wanted) has failed where it was not seen.
 */
void rules_print(const verdict *v, rule_set wanted, int *passed, int *failed);
size_t rules_violations(const verdict *v);
/* How many rules a history said something about. */
int rules_seen(const verdict *v);
/* "20 of 25 rules seen, 0 violated": of a run, or, added up, of many. */
void rules_tell(const verdict *v, char *text, size_t len);

/* All rules, over all of a run that is over. */
void rules_judge(const history *h, verdict *v);

/*
 * While a run goes on: each look judges the steps that lines were added of, or rows put of, since
 * the last one, by the rules that must hold at any moment, and costs as much as those steps have
 * lines. The rules that hold only in the end (Q14 to Q18, the file) are left to rules_judge.
 */
typedef struct checker checker;
checker *judge_new(history *h);
void judge_look(checker *j, verdict *v);
void judge_free(checker *j);

#endif
