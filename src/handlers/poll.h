/* SPDX-License-Identifier: MIT */
/*
 * Handing steps out to a host: what a thread of a pool does before it calls a handler, done for as
 * many steps as the host wants at once. From then on a step is the host's, see answer.h.
 */
#ifndef SB_HANDLERS_POLL_H
#define SB_HANDLERS_POLL_H

#include "handlers/worker.h"

/* Where the steps go: event_len is the distance of one to the next, and how much of each is written. */
typedef struct sb_poll_room {
	char *events;
	size_t event_len;
	size_t count_max;
} sb_poll_room;

/* *count steps were handed out, also where it fails. See stepbus_poll. */
stepbus_status sb_poll(stepbus_worker *worker, const sb_poll_room *room, int64_t timeout_ms,
		       size_t *count, stepbus_error *err);

#endif
