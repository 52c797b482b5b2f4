/* SPDX-License-Identifier: MIT */
/*
 * The engine: a store, the threads that work on it, and what they share. Each part has a file of
 * its own:
 *
 *   writer    operations become transactions          enqueue   new steps
 *   claim     which steps go to which worker           settle    what a completion means
 *   worker    threads that run handlers                sweep     what time does to steps
 *   notice    what is told after it is durable         clockwork the loop thread: when to do what
 *
 * The lead of the writer guards all that has no lock of its own; docs/THREADS.md has the order of
 * the locks.
 */
#ifndef SB_HANDLERS_ENGINE_H
#define SB_HANDLERS_ENGINE_H

#include "base/clock.h"
#include "handlers/breaker.h"
#include "handlers/claimed.h"
#include "handlers/execution.h"
#include "handlers/names.h"
#include "handlers/notice.h"
#include "handlers/settle.h"
#include "handlers/step_spec.h"
#include "handlers/writer.h"
#include "handlers/zone_shelf.h"
#include "registry/registry.h"

enum { SB_ENGINE_FORKED = 0, SB_ENGINE_OPEN = 1, SB_ENGINE_STOPPING = 2, SB_ENGINE_STOPPED = 3 };

/* Reads the JSON of a cron entry's step, which this folder does not understand; see schedule.h. */
typedef struct sb_cron_reader {
	/* Gives a spec whose texts live until memory is freed. It is not checked. */
	stepbus_status (*read)(const stepbus_host *host, sb_slice json, stepbus_step_spec *spec,
			       void **memory, stepbus_error *err);
	/* NULL is accepted. */
	void (*free)(void *memory);
} sb_cron_reader;

/* What the configuration says, checked. */
typedef struct sb_engine_options {
	bool is_in_memory;
	bool is_still;    /* for simulations: it has no threads, see still.h */
	const char *path; /* ends in NUL */
	sb_durability durability;
	int64_t busy_timeout_ms;
	bool is_network_allowed;
	int64_t wal_alarm_bytes;
	size_t payload_len_max;
	bool is_strict; /* handlers that nobody ever served are refused */
	int64_t lease_ms;
	int64_t heartbeat_ms;
	int64_t poll_ms;
	size_t group_count_max;
	size_t waiting_count_max;
	int64_t keep_completed_us; /* retention; -1: for ever */
	int64_t keep_failed_us;
	int64_t keep_cancelled_us;
	uint32_t sweep_count_max;
	uint32_t crash_count_max;
	uint32_t breaker_failure_count; /* 0: it never opens */
	int64_t breaker_open_ms;
	sb_retry_policy retry;
	const sb_cron_reader *cron_reader; /* NULL: cron entries are left alone */
} sb_engine_options;

/* The ids of events that the engine publishes, looked up once. */
typedef enum sb_engine_event {
	SB_EVENT_RECEIVED,
	SB_EVENT_COMPLETION,
	SB_EVENT_REQUESTED,
	SB_EVENT_STARTED,
	SB_EVENT_COMPLETED,
	SB_EVENT_FAILED,
	SB_EVENT_RETRY,
	SB_EVENT_SNOOZED,
	SB_EVENT_CHECKPOINT,
	SB_EVENT_CANCELLED,
	SB_EVENT_QUARANTINED,
	SB_EVENT_REDRIVEN,
	SB_EVENT_RETRIES_USED,
	SB_EVENT_WORKER_STARTED,
	SB_EVENT_WORKER_STOPPING,
	SB_EVENT_WORKER_STOPPED,
	SB_EVENT_WORKER_HEARTBEAT,
	SB_EVENT_WORKER_ERROR,
	SB_EVENT_WORKER_LOST,
	SB_EVENT_POLLER_METRICS,
	SB_EVENT_POLLER_ERROR,
	SB_EVENT_POLLER_STARVING,
	SB_EVENT_STORE_ALARM,
	SB_EVENT_STORE_ERROR,
	SB_EVENT_COUNT
} sb_engine_event;

/* On a fork page: in a forked child it reads as zero. */
typedef struct sb_engine_head {
	_Atomic(uint32_t) mode;
} sb_engine_head;

/* Whose row another program has damaged. */
typedef enum sb_damage_kind {
	SB_DAMAGE_STEP,
	SB_DAMAGE_QUEUE,
	SB_DAMAGE_HANDLER,
} sb_damage_kind;

enum { SB_DAMAGE_TOLD_MAX = 32 };

struct stepbus {
	sb_engine_head *head;
	stepbus_host host;
	sb_engine_options options;
	char *path; /* of the options: absolute, and its own */
	sb_store *store;
	stepbus_bridge *bridge;
	stepbus_registry *registry;
	bool owns_registry;
	stepbus_execution_subscriber *subscriber;
	uint32_t event_ids[SB_EVENT_COUNT];
	uint8_t boot_id[SB_BOOT_ID_LEN];

