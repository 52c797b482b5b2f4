/* SPDX-License-Identifier: MIT */
/*
 * One worker's claim while it goes on, inside the transaction of a group: what it wants, the queues
 * that it has looked at with what their limits leave, and the taking of a single step. claim.c goes
 * through the lanes of ready steps, claim_parked.c through those that are parked for a handler.
 *
 * By the leader of the writer; nothing of it outlives the transaction.
 */
#ifndef SB_HANDLERS_CLAIM_BLOCK_H
#define SB_HANDLERS_CLAIM_BLOCK_H

#include "handlers/worker.h"

enum {
	SB_CLAIM_LANE_MAX = 128,
	SB_CLAIM_QUEUE_MAX = 2 * SB_CLAIM_LANE_MAX,
	SB_CLAIM_CHUNK = 128,     /* rows that are looked at, at once */
	SB_CLAIM_PASS_MAX = 1024, /* damaged rows that a claim passes over, and goes on in a lane */
};

/* One worker's claim. */
typedef struct sb_claim_block {
	stepbus *engine;
	stepbus_worker *worker;
	sb_store *store;
	stepbus_error *err;
	int64_t now_us;
	uint32_t wanted;
	uint32_t parked;
	uint32_t passed_over;
	uint32_t looked_at; /* parked steps */
	bool has_released;  /* parked steps became ready */
	bool has_more;
	struct {
		int64_t queue_id; /* the last one that gave nothing to a parked step; 0: none */
		bool is_paused;
	} closed;
	size_t lane_count;
	sb_claim_lane lanes[SB_CLAIM_LANE_MAX];
	/* Of parked steps and of lanes, each half the places at most; their names are not valid. */
	size_t queue_count;
	sb_queue_row queues[SB_CLAIM_QUEUE_MAX + 1];
} sb_claim_block;

/* A queue's row; valid for this claim. */
stepbus_status sb_claim_block_queue(sb_claim_block *b, int64_t id, const sb_queue_row **out);
/* How many steps of a queue may start now; UINT32_MAX: no limit. */
stepbus_status sb_claim_block_room(sb_claim_block *b, const sb_queue_row *queue, uint32_t *room);
/* Whether as many steps of its concurrency key run as may. */
stepbus_status sb_claim_block_is_key_full(sb_claim_block *b, const sb_step_status *status,
					  bool *is_full);
/* Notes that count steps of a queue start; and writes that down, once for the whole claim. */
void sb_claim_block_charge(sb_claim_block *b, int64_t queue_id, uint32_t count);
stepbus_status sb_claim_block_note_rates(sb_claim_block *b);
/*
 * What to answer for a step that was answered for like that: STEPBUS_OK where only its own rows are
 * to blame, so that the rest is claimed. fresh_count is the worker's of before: what was handed over
 * since cannot be passed over.
 */
stepbus_status sb_claim_block_pass_over(sb_claim_block *b, int64_t step_id, uint32_t fresh_count,
					stepbus_status status);
/* Makes a step the worker's. */
stepbus_status sb_claim_block_take(sb_claim_block *b, const sb_step_status *status,
				   sb_known_handler *handler);

/*
 * Claims steps that are parked for a handler, and can run here by now. has_more becomes true where
 * it is worth going on at once.
 */
stepbus_status sb_claim_parked(sb_claim_block *b);

#endif
