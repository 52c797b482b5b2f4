/* SPDX-License-Identifier: MIT */
/*
 * What is told after it is durable: events for the bridge, and calls to hosts that waited for one.
 * Notices are told one after the other, in the order of their transactions, on a thread of their own:
 * a slow subscriber holds up later news, and nothing else at first. While many wait, workers claim
 * nothing more (sb_notices_are_many), so that those of steps cannot fill the memory. Those of what a
 * host asks for itself are as many as it asks for.
 */
#ifndef SB_HANDLERS_NOTICE_H
#define SB_HANDLERS_NOTICE_H

#include <stdatomic.h>

#include "bridge/bridge.h"
#include "bridge/loop.h"

/* How many may wait before workers hold back. */
enum { SB_NOTICE_WAITING_MAX = 8192 };

/* Part of what it tells of. tell calls the host; dispose frees what the notice is part of. */
typedef struct sb_notice {
	struct sb_notice *next;
	void (*tell)(struct sb_notice *notice, stepbus_bridge *bridge);
	void (*dispose)(struct sb_notice *notice);
} sb_notice;

/* Calls ease on the notices' thread when they cease to be many. */
typedef struct sb_notices_eased {
	void (*ease)(void *context);
	void *context;
} sb_notices_eased;

typedef struct sb_notices {
	stepbus_bridge *bridge;
	sb_notices_eased eased;
	sb_loop *loop; /* started by the first notice */
	const stepbus_host *host;
	bool is_still;                 /* the loop has no thread: see sb_engine_options */
	_Atomic(size_t) waiting_count; /* not told yet */
	pthread_mutex_t lock;          /* guards what follows */
	pthread_cond_t has_told;
	sb_notice *first, *last;
	uint64_t added_count;
	uint64_t told_count;
} sb_notices;

/* is_still was set. */
stepbus_status sb_notices_init(sb_notices *notices, const sb_notices_eased *eased,
			       stepbus_bridge *bridge, const stepbus_host *host,
			       stepbus_error *err);
/* Takes over a list, oldest first. Any thread; calls no host. */
void sb_notices_add(sb_notices *notices, sb_notice *first, sb_notice *last, size_t count);
/* Waits until all that was added before is told. Not on the notices' own thread. */
void sb_notices_flush(sb_notices *notices);
/* Whether more wait than should. Any thread. */
bool sb_notices_are_many(const sb_notices *notices);
bool sb_notices_is_here(const sb_notices *notices);
/* Instead of a thread: tells what waits. */
bool sb_notices_turn(sb_notices *notices);
/* Tells what waits, and ends. */
void sb_notices_free(sb_notices *notices);

#endif
