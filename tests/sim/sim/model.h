/* SPDX-License-Identifier: MIT */
/*
 * What an observer knows: a table of steps and one of attempts, made from what was called, what was
 * answered and what the store showed behind each action. It holds the rules Q1 to Q20 (see
 * docs/RELIABILITY.md) and shares no code with the library: what is judged is whether each change of a
 * row was allowed by what had happened.
 */
#ifndef TESTS_SIM_MODEL_H
#define TESTS_SIM_MODEL_H

#include "sim/sim/disk.h"
#include "sim/sim/trace.h"
#include "sim/sim/world.h"

enum {
	STEP_MAX = 2048,
	UNKNOWN_MAX = 1024,
	ROW_MAX = 4096,
	STEP_SPARE = 256, /* where fewer places are left, the seed goes to its end */
	ATTEMPT_MAX = 16384,
	KEY_COUNT = 8,
	INPUT_LEN = 32,
	LEASE_COUNT_MAX = 2048,
	BATCH_MAX = 8,
	CRASH_COUNT_MAX_SIM = 3,
};

/* What the schedule enqueues, see set_cron. */
#define SIM_CRON_INPUT "\"cron\""

/* A row of the narrow table, as the store shows it. Without holes, so that two can be compared. */
typedef struct sim_row {
	int64_t id;
	int64_t token;
	int64_t worker_id;
	int64_t due_us;
	int64_t deadline_us;
	int state;
	int attempt_count;
	int crash_count;
	int checkpoint_count;
} sim_row;

typedef struct sim_step {
	int nonce;
	bool is_there;
	bool is_removed; /* its retention was over */
	bool is_cron;
	uint8_t id[16];
	int64_t input_digest; /* of what the store has */
	/* What it was enqueued with. */
	int queue, handler, priority;
	int attempt_count_max;
	uint32_t retry_kind;
	int64_t retry_base_ms, retry_cap_ms;
	int jitter_percent;
	int64_t attempt_timeout_ms, total_timeout_ms;
	int concurrency_key, idempotency_key, unique_key; /* -1: none */
	/* What has become of it. */
	sim_row row;
	int generation;
	int charged_count; /* attempts that are over and were charged, of this generation */
	int loss_count;
	bool is_spent; /* no attempt may follow */
	int64_t not_before_us;
	int64_t wall_max_us; /* the latest time that any process showed since not_before was set */
	int64_t final_at_us; /* the earliest */
	int checkpoint;      /* the content of the last one; 0: none */
	int success_count;   /* accepted, of this generation */
	int result;          /* the content of the accepted one */
	int cancelled_by;    /* the process; 0: nobody */
	bool is_redriven;    /* in this action */
	bool is_cancelled;   /* in this action */
	int newest;          /* its newest attempt; -1: none */
	uint32_t look;       /* at which it was there last */
} sim_step;

typedef enum sim_ending {
	SIM_ENDED_NOT, /* or not begun: then nothing is kept of it */
	SIM_ENDED_ANSWERED,
	SIM_ENDED_LOST,
	SIM_ENDED_LATE,
	SIM_ENDED_CANCELLED,
} sim_ending;

typedef struct sim_attempt {
	int step;
	int64_t token;
	int generation;
	int number; /* as charged by its claim */
	int process, life, slot;
	int64_t worker_id;
	bool is_polled;
	bool is_over;     /* for the store */
	int over_by;      /* in an action of that process */
	bool is_done;     /* for the host: it was answered, or its process is gone */
	bool is_kept;     /* in this action an answer of it was accepted */
	bool is_doubtful; /* in this action one may have been, and was what follows */
	int doubtful_outcome;
	int doubtful_content;
	bool doubtful_is_retryable;
	int64_t doubtful_retry_after_ms;
	int outcome; /* accepted; 0: none */
	int content;
	int64_t retry_after_ms;
	bool is_retryable;
	int64_t polled_at_ns;
	sim_ending ending;
	int kept_process, kept_life; /* who took its answer; 0: it is not known */
	int refused_process,
		refused_life; /* who was told by a heartbeat that it is over; 0: nobody */
	int told_count;       /* completion events */
	int told_outcome;
} sim_attempt;

typedef struct sim_lease {
	int64_t worker_id;
	int process, life;
	int64_t until_ns;
	bool is_ended; /* its worker was stopped */
} sim_lease;

