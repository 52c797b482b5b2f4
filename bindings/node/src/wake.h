/* SPDX-License-Identifier: MIT */
/*
 * Waking: calls a JavaScript function, on the environment's thread, as long as a descriptor is
 * readable. Node's own event loop watches the descriptor, so nothing is asked for in vain, and no other
 * thread takes part.
 */
#ifndef SBN_WAKE_H
#define SBN_WAKE_H

#include "bindings/node/src/api.h"

typedef struct sbn_wake sbn_wake;

/* Watching has not begun yet. NULL, with an exception thrown. */
sbn_wake *sbn_wake_new(napi_env env, int32_t fd, napi_value callback);

/* While it is watched, the environment stays alive. False where the system refuses. */
bool sbn_wake_watch(sbn_wake *wake, bool is_watched);

/* Stops watching at once; the descriptor may then be closed. NULL is accepted. */
void sbn_wake_free(sbn_wake *wake);

#endif
