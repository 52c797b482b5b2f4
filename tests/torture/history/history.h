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
 *
 * 0 says "unknown" of digests, of times and of attempts allowed: the checker then demands nothing of
 * them. A rule about which no line says anything is reported as not seen.
 */
enum {
	/* Enqueuers. */
	LOG_INVOKED = 'I', /* enqueue called [nonce, key or -1, run_at_us or 0, attempts allowed] */
	LOG_GIVEN = 'N',   /* before or behind it: with what input [nonce, its digest] */
	LOG_ENQUEUED = 'K', /* and acknowledged [nonce, key or -1, step, is_existing] */
	LOG_UNSURE = 'F',   /* or answered with an error [nonce, status] */
	LOG_DEPENDS = 'P',  /* a step was enqueued to run behind another [step, other] */
	LOG_SEEN = 'G', /* a client looked for a step that it was acknowledged [step, is_there] */

	/* Workers. A handler that is called, and steps that are polled, are started. */
	LOG_CLAIMED = 'C', /* [step, token, lease_until_us or 0] where an observer sees claims */
	LOG_STARTED = 'S', /* [step, token, nonce, digest of the input] */
	LOG_RESUMED = 'J', /* behind it: how far the step had come [step, token, items_processed] */
	LOG_BEAT =
		'H', /* accepted [step, token, a BEAT_ below, time_us of the call or lease_until] */
	LOG_ENDED =
		'E', /* the handler returned, or complete was called [step, token, outcome, items
			    processed where that is a checkpoint] */
	LOG_ANSWERED = 'A',  /* complete returned [step, token, status, the time of the log when the
			    first call was made that it may answer for; 0: unknown] */
	LOG_COMPLETED = 'D', /* step.completion.sent [step, token, outcome, digest of the result] */
	LOG_LOST = 'L',      /* worker.lost: the process knows that its lease was over */

	/* Operators. */
	LOG_CANCELLING = 'c', /* cancel called [step] */
	LOG_CANCELLED = 'O',  /* and answered [step, status, was_running] */
	LOG_REDRIVING = 'r',  /* redrive called [step] */
	LOG_REDRIVEN = 'W',   /* and answered [step, status]: begins a new generation */

	/* The bridge, where a run publishes on one; publishers number from 1 what was taken in. */
	LOG_PUBLISHED = 'B', /* [publisher, sequence number] */
	LOG_DELIVERED = 'V', /* [subscriber, publisher, sequence number] */
	LOG_DROPPED = 'U', /* at the end: what the queue of a subscriber to all says it has dropped
			      [subscriber, count] */

	/* The run. */
	LOG_KILLED = 'Z', /* the process is gone [an END_ below, where the run says it] */
	LOG_ERROR = 'X',  /* a call failed that must not [status] */
	LOG_READY = 'R',  /* the process is open for work [a number of the run's own] */
	LOG_NEMESIS =
		'M', /* a fault begins or ends, for that process or for all: 0 [a NEMESIS_ below
			      or a number of the run's own from 100 on, is_on] */
	LOG_COUNTED = 'Y', /* what the library says it has [a STATE_, count] when the run is over */
};

enum {
	END_TOLD = 0,   /* as it was told to */
	END_KILLED = 1, /* by somebody else */
	END_OWN = 2,    /* by a handler of its own */
};

enum {
	NEMESIS_STALL = 1, /* the process is stopped; is_on 0: it goes on */
	NEMESIS_CLOCK = 2, /* its clock jumps */
	NEMESIS_POWER = 3, /* the machine has booted anew: what no disk kept is gone */
};

enum {
	BEAT_HEARTBEAT = 0,  /* d: the time of the log when it was called; 0: that of the line */
	BEAT_CHECKPOINT = 1, /* d: the same */
	BEAT_RELEASE = 2,    /* d: the same */
	BEAT_RENEWAL = 3,    /* d: until when the lease is, from now on */
};

/* Of step_row and of LOG_COUNTED. */
enum {
	STATE_WAITING = 'w',
	STATE_SCHEDULED = 's',
	STATE_READY = 'r',
	STATE_PARKED = 'p',
	STATE_RUNNING = 'u',
	STATE_COMPLETED = 'c',
	STATE_FAILED = 'f',
	STATE_CANCELLED = 'x',
	STATE_QUARANTINED = 'q',
};

enum {
	ATTEMPT_COUNT_MAX = 8, /* what steps are enqueued with, where LOG_INVOKED does not say */
	CRASH_COUNT_MAX = 3,
	NONCES_PER_PROCESS = 1000000,
	HISTORY_SPARE = 64,
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

/* -1: there is none. */
typedef struct step_row {
	int64_t id;
	int64_t nonce; /* from the input: the number behind its first 'n' */
	int64_t key;   /* the number behind the first 'k' of its idempotency key */
	int64_t token;
	int64_t result_token; /* from the result: behind 't', and behind 'n' */
	int64_t result_nonce;
	int64_t input_digest; /* observer_digest; 0: unknown */
	int64_t result_digest;
	int32_t attempt_count;
	int32_t crash_count;
	int32_t priority;
	char state; /* a STATE_ */
} step_row;

typedef struct attempt_row {
	int64_t step_id;
	int64_t token;
	int32_t is_retryable; /* -1: unknown */
	char outcome[12];     /* as v_attempts names it: lost, failure, snoozed, timed_out, ... */
} attempt_row;

/* What the run was configured with. history_init has what tests/torture/kill configures. */
typedef struct history_limits {
	int32_t attempt_count_max; /* of steps whose LOG_INVOKED does not say */
	int32_t crash_count_max;
	int32_t late_start_max; /* threads that may be about to call a handler when they stall */
	int32_t starvation_factor; /* of that many claims one goes by age; 0: a run with other orders */
	int32_t unstarted_percent; /* of kills, which may come between a claim and its first line */
	int64_t clock_bound_us;    /* how much the clock of run_at and that of the log may differ */
} history_limits;

typedef struct history {
	event *events; /* in the order of the log */
	size_t event_count;
	step_row *steps; /* by id */
	size_t step_count;
	attempt_row *attempts; /* by step and token */
	size_t attempt_count;
	int64_t *touched; /* the steps whose rows were put since a judge last looked */
	size_t touched_count;
	history_limits limits;
	size_t event_room, step_room, attempt_room, touched_room;
	bool has_rows; /* else only the log is judged */
	bool is_sound; /* PRAGMA integrity_check */
} history;

/* Empty, and sound. */
void history_init(history *h);
/*
 * database_path NULL: only the log. False, with a message on stderr, where one cannot be read: both
 * may be damaged in any way.
 */
bool history_read(history *h, const char *log_path, const char *database_path);
void history_free(history *h);

/*
 * What a program that simulates says instead of reading it. Rows are copied; one of the same id (and
 * token) is replaced.
 */
void history_add_event(history *h, const event *e);
void history_put_step(history *h, const step_row *row);
void history_put_attempt(history *h, const attempt_row *row);

/* A copy that may be damaged, with HISTORY_SPARE empty rows behind the last of each kind. */
history history_copy(const history *h);
/* NULL: there is none. */
step_row *history_step(const history *h, int64_t id);
/* The attempts of a step, the first of *count; NULL where there are none. */
attempt_row *history_attempts(const history *h, int64_t id, size_t *count);

#endif