struct sim {
	sim_options options;
	sim_world world;
	trace trace;
	struct sqlite3 *observer;
	struct sqlite3_stmt *observer_scan, *observer_attempts;
	uint64_t seen_change; /* of the store, when it was looked at last */
	uint8_t tag[SB_STORE_TAG_LEN];
	int step_of_row[ROW_MAX];
	sim_row unknown[UNKNOWN_MAX];
	int unknown_count;
	uint32_t look; /* rises with each look at the store */
	sim_step steps[STEP_MAX];
	int step_count;
	sim_attempt attempts[ATTEMPT_MAX];
	int attempt_count;
	sim_lease leases[LEASE_COUNT_MAX];
	int lease_count;
	/* The action that is under way. */
	sim_process *actor;
	int64_t wall_before_us, elapsed_before_ns;
	int enqueued_first; /* steps from here on are being enqueued */
	bool is_enqueue_refused;
	int doubtful_redrive; /* the step plus 1 whose redrive nobody can say about; 0: none */
	int content;          /* the last number that an answer was given */
	int action_number;
	int64_t cron_every_us; /* 0: none */
	bool has_lied;
	bool is_chronicled;          /* see chronicle.h */
	uint64_t checker_look_count; /* while the seed went on */
	bool is_checked;             /* and in the end */
	bool has_marks;              /* of steps and attempts, for this action */
	bool is_violated;
	bool is_over; /* the drain has ended: nothing more is to be expected */
	uint64_t violation_count;
};

void sim_violate(sim *s, int step, const char *rule, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Before each action, and behind it: looks at the store and judges what has changed. */
void sim_model_begin(sim *s, sim_process *actor);
void sim_model_end(sim *s);
/* New entries. -1: the tables are full. */
int sim_model_add_step(sim *s);
int sim_model_find(const sim *s, const uint8_t id[16]);
int sim_model_attempt(const sim *s, int step, int64_t token);
sim_lease *sim_model_lease(sim *s, int64_t worker_id);
/* is_new_only: those that are known stay as they were before this action. */
void sim_model_note_leases(sim *s, const sim_process *p, bool is_new_only);
/* The latest time that any process shows now. */
int64_t sim_model_wall_top_us(const sim *s);
/* Before a clock is put back. */
void sim_model_keep_wall_top(sim *s);
/* An attempt may be tried again, or a step runs at the earliest, this long after the action began. */
void sim_model_delay(sim *s, sim_step *st, int64_t delay_us);
/* It begins anew. */
void sim_model_redrive(sim *s, sim_step *st);
void sim_model_input(int nonce, char input[INPUT_LEN]);

/* Observing: false where the store has not changed since the last look. */
bool sim_observe_has_changed(sim *s);
/* Calls visit for each row, by id. */
void sim_observe(sim *s, void (*visit)(sim *s, const sim_row *row));
/* The number in a step's input; -1: none of ours. */
int sim_observe_nonce(sim *s, int64_t row_id, int64_t *digest);
/* Calls visit for each record of an attempt. */
typedef struct sim_record {
	int64_t step_id;
	int64_t token;
	const char *outcome; /* as v_attempts has it, or "abandoned" */
	int is_retryable;
} sim_record;
typedef void (*sim_record_visit)(const sim_record *record);
void sim_observe_attempts(sim *s, int64_t row_id, sim_record_visit visit);
/* The digest of what is kept as its result; 0: it cannot be read. */
int64_t sim_observe_result(sim *s, int64_t row_id);
void sim_observe_end(sim *s);

/* What the store shows has changed: rules of one step. */
void sim_judge_change(sim *s, int step, const sim_row *before, const sim_row *now);
/* Its retention is over: whoever asks for it may find it or not. */
bool sim_judge_may_be_gone(const sim *s, int step);
void sim_judge_absence(sim *s, int step);
void sim_judge_limits(sim *s);
/* What was accepted in this action is in the store. */
void sim_judge_kept(sim *s);
void sim_judge_newcomer(sim *s, int step, const sim_row *row);
void sim_judge_end(sim *s);

/* An answer to an attempt, and what was called. */
typedef struct sim_answer {
	int attempt;
	int outcome;
	int content;
	bool is_retryable;
	int64_t retry_after_ms;
} sim_answer;

void sim_judge_answer(sim *s, const sim_answer *answer, stepbus_status status);
bool sim_judge_poll(sim *s, sim_process *p, int slot, const stepbus_step_event *handed);
/* Whether the process of an attempt must know that it is over. */
bool sim_judge_is_known_over(sim *s, int attempt);
/* What a heartbeat heard. */
void sim_judge_beat(sim *s, int attempt, stepbus_status status);
/* Whether this may be said because of what was put upon the process. */
bool sim_judge_is_excused(const sim *s, const sim_process *p, stepbus_status status);

#endif
