/* SPDX-License-Identifier: MIT */
/*
 * Inside the checker: which lines of the log are about which step, process, nonce and key, and what
 * is known of one step when it is judged. A turn is all that is known of one token of it.
 */
#ifndef TESTS_TORTURE_JUDGE_H
#define TESTS_TORTURE_JUDGE_H

#include "torture/history/history.h"
#include "torture/history/numbers.h"
#include "torture/history/rules.h"

/* Indices of lines and of entries are one higher than they are: 0 says that there is none. */
typedef struct step_entry {
	int64_t id;
	uint32_t first, last; /* its lines */
	uint32_t count;
	uint32_t
		succeeded; /* the line by which its success may have been accepted at the earliest */
	bool is_touched;
	bool is_succeeded;
	bool has_depends;
} step_entry;

typedef struct process_entry {
	uint32_t first;  /* any line of it */
	uint32_t last;   /* of kinds S, L and Z */
	uint32_t killed; /* Z */
	uint32_t jumped; /* its clock did */
	bool has_stalled;
} process_entry;

struct checker {
	const history *history;
	history *followed; /* NULL: it is judged once */
	size_t event_count;
	numbers steps, processes, invoked, given, nonces, keys;
	step_entry *step_entries;
	process_entry *process_entries;
	uint32_t step_entry_count, process_entry_count;
	size_t step_entry_room, process_entry_room;
	uint32_t *next;    /* the step's next line, of each line */
	uint32_t *next_of; /* the process's next one of kinds S, L and Z */
	size_t next_room, next_of_room;
	uint32_t *touched; /* entries */
	size_t touched_count, touched_room;
	uint32_t jumped; /* all clocks did */
	bool has_booted; /* NEMESIS_POWER */
	bool is_over;    /* the run is */
	struct life_room {
		const event **events;
		struct turn *turns;
		struct redriving *redrives;
		struct cancelling *cancels;
		size_t event_room, turn_room, redrive_room, cancel_room;
	} room;
};

typedef enum row_outcome {
	ROW_NONE,
	ROW_SUCCESS,
	ROW_FAILURE,
	ROW_SNOOZED,
	ROW_LOST,
	ROW_TIMED_OUT,
	ROW_CANCELLED,
	ROW_GIVEN_BACK,
	ROW_ABANDONED, /* lost, but its process lives: it let go of what it had polled */
	ROW_STRANGE,
} row_outcome;

typedef struct turn {
	int64_t token;
	const attempt_row *row;
	const event *claim, *start, *resumed, *end, *given; /* the first of each; NULL: none */
	const event *end_last;
	const event *sent;        /* D */
	const event *answer;      /* A, with STEPBUS_OK */
	int64_t answered_outcome; /* what was last handed in before that */
	int64_t lease_until_us;
	size_t start_count, sent_count;
	row_outcome outcome;
	const event *later; /* the first line of a later token; NULL: none */
	bool is_late;       /* its start was noted behind that */
} turn;

typedef struct redriving {
	const event *call;
	const event *answer; /* NULL: none */
	const event
		*answer_last; /* of all calls so far, that may have done it; NULL: of one none */
} redriving;

typedef struct cancelling {
	const event *call;
	const event *answer;
} cancelling;

typedef struct life {
	checker *judge;
	verdict *verdict;
	step_entry *entry;
	const step_row *row;        /* NULL: there is none */
	const event *invoked;       /* of its nonce; NULL: none */
	const event *const *events; /* in the order of the log */
	size_t event_count;
	const attempt_row *attempts;
	size_t attempt_count;
	turn *turns; /* by token */
	size_t turn_count;
	const redriving *redrives; /* those that may have been done, in the order of their calls */
	size_t redrive_count;
	const cancelling *cancels; /* those that were accepted, in the order of their answers */
	size_t cancel_count;
	int64_t id;
} life;

/* judge.c: takes in the lines that were added. */
void judge_absorb(checker *j);
step_entry *judge_step(checker *j, int64_t id);
void judge_touch(checker *j, int64_t id);
process_entry *judge_process(checker *j, int32_t process);
/*
 * How many handlers the process that started `from` (kind S) started behind another line, up to max,
 * before it was told that its lease was over, or killed.
 */
size_t judge_acts(const checker *j, const event *from, const event *behind, size_t max);

/* life.c */
void life_read(life *l, checker *j, verdict *v, step_entry *entry);
turn *life_turn(const life *l, int64_t token);
/* Whether the step may have been redriven between the two lines. */
bool life_is_redriven(const life *l, const event *from, const event *to);
/* The last cancel that was accepted before that line; NULL: none. */
const cancelling *life_cancel_before(const life *l, const event *e);
/* Whether it may be that it was given back as one that had not begun, and begun nevertheless. */
bool life_is_given_back(const life *l, const turn *t);
bool turn_is_accepted(const turn *t, int64_t outcome);
/* At the earliest. */
const event *turn_acceptance(const turn *t);

/* rules_*.c */
__attribute__((format(printf, 3, 4))) void violate(verdict *v, rule r, const char *format, ...);
void rules_of_rows(const life *l);                  /* Q1 to Q3, Q8, Q14, Q19 */
void rules_of_attempts(const life *l);              /* Q2, Q4, Q5, Q15, Q20, progress */
void rules_of_order(const life *l);                 /* Q6, Q7, Q9, Q11 to Q13 */
void rules_of_depends(const life *l);               /* Q10 */
void rules_of_run(checker *j, verdict *v);          /* Q16 to Q18, errors, the file */
void rules_of_bridge(const history *h, verdict *v); /* Q17 */

#endif
