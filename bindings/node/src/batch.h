/* SPDX-License-Identifier: MIT */
/*
 * A batch: polled events as one block of bytes, the records first and what they point at behind them,
 * so that a batch costs JavaScript one object and a step is decoded only as far as it is looked at.
 */
#ifndef SBN_BATCH_H
#define SBN_BATCH_H

#include "bindings/node/src/api.h"

/*
 * An array of batches, each followed by the number of its events: one, but where they are so long that
 * they need several.
 */
napi_status sbn_batch_write(napi_env env, const stepbus_step_event *events, size_t count,
			    napi_value *out);

/* A completion in the same form. */
napi_status sbn_batch_write_completion(napi_env env, const stepbus_completion *completion,
				       napi_value *out);

#endif
