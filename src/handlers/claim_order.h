/* SPDX-License-Identifier: MIT */
/*
 * Which ready steps a worker claims first. Steps stand in lanes (one for each queue and priority,
 * in the order of their ids); this says which lane to take from next, how many, and up to which id,
 * so that a block of any size comes out in exactly the order of its strategy. Pure.
 *
 *   fifo             the lowest id first, over all lanes
 *   lifo             the highest id first
 *   priority         the lowest priority number first; among equals the lowest id
 *   weighted_random  draws a priority p for each step, with the weight 1 / (p + 1) among those that
 *                    have steps (docs/decisions/0004-weighted-random.md); then the lowest id
 *
 * With priority and weighted_random, age_percent of all steps claimed are the oldest ones, whatever
 * their priority, so that none starves. What a block leaves over of that share is kept in
 * age_credit, so that single claims come to the same share as large ones; and the share counts
 * steps that were really taken, so that a queue at its limit is not drained by age alone. Steps that
 * were taken from the only lane there was do not count: nobody was passed over.
 *
 * The caller fills lanes, sorts them once, and then, until enough are claimed: asks sb_claim_next,
 * takes rows from the store, and says with sb_claim_taken what became of it. One thread at a time.
 */
#ifndef SB_HANDLERS_CLAIM_ORDER_H
#define SB_HANDLERS_CLAIM_ORDER_H

#include "base/text.h"

/* The strategies; databases and configurations have their names. */
typedef enum sb_claim_strategy {
	SB_CLAIM_FIFO,
	SB_CLAIM_LIFO,
	SB_CLAIM_PRIORITY,
	SB_CLAIM_WEIGHTED_RANDOM,
	SB_CLAIM_STRATEGY_COUNT
} sb_claim_strategy;

/* A worker's; lives from claim to claim. */
typedef struct sb_claim_order {
	sb_claim_strategy strategy;
	uint32_t age_percent; /* 0 to 100 */
	int64_t age_credit;   /* steps due by age, in hundredths; begins at 0 */
	uint64_t random;      /* changes with each draw; begin with any number */
} sb_claim_order;

/* A lane as one block sees it. */
typedef struct sb_claim_lane {
	int64_t queue_id;
	int64_t head_id;  /* the next one in the wanted direction; 0: nothing is left */
	int32_t priority; /* 0 runs first; below 0 counts as 0 where weights are asked for */
	uint32_t room;    /* how many its queue's limits let start; 0: none, UINT32_MAX: no limit */
	uint32_t drawn_count; /* of weighted_random; begins at 0 */
} sb_claim_lane;

typedef struct sb_claim_take {
	size_t lane; /* its index */
	uint32_t count;
	int64_t bound_id;   /* not this one nor any beyond it; 0: there is no bound */
	bool is_drawn;      /* by lot */
	int32_t age_credit; /* what each step of it adds to that of the order */
} sb_claim_take;

/* "weighted_random"; NULL for what is no strategy. */
const char *sb_claim_strategy_name(int strategy);
bool sb_claim_strategy_of(sb_slice name, sb_claim_strategy *out);

/* Puts lanes into the order that sb_claim_next relies on. */
void sb_claim_sort(sb_claim_lane *lanes, size_t count);

/* Where to take from next, at most wanted; false where nothing may be taken. */
bool sb_claim_next(sb_claim_order *order, sb_claim_lane *lanes, size_t count, uint32_t wanted,
		   sb_claim_take *out);

/*
 * What became of it: how many were claimed (others may have been passed over), and which id is now
 * the head of that lane, 0 for none. The head must have moved, or take->count been claimed.
 */
void sb_claim_taken(sb_claim_order *order, sb_claim_lane *lanes, size_t count,
		    const sb_claim_take *take, uint32_t claimed, int64_t head_id);

#endif
