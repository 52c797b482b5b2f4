/* SPDX-License-Identifier: MIT */
/*
 * Enqueueing: specs become steps, all or none of them, inside one transaction. Keys decide whether a
 * step is there already; that is looked up in the same transaction, so that two callers never both
 * get a new one.
 */
#ifndef SB_HANDLERS_ENQUEUE_H
#define SB_HANDLERS_ENQUEUE_H

#include "handlers/engine.h"
#include "handlers/express.h"
#include "handlers/step_spec.h"

enum { SB_ENQUEUE_COUNT_MAX = 100000 };

/* What a host wants enqueued; specs were checked and stay where they are until it is done. */
typedef struct sb_enqueue {
	sb_operation operation;
	stepbus *engine;
	sb_names *names; /* the engine's, or those of a transaction that is not the writer's */
	int64_t now_us;  /* of such a transaction; else 0 */
	const stepbus_step_spec *specs;
	size_t count;
	sb_express_batch batch; /* found out in each run */
	stepbus_enqueued *out;  /* count of them, or NULL */
	/* Of one that nobody waits for: */
	sb_notice notice;
	stepbus_enqueued_fn told;
	void *user_data;
} sb_enqueue;

/* When a step fails unless it started (or, without a time for waiting, is final); 0: never. Pure. */
int64_t sb_enqueue_deadline_us(const sb_step_row *row, int64_t from_us);

/* Inside: operation.run of an sb_enqueue, for stores and transactions of any kind. */
stepbus_status sb_enqueue_run(sb_operation *operation, sb_store *store, stepbus_error *err);

/* Waits until it is durable. */
stepbus_status sb_enqueue_perform(stepbus *engine, const stepbus_step_spec *specs, size_t count,
				  stepbus_enqueued *out, stepbus_error *err);
/* Copies the specs and returns. */
stepbus_status sb_enqueue_submit(stepbus *engine, const stepbus_step_spec *specs, size_t count,
				 stepbus_enqueued_fn told, void *user_data, stepbus_error *err);

#endif