	sb_writer writer;
	sb_notices notices;
	sb_claimed_table claimed;
	struct sb_clockwork *clockwork;
	pthread_mutex_t breaker_lock;
	sb_breaker breaker; /* of answers of hosts */

	/* Guarded by the writer's lead. */
	sb_names names;
	stepbus_worker *workers;     /* those that claim, or still run something */
	stepbus_worker *all_workers; /* those that are not freed */
	uint64_t settled_count;      /* groups */
	sb_zone_shelf zones;
	int64_t cron_complained_ns;
	sb_operation *again; /* completions that failed for reasons that pass */
	/* Rows that are passed over, as far as they were told of: see damage.h. */
	struct sb_damage {
		size_t count;
		struct {
			sb_damage_kind kind;
			int64_t id;
		} told[SB_DAMAGE_TOLD_MAX];
	} damage;
	struct sb_group {
		int64_t now_us;        /* of this transaction; 0: not asked for yet */
		bool is_ready_made;    /* a step changed: it is worth a look what can be claimed */
		bool is_ready_left;    /* a step became ready */
		bool is_final_made;    /* a step became final */
		bool is_served_read;   /* elsewhere is of this transaction */
		bool is_claimed;       /* it was looked what can be claimed */
		bool is_change_noted;  /* it was asked whether others have written */
		int64_t open_queue_id; /* a queue found without limits, and one with some */
		int64_t closed_queue_id;
		bool is_due_known; /* due_next_us is the earliest of all scheduled steps */
		int64_t due_next_us;
		int64_t due_at_us; /* the earliest new time of a scheduled step; 0: none */
		bool is_cron_known;
		int64_t cron_at_us; /* the earliest time of all cron entries; 0: none */
	} group;
	bool may_have_parked;
	uint64_t serving_generation;
	sb_map elsewhere; /* handlers that live workers of other processes serve */
	struct sb_notice_list {
		sb_notice *first, *last;
		size_t count;
	} tentative, certain; /* what to tell when this transaction, and this group, is done */

	/* Any thread. */
	_Atomic(uint64_t) random;
	_Atomic(uint64_t) change_count; /* rises when there may be something new to claim */
	_Atomic(int64_t) due_at_us;    /* when the next scheduled step is due; 0: unknown or none */
	_Atomic(int64_t) cron_at_us;   /* when the next cron entry is due; 0: none */
	_Atomic(uint32_t) final_count; /* a futex: rises when steps become final */
	_Atomic(uint32_t) awaiting_count;
	_Atomic(uint32_t) is_alarmed; /* the store's log is too long */
	_Atomic(uint32_t) is_failing; /* the last transaction did not succeed */
};

/* STEPBUS_EFORKED, or STEPBUS_ESHUTDOWN where it is stopping and is_new_work. */
stepbus_status sb_engine_check(const stepbus *engine, bool is_new_work, stepbus_error *err);

/* options were checked; registry may be NULL. */
stepbus_status sb_engine_open(const sb_engine_options *options, const stepbus_host *host,
			      stepbus_registry *registry, stepbus **out, stepbus_error *err);
/* Stops all workers and refuses new work; STEPBUS_ETIMEDOUT where handlers still run. */
stepbus_status sb_engine_stop(stepbus *engine, int64_t timeout_ms, stepbus_error *err);
/* Waits for handlers that run. NULL is accepted. */
void sb_engine_close(stepbus *engine);
/* Looks for work now, and lets other processes look. Any thread. */
void sb_engine_wake(stepbus *engine);

/* Inside a transaction: its time, asked for once. */
int64_t sb_engine_now_us(stepbus *engine);
/* Inside: what has to be remembered when the transaction is committed. */
void sb_engine_note_state(stepbus *engine, const sb_step_status *status);
/* Inside: when the next of all cron entries is due. */
void sb_engine_note_cron(stepbus *engine, int64_t at_us);
/* Whether anyone subscribes to an event. Any thread. */
bool sb_engine_is_heard(const stepbus *engine, sb_engine_event event);
/* Inside: tells it when the transaction is committed; where it is not, it is disposed of. */
void sb_engine_add_tentative(stepbus *engine, sb_notice *notice);
/* By the leader, after a commit: tells it when the group is done. */
void sb_engine_add_notice(stepbus *engine, sb_notice *notice);
/* A random number, for jitter and draws. Any thread. */
uint64_t sb_engine_random(stepbus *engine);
/* Whether the calling thread runs a handler, subscriber or callback of this engine. */
bool sb_engine_is_inside(const stepbus *engine);

#endif
