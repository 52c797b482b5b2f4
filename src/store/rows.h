/* SPDX-License-Identifier: MIT */
/*
 * What stores keep, as C structs. Times are microseconds UTC, 0 where there is none; numbers that
 * name something (ids) are positive, 0 means nothing. Slices that come out of a store are borrowed
 * until the next call of the same transaction or, in a visit, until the visitor returns. An empty
 * text and none are the same, but for a result: one without bytes is still a result.
 */
#ifndef SB_STORE_ROWS_H
#define SB_STORE_ROWS_H

#include "base/text.h"
#include "store/step_state.h"

/* What enqueueing says of a step. Written once, never changed. */
typedef struct sb_step_row {
	int64_t id; /* given by the store; greater than that of every step before */
	int64_t task_id;
	int64_t queue_id;
	int64_t handler_id;
	int64_t created_at_us;
	int64_t run_at_us; /* 0: at once */
	int64_t wait_timeout_us;
	int64_t attempt_timeout_us;
	int64_t total_timeout_us;
	int64_t retry_base_us;
	int64_t retry_cap_us;
	int32_t priority;    /* 0 runs first */
	uint32_t retry_kind; /* STEPBUS_RETRY_…; DEFAULT: what the handler says */
	uint32_t attempt_count_max;
	uint32_t jitter_percent;
	sb_slice input;
	sb_slice content_type;
	sb_slice step_name;
	sb_slice step_config;
	sb_slice correlation_id;
	sb_slice traceparent;
	sb_slice caller;
	sb_slice tags; /* comma-separated words */
	sb_slice concurrency_key;
	sb_slice idempotency_key; /* as composed for unique_put */
	sb_slice unique_key;      /* as composed for unique_put */
} sb_step_row;

/* What changes about a step. All of it is written by step_move, and by nothing else. */
typedef struct sb_step_status {
	int64_t id;
	int64_t queue_id;
	int64_t handler_id;
	int64_t due_at_us;       /* scheduled: when it becomes ready */
	int64_t deadline_at_us;  /* when it fails; 0: never, as of all that is final */
	int64_t token;           /* of its newest claim; 0: never claimed */
	int64_t worker_id;       /* running: whose it is; final: who had it last */
	int64_t park_key;        /* parked: > 0 a handler's id, < 0 a concurrency key */
	int64_t concurrency_key; /* 0: none; else negative, a hash of queue and key */
	int64_t changed_at_us;   /* when it came into this state */
	int64_t execution_us;    /* final: how long its last attempt ran */
	int32_t priority;
	uint32_t attempt_count; /* charged since it was enqueued or redriven */
	uint32_t crash_count;   /* attempts lost since then */
	/* Kept since it was enqueued; 0: there is no row of them. */
	uint32_t checkpoint_count;
	sb_step_state state;
} sb_step_status;

/* A change of a step's state, applied only while it still is in `from` with from_token. */
typedef struct sb_step_move {
	sb_step_event event;
	sb_step_state from;
	int64_t from_token;
	sb_step_status to; /* all of it but id, queue_id, handler_id, priority, concurrency_key */
	bool is_done;      /* out: false: somebody else moved it */
} sb_step_move;

/* One attempt that did not simply succeed at first try: what is kept of it. */
typedef struct sb_attempt_row {
	int64_t step_id;
	int64_t token;
	int64_t worker_id;
	int64_t started_at_us;
	int64_t finished_at_us;
	int64_t execution_us;
	int64_t retry_at_us; /* 0: no attempt follows */
	uint32_t number;     /* 1 for the first */
	int32_t outcome;     /* SB_ATTEMPT_… */
	bool is_retryable;
	sb_slice error_type;
	sb_slice message;
	sb_slice error_code;
	sb_slice backtrace;
	sb_slice metadata;
} sb_attempt_row;

enum {
	SB_ATTEMPT_SUCCESS = 1,
	SB_ATTEMPT_FAILURE = 2,
	SB_ATTEMPT_SNOOZED = 3,
	SB_ATTEMPT_LOST = 4, /* its worker's lease ran out */
	SB_ATTEMPT_TIMED_OUT = 5,
	SB_ATTEMPT_CANCELLED = 6,
	SB_ATTEMPT_GIVEN_BACK = 7,
};

/* The result of a success; written only where there is something to write. */
typedef struct sb_result_row {
	int64_t step_id;
	sb_slice bytes;
	sb_slice content_type;
	sb_slice metadata;
} sb_result_row;

/* How far a step has come: what its last checkpoint keeps. */
typedef struct sb_checkpoint_row {
	int64_t step_id;
	int64_t token; /* of the attempt that ended with it */
	int64_t at_us;
	int64_t items_processed;
	sb_slice cursor;
	sb_slice partial_result;
} sb_checkpoint_row;

typedef struct sb_handler_row {
	int64_t id;
	sb_slice handler_namespace;
	sb_slice name;
	sb_slice version;       /* as asked for; may be empty */
	int64_t recorded_at_us; /* when a worker first said that it serves it; 0: never */
} sb_handler_row;

typedef struct sb_queue_row {
	int64_t id;
	sb_slice name;
	int64_t paused_at_us;         /* 0: not paused */
	uint32_t concurrency_max;     /* running steps of the queue; 0: no limit */
	uint32_t key_concurrency_max; /* running steps of one concurrency key; 0: no limit */
	uint32_t rate_count;          /* starts in each period; 0: no limit */
	int64_t rate_period_us;
	int64_t rate_room_micro; /* what may start now, in millionths of a step, */
	int64_t rate_at_us;      /* as reckoned then */
} sb_queue_row;

enum { SB_BOOT_ID_LEN = 16 };

/* One life of a worker. A worker that starts again is another row: its leases are not the old ones. */
typedef struct sb_worker_row {
	int64_t id;
	sb_slice name;
	sb_slice strategy;
	sb_slice queues;                 /* comma-separated; empty: all */
	sb_slice capabilities;           /* comma-separated */
	uint8_t boot_id[SB_BOOT_ID_LEN]; /* elapsed times of another boot mean nothing */
	int64_t pid;
	int64_t started_at_us;
	int64_t heartbeat_at_us;
	int64_t lease_until_ns; /* elapsed time of this machine, which no clock change moves */
	int64_t stopped_at_us; /* 0: not stopped; set on a stop, and when its lease was found over */
	int64_t block_size;
	int64_t pool_size;
	int64_t completed_count;
	int64_t failed_count;
	int64_t active_count;
} sb_worker_row;

/* A handler that a worker has registered: one version of it. */
typedef struct sb_served_row {
	int64_t worker_id;
	sb_slice handler_namespace;
	sb_slice name;
	sb_slice version;
} sb_served_row;

typedef struct sb_cron_row {
	sb_slice name;
	sb_slice expression;
	sb_slice zone;
	sb_slice step;      /* JSON: what is enqueued */
	sb_slice catch_up;  /* "none", "one" or "all" */
	int64_t next_at_us; /* when it fires next; 0: never again */
	int64_t last_at_us;
	int64_t paused_at_us;
	int64_t created_at_us;
} sb_cron_row;

/* A lane: the ready steps of one queue and priority, in the order of their ids. */
typedef struct sb_lane {
	int64_t queue_id;
	int64_t head_id; /* the first in the wanted direction */
	int32_t priority;
} sb_lane;

#endif
