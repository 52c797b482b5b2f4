/* SPDX-License-Identifier: MIT */
/*
 * What an observer saw of a run: one event for each line of the log that all processes append to,
 * and the rows that were in the database at the end. Nothing of the library's inside is in here:
 * steps are named by their public ids, and by the number that the enqueuer put into their input.
 */
#ifndef TESTS_TORTURE_HISTORY_H
#define TESTS_TORTURE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The kinds are the letters that begin the lines of the log; in brackets what a, b, c and d are. A
 * line is "kind time_us process a b c d", all numbers but the kind; time_us is that of the run (of
 * the simulated clock in a simulation). What is called is noted before the call, what was answered
 * behind it. A process that ends in between leaves the call open: it may have happened or not.
 */
enum {
	/* Enqueuers. */
	LOG_INVOKED = 'I', /* enqueue called [nonce, key or -1, run_at_us or 0, attempts allowed] */
	LOG_ENQUEUED = 'K', /* and acknowledged [nonce, key or -1, step, is_existing] */
	LOG_UNSURE = 'F',   /* or answered with an error [nonce, status] */
	LOG_DEPENDS = 'P',  /* a step was enqueued to run behind another [step, other] */
	LOG_SEEN = 'G', /* a client looked for a step that it was acknowledged [step, is_there] */

	/* Workers. A handler that is called, and steps that are polled, are started. */
	LOG_CLAIMED = 'C', /* [step, token, lease_until_us or 0] where an observer sees claims */
	LOG_STARTED = 'S', /* [step, token, nonce, digest of the input] */
	LOG_BEAT = 'H',    /* a heartbeat, checkpoint or release was accepted [step, token] */
	LOG_ENDED = 'E',   /* the handler returned, or complete was called [step, token, outcome] */
	LOG_ANSWERED = 'A',  /* complete returned [step, token, status] */
	LOG_COMPLETED = 'D', /* step.completion.sent [step, token, outcome, digest of the result] */
	LOG_LOST = 'L',      /* worker.lost: the process knows that its lease was over */

	/* Operators. */
	LOG_CANCELLING = 'c', /* cancel called [step] */
	LOG_CANCELLED = 'O',  /* and answered [step, status, was_running] */
	LOG_REDRIVING = 'r',  /* redrive called [step] */
	LOG_REDRIVEN = 'W',   /* and answered [step, status]: begins a new generation */

	/* The bridge, where a run publishes on one. */
	LOG_PUBLISHED = 'B', /* [publisher, sequence number] */
	LOG_DELIVERED = 'V', /* [subscriber, publisher, sequence number] */
	LOG_DROPPED = 'U',   /* what a subscriber's queue says it has dropped [subscriber, count] */

	/* The run. */
	LOG_KILLED = 'Z',  /* the process is gone */
	LOG_ERROR = 'X',   /* a call failed that must not [status] */
	LOG_READY = 'R',   /* the process is open for work */
	LOG_NEMESIS = 'M', /* a fault begins or ends [what: a number of the run's own, is_on] */
	LOG_COUNTED = 'Y', /* what the library says it has [state, count] when the run is over */
};

enum {
	ATTEMPT_COUNT_MAX = 8, /* what steps are enqueued with */
	CRASH_COUNT_MAX = 3,
	NONCES_PER_PROCESS = 1000000,
	HISTORY_SPARE = 4,
};

/* What a step's handler does; the last digit of its nonce. */
enum {
	BEHAVIOUR_FAIL_TWICE = 5,
	BEHAVIOUR_FAIL_FOR_GOOD = 6,
	BEHAVIOUR_SNOOZE = 7,
	BEHAVIOUR_SLOW = 8,
	BEHAVIOUR_CRASH = 9, /* of these only every tenth, else success */
};

typedef struct event {
	int64_t time_us;
	int64_t a, b, c, d;
	int32_t process; /* a number that is never given twice, as pids are */
	char kind;
} event;

typedef struct step_row {
	int64_t id;
	int64_t nonce; /* from the input */
	int64_t key;   /* -1: none */
	int64_t token;
	int64_t result_token; /* from the result; -1: there is none */
	int64_t result_nonce;
	int attempt_count;
	int crash_count;
	char state; /* the first letter of its name */
} step_row;

typedef struct attempt_row {
	int64_t step_id;
	int64_t token;
	char outcome[12];
} attempt_row;

typedef struct history {
	event *events; /* in the order of the log */
	size_t event_count;
	step_row *steps; /* by id */
	size_t step_count;
	attempt_row *attempts; /* by step and token */
	size_t attempt_count;
	bool is_sound; /* PRAGMA integrity_check */
} history;

/* False, with a message on stderr, where it cannot be read. */
bool history_read(history *h, const char *log_path, const char *database_path);
void history_free(history *h);
/* A copy that may be damaged, with HISTORY_SPARE empty rows behind the last of each kind. */
history history_copy(const history *h);
/* NULL: there is none. */
step_row *history_step(const history *h, int64_t id);

#endif
