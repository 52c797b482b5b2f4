/* SPDX-License-Identifier: MIT */
/*
 * Payloads: most are bytes, two standard events carry a struct of pointers. Copies a payload so
 * that it may wait in a queue, and checks the structs that a stranger hands us. Pure but for the
 * allocator.
 */
#ifndef SB_BRIDGE_PAYLOAD_H
#define SB_BRIDGE_PAYLOAD_H

#include <stddef.h>

#include "include/stepbus.h"

typedef enum sb_payload_kind {
	SB_PAYLOAD_BYTES,
	SB_PAYLOAD_STEP_EVENT,
	SB_PAYLOAD_COMPLETION
} sb_payload_kind;

/* What is checked may be shorter than we know it, where an older host made it: its size says so. */
stepbus_status sb_payload_check_step_event(const void *payload, size_t len,
					   const stepbus_step_event **out, stepbus_error *err);
stepbus_status sb_payload_check_completion(const void *payload, size_t len,
					   const stepbus_completion **out, stepbus_error *err);

/* Gives an event with all the fields that we know: a shorter one is copied into room, the rest zero. */
stepbus_status sb_payload_take_step_event(const void *payload, size_t len, stepbus_step_event *room,
					  const stepbus_step_event **out, stepbus_error *err);

/*
 * One block that holds the payload and all it points at, freed with sb_release; its first len bytes
 * are the payload. An empty payload gives a block too. EINVAL where the struct is none.
 */
stepbus_status sb_payload_copy(const stepbus_host *host, sb_payload_kind kind, const void *payload,
			       size_t len, void **out, stepbus_error *err);

#endif
