/* SPDX-License-Identifier: MIT */
/*
 * Settling an attempt: the one way in which a completion changes a step. What the outcome means for
 * the step (done, retried, final, later) is decided here, from the retry policy; then one guarded
 * move is made, with the attempt's record beside it, in one transaction. A move whose guard fails
 * says that the completion comes too late, and why.
 */
#ifndef SB_HANDLERS_SETTLE_H
#define SB_HANDLERS_SETTLE_H

#include "handlers/notice.h"
#include "handlers/retry.h"
#include "handlers/writer.h"
#include "store/store.h"

enum { SB_SETTLE_VERSION_LEN = 72 };

/* One completion on its way into the store. Its owner keeps it until dispose. */
typedef struct sb_settlement {
	sb_operation operation;
	sb_notice notice;
	stepbus *engine;
	struct sb_claimed *claimed; /* NULL: it comes from outside */
	int64_t id;
	stepbus_completion completion; /* its texts are in texts, or live as long */
	sb_retry_policy handler_retry; /* what the handler says */
	int32_t attempt_outcome;       /* an SB_ATTEMPT_…, for the record */
	stepbus_status refusal;        /* where the store has it open; STEPBUS_OK: it is taken */
	int64_t failing_since_ns; /* when the store first would not take it; 0: it was not tried */
	char *texts;
	char handler_version[SB_SETTLE_VERSION_LEN];

	/* What run found and did. */
	sb_step_status before;
	sb_step_status after;
	sb_retry_decision decision;
	uint32_t attempt_count_max;
} sb_settlement;

/*
 * Prepares a settlement from a completion; copies what must outlive the call. engine, claimed, id
 * and, of a claimed step, handler_retry are set by the caller.
 */
stepbus_status sb_settlement_fill(sb_settlement *settlement, const stepbus_host *host,
				  const stepbus_completion *completion, stepbus_error *err);
void sb_settlement_clear(sb_settlement *settlement, const stepbus_host *host);

/* operation.run of a settlement. */
stepbus_status sb_settle_run(sb_operation *operation, sb_store *store, stepbus_error *err);

/*
 * Why a move out of RUNNING did not happen: STEPBUS_ENOTFOUND, _ECANCELLED, _ETIMEDOUT, _EALREADY
 * (the same attempt was completed) or _ESTALE.
 */
stepbus_status sb_settle_explain(sb_store *store, int64_t id, int64_t token, stepbus_error *err);

/* Inside. An attempt whose worker is gone; decides between retry, failure and quarantine. */
typedef struct sb_loss {
	bool was_started; /* else it is given back, uncharged */
	bool was_ended;   /* started, and its handler had returned: the step is not to blame */
	sb_slice evidence;
} sb_loss;
stepbus_status sb_settle_loss(stepbus *engine, sb_store *store, const sb_step_status *status,
			      const sb_loss *loss, sb_step_status *after, stepbus_error *err);

/* Inside. A step of this key has left RUNNING: the next one that was parked for it may go on. */
stepbus_status sb_settle_unpark(stepbus *engine, sb_store *store, int64_t concurrency_key,
				stepbus_error *err);
/*
 * Inside. A step has become final from where `before` says: the place that it had, or was let out
 * of the park for, is the next one's.
 */
stepbus_status sb_settle_unpark_behind(stepbus *engine, sb_store *store,
				       const sb_step_status *before, stepbus_error *err);

/* For a new attempt: newer than the last one's, but where a damaged store has no newer one left. Pure. */
int64_t sb_settle_next_token(int64_t token, int64_t now_us);

/* One guarded move, held against the table of states. is_done as in sb_step_move. */
stepbus_status sb_settle_move(sb_store *store, sb_step_event event, const sb_step_status *from,
			      const sb_step_status *to, bool *is_done, stepbus_error *err);

#endif
